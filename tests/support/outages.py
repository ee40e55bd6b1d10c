"""A source of readings that fails or finds problems as a test says, and the channels that are notified."""

from __future__ import annotations

from dataclasses import dataclass, field

from support.fakeworld import BELOW, FakePoller
from tallyd.contract.toolbox import Toolbox
from tallyd.core.errors import SourceError
from tallyd.core.reading import Problem, Reading, Slot
from tallyd.core.schedule.timetable import Every
from tallyd.settings.pollers import RetrySettings

OPS, PHONE = "json://ops.example/x", "json://phone.example/x"
CHANNELS = {"ops": OPS, "phone": PHONE}
ONE_TRY = RetrySettings(attempts=1)
DOWN = SourceError("example.org timed out", transient=True)
REFUSED = SourceError("access key refused (HTTP 403)", transient=False)


@dataclass
class Source:
    """The result of all runs from now on: an error, or a reading with these problems that forgets these."""

    error: Exception | None = None
    below: list[str] = field(default_factory=list)
    forgotten: frozenset[str] = frozenset()

    def __call__(self, slot: Slot, tools: Toolbox) -> Reading:
        if self.error is not None:
            raise self.error
        found: list[Problem] = [
            BELOW.problem(tools.poller, subject, since=tools.now(), poller=tools.poller, subject=subject)
            for subject in self.below
        ]
        return Reading(
            taken_at=tools.now(),
            facts={"total": 1, "counts": {}},
            problems=tuple(found),
            forgotten=self.forgotten,
        )


def top(*channels: str, **alerts: object) -> dict[str, object]:
    """Return the top of a config with both channels. Notifies those named, else `ops`."""
    return {"channels": CHANNELS, "alerts": {"channels": list(channels) or ["ops"], **alerts}}


def minutely(source: Source) -> FakePoller:
    """Return a poller with a reading each minute, on the minute."""
    return FakePoller(Every(60.0, grid=True), source, catch_up_s=30.0, retry=ONE_TRY)

"""What the page reads of every poller, whatever its kind. Nothing is written through it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from tallyd.config.jobs import Task, tasks_of
from tallyd.contract.poller import Poller
from tallyd.core.schedule.timetable import Every
from tallyd.core.stored import LastReading
from tallyd.core.texts import span
from tallyd.web.context import Context
from tallyd.web.views import Card, Head, Standing, card, head


class PageData:
    """Reads for the page. Any number of threads. What is not configured raises KeyError."""

    def __init__(self, context: Context) -> None:
        self.context = context

    @property
    def pollers(self) -> Mapping[str, Poller]:
        return self.context.config().settings.pollers

    def zone(self, name: str) -> ZoneInfo:
        return self.context.config().effective(name).zone

    def now(self) -> datetime:
        return self.context.now()

    def standing(self) -> Standing:
        config = self.context.config()
        return Standing(self.context.alerts(), self.context.mutes(), self.now(), config.alert_policy_of)

    def head(self, standing: Standing, has_reading: Mapping[str, bool]) -> Head:
        """Return the top of the page, which is of all pollers, whichever is looked at.

        `has_reading` says of every poller whether anything was read yet.
        """
        config, ticked_s = self.context.config(), self.context.runs.ticked_s()
        return head(
            config.settings.name,
            config.zone,
            standing,
            ticked_ago_s=None if ticked_s is None else self.context.monotonic() - ticked_s,
            restart=self.context.restart,
            has_reading=has_reading,
        )

    def card(self, name: str, standing: Standing, *, last: LastReading | None, last_label: str) -> Card:
        return card(
            name,
            self.zone(name),
            standing,
            last=last,
            last_label=last_label,
            next_at=self.next_at(name, standing.now),
            next_label=_every(self._tasks(name)),
        )

    def next_at(self, name: str, now: datetime) -> datetime | None:
        """Return when the next slot of a poller comes."""
        return min((at for task in self._tasks(name) if (at := task.next_at(now))), default=None)

    def _tasks(self, name: str) -> list[Task]:
        return [task for task in tasks_of(self.context.config()) if task.poller == name]


def _every(tasks: Sequence[Task]) -> str:
    plain = [task.job.when for task in tasks if isinstance(task.job.when, Every) and not task.job.when.grid]
    return f"every {span(min(when.interval_s for when in plain))}" if plain else ""

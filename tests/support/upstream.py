"""A poller whose readings are sent to an upstream, and the upstream, made of plain objects.

upstream = Upstream(clock)
with clock, World(tmp_path, clock, SendingPoller(upstream=upstream), top=top()) as world:
    world.run(minutes=5)
    assert upstream.taken == {("SS-007", "2026-11-20"): 1}
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from itertools import count
from typing import ClassVar

from support.fakeclock import FakeClock
from support.fakeworld import FakePoller
from tallyd.contract.delivery import Accepted, Refused
from tallyd.contract.job import Job
from tallyd.contract.toolbox import Toolbox
from tallyd.core.alerts.alert_kind import AlertKind
from tallyd.core.alerts.run_alerts import UNSENT
from tallyd.core.errors import SourceError
from tallyd.core.outbox import report_json
from tallyd.core.reading import Facts, Json, OutboxMessage, Reading, Slot
from tallyd.core.schedule.timetable import At, Every

SSID = "SS-007"
FIVE_MINUTES = Every(300.0, grid=True)
DOWN = "upstream.example timed out"


def top(**keys: object) -> dict[str, object]:
    """Return the top of a config with one channel, `ops`."""
    return {"channels": {"ops": "json://ops.example/x"}, "alerts": {"channels": ["ops"]}, **keys}


@dataclass
class Upstream:
    """Takes what is posted. `posts` is all that got here, `taken` the newest body by (ssid, day).

    While `is_down` nothing gets here. `refusals` are its answers by ssid. `takes_s` is how long it takes to
    answer. `then` is called with each post once it is taken: what it raises is what the poller meets.
    """

    clock: FakeClock
    is_down: bool = False
    refusals: dict[str, Refused] = field(default_factory=dict)
    takes_s: float = 0.0
    retry_after_s: float | None = None
    then: Callable[[OutboxMessage], None] = lambda _message: None
    posts: list[tuple[str, str, Json]] = field(default_factory=list)
    tried_at: list[str] = field(default_factory=list)
    taken: dict[tuple[str, str], Json] = field(default_factory=dict)

    def __call__(self, message: OutboxMessage, *, timeout_s: float) -> Accepted | Refused:
        self.tried_at.append(f"{self.clock.now():%H:%M:%S}")
        self.clock.pass_s(min(self.takes_s, timeout_s))
        if self.is_down or self.takes_s > timeout_s:
            raise SourceError(DOWN, transient=True, retry_after_s=self.retry_after_s)
        key = (message.ssid, message.day.isoformat())
        self.posts.append((*key, message.body))
        if message.ssid in self.refusals:
            return self.refusals[message.ssid]
        self.taken[key] = message.body
        self.then(message)
        return Accepted("OK")


@dataclass
class SendingPoller(FakePoller):
    """A poller with one job, `report`: each run counts one more person of the day, and reports all of them.

    The first run of a day also makes the last report of the day before it, as `part`.
    """

    when: At | Every = FIVE_MINUTES
    upstream: Upstream | None = None
    ssids: tuple[str, ...] = (SSID,)
    sends_on: bool = True
    people: dict[date, int] = field(default_factory=dict)
    kind: ClassVar[str] = "fake"

    def jobs(self) -> tuple[Job, ...]:
        job = Job(
            name="report",
            when=self.when,
            evaluates=frozenset(),
            limit_s=600.0,
            run=self._report,
            catch_up_s=None,
            alerts_on_missed=False,
        )
        return (job,)

    @classmethod
    def alert_kinds(cls) -> tuple[AlertKind, ...]:
        return (UNSENT,)

    def watched(self) -> Mapping[str, frozenset[str]]:
        return {UNSENT.what: frozenset(self.ssids)}

    def is_sending(self) -> bool:
        return self.sends_on

    def deliver(self, message: OutboxMessage, tools: Toolbox, *, timeout_s: float) -> Accepted | Refused:
        assert self.upstream is not None
        return self.upstream(message, timeout_s=timeout_s)

    def _report(self, slot: Slot, tools: Toolbox) -> tuple[Reading, ...]:
        self.runs.append(slot)
        today = slot.due_at.astimezone(tools.zone).date()
        past = [day for day in self.people if day < today]
        finals = tuple(self._reading(day, tools, part=day.isoformat()) for day in past)
        for day in past:
            del self.people[day]
        self.people[today] = self.people.get(today, 0) + 1
        return (*finals, self._reading(today, tools, part=None))

    def _reading(self, day: date, tools: Toolbox, *, part: str | None) -> Reading:
        total = self.people[day]
        messages = tuple(OutboxMessage(ssid=ssid, day=day, body=total) for ssid in self.ssids)
        facts: dict[str, Json] = {"day": day.isoformat(), "total": total, "report": report_json(messages)}
        return Reading(taken_at=tools.now(), facts=facts, part=part, outbox=messages, memory=_memory(total))


def _memory(total: int) -> Facts:
    return {"total": total}


def fails_first(times: int, failure: BaseException) -> Callable[[OutboxMessage], None]:
    """Return a `then` that raises so often, and then no more."""
    calls = count(1)

    def then(_message: OutboxMessage) -> None:
        if next(calls) <= times:
            raise failure

    return then

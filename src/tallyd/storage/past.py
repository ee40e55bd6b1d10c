"""What is stored of one poller, as its boards read it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from tallyd.adapters.records.reader import RecordsReader
from tallyd.adapters.state import State
from tallyd.config.jobs import poller_tasks
from tallyd.config.kinds import FormerKind
from tallyd.config.model import Config
from tallyd.config.settings import BY_KIND
from tallyd.contract.board import PastRecords
from tallyd.contract.poller import Poller
from tallyd.core.alerts.incidents import Incident
from tallyd.core.naming import problem_key
from tallyd.core.reading import Facts
from tallyd.core.stored import LastReading, OutboxRow, StoredReading
from tallyd.core.uptime import TimeSpan


@dataclass(frozen=True, kw_only=True)
class StoredPast:
    """Reads state.db and the database of records. Satisfies `contract.board.Past`."""

    poller: str
    zone: ZoneInfo
    now: datetime
    next_at: datetime | None
    open_alerts: frozenset[str]
    state: State
    reader: RecordsReader
    kept_of: Callable[[str, str], Mapping[str, object]]

    @property
    def records(self) -> PastRecords:
        return self.reader.of(self.poller)

    def last_taken(self) -> LastReading | None:
        return self.state.readings.last_taken(self.poller, now=self.now)

    def last_reading(self, *, in_timetable: bool = False) -> StoredReading | None:
        return self.state.readings.last(self.poller, now=self.now, in_timetable=in_timetable)

    def readings(
        self, since: datetime, until: datetime, *, most: int | None = None
    ) -> Sequence[StoredReading]:
        return self.state.readings.history(poller=self.poller, since=since, until=until, most=most)

    def memory(self, job: str) -> Facts:
        return self.state.readings.memory(self.poller, job)

    def kept(self, job: str) -> Mapping[str, object]:
        return self.kept_of(self.poller, job)

    def outbox(self) -> Sequence[OutboxRow]:
        return self.state.outbox.all(self.poller)

    def incidents(
        self, since: datetime, until: datetime, *, subject: str = "", most: int | None = None
    ) -> Sequence[Incident]:
        return self.state.incidents.between(since, until, poller=self.poller, subject=subject, most=most)

    def uptime(self, since: datetime, until: datetime) -> Sequence[TimeSpan]:
        return self.state.uptime.between(since, until, now=self.now)


def past_of(
    name: str,
    config: Config,
    state: State,
    reader: RecordsReader,
    *,
    now: datetime,
    open_keys: Iterable[str],
    kept_of: Callable[[str, str], Mapping[str, object]] = lambda _poller, _job: {},
) -> StoredPast:
    """Return what is stored of a poller, be it configured or one that once was.

    `open_keys` are the keys of all open alerts.
    """
    own = problem_key(name, "")
    is_configured = name in config.sources
    coming = (task.next_at(now) for task in poller_tasks(config, name))
    return StoredPast(
        poller=name,
        zone=config.effective(name).zone if is_configured else config.zone,
        now=now,
        next_at=min((at for at in coming if at is not None), default=None),
        # Prefixes, not `key_segments`: each card compares all alerts, and there may be ten thousand.
        open_alerts=frozenset(key for key in open_keys if key.startswith(own)),
        state=state,
        reader=reader,
        kept_of=kept_of,
    )


def poller_of(name: str, config: Config, state: State, *, now: datetime) -> Poller | None:
    """Return a configured poller, or one that once was, by the kind of its readings; None: there was none.

    Raises `StateError`.
    """
    if name in config.settings.pollers:
        return config.settings.pollers[name]
    readings = state.readings
    newest = readings.last(name, now=now) or next(reversed(readings.history(poller=name)), None)
    if newest is None:
        return None
    return BY_KIND[newest.kind].former() if newest.kind in BY_KIND else FormerKind.of(newest.kind)

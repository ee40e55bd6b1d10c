"""Writes the past of the demo, through the store of the daemon, with a clock that follows it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta
from functools import partial
from hashlib import sha256
from heapq import merge
from operator import itemgetter
from typing import Final, TypeAlias, cast
from zoneinfo import ZoneInfo

from tallyd.adapters.outfiles import OutFiles
from tallyd.adapters.records.database import Database
from tallyd.adapters.state import State, StateError
from tallyd.config.jobs import Task, tasks_of
from tallyd.config.model import Config
from tallyd.contract.passages import Content, Count, ToIngest, read_seen, seconds_of
from tallyd.contract.records import Records
from tallyd.contract.toolbox import Toolbox
from tallyd.core.alerts.incidents import IncidentId
from tallyd.core.alerts.notices import News, Notified, notice_for
from tallyd.core.outbox import Outcome, reported
from tallyd.core.reading import Reading, Slot
from tallyd.core.schedule.days import day_of, day_span
from tallyd.core.schedule.timetable import NOT_STARTED, Missed, slots
from tallyd.demo.past.ages import Ages
from tallyd.demo.past.divera import DiveraOfThen
from tallyd.demo.past.month import Month
from tallyd.demo.past.visits import Minutes, cut, totals, visits_of
from tallyd.demo.world.crowd import HOSTS, QUIET_HOST
from tallyd.demo.world.http_server import HOST
from tallyd.demo.world.upstream import OK
from tallyd.pollers.servers.rounds.check_round import reading_of
from tallyd.pollers.servers.rounds.target_memory import TargetMemory
from tallyd.pollers.visitors.alerts.memory import Quiet
from tallyd.pollers.visitors.alerts.silent_sources import no_files
from tallyd.pollers.visitors.settings import VisitorsSettings
from tallyd.runs.missed import MissedSlots
from tallyd.storage.store import Store
from tallyd.storage.store_result import outbox_of

_TOOK: Final = timedelta(milliseconds=180)
"""How long after its slot a reading was taken."""
_TOLD: Final = timedelta(seconds=2)
"""How long after its alert a notice was delivered."""
_NO_ANSWER: Final = f"{HOST} closed the connection without an answer"

_RECORD_BYTES: Final = 110

Event: TypeAlias = "tuple[datetime, Callable[[], None]]"


def write_past(config: Config, *, now: datetime) -> None:
    """Write four weeks of counts and alerts into the folders of a config.

    The times of `config` are those of the past. All its alerts have ended by `now`, and its channels have
    received all notices, so that a daemon that starts here has nothing to send. Raises `StateError`,
    `RecordsError`.
    """
    logging.getLogger("tallyd").addHandler(logging.NullHandler())  # the past is no news on this terminal
    config.state_dir.mkdir(mode=0o750, exist_ok=True)
    state = State(config.state_at)
    database = Database(config.database_url, prepares=True)
    try:
        past = _Past(config, state, Month(now, config.zone))
        with ThreadPoolExecutor(1) as beside:
            stored = beside.submit(past.store_records, database)
            past.play()
            stored.result()
    finally:
        database.close()
        state.close()


class _Past:
    """The stores of the daemon, and the clock of the past: `now` is the time of the event that is played."""

    def __init__(self, config: Config, state: State, month: Month) -> None:
        self._month = month
        self._state = state
        self._at = month.begin
        self._config = config
        self._store = Store(state, OutFiles(config.out_dir, is_durable=False), now=lambda: self._at)
        self._store.alerts.alert_policy_of = config.alert_policy_of
        self._missed = MissedSlots(store=self._store, now=lambda: self._at)
        self._tasks = {task.job.name: task for task in tasks_of(config)}
        self._ages = Ages(self._tasks["check"].source, month)
        self._targets = TargetMemory()
        self._visits = dict(self._days())
        self._whole_days: dict[date, Mapping[str, Count]] = {}

    def play(self) -> None:
        """Write what happened, in its order; then the out files."""
        events = merge(
            self._counts(), self._start(), self._reports(), self._checks(), self._silence(), key=itemgetter(0)
        )
        with self._state.together():  # thousands of commits, and each waits for the disk
            for self._at, happens in events:
                happens()
                self._notify()
            if self._store.state_trouble is not None:
                raise StateError(self._store.state_trouble)  # the store itself only holds what it can't store
            off = self._month.tallyd_is_off
            self._state.uptime.note({self._month.begin: off.begin, off.end: self._month.now})
            self._at = self._month.now
            self._store.write_unwritten(tuple(self._tasks.values()))

    def store_records(self, database: Database) -> None:
        """Store the visits, a file of each host and day, and the checks of the servers."""
        records = database.records(self._tasks["sweep"].poller)
        for day, minutes in self._visits.items():
            came_at = min(day_span(day, self._zone)[1] - timedelta(seconds=1), self._month.now)
            files = [_file(host, day, cut(minutes[host], before=came_at)) for host in HOSTS]
            records.ingest([file for file in files if file], now=came_at, keep_rows=False)
        database.records(self._tasks["check"].poller).note_checks(self._ages.changes(), self._ages.hours())

    # -- what happened -----------------------------------------------------------------------------------

    def _counts(self) -> Iterator[Event]:
        """Yield the readings of Divera, and the slots without one."""
        task, month = self._tasks["count"], self._month
        for slot in self._slots(task):
            if month.divera_is_down.holds(slot.due_at):
                yield slot.due_at, self._misses(task, [slot], _NO_ANSWER)
            elif not month.tallyd_is_off.holds(slot.due_at):
                yield slot.due_at + _TOOK, partial(self._take, task, slot)

    def _start(self) -> Iterator[Event]:
        """Yield the start after a night off: it finds the slots without a reading."""
        task, off = self._tasks["count"], self._month.tallyd_is_off
        unseen = [slot for slot in self._slots(task) if off.holds(slot.due_at)]
        yield off.end, self._misses(task, unseen, NOT_STARTED)

    def _reports(self) -> Iterator[Event]:
        """Yield the reports of visitors."""
        task, off = self._tasks["report"], self._month.tallyd_is_off
        for slot in self._slots(task):
            if not off.holds(slot.due_at):
                yield slot.due_at + _TOOK, partial(self._take, task, slot)

    def _checks(self) -> Iterator[Event]:
        """Yield the rounds of checks that wrote an out file."""
        task = self._tasks["check"]
        for at in self._ages.instants():
            yield at, partial(self._take, task, Slot(None, at))

    def _silence(self) -> Iterator[Event]:
        """Yield the begin and the end of a camera's silence."""
        task, silent = self._tasks["sweep"], self._month.camera_is_silent
        settings = _visitors(task)
        after_s = settings.no_files.after if settings.no_files else 0.0
        quiet = {QUIET_HOST: Quiet(silent.begin, silent.begin)}
        problems = tuple(no_files(quiet, settings, poller=task.poller))
        evaluate = partial(self._store.evaluate, may_resolve={each.key for each in problems}.__contains__)
        yield silent.begin + timedelta(seconds=after_s), partial(evaluate, problems)
        yield silent.end, partial(evaluate, ())

    # -- how it is written -------------------------------------------------------------------------------

    def _take(self, task: Task, slot: Slot) -> None:
        """Run a job as it ran then, and commit its readings. Its reports were accepted at once."""
        readings = self._readings(task, slot)
        accepted = {
            (message.day, message.ssid): Outcome("sent", OK) for each in readings for message in each.outbox
        }
        readings = tuple(reported(each, accepted) for each in readings)
        committed = self._store.commit(task, slot, readings, by_daemon=True)
        if outbox_of(committed):
            for row in self._state.outbox.waiting(task.poller):
                self._state.outbox.note_sent(row, at=self._at, answer=OK)

    def _readings(self, task: Task, slot: Slot) -> tuple[Reading, ...]:
        tools = self._tools(task)
        if task.job.name == "check":
            results = self._ages.results(self._at)
            return (reading_of(self._ages.settings, results, self._targets, tools),)
        return task.job.run(slot, tools)

    def _misses(self, task: Task, missed: Iterable[Slot], reason: str) -> Callable[[], None]:
        without = tuple(Missed(slot.key or "", slot.due_at, reason, None) for slot in missed)
        return lambda: self._missed.record_missed(task, without, older_since=None)

    def _notify(self) -> None:
        """Note what the channels have received, and forget what has ended."""
        if not self._store.alerts.is_news.is_set():
            return
        self._store.alerts.is_news.clear()
        known, at = self._state.notifications.notified(), self._at + _TOLD
        received: dict[tuple[str, str], Notified] = {}
        delivered: dict[tuple[IncidentId, str, News], datetime] = {}
        for alert in self._state.alerts.all().values():
            policy = self._config.alert_policy_of(alert.key)
            for channel in policy.channels:
                name = (channel, alert.key)
                notice = notice_for(alert, channel, known.get(name), policy, is_muted=False, now=at)
                if notice is not None and alert.raised_at is not None:
                    received[name] = Notified(alert.version, at, alert.is_open)
                    delivered[(alert.key, alert.raised_at), channel, notice.news] = at
        self._state.notifications.mark(received, delivered)
        self._state.alerts.forget(lambda _alert: True)

    def _tools(self, task: Task) -> Toolbox:
        return Toolbox(
            poller=task.poller,
            zone=task.zone,
            now=lambda: self._at,
            stop=lambda: False,
            alive=lambda: None,
            http=DiveraOfThen(self._month, lambda: self._at),
            retry=lambda attempt: attempt(),
            memory=partial(self._state.readings.memory, *task.name),
            # A report only asks for counts.
            records=cast("Records", self) if task.job.name == "report" else None,
        )

    def counts(self, since: datetime, until: datetime) -> Mapping[str, Count]:
        """Return the visits of a local day up to the time of the event, as the database would."""
        del until
        day = day_of(since, self._zone)
        minutes = self._visits[day]
        if day == day_of(self._at, self._zone):
            return totals({host: cut(found, before=self._at) for host, found in minutes.items()})
        if day not in self._whole_days:
            self._whole_days[day] = totals(minutes)
        return self._whole_days[day]

    def corrections(self, since: datetime, until: datetime) -> tuple[()]:
        """Return nothing: nobody has counted the visitors by hand."""
        del since, until
        return ()

    # -- times -------------------------------------------------------------------------------------------

    @property
    def _zone(self) -> ZoneInfo:
        return self._tasks["sweep"].zone

    def _days(self) -> Iterator[tuple[date, Minutes]]:
        silent = self._month.camera_is_silent
        day, today = (day_of(at, self._zone) for at in (self._month.begin, self._month.now))
        while day <= today:
            yield (
                day,
                visits_of(
                    day,
                    self._zone,
                    is_open=lambda host, at: not (host == QUIET_HOST and silent.holds(at)),
                ),
            )
            day += timedelta(days=1)

    def _slots(self, task: Task) -> Iterator[Slot]:
        for due in slots(task.job.when, task.zone, after=self._month.begin, until=self._month.now):
            yield Slot(due.key, due.at)


def _visitors(task: Task) -> VisitorsSettings:
    if not isinstance(task.source, VisitorsSettings):
        raise TypeError("the demo's poller of this name ingests visitors")
    return task.source


def _file(host: str, day: date, minutes: Mapping[str, Count]) -> ToIngest | None:
    """Return the file of a host with these minutes; None if nobody passed."""
    if not minutes:
        return None
    records = sum(each.n_in + each.n_out + each.n_other for each in minutes.values())
    content = Content(
        records=records,
        minutes={
            (at := seconds_of(read_seen(minute))): (each.n_in, each.n_out, each.n_other, at, at)
            for minute, each in minutes.items()
        },
    )
    digest = sha256(f"{host} {day} {records}".encode()).hexdigest()
    return ToIngest(
        source=host,
        sha256=digest,
        name=f"{host}/{day:%Y%m%d}235959.json",
        size=records * _RECORD_BYTES,
        content=content,
    )

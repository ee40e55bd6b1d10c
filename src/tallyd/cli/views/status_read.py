"""What `tallyd status` says, as values: what is active, what ran, what comes, what is wrong.

It is read from state.db: what the daemon does is what counts, and the config on disk may be broken just now.
While it is not, the board of each poller shows how things are, from the database of records too.
"""

from __future__ import annotations

import socket
from collections import deque
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from tallyd.adapters.locks import holder
from tallyd.adapters.records.reader import RecordsReader
from tallyd.adapters.state import State
from tallyd.cli.shared import Place, utc_now
from tallyd.cli.views.other_hosts import other_hosts
from tallyd.config.model import Config
from tallyd.config.reload import ActiveConfigNote, JobNote, read_note
from tallyd.core.alerts.mutes import Mute
from tallyd.core.alerts.rules import Alert
from tallyd.core.alerts.values import Wording
from tallyd.core.hosts import Host
from tallyd.core.language.formats import clock
from tallyd.core.language.messages import tr, translated
from tallyd.core.leader import Leader, standby_text
from tallyd.core.panels import Board
from tallyd.core.schedule.timetable import next_slots, slots
from tallyd.core.stored import OutboxRow, StoredReading
from tallyd.pollers.report import PREFIX
from tallyd.presentation.invocation import called_here
from tallyd.reporting.table import reports_table
from tallyd.storage.past import past_of
from tallyd.storage.shown import Shown

BEGUN_WITHIN = timedelta(seconds=60)
"""A slot that is due is begun within seconds; later, something is wrong."""
LONGEST_PAUSE = timedelta(days=8)
"""Between two times of day of one job lies a week at most."""


@dataclass(frozen=True)
class JobStatus:
    """One job: its last reading, the slots missed since, and when it runs next.

    `unknown` is its newest slot if tallyd did nothing with it, which must not happen while tallyd runs.
    """

    job: JobNote
    last: StoredReading | None
    missed: tuple[datetime, ...]
    next_at: datetime | None
    unknown: datetime | None


@dataclass(frozen=True, kw_only=True)
class Now:
    """How things are with one poller."""

    poller: str
    zone: ZoneInfo
    board: Board


@dataclass(frozen=True, kw_only=True)
class Status:
    """Everything that `status` says. `pid` is the daemon's, None when none runs.

    `trouble` says why the config on disk is not what was active last; None when it is. `alerts` are the first
    ones of all that are not resolved, whose number is `standing`. `hosts` are the other daemons on the
    database. `leader` is the daemon that works, if several share the state; `is_standby`: not that of this
    machine.
    """

    now: datetime
    pid: int | None
    note: ActiveConfigNote
    trouble: str | None
    jobs: tuple[JobStatus, ...]
    alerts: tuple[Alert, ...]
    standing: int
    mutes: tuple[Mute, ...]
    unwritten: int
    reports: tuple[OutboxRow, ...]
    boards: tuple[Now, ...]
    hosts: tuple[Host, ...]
    leader: Leader | None
    is_standby: bool

    def headline(self) -> tuple[str, str]:
        """Return the first line and its style."""
        path, since, rejected = self.note.path, self.clock(self.note.since), self.note.rejected
        if self.is_standby and self.pid is not None:
            text = standby_text(self.leader, self.note.zone, now=self.now)
            text = tr(
                "{standby} (process {pid})[; {trouble}]",
                standby=text,
                pid=str(self.pid),
                trouble=translated(self.trouble or ""),
            )
            return text, "error" if self.trouble else "fine"
        if self.pid is None:
            text = tr(
                "config {path} was active since {since}; tallyd is NOT running[; {trouble}]",
                path=path,
                since=since,
                trouble=translated(self.trouble or ""),
            )
            return text, "error"
        if rejected:
            text = tr(
                "config {path} active since {since}; the file on disk is REJECTED since {rejected}: {why}",
                path=path,
                since=since,
                rejected=self.clock(rejected.since),
                why=rejected.lines[0],
            )
            return text, "error"
        text = tr(
            "config {path} active since {since}; running (process {pid})",
            path=path,
            since=since,
            pid=str(self.pid),
        )
        return text, "fine"

    def taken(self, last: StoredReading) -> str:
        """Return when a reading was taken, and whether by hand: then it settles no slot."""
        at = self.clock(last.taken_at)
        return tr("{at} by hand", at=at) if last.taken.is_by_hand else at

    def clock(self, at: datetime | None) -> str:
        """Return an instant as people say it, in the zone of the config; empty for None."""
        return clock(at, self.note.zone, now=self.now) if at else ""

    @property
    def wording(self) -> Wording:
        """How the text of an alert is worded now."""
        return Wording(now=self.now, zone=self.note.zone, tallyd=called_here())


def read_status(place: Place, *, most_alerts: int | None) -> Status | None:
    """Return how things are, with the first alerts; None: no daemon has run yet. Raises `StateError`."""
    state = State(place.at)
    try:
        note = read_note(state)
        if note is None:
            return None
        now = utc_now()
        leader, me = state.leader(), (socket.gethostname(), str(place.folder))
        boards, hosts = _read(place.config, state, now) if place.config else ((), ())
        return Status(
            now=now,
            pid=holder(place.folder / "lock"),
            note=note,
            trouble=place.trouble,
            jobs=tuple(_job(state, job, since=note.since, now=now) for job in note.jobs),
            alerts=state.alerts.standing(most=most_alerts),
            standing=sum(map(len, state.alerts.standing_keys())),
            mutes=tuple(mute for mute in state.notifications.mutes() if mute.is_in_force(now)),
            reports=_reports(state),
            boards=boards,
            hosts=hosts,
            leader=leader,
            is_standby=leader is not None and not leader.is_at(*me),
            unwritten=len(state.out_files.unwritten()),
        )
    finally:
        state.close()


def _read(config: Config, state: State, now: datetime) -> tuple[tuple[Now, ...], tuple[Host, ...]]:
    open_keys, _ = state.alerts.standing_keys()
    found, shown = [], Shown()
    with closing(RecordsReader(config.database_url)) as reader:
        for name, poller in config.settings.pollers.items():
            past = past_of(name, config, state, reader, now=now, open_keys=open_keys)
            found.append(Now(poller=name, zone=past.zone, board=shown.now(poller, past)))
        if config.settings.reports:
            table = reports_table(config, state, now=now)
            found.append(Now(poller=f"{PREFIX}*", zone=config.zone, board=Board(panels=(table,))))
        return tuple(found), other_hosts(config, reader, now=now)


def _reports(state: State) -> tuple[OutboxRow, ...]:
    """Return the reports that are not sent yet, and of each name the newest that is."""
    found: list[OutboxRow] = []
    for poller in sorted(state.outbox.pollers()):
        named: set[str] = set()
        for row in state.outbox.all(poller):
            if row.state != "sent" or row.message.ssid not in named:
                found.append(row)
            if row.state == "sent":
                named.add(row.message.ssid)
    return tuple(found)


def _job(state: State, job: JobNote, *, since: datetime, now: datetime) -> JobStatus:
    coming = next_slots(job.when, job.zone, after=now, count=1)
    return JobStatus(
        job=job,
        last=state.readings.last(job.poller, now=now),
        missed=state.readings.missed_since_taken(job.poller, job.job, now=now),
        next_at=coming[0] if coming else None,
        unknown=_unknown(state, job, since=since, now=now),
    )


def _unknown(state: State, job: JobNote, *, since: datetime, now: datetime) -> datetime | None:
    """Return the newest slot since the config became active, if it is neither taken, missed nor begun."""
    came = slots(job.when, job.zone, after=max(since, now - LONGEST_PAUSE), until=now - BEGUN_WITHIN)
    newest = deque(came, maxlen=1)
    if not newest:
        return None
    (due,) = newest
    begun = {pending.key for pending in state.slots.pending(job.poller, job.job)}
    settled = state.slots.settled(job.poller, job.job, since=due.at, now=now)
    return None if due.key in begun | settled else due.at

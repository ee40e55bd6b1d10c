"""A dry run: reads files and the database as usual, and moves and stores nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime, timedelta

from tallyd.adapters.records.reader import NoRecords
from tallyd.cli.process.resources import Outside
from tallyd.config.jobs import Task
from tallyd.contract.arrivals import Arrival, Came
from tallyd.contract.corrections import Correction
from tallyd.contract.inbox import Inbox, Look, Waiting
from tallyd.contract.lags import Hours, LagRow, StoreOutcome
from tallyd.contract.passages import (
    Count,
    Fingerprint,
    LedgerRow,
    MinuteCount,
    Outcome,
    ToIngest,
    added,
    count_of,
    seconds_of,
)
from tallyd.contract.reads import Reads
from tallyd.contract.records import Records
from tallyd.contract.reporter import Reporter
from tallyd.contract.workers import Workers
from tallyd.core.hosts import Host
from tallyd.core.reading import Json


class DryInbox:
    """An inbox that offers each file once and does not move it. Implements `contract.Inbox`.

    `is_yet_to_be_made`: tallyd will create the inbox at its start, so it looks empty.
    """

    def __init__(self, inbox: Inbox, *, is_yet_to_be_made: bool = False) -> None:
        self._inbox = inbox
        self._is_yet_to_be_made = is_yet_to_be_made
        self._seen: set[str] = set()

    def look(self) -> Look:
        found = self._inbox.look()
        if found.state == "gone" and self._is_yet_to_be_made:
            return replace(found, state="here")
        return replace(
            found, waiting=tuple(one for one in found.waiting if one.key not in self._seen), more=0
        )

    def chunks(self, waiting: Waiting) -> Iterator[bytes]:
        return self._inbox.chunks(waiting)

    def is_unchanged(self, waiting: Waiting) -> bool:
        return self._inbox.is_unchanged(waiting)

    def held(self) -> AbstractContextManager[None]:
        return self._inbox.held()

    def done(self, waiting: Waiting, *, delete: bool = False) -> None:
        del delete
        self._seen.add(waiting.key)

    def rejected(self, waiting: Waiting, reason: Mapping[str, Json]) -> None:
        del reason
        self._seen.add(waiting.key)


class DryRecords:
    """Records that count in memory what they would store. Implements `contract.Records`."""

    def __init__(self, records: Records | NoRecords) -> None:
        self._records = records
        self.here = records.here
        self._done: set[Fingerprint] = set()
        self._minutes: dict[tuple[str, int], MinuteCount] = {}

    def known(self, files: Collection[Fingerprint]) -> frozenset[Fingerprint]:
        return self._records.known(files) | (self._done & set(files))

    def arrivals(self, now: datetime) -> Mapping[str, Arrival]:
        return self._records.arrivals(now)

    def set_back_arrivals(self, now: datetime) -> None:
        del now

    def hosts(self, now: datetime) -> Sequence[Host]:
        return self._records.hosts(now)

    def ingest(
        self, files: Sequence[ToIngest], *, now: datetime, keep_rows: bool, came: Sequence[Came] = ()
    ) -> tuple[Outcome, ...]:
        del now, keep_rows, came
        known = {*self.known([file.fingerprint for file in files])}
        outcomes: list[Outcome] = []
        for file in files:
            if file.fingerprint in known:
                outcomes.append("repeat")
            elif file.content is None:
                outcomes.append("rejected")
            else:
                outcomes.append("done")
                if file.content.records:
                    known.add(file.fingerprint)
                    self._done.add(file.fingerprint)
                self._count(file.source, file.content.minutes)
        return tuple(outcomes)

    def counts(self, since: datetime, until: datetime) -> Mapping[str, Count]:
        found = dict(self._records.counts(since, until))
        for source, count in self._added(since, until):
            found[source] = found[source] + count if source in found else count
        return found

    def corrections(self, since: datetime, until: datetime) -> Sequence[Correction]:
        return self._records.corrections(since, until)

    def ledger(self, *, rejected: bool, most: int) -> tuple[LedgerRow, ...]:
        return self._records.ledger(rejected=rejected, most=most)

    def free_bytes(self) -> int | None:
        return None  # nothing will be written

    def note_checks(self, rows: Sequence[LagRow], hours: Hours) -> StoreOutcome:
        del rows, hours
        return StoreOutcome()

    def prune(self, before: datetime, *, most: int) -> int:
        del before, most
        return 0

    def _count(self, source: str, minutes: Mapping[int, MinuteCount]) -> None:
        for minute, count in minutes.items():
            known = self._minutes.get((source, minute))
            self._minutes[source, minute] = added(known, count) if known else count

    def _added(self, since: datetime, until: datetime) -> list[tuple[str, Count]]:
        whole = timedelta(microseconds=999_999)
        first, end = seconds_of(since + whole), seconds_of(until + whole)
        return [
            (source, count_of(count))
            for (source, minute), count in self._minutes.items()
            if first <= minute < end
        ]


class DryOutside:
    """The database and the inboxes of a config, in which nothing changes; implements `Resources` of runs."""

    def __init__(self, outside: Outside) -> None:
        self._outside = outside
        self._records: dict[str, Records] = {}
        self._inboxes: dict[str, Inbox] = {}

    @property
    def keep_days(self) -> int:
        return self._outside.keep_days

    @property
    def reads(self) -> Reads:
        return self._outside.reads

    @property
    def reporter(self) -> Reporter | None:
        return self._outside.reporter

    def records(self, task: Task) -> Records | None:
        found = self._outside.records(task)
        if found is not None and task.poller not in self._records:
            self._records[task.poller] = DryRecords(found if self._outside.has_tables() else NoRecords())
        return self._records.get(task.poller)

    def inbox(self, task: Task) -> Inbox | None:
        found = self._outside.inbox(task)
        if found is not None and task.poller not in self._inboxes:
            is_yet_to_be_made = self._outside.inbox_is_made_at_start(task)
            self._inboxes[task.poller] = DryInbox(found, is_yet_to_be_made=is_yet_to_be_made)
        return self._inboxes.get(task.poller)

    def workers(self, task: Task) -> Workers | None:
        return self._outside.workers(task)

    def close(self) -> None:
        self._outside.close()

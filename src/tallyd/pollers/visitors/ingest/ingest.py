"""Files from the inbox into the database: many small files in one transaction, a large file alone.

Commit, then move: after a crash in between, tallyd finds the file again, and the ledger knows it. The other
order would lose the file.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from tallyd.contract.inbox import Inbox, Waiting
from tallyd.contract.passages import Outcome
from tallyd.contract.records import Records
from tallyd.contract.toolbox import Toolbox
from tallyd.core.errors import InboxError, RecordsError, Stopped
from tallyd.core.language.messages import english
from tallyd.pollers.visitors.ingest.arrival_notes import ArrivalNotes
from tallyd.pollers.visitors.ingest.file_parser import (
    LARGE_BYTES,
    MOST_WEIGHT,
    Hash,
    Parsed,
    Reader,
    changed,
    parse,
    refused,
)
from tallyd.pollers.visitors.ingest.file_pass import Pass
from tallyd.pollers.visitors.ingest.json_stream import RejectedError
from tallyd.pollers.visitors.ingest.partial_files import Unfinished
from tallyd.pollers.visitors.ingest.sweep_counts import Tally
from tallyd.pollers.visitors.settings import VisitorsSettings

log = logging.getLogger("tallyd")

MOST_FILES = 2000
"""Most files in one transaction."""


@dataclass
class _Group:
    """Files to store in one transaction. `free_bytes` were free when the group began."""

    files: list[Parsed] = field(default_factory=list)
    free_bytes: int | None = None
    size: int = 0
    weight: int = 0

    def is_full_for(self, waiting: Waiting) -> bool:
        return bool(self.files) and (
            len(self.files) >= MOST_FILES
            or self.size + waiting.size > LARGE_BYTES
            or self.weight >= MOST_WEIGHT
        )

    def add(self, parsed: Parsed) -> None:
        self.files.append(parsed)
        self.size += parsed.waiting.size
        self.weight += parsed.weight


class Taking:
    """Ingests files, counts the results in a `Tally`, and notes when they came; `seen` says that, by source.

    It ends early if tallyd stops or the database is unavailable. The other files stay in the inbox.
    """

    def __init__(
        self,
        settings: VisitorsSettings,
        tools: Toolbox,
        inbox: Inbox,
        records: Records,
        *,
        begin: Callable[[datetime], Pass],
        notes: ArrivalNotes,
        seen: Mapping[str, datetime],
    ) -> None:
        self.tally = Tally()
        self._notes, self._seen = notes, seen
        self._settings, self._tools = settings, tools
        self._inbox, self._records = inbox, records
        self._unfinished = _unfinished(tools)
        self._reader = Reader(
            begin=begin,
            max_bytes=settings.max_bytes,
            oldest_days=tools.keep_days or 90,
            chunks=self._chunks,
            leaves=self._unfinished.leave,
        )
        self._whose = {"poller": tools.poller, "job": "sweep"}
        # An interval has no persons.
        self._keeps_rows = tools.keep_days > 0 and settings.records == "passages"
        self._group = _Group()
        self._bytes = self._all_bytes = 0

    def all(self, waiting: Iterable[Waiting]) -> None:
        """Ingest files in the given order. Raises `RecordsError`."""
        files = tuple(waiting)
        self._unfinished.begin(files)
        self._all_bytes = sum(self._bytes_of(one) * (1 + (one.size > LARGE_BYTES)) for one in files)
        try:
            with self._inbox.held():
                self._each(files)
        except Stopped:
            pass  # in the middle of a file, which stays in the inbox
        finally:
            self.tally.waiting = len(files) - self.tally.taken - self.tally.unsettled

    def _each(self, files: Iterable[Waiting]) -> None:
        for one in files:
            if self._tools.stop():
                break
            self._next(one)
        self._store()

    def _next(self, waiting: Waiting) -> None:
        """Read one file into the group; store the group if it is full."""
        if self._group.is_full_for(waiting):
            self._store()
        self._tools.alive()
        now = self._tools.now()
        if self._unfinished.is_left(waiting, now):
            self.tally.unsettled += 1
            return
        self._check_room(waiting)
        try:
            parsed = parse(waiting, self._reader, now)
        except InboxError as error:
            self._failed(waiting, error)
            return
        if parsed is None:
            self.tally.unsettled += 1
        elif parsed.is_reread:
            self._store()
            self._store_alone(parsed)
        else:
            self._group.add(parsed)

    def _check_room(self, waiting: Waiting) -> None:
        """Raise `RecordsError` if the disk has no room for the group and this file."""
        if not self._group.files:
            self._group.free_bytes = self._records.free_bytes()
        free = self._group.free_bytes
        if free is not None and free < 2 * (self._group.size + self._bytes_of(waiting)):
            self._store()
            raise RecordsError(
                english(
                    "the disk of the database has less free space than twice the size of {name}",
                    name=waiting.name,
                )
            )

    def _store_alone(self, parsed: Parsed) -> None:
        """Store a file that is read again meanwhile. A failure then concerns only this file."""
        self._group.add(parsed)
        try:
            self._store()
        except InboxError as error:
            self._group = _Group()
            self._failed(parsed.waiting, error)
        except RejectedError as error:
            # It was fine a moment ago.
            self._group = _Group()
            if self._inbox.is_unchanged(parsed.waiting):
                # The allowed depth of nesting depends on the reader. It would be read again for ever.
                self._group.add(refused(parsed, str(error)))
                self._store()
            else:
                self._failed(parsed.waiting, changed(parsed.waiting))

    def _store(self) -> None:
        """Store the group in one transaction, then move its files.

        Raises `RecordsError`; then all its files stay in the inbox.
        """
        files = [one for one in self._group.files if self._inbox.is_unchanged(one.waiting)]
        to_store = [one.file for one in files if not one.is_empty]
        now, keep_rows = self._tools.now(), self._keeps_rows
        self._notes.add(files, self._seen)
        came = self._notes.due(now)
        outcomes = iter(self._records.ingest(to_store, now=now, keep_rows=keep_rows, came=came))
        self._notes.note(came, now)
        self._group = _Group()
        for one in files:
            self._tools.alive()
            outcome: Outcome = "done" if one.is_empty else next(outcomes)
            self._count(one, outcome, now)
            self._move(one, outcome)

    def _count(self, parsed: Parsed, outcome: Outcome, now: datetime) -> None:
        """Count a file that is stored, was stored before, or is rejected; log what matters."""
        waiting, tally = parsed.waiting, self.tally
        if outcome == "rejected":
            reason = parsed.file.reason or ""
            tally.bad(waiting.source, waiting.name, reason, parsed.ahead, now)
            log.warning("file rejected", extra={**self._named(waiting), "reason": reason})
            return
        if outcome == "repeat":
            tally.repeat += 1
            log.info("file already ingested", extra={**self._named(waiting), "sha256": parsed.file.sha256})
        elif (content := parsed.file.content) is not None:
            tally.empty += parsed.is_empty
            tally.done += not parsed.is_empty
            tally.records += content.records
            tally.skipped += content.skipped
            if content.skipped:
                extra = {**self._named(waiting), "records": content.skipped}
                log.warning("records skipped", extra=extra)
        if not parsed.is_empty:
            tally.good(waiting.source)

    def _named(self, waiting: Waiting) -> dict[str, str]:
        return {**self._whose, "source": waiting.source, "file": waiting.name}

    def _move(self, parsed: Parsed, outcome: Outcome) -> None:
        try:
            if outcome == "rejected":
                self._inbox.rejected(parsed.waiting, parsed.reason())
            else:
                self._inbox.done(parsed.waiting, delete=self._settings.after == "delete")
        except InboxError as error:
            self._failed(parsed.waiting, error)

    def _failed(self, waiting: Waiting, error: InboxError) -> None:
        self._notes.waiting.pop(waiting.source, None)  # what became of it is not known yet
        self.tally.failed[waiting.name] = error.text
        log.warning("file stays in the inbox", extra={**self._whose, "reason": error.text})

    def _bytes_of(self, waiting: Waiting) -> int:
        return waiting.size if waiting.size <= self._settings.max_bytes else 0

    def _chunks(self, waiting: Waiting, digest: Hash) -> Iterator[bytes]:
        """Yield the content of a file, hash it, and show progress. Raises `Stopped` if tallyd stops."""
        for chunk in self._inbox.chunks(waiting):
            if self._tools.stop():
                raise Stopped
            self._tools.alive()
            digest.update(chunk)
            self._bytes += len(chunk)
            self._tools.show_progress(min(self._bytes, self._all_bytes), self._all_bytes)
            yield chunk


def _unfinished(tools: Toolbox) -> Unfinished:
    known = tools.kept.setdefault("unfinished", Unfinished())
    if not isinstance(known, Unfinished):
        raise TypeError("the sweep's own was overwritten")
    return known

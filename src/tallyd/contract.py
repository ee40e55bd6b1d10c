"""What a poller is, and everything it may touch.

A poller is one frozen settings class that also knows its jobs. It reads the outside world only through
the `Toolbox` it is handed, and changes nothing but its own source's books: readings, out files, slots,
problems and the clock are the daemon's.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Literal, Protocol, TypeVar, runtime_checkable

from tallyd.core.kinds import AlertKind
from tallyd.core.lags import Hours, Kept, LagRow
from tallyd.core.needs import InboxNeeded
from tallyd.core.passages import Count, Fingerprint, LedgerRow, Outcome, ToIngest
from tallyd.core.questions import Question
from tallyd.core.reading import Facts, Json, Reading, Send, Slot
from tallyd.core.timetable import At, Every

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Reply:
    """A whole HTTP answer, already read and bounded.

    `body` is decoded (gzip and the like) but not parsed. `skew_s`: our clock minus the `Date` header in
    seconds, None without a readable one. `elapsed_s`: from the call to the last byte. `host`: `name` or
    `name:port`, for messages.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    host: str
    skew_s: float | None
    elapsed_s: float


class Http(Protocol):
    """GET and POST with a total deadline; raises `SourceError` without URL or secret, `Stopped`."""

    def get(
        self,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout_s: float | None = None,
        ca_file: Path | None = None,
        max_bytes: int | None = None,
    ) -> Reply:
        """Return the answer if its status is 2xx but 206 (a part of an answer), else raise `SourceError`.

        Certificates are verified against `ca_file` alone, by default against what this machine trusts. Of a
        body at most `max_bytes` are read; for one that is larger, or can't be unpacked, the error has the
        status of the answer.
        """
        ...

    def post(
        self,
        url: str,
        body: bytes,
        *,
        headers: Mapping[str, str] | None = None,
        timeout_s: float | None = None,
    ) -> Reply:
        """Send a body; else as `get`. Sent once: no redirect is followed, and nothing is sent again."""
        ...


class Retry(Protocol):
    """Call `attempt` until it returns, fails for good, or the policy is used up (see `retry.py`)."""

    def __call__(self, attempt: Callable[[], T]) -> T: ...


class Records(Protocol):
    """One poller's records in the database. Every method raises `RecordsError` where it can't be used now."""

    def known(self, files: Collection[Fingerprint]) -> frozenset[Fingerprint]:
        """Return those of the files that are done."""
        ...

    def ingest(self, files: Sequence[ToIngest], *, now: datetime, keep_rows: bool) -> tuple[Outcome, ...]:
        """Store files in one transaction, all or none: rows (if `keep_rows`), minute counts, ledger.

        One that is done already adds nothing (`repeat`); so does the second of two with one content. What was
        rejected before is replaced. A done file without records leaves no trace.
        """
        ...

    def counts(self, since: datetime, until: datetime) -> Mapping[str, Count]:
        """Return what was counted in the minutes with since <= minute < until, by source."""
        ...

    def minutes(self, since: datetime, until: datetime) -> tuple[tuple[str, str, Count], ...]:
        """Return (source, minute, count) of the minutes with since <= minute < until, in that order."""
        ...

    def ledger(self, *, rejected: bool, most: int) -> tuple[LedgerRow, ...]:
        """Return the newest files, or with `rejected` the newest that were rejected; newest first."""
        ...

    def free_bytes(self) -> int | None:
        """Return the free space of the disk that the database is on; None where that can't be known."""
        ...

    def note_checks(self, rows: Sequence[LagRow], hours: Hours) -> Kept:
        """Store changes, and add to hours, in one transaction. Raises nothing.

        While the database can't be used they wait in memory, `lags.MOST_WAITING` of them, and go with the
        next ones; of more than that the oldest are dropped, and counted.
        """
        ...

    def prune(self, before: datetime, *, most: int) -> int:
        """Forget at most `most` passages seen, as many ledger rows written, and as many changes of servers,
        before an instant.

        Return how many in all; counts of minutes and hours stay.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """A file in the inbox that may be taken.

    `name` is its path below the inbox as it can be shown and stored: bytes that are no UTF-8 and control
    characters are written as escapes, and it is at most 209 bytes long. `key` finds it again.
    """

    source: str
    name: str
    size: int
    modified_at: datetime
    key: bytes


@dataclass(frozen=True, kw_only=True)
class Look:
    """What one look into the inbox found.

    `state`: `gone` where the folder is not there, `unmounted` where nothing is mounted on it but something
    must be. `waiting` are the files that may be taken, oldest first; `unsettled` is how many are still being
    written. `arrivals` is when the newest file of each source came that any look of this process saw, taken
    or not.
    `untakable` are files that can't be read or moved, with the reason. `more` is how many files may be taken
    besides those that are `waiting`; they are offered once these are gone. `is_blind`: the folder is there,
    but what lies in it could not be seen, as `untakable` says.
    """

    state: Literal["here", "gone", "unmounted"]
    waiting: tuple[Waiting, ...] = ()
    more: int = 0
    unsettled: int = 0
    arrivals: Mapping[str, datetime] = field(default_factory=dict)
    untakable: Mapping[str, str] = field(default_factory=dict)
    is_blind: bool = False


class OpenFile(Protocol):
    """A file of the inbox, opened once. `sha256` is right once all chunks were read."""

    @property
    def sha256(self) -> str: ...

    @property
    def size(self) -> int: ...

    def chunks(self) -> Iterator[bytes]:
        """Yield the content from the beginning; may be called again. Raises `InboxError`."""
        ...

    def is_unchanged(self) -> bool:
        """Whether it is still the file that was opened, of the same size and time of change."""
        ...


class Inbox(Protocol):
    """One poller's folder, into which others drop files."""

    def look(self) -> Look:
        """Look into the folder and its sub-folders once. Raises nothing: what is wrong is in the `Look`."""
        ...

    def open(self, waiting: Waiting) -> AbstractContextManager[OpenFile]:
        """Open a file. Raises `InboxError` where it is no regular file, or can't be read now."""
        ...

    def held(self) -> AbstractContextManager[None]:
        """Keep folders open until the end of the block, while many files are opened and put aside.

        Another folder that takes the place of one of them is found at the next look.
        """
        ...

    def done(self, waiting: Waiting, *, delete: bool = False) -> None:
        """Move (or delete) a file that was stored; fine where it is gone. Raises `InboxError`."""
        ...

    def rejected(self, waiting: Waiting, reason: Mapping[str, Json]) -> None:
        """Move a file that was refused, and write the reason beside it. Raises `InboxError`."""
        ...


@dataclass(frozen=True, kw_only=True)
class Toolbox:
    """Everything a running job may touch.

    `poller` is the poller's name in the config (the first segment of its problem keys), `zone` its time
    zone. `now()` is aware, UTC. `stop()` is true once the shutdown began. `alive()` tells the daemon that
    a long run still makes progress. `memory` is what the job's last reading asked to remember. `records` and
    `inbox` are None for a poller that needs none; passages are kept for `keep_days` (0: never). `wake` has
    the job run once more, at once. `show_progress(done, total)` is for a person who waits, in bytes or rows.
    `is_by_hand`: a person waits for this run (`once`), which is none of the timetable. `kept` is the job's
    own from run to run as long as the process lives; it begins empty.
    """

    poller: str
    zone: tzinfo
    now: Callable[[], datetime]
    stop: Callable[[], bool]
    alive: Callable[[], None]
    http: Http
    retry: Retry
    memory: Facts
    records: Records | None = None
    inbox: Inbox | None = None
    keep_days: int = 90
    wake: Callable[[], None] = lambda: None
    show_progress: Callable[[int, int], None] = lambda _done, _total: None
    is_by_hand: bool = False
    kept: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Job:
    """One thing a poller does on its own timetable.

    `judges`: the last key segments (`<what>`) that a reading of this job raises and, by not naming them,
    closes. `limit_s`: a run that shows no progress for so long is the problem `overdue`. `catch_up_s`: how
    late a slot may still be taken; None where `when` has no slots. `wakes`: events of the inbox begin a run
    as well. `tells_gaps` false: a slot without a reading is recorded and logged, and is no problem by itself.
    """

    name: str
    when: At | Every
    judges: frozenset[str]
    limit_s: float
    run: Callable[[Slot, Toolbox], tuple[Reading, ...]]
    catch_up_s: float | None = None
    wakes: bool = False
    tells_gaps: bool = True


@dataclass(frozen=True)
class Found:
    """One line of what `check --online` found at a source, ready to paste into the config.

    `is_fine`: whether what the line is about answers as it should.
    """

    id: str
    name: str | None
    count: int | None
    is_fine: bool = True


class Poller(Protocol):
    """One kind of poller: its settings, its jobs, its parsing."""

    @property
    def kind(self) -> str: ...

    @property
    def needs_records(self) -> bool:
        """Whether it keeps something in the database of records."""
        ...

    def inbox_needed(self, poller: str) -> InboxNeeded | None:
        """Return the folder that it takes files from, for a poller of that name; None: it takes none."""
        ...

    def jobs(self) -> tuple[Job, ...]:
        """Return the jobs; the same settings always give the same jobs."""
        ...

    def alert_kinds(self) -> tuple[AlertKind, ...]:
        """Return the kinds of problems that it finds, besides those of its runs."""
        ...

    def watched(self) -> Mapping[str, frozenset[str]]:
        """Return the subjects (second segments of keys) that there are, by the last segment of the keys.

        A problem whose last segment is not in it may be of any subject.
        """
        ...

    def view(self, subject: str, what: str) -> Mapping[str, str]:
        """Return what its view on the page is asked for to show such a problem; empty: nothing further.

        Both are segments of a key. What is no longer configured may be asked for.
        """
        ...

    def probe(self, tools: Toolbox) -> tuple[Found, ...]:
        """Ask the source once, changing nothing. Raises `SourceError`."""
        ...

    def found_headings(self) -> tuple[str, ...]:
        """Return what the columns of `Found` are called: id, name and, where there is one, count."""
        ...

    def starter(self, secrets: str) -> Mapping[str, Json]:
        """Return the keys of a poller to begin with; `secrets` says where secrets lie and who reads them."""
        ...

    def questions(self) -> tuple[Question, ...]:
        """Return what a person is asked who wants a poller of this kind (`tallyd init --ask`)."""
        ...

    def learned(self, found: Sequence[Found]) -> Mapping[str, Json]:
        """Return the keys of the config that follow from what a source was found to have.

        An empty value stands for a key that is to be left out.
        """
        ...


@dataclass(frozen=True)
class Accepted:
    """An upstream has taken what it was sent; `answer` is what it said, for people."""

    answer: str


@dataclass(frozen=True)
class Refused:
    """An upstream has not taken what it was sent; `answer` is what it said, for people.

    `for_good`: the same would be refused again and again (HTTP 403, say), and is only sent anew once it has
    changed.
    """

    answer: str
    for_good: bool


@runtime_checkable
class Delivers(Protocol):
    """A poller whose readings have sends."""

    def is_sending(self) -> bool:
        """Whether sends are to be posted; else those that wait are forgotten."""
        ...

    def deliver(self, send: Send, tools: Toolbox, *, timeout_s: float) -> Accepted | Refused:
        """Post it once. Raises `SourceError` where there was no answer, `Stopped`."""
        ...


class HoldsPersonalData(Protocol):
    """A poller whose source also answers with people's data (`tallyd privacy-check`)."""

    def personal_texts(self, tools: Toolbox) -> Iterable[tuple[str, str]]:
        """Yield (field, value) of the people in the reply. Only ever held in memory."""
        ...

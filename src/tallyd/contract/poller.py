"""What a poller is, and everything it may touch.

A poller is one frozen settings class that also knows its jobs. It reaches the outside world only through
the `Toolbox` that it gets. It changes only the records and the inbox of its own source. Readings, out files,
slots, problems and the clock belong to the daemon.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, runtime_checkable

from pydantic import Field

from tallyd.contract.toolbox import Toolbox
from tallyd.core.history import Entry, reading_of_numbers
from tallyd.core.inbox_spec import InboxNeeded
from tallyd.core.questions import Question
from tallyd.core.reading import Facts, Json, OutboxMessage, Reading, Slot
from tallyd.core.schedule.timetable import At, Every
from tallyd.settings.pollers import PollerSettings


@dataclass(frozen=True, kw_only=True)
class Job:
    """One thing that a poller does on a timetable.

    `evaluates`: the last key segments (`<what>`) that a reading of this job raises. If a reading does not
    name such a problem, the problem is resolved. `limit_s`: a run that shows no progress for this long is the
    problem `overdue`. `catch_up_s`: how late a slot may be; None if `when` has no slots. `wakes`: events of
    the inbox also start a run. `tells_gaps` false: a slot without a reading is recorded and logged, but is
    not a problem on its own.
    """

    name: str
    when: At | Every
    evaluates: frozenset[str]
    limit_s: float
    run: Callable[[Slot, Toolbox], tuple[Reading, ...]]
    catch_up_s: float | None = None
    wakes: bool = False
    alerts_on_missed: bool = True


@dataclass(frozen=True)
class Found:
    """One line that `check --online` found at a source, ready to paste into the config.

    `is_fine`: whether the subject of the line answers as it should.
    """

    id: str
    name: str | None
    count: int | None
    is_fine: bool = True


class Poller(PollerSettings):
    """One kind of poller: its settings, its jobs, its parsing. `config/kinds.py` lists the kinds.

    A kind has `kind`, `jobs()` and `probe()`; everything else has a default.
    """

    kind: str = Field(description="What kind of poller this is.")

    @abstractmethod
    def jobs(self) -> tuple[Job, ...]:
        """Return the jobs; the same settings always give the same jobs."""

    @abstractmethod
    def probe(self, tools: Toolbox) -> tuple[Found, ...]:
        """Ask the source once and change nothing. Raises `SourceError`."""

    def watched(self) -> Mapping[str, frozenset[str]]:
        """Return the subjects (second segments of keys) that exist, by the last segment of the keys.

        If a last segment is missing here, its problems may have any subject.
        """
        return {}

    @property
    def needs_records(self) -> bool:
        """Whether it stores anything in the database of records."""
        return False

    def inbox_needed(self, poller: str) -> InboxNeeded | None:
        """Return the inbox of a poller with that name; None: this kind ingests no files."""
        del poller
        return None

    def reminders(self) -> Mapping[str, float | None]:
        """Return the reminder interval in seconds of each subject that has its own; None: no reminder."""
        return {}

    def notes(self, beside: Mapping[str, Poller]) -> tuple[str, ...]:
        """Return the notes for `check`, each with its place below the poller (`report.success: ...`).

        `beside` holds the other pollers of the config, by name.
        """
        del beside
        return ()

    def view(self, subject: str, what: str) -> Mapping[str, str]:
        """Return the query of the page's view that shows such a problem; empty: the view as a whole.

        Both arguments are segments of a key. The subject may be one that the config no longer has.
        """
        del subject, what
        return {}

    @classmethod
    def entry(cls, at: datetime, *, taken_at: datetime, body: Facts) -> Entry:
        """Return a reading as reports, the page and the metrics show it, by the content of its out file.

        `at` is the time of the slot; outside the timetable it is `taken_at`. Default: every number.
        """
        return reading_of_numbers(at, taken_at=taken_at, body=body)

    def column_names(self) -> Mapping[str, str]:
        """Return the names that the config gives to the numbers of its readings, by their id."""
        return {}

    @classmethod
    def found_headings(cls) -> tuple[str, ...]:
        """Return the headings of the columns of `Found`: id, name, and count if there is one."""
        return ("name", "value")

    @classmethod
    def starter(cls, secrets: str) -> Mapping[str, Json]:
        """Return the keys of a poller to start from. `secrets` says where secrets are and who reads them."""
        del secrets
        return {}

    @classmethod
    def questions(cls) -> tuple[Question, ...]:
        """Return the questions for a person who wants a poller of this kind (`tallyd init --ask`)."""
        return ()

    @classmethod
    def learned(cls, found: Sequence[Found]) -> Mapping[str, Json]:
        """Return the keys of the config that follow from what `probe` found at the source.

        An empty value means that the key is left out.
        """
        del found
        return {}


@dataclass(frozen=True)
class Accepted:
    """An upstream accepted a report. `answer` is its answer, for people."""

    answer: str


@dataclass(frozen=True)
class Refused:
    """An upstream refused a report. `answer` is its answer, for people.

    `for_good`: it would refuse the same report again (for example HTTP 403), so the report is sent again only
    after it has changed.
    """

    answer: str
    for_good: bool


@runtime_checkable
class Delivers(Protocol):
    """A poller whose readings have messages for an upstream."""

    def is_sending(self) -> bool:
        """Whether messages are to be posted; else those that wait are forgotten."""
        ...

    def deliver(self, message: OutboxMessage, tools: Toolbox, *, timeout_s: float) -> Accepted | Refused:
        """Post it once. Raises `SourceError` if there was no answer, or `Stopped`."""
        ...


@runtime_checkable
class HoldsPersonalData(Protocol):
    """A poller whose source also sends personal data (`tallyd privacy-check`)."""

    def personal_texts(self, tools: Toolbox) -> Iterable[tuple[str, str]]:
        """Yield (field, value) of the people in the reply. The caller keeps them only in memory."""
        ...

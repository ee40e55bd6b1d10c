"""What a poller is, and everything it may touch.

A poller is one frozen settings class that also knows its jobs. It reads the outside world only through
the `Toolbox` it is handed, and changes nothing but its own source's books: readings, out files, slots,
problems and the clock are the daemon's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from tallyd.contract.toolbox import Toolbox
from tallyd.core.alerts.alert_kind import AlertKind
from tallyd.core.inbox_spec import InboxNeeded
from tallyd.core.questions import Question
from tallyd.core.reading import Json, Reading, Send, Slot
from tallyd.core.schedule.timetable import At, Every


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
    alerts_on_missed: bool = True


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

"""What a poller is, and everything it may touch.

A poller is one frozen settings class that also knows its jobs. It reaches the outside world only through
the `Toolbox` that it gets. It changes only the records and the inbox of its own source. Readings, out files,
slots, problems and the clock belong to the daemon.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Protocol, Self, cast, get_args, runtime_checkable
from zoneinfo import ZoneInfo

from pydantic import Field

from tallyd.contract.board import AskedError
from tallyd.contract.corrections import CorrectableRecords, Correction
from tallyd.contract.growth import Growth
from tallyd.contract.job import Job
from tallyd.contract.poller_boards import PollerBoards
from tallyd.contract.toolbox import Toolbox
from tallyd.core.alerts.notices import AlertPolicy
from tallyd.core.inbox_spec import InboxNeeded
from tallyd.core.language.messages import tr
from tallyd.core.questions import Question
from tallyd.core.reading import Json
from tallyd.core.schedule.timetable import slots_a_year
from tallyd.core.workers_spec import WorkersNeeded


@dataclass(frozen=True)
class Found:
    """One line that `check --online` found at a source, ready to paste into the config.

    `is_fine`: whether the subject of the line answers as it should.
    """

    id: str
    name: str | None
    count: int | None
    is_fine: bool = True


class Poller(PollerBoards):
    """One kind of poller: its settings, its jobs, its parsing. `config/kinds.py` lists the kinds.

    A kind has `kind`, `jobs()` and `probe()`; everything else has a default. `poller_boards.py` says what
    people are shown of it.
    """

    kind: str = Field(description="What kind of poller this is.")

    @classmethod
    def former(cls) -> Self:
        """Return a poller that has left the config, as far as boards need it: only defaults."""
        return cast("Self", cls.model_construct(kind=get_args(cls.model_fields["kind"].annotation)[0]))

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

    @property
    def duties(self) -> frozenset[str]:
        """What it does in the database of records, in one word each.

        Only one of the daemons on a database may do the same for a poller with that name; but several may
        store the files of an `inbox`.
        """
        return frozenset()

    def inbox_needed(self, poller: str) -> InboxNeeded | None:
        """Return the inbox of a poller with that name; None: this kind ingests no files."""
        del poller
        return None

    def workers_needed(self) -> WorkersNeeded | None:
        """Return which other processes do a part of its work; None: none."""
        return None

    def hosts(self) -> Mapping[tuple[str, str], str]:
        """Return the other machines that it asks, each by the subject and the last segment of the key of the
        problem that it does not answer.
        """
        return {}

    def own_policies(self, whole: AlertPolicy) -> Mapping[str, AlertPolicy]:
        """Return the alert policy of each subject whose policy is not that of the poller as a `whole`."""
        del whole
        return {}

    def group_members(self) -> Mapping[str, frozenset[str]]:
        """Return the subjects of each group that can be asked for."""
        return {}

    @classmethod
    def default_keep_days(cls) -> int | None:
        """Return how many days its out files are kept if the config does not say; None: for ever."""
        return None

    def growth(self) -> Growth:
        """Return what it is expected to write in a year: by default, an out file for each slot."""
        return Growth(files=sum(slots_a_year(job.when) for job in self.jobs()))

    def notes(self, beside: Mapping[str, Poller]) -> tuple[str, ...]:
        """Return the notes for `check`, each with its place below the poller (`report.success: ...`).

        `beside` holds the other pollers of the config, by name.
        """
        del beside
        return ()

    def vain(self, now: datetime, zone: tzinfo) -> Iterable[tuple[tuple[str | int, ...], str]]:
        """Return the places of settings that will have no effect in the days to come, each with the reason:
        hours that never begin. For the notes of `check`.
        """
        del now, zone
        return ()

    def correct(
        self, poller: str, correction: Correction, records: CorrectableRecords, zone: ZoneInfo
    ) -> str:
        """Store how many were inside, and return in a sentence what that changes.

        Raises `AskedError` if this kind counts nobody who is inside, or has no such source; `RecordsError`.
        """
        del correction, records, zone
        raise AskedError(f"{poller} counts nobody who is inside")

    def due_times(self, now: datetime, zone: tzinfo) -> tuple[tuple[str, datetime], ...]:
        """Return when something must be there next, by subject, for `check`."""
        del now, zone
        return ()

    def view(self, subject: str, what: str) -> Mapping[str, str]:
        """Return the query of the page's view that shows such a problem; empty: the view as a whole.

        Both arguments are segments of a key. The subject may be one that the config no longer has.
        """
        del subject, what
        return {}

    # -- for a person who writes a config ------------------------------------------------------------------

    @classmethod
    def found_headings(cls) -> tuple[str, ...]:
        """Return the headings of the columns of `Found`: id, name, and count if there is one."""
        return (tr("name"), tr("value"))

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


@runtime_checkable
class HoldsPersonalData(Protocol):
    """A poller whose source also sends personal data (`tallyd privacy-check`)."""

    def personal_texts(self, tools: Toolbox) -> Iterable[tuple[str, str]]:
        """Yield (field, value) of the people in the reply. The caller keeps them only in memory."""
        ...

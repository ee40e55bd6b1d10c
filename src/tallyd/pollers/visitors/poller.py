"""The visitors poller: a sweep that takes files, and a report of what they add up to.

On many hosts it is split: collectors have an inbox and sweep it; a centre has none and watches them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from zoneinfo import ZoneInfo

from tallyd.contract.arrivals import Arrival
from tallyd.contract.board import Asked, Past
from tallyd.contract.corrections import CorrectableRecords, Correction
from tallyd.contract.delivery import Accepted, Refused
from tallyd.contract.growth import READING_BYTES, Growth
from tallyd.contract.job import Job
from tallyd.contract.poller import Found
from tallyd.contract.poller_boards import TABLES_OF_ALL
from tallyd.contract.toolbox import Toolbox
from tallyd.core.alerts.alert_kind import AlertKind
from tallyd.core.alerts.run_alerts import UNSENT
from tallyd.core.errors import RecordsError
from tallyd.core.hosts import INBOX as TAKES_FILES
from tallyd.core.hosts import WATCH as WATCHES_OTHERS
from tallyd.core.inbox_spec import InboxNeeded
from tallyd.core.language.messages import mark, tr
from tallyd.core.metric import Metric
from tallyd.core.panels import Board
from tallyd.core.periods import By
from tallyd.core.questions import Question
from tallyd.core.reading import Facts, Json, OutboxMessage, Reading, Slot
from tallyd.core.schedule.timetable import YEAR_S, Every
from tallyd.core.stored import LastReading
from tallyd.pollers.visitors.alerts.alert_kinds import (
    DATABASE,
    EVALUATES,
    INBOX,
    KINDS,
    NO_FILES,
    REJECTED,
    WATCHES,
)
from tallyd.pollers.visitors.boards.board import VisitorsBoards
from tallyd.pollers.visitors.boards.columns import GROUP, SOURCE
from tallyd.pollers.visitors.boards.metrics import age_metric, today_metrics
from tallyd.pollers.visitors.boards.once_board import reading_board, summary_board, watch_board
from tallyd.pollers.visitors.boards.past_days import past_board
from tallyd.pollers.visitors.boards.source_board import last_day, source_board
from tallyd.pollers.visitors.boards.today import counts_of_today, newest_files
from tallyd.pollers.visitors.corrections import correct
from tallyd.pollers.visitors.inside import DayCount
from tallyd.pollers.visitors.probe import probe
from tallyd.pollers.visitors.questions import QUESTIONS, starter
from tallyd.pollers.visitors.report.daily_report import report
from tallyd.pollers.visitors.report.post import deliver
from tallyd.pollers.visitors.report.report_table import last_reports
from tallyd.pollers.visitors.settings import ReportSettings, VisitorsSettings
from tallyd.pollers.visitors.watch import EVERY_S, watch

_SOURCE_BYTES, _MINUTE_BYTES = 230, 92
"""Of a source or a group in an out file, and of one minute of a source in the database."""
_SWEEP_LIMIT_S = 300.0
"""Without progress: a group of files shows it, and each batch of a large one."""
_REPORT_LIMIT_S = 120.0


class VisitorsPoller(VisitorsSettings):
    __doc__ = mark(
        "Ingests files about people who walked in and out, and reports today's counts."
    )  # people read it, in their language

    @classmethod
    def alert_kinds(cls) -> tuple[AlertKind, ...]:
        """Return what a sweep can find, and what an upstream that takes no report is called."""
        return (*KINDS, UNSENT)

    def watched(self) -> Mapping[str, frozenset[str]]:
        """Return the sources that must deliver, and the upstream's names that are reported to."""
        watches = self.no_files is not None
        by_source = watches and self.no_files is not None and self.no_files.per_source and self.sources
        silent = frozenset(self.sources) if by_source else frozenset({INBOX} if watches else ())
        return {NO_FILES.what: silent, UNSENT.what: self._ssids() if self.is_sending() else frozenset()}

    def view(self, subject: str, what: str) -> Mapping[str, str]:
        """Return the configured source of a problem: the page shows its day."""
        is_of_source = what in (REJECTED.what, NO_FILES.what) and subject in self.sources
        return {SOURCE: subject} if is_of_source else {}

    def jobs(self) -> tuple[Job, ...]:
        """Return `sweep`, or `watch` without an inbox; and, where the config has one, `report`."""
        found = self._watch_job() if self.inbox is None else self._sweep_job()
        return (found,) if self.report is None else (found, self._report_job(self.report))

    def _sweep_job(self) -> Job:
        return Job(
            name=mark("sweep"),
            when=Every(self.sweep_every),
            evaluates=EVALUATES,
            limit_s=_SWEEP_LIMIT_S,
            run=self._sweep,
            wakes=True,
        )

    def _watch_job(self) -> Job:
        return Job(
            name=mark("watch"),
            when=Every(EVERY_S),
            evaluates=WATCHES,
            limit_s=_REPORT_LIMIT_S,
            run=partial(watch, self),
        )

    def _sweep(self, slot: Slot, tools: Toolbox) -> tuple[Reading, ...]:
        # Imported here: the readers of files take 20 ms and 2 MiB, and most commands sweep nothing.
        from tallyd.pollers.visitors.ingest.sweep import sweep  # noqa: PLC0415 # see above

        return sweep(self, slot, tools)

    def _report_job(self, wanted: ReportSettings) -> Job:
        return Job(
            name=mark("report"),
            when=Every(wanted.every, grid=True),
            evaluates=frozenset(),
            limit_s=_REPORT_LIMIT_S,
            run=partial(report, self),
            # Sums of the day so far: a late one says what its slot should have, and the next one more.
            catch_up_s=wanted.every,
            alerts_on_missed=False,
        )

    def growth(self) -> Growth:
        """Return the out files of reports; at most every minute of a source is kept in the database."""
        count = len(self.sources)
        return replace(
            super().growth(),
            file_bytes=READING_BYTES + (count + len(self.groups)) * _SOURCE_BYTES,
            rows_bytes=YEAR_S / 60 * count * _MINUTE_BYTES,
        )

    @classmethod
    def default_keep_days(cls) -> int | None:
        """Return 400: reports write half a gigabyte a year, and the database has every minute for ever."""
        return 400

    @property
    def needs_records(self) -> bool:
        """Yes: passages are stored in the database."""
        return True

    @property
    def duties(self) -> frozenset[str]:
        """The inbox, or to watch others; and the report, if there is one: only one may be sent."""
        own = WATCHES_OTHERS if self.inbox is None else TAKES_FILES
        return frozenset({own} if self.report is None else {own, "report"})

    def inbox_needed(self, poller: str) -> InboxNeeded | None:
        """Return the folder, its rules, and how long files put aside are kept; None for a centre."""
        if self.inbox is None:
            return None
        return InboxNeeded(
            path=self.inbox,
            source=self.source or poller,
            pattern=self.pattern,
            settle_s=self.settle,
            is_mount=self.inbox_is_mount,
            max_bytes=self.max_bytes,
            done_keep_days=self.done_keep_days,
            rejected_keep_days=self.rejected_keep_days,
        )

    def is_sending(self) -> bool:
        """Whether reports are posted."""
        return bool(self.report and self.report.send and self.report.url)

    def deliver(self, message: OutboxMessage, tools: Toolbox, *, timeout_s: float) -> Accepted | Refused:
        """Post a report once. Raises `SourceError` where there was no answer, `Stopped`."""
        return deliver(self, message, tools, timeout_s=timeout_s)

    def correct(
        self, poller: str, correction: Correction, records: CorrectableRecords, zone: ZoneInfo
    ) -> str:
        """Store how many were inside at a source, and return what that changes."""
        return correct(self, poller, correction, records, zone)

    def probe(self, tools: Toolbox) -> tuple[Found, ...]:
        """Return today's passages in, by source. Raises `SourceError` if that can't be read."""
        return probe(self, tools)

    # -- what people are shown ------------------------------------------------------------------------------

    @classmethod
    def options(cls) -> tuple[str, ...]:
        """Return the options of the past board."""
        return (SOURCE, GROUP)

    def known(self, option: str, options: Mapping[str, str], *, poller: str) -> Collection[str] | None:
        """Return the groups or the tables. Any source may deliver: `sources` has those that must."""
        del options, poller
        match option:
            case "source":
                return None
            case "table":
                return (*TABLES_OF_ALL, "visits", "corrections", "week_before", "month")
            case _:
                return self.groups

    @classmethod
    def default_days(cls, by: By | None) -> int:
        """Return one day for hours, else 30."""
        return 1 if by in (None, "hour") else 30

    def last_label(self) -> str:
        """Return what `last` is called: without reports, files are all that comes."""
        return tr("Last report") if self.report else tr("Last file")

    def last(self, past: Past) -> LastReading | None:
        """Return when the last report was made; without reports, when the newest file came."""
        if self.report:
            return past.last_taken()
        try:
            found = newest_files(past)
        except RecordsError:
            return None  # the board says why
        newest = max((each.last_file_at for each in found.values()), default=None)
        return LastReading(newest) if newest else None

    def group_members(self) -> Mapping[str, frozenset[str]]:
        """Return the sources of each group."""
        return {group: frozenset(sources) for group, sources in self.groups.items()}

    def now_board(self, past: Past) -> Board:
        """Return today's counts, its sources, and the last reports."""
        counts: Mapping[str, DayCount] = {}
        files: Mapping[str, int] = {}
        arrivals: Mapping[str, Arrival] = {}
        trouble = ""
        try:
            arrivals = newest_files(past)
            counts, files = counts_of_today(past, self.reset_at)
        except RecordsError as error:
            trouble = error.text
        return self._boards(past, arrivals).today(
            counts,
            files,
            open_alerts=past.open_alerts,
            bars=partial(last_day, past, self.shared_subjects()),
            reports=last_reports(past, self.report),
            trouble=trouble,
        )

    @classmethod
    def subject_option(cls) -> str:
        """Return that each source has a view of its own."""
        return SOURCE

    def shared_subjects(self) -> frozenset[str]:
        """Return where a problem keeps the files of every source from being counted."""
        return frozenset({INBOX, DATABASE, "sweep", "watch"}) - self.sources.keys()

    def subject_board(self, past: Past, subject: str) -> Board:
        """Return how one source is now, and for how much of the time it was well. Raises `StateError`."""
        return source_board(self.now_board(past), subject, self.shares(past, subject))

    def past_board(self, past: Past, asked: Asked) -> Board:
        """Return who came, left and was inside on the days that were asked for."""
        return past_board(self, self._boards(past, newest_files(past)), past, asked)

    def metrics(self, past: Past) -> Iterable[Metric]:
        """Yield the age of each source's newest file, then today's counts."""
        yield age_metric(past.poller, newest_files(past), past.now)
        yield from today_metrics(self, past.poller, *counts_of_today(past, self.reset_at))

    def reading_board(self, content: Facts) -> Board:
        """Return a report."""
        return reading_board(content)

    def summary_board(self, summary: Facts) -> Board:
        """Return what a sweep did, or what a watch found."""
        return watch_board(summary) if "sources" in summary else summary_board(summary)

    def _boards(self, past: Past, arrivals: Mapping[str, Arrival]) -> VisitorsBoards:
        return VisitorsBoards(
            settings=self, poller=past.poller, now=past.now, zone=past.zone, arrivals=arrivals
        )

    # -- for a person who writes a config -------------------------------------------------------------------

    @classmethod
    def found_headings(cls) -> tuple[str, ...]:
        """Return the headings of the sources found."""
        return (tr("source"), tr("label"), tr("in today"))

    @classmethod
    def starter(cls, secrets: str) -> Mapping[str, Json]:
        """Return a poller to begin with."""
        del secrets
        return starter()

    @classmethod
    def questions(cls) -> tuple[Question, ...]:
        """Return what a person is asked."""
        return QUESTIONS

    @classmethod
    def learned(cls, found: Sequence[Found]) -> Mapping[str, Json]:
        """Return the sources that were found: from now on each of them must deliver."""
        return {"sources": {each.id: {"label": each.name} if each.name else {} for each in found}}

    def _ssids(self) -> frozenset[str]:
        ssid = self.report.ssid if self.report else None
        return frozenset((ssid,) if isinstance(ssid, str) else (ssid or {}).values())

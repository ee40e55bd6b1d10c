"""What people are shown of visitors: today, and the days that are asked for.

Where there is no record, no number is zero: nobody knows whether nobody came, or nobody counted.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from tallyd.contract.arrivals import Arrival
from tallyd.contract.board import Asked, AskedError
from tallyd.contract.unknown_names import no_group, no_source
from tallyd.core.hosts import short_names
from tallyd.core.language.formats import clock
from tallyd.core.language.messages import mark, tr
from tallyd.core.naming import key_segments
from tallyd.core.panels import Board, Cell, Choice, Column, Gap, Stat, Table, unreadable
from tallyd.core.schedule.days import day_of
from tallyd.core.states import State, Timeline
from tallyd.core.timeline import with_last_day
from tallyd.core.uptime import TimeSpan
from tallyd.pollers.visitors.alerts.alert_kinds import INBOX, INBOX_GONE, NO_FILES
from tallyd.pollers.visitors.boards.beside import Beside, Known
from tallyd.pollers.visitors.boards.columns import (
    CORRECTED,
    GROUP,
    SOURCE,
    corrected_column,
    group_column,
    name_column,
    source_column,
    ways,
)
from tallyd.pollers.visitors.boards.visits import Minute, days_of, has_records, put_together
from tallyd.pollers.visitors.boards.visits_chart import notes, said, visits_chart
from tallyd.pollers.visitors.corrections import corrections_table, signed
from tallyd.pollers.visitors.inside import MIDNIGHT, Adjustment, DayCount, Level, Resets, together
from tallyd.pollers.visitors.settings import VisitorsSettings

_SILENT = State("error", mark("silent"))
_DELIVERS = State("fine", mark("delivers"))
_NO_FILE = State("unknown", mark("no file yet"))
_NOT_KNOWN = State("unknown", mark("last file not known"))
"""There are counts of today, but state.db no longer knows when the last file came."""


@dataclass(frozen=True, kw_only=True)
class VisitorsBoards:
    """Makes the boards of one poller. `arrivals` are when the newest file of each source came."""

    settings: VisitorsSettings
    poller: str
    now: datetime
    zone: ZoneInfo
    arrivals: Mapping[str, Arrival]

    # -- today ----------------------------------------------------------------------------------------------

    def today(
        self,
        counts: Mapping[str, DayCount],
        files: Mapping[str, int],
        *,
        open_alerts: Collection[str],
        bars: Callable[[Collection[str]], Mapping[str, Timeline]],
        reports: Table | None,
        trouble: str = "",
    ) -> Board:
        """Return the board of today. `counts` are by source, `files` by what became of them.

        Both are empty if the database cannot be read; `trouble` then says why. `bars` reads the last day of
        some sources.
        """
        total = together(counts.values())
        n_in, n_out, n_inside = _ways(counts.values())
        groups = self.settings.groups
        done, rejected = (files.get(state, Gap.UNKNOWN) for state in ("done", "rejected"))
        return Board(
            panels=(
                Stat(key="inside", name=tr("Inside now"), value=n_inside, note=self._inside(total.corrected)),
                Stat(key="in", name=tr("In today"), value=n_in),
                Stat(key="out", name=tr("Out today"), value=n_out),
                with_last_day(self._sources_table(counts, open_alerts), bars),
                *([self._groups_table(counts)] if groups else ()),
            ),
            notes=() if total.has_records or trouble else (self._missing(),),
            troubles=(unreadable(trouble),) if trouble else (),
            details=(
                Stat(key="files_done", name=tr("Files ingested today"), value=done),
                Stat(key="files_rejected", name=tr("Files rejected today"), value=rejected),
                *([reports] if reports else ()),
            ),
        )

    def _missing(self) -> str:
        """Return why there are no numbers of today, and when there will be some."""
        last = max((each.last_file_at for each in self.arrivals.values()), default=None)
        if last is None:
            return tr(
                "No record of today: no file has come yet. Numbers appear with the first file that has "
                "records of today."
            )
        return tr(
            "No record of today: the last file came {at}. Numbers appear with the first file that has "
            "records of today.",
            at=self._clock(last),
        )

    def _clock(self, at: datetime) -> str:
        return clock(at.replace(microsecond=0), self.zone, now=self.now)

    def _inside(self, corrected: int = 0) -> str:
        """Return what `inside` means."""
        reset = self.settings.reset_at
        return tr(
            "in minus out since {since}[, corrected by {number}]; cameras miss people",
            since=tr("midnight") if reset == MIDNIGHT else f"{reset:%H:%M}",
            number=signed(corrected) if corrected else "",
        )

    def _sources_table(self, counts: Mapping[str, DayCount], open_alerts: Collection[str]) -> Table:
        silent, numbers, is_centre = self._silent(open_alerts), _columns(counts), self.settings.inbox is None
        names = short_names({each.host for each in self.arrivals.values()})
        rows = []
        for source in self._sources(counts):
            arrival = self.arrivals.get(source)
            last = arrival.last_file_at if arrival else None
            own = [counts[source]] if source in counts else []
            unseen = _NOT_KNOWN if together(own).has_records else _NO_FILE
            state = _SILENT if source in silent else _DELIVERS if last else unseen
            host = [names[arrival.host] if arrival else None] if is_centre else []
            label = self.settings.label_of(source)
            rows.append((source, label, state, last, *host, *_ways(own), *_corrected(own, numbers)))
        columns = (
            source_column(),
            name_column(),
            Column(key="state", heading=tr("state"), is_vital=True),
            Column(key="last_file", heading=tr("last file"), unit="instant"),
            *([Column(key="host", heading=tr("host"))] if is_centre else ()),
            *numbers,
        )
        return Table(key="sources", title=tr("Sources today"), columns=columns, rows=tuple(rows))

    def _silent(self, open_alerts: Collection[str]) -> Collection[str]:
        """Return the sources of which an alert says that no file comes; of the inbox as a whole: all."""
        keys = map(key_segments, open_alerts)
        found = {subject for _, subject, what in keys if what in (NO_FILES.what, INBOX_GONE.what)}
        is_of_all = INBOX in found - self.settings.sources.keys()
        return {*self.settings.sources, *self.arrivals} if is_of_all else found

    def _groups_table(self, counts: Mapping[str, DayCount]) -> Table:
        numbers = _columns(counts)
        groups = {
            name: [counts[member] for member in members if member in counts]
            for name, members in self.settings.groups.items()
        }
        rows = tuple((name, *_ways(own), *_corrected(own, numbers)) for name, own in groups.items())
        return Table(key="groups", title=tr("Groups today"), columns=(group_column(), *numbers), rows=rows)

    def _sources(self, also: Iterable[str]) -> tuple[str, ...]:
        """Return the sources in the order of the config, then those that deliver, and `also` others."""
        configured = self.settings.sources
        return (*configured, *sorted({*self.arrivals, *also} - configured.keys()))

    # -- the days that are asked for ------------------------------------------------------------------------

    def past(
        self,
        parts: Iterable[Sequence[Minute]],
        seen: Collection[str],
        asked: Asked,
        *,
        counted: Sequence[TimeSpan],
        before: Sequence[Minute],
        adjusted: Sequence[Adjustment],
        beside: Beside | None = None,
    ) -> Board:
        """Return the board of some days, with the sources that were `seen` in them.

        `parts` are the minutes of the `chosen` sources and of corrections, whole days at a time; those
        `before` them and the corrections (`adjusted`) are since the last reset. `counted` is when files were
        counted; `beside` is what one day is compared with. Raises `AskedError` if there is no such source.
        """
        by = asked.by or "hour"
        level = Level(Resets(self.zone, self.settings.reset_at), adjusted, now=self.now)
        for minute, count in before:
            level.add(minute, count.n_in, count.n_out)
        days = [day for minutes in parts for day in days_of(minutes, zone=self.zone, level=level)]
        with_records = [day for day in days if has_records(day)]
        sources = self._checked_sources(seen, asked)
        visits = put_together(days, by=by)
        asked.check_rows(len(visits))
        known = Known(self.now, counted)
        board = Board(
            panels=(visits_chart(visits, by, known, nothing=self._nothing(asked)),),
            said=asked.of_whole_days(
                said(self._what(asked), with_records, is_one_day=asked.first == asked.last)
            ),
            notes=(
                *self._days_without_records(len(with_records), asked),
                *notes(visits, by, known, inside=self._inside()),
            ),
            choices=self._choices(sources),
            details=corrections_table(
                each for each in adjusted if each.correction.at >= asked.span(self.zone)[0]
            ),
        )
        return beside.added(board, with_records[0] if with_records else (), known) if beside else board

    def chosen(self, asked: Asked) -> Collection[str] | None:
        """Return the sources that are asked for; None: all. Raises `AskedError`."""
        source, group = asked.options.get(SOURCE), asked.options.get(GROUP)
        if source and group:
            raise AskedError(tr("a source and a group can't go together; choose one of them"))
        if not group:
            return {source} if source else None
        groups = self.settings.groups
        if group not in groups:
            raise no_group(group, tuple(groups))
        return frozenset(groups[group])

    def _checked_sources(self, seen: Collection[str], asked: Asked) -> Sequence[str]:
        """Return the sources that there are. `AskedError` if the one that is asked for is none of them."""
        source, own = asked.options.get(SOURCE), self.settings.source or self.poller
        sources = self._sources({*seen, own} if source == own else seen)
        if source and source not in sources:
            raise no_source(source, tuple(dict.fromkeys((*sources, own))))
        return sources

    def _what(self, asked: Asked) -> str:
        """Return what is counted, as people call it: `Gate 12 (12)`."""
        if source := asked.options.get(SOURCE):
            return self.settings.subject_label(source)
        return asked.options.get(GROUP) or tr("all together")

    def _nothing(self, asked: Asked) -> str:
        if asked.first != asked.last:
            return tr("No records in these days. Nobody knows whether nobody came, or nobody counted.")
        if asked.first < day_of(self.now, self.zone):
            return tr("No records of that day. Nobody knows whether nobody came, or nobody counted.")
        return tr("No records of today yet. Numbers appear with the first file that has records of today.")

    def _days_without_records(self, known: int, asked: Asked) -> tuple[str, ...]:
        last = min(asked.last, day_of(self.now, self.zone))
        missing = (last - asked.first).days + 1 - known
        if not known or missing <= 0:
            return ()
        return (
            tr(
                "{days:# day has|# days have} no records: nobody knows whether nobody came then, or nobody "
                "counted.",
                days=missing,
            ),
        )

    def _choices(self, sources: Iterable[str]) -> tuple[Choice, ...]:
        groups = [(name, name) for name in self.settings.groups]
        labels = [(source, self.settings.subject_label(source)) for source in sources]
        found = ((GROUP, tr("Group"), groups), (SOURCE, tr("Source"), labels))
        return tuple(
            Choice(option=option, label=label, values=(("", tr("All together")), *values))
            for option, label, values in found
            if values
        )


def _ways(counts: Iterable[DayCount]) -> tuple[Cell, Cell, Cell]:
    """Return how many came, left and are inside; without a record, that is not known."""
    known = tuple(counts)
    total = together(known)
    came = (total.count.n_in, total.count.n_out) if total.has_records else (Gap.UNKNOWN, Gap.UNKNOWN)
    return (*came, total.inside if known else Gap.UNKNOWN)


def _columns(counts: Mapping[str, DayCount]) -> tuple[Column, ...]:
    """Return the columns of counts; without corrections, there is no column for them."""
    is_corrected = any(each.corrected for each in counts.values())
    return (*ways(), *([corrected_column()] if is_corrected else ()))


def _corrected(counts: Iterable[DayCount], columns: Sequence[Column]) -> tuple[int, ...]:
    has_it = any(column.key == CORRECTED for column in columns)
    return (sum(each.corrected for each in counts),) if has_it else ()

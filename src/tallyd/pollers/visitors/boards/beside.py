"""What stands beside a day: the same weekday a week before, and the month by day."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Final

from tallyd.contract.passages import seen_text
from tallyd.core.alerts.incident_states import STATES
from tallyd.core.alerts.incidents import Incident
from tallyd.core.language.formats import day_text, month_text, offset_if_twice, weekday_text
from tallyd.core.language.messages import tr
from tallyd.core.naming import key_segments
from tallyd.core.panels import Board, Cell, Chart, Column, Gap, Stat, Table
from tallyd.core.periods import axis_of, period_cells, period_columns
from tallyd.core.timeline import states_of
from tallyd.core.uptime import TimeSpan
from tallyd.pollers.visitors.alerts.alert_kinds import INBOX_GONE, NO_FILES
from tallyd.pollers.visitors.boards.columns import ways
from tallyd.pollers.visitors.boards.visits import Day, Minute, Visits, days_of, put_together, side_by_side

WEEK: Final = timedelta(days=7)
_HOUR: Final = timedelta(hours=1)
_MOST_AWAY: Final = timedelta(minutes=5)
"""Of an hour that is known: an update or a restart of the machine takes no longer."""


def counted_spans(
    uptime: Iterable[TimeSpan], incidents: Iterable[Incident], *, now: datetime
) -> Sequence[TimeSpan]:
    """Return when files were counted: tallyd was on, the inbox was there, and files came."""
    silences = (
        part
        for each in incidents
        if key_segments(each.key)[-1] in (NO_FILES.what, INBOX_GONE.what)
        for part in each.parts(until=now)
    )
    return [
        (begin, end) for begin, end, state in states_of(uptime, silences, STATES) if state.level == "fine"
    ]


@dataclass(frozen=True)
class Known:
    """Tells an hour without anybody from an hour of which nobody knows.

    `counted` is when files were counted (`counted_spans`), oldest first; no two overlap.
    """

    now: datetime
    counted: Sequence[TimeSpan]

    def is_known(self, hour: Visits) -> bool:
        """Whether its numbers are known: it has records, or files were counted in nearly all of it so far.

        Days without records are not.
        """
        if hour.has_records or not hour.days:
            return hour.has_records
        begin = hour.begin.astimezone(UTC)  # in local time, an hour later can be two hours later
        end = min(begin + _HOUR, self.now)
        first = bisect_right(self.counted, begin, key=lambda span: span[1])
        last = bisect_left(self.counted, end, key=lambda span: span[0])
        parts = (min(right, end) - max(left, begin) for left, right in self.counted[first:last])
        held = sum(parts, timedelta())
        return bool(held) and end - begin - held <= _MOST_AWAY

    def n_in(self, hour: Visits | None) -> Cell:
        """Return how many came in; None: there is no such hour, or it has not begun."""
        if hour is None or (hour.begin > self.now and not hour.has_records):
            return None
        return hour.n_in if self.is_known(hour) else Gap.UNKNOWN


@dataclass(frozen=True, kw_only=True)
class Beside:
    """What a day is compared with: the minutes of a week before, and of its month."""

    day: date
    now: datetime
    zone: tzinfo
    week_before: Sequence[Minute]
    month: Sequence[Minute]

    def added(self, board: Board, day: Day, known: Known) -> Board:
        """Return the board of a day with what stands beside it; the day is empty if it has no records."""
        (before,) = [*days_of(self.week_before, zone=self.zone)] or [()]
        if before:
            stats, panels = self._stats(day, before, known), (self._hours(day, before, known),)
            board = replace(board, panels=(*stats, *board.panels, *panels))
        elif day:
            earlier = _named(self.day - WEEK)
            why = tr("No records of {day}, so there is nothing to compare with.", day=earlier)
            board = replace(board, notes=(*board.notes, why))
        return replace(board, details=(*board.details, *self._days()))

    def _stats(self, day: Day, before: Day, known: Known) -> tuple[Stat, ...]:
        today, earlier = _named(self.day), _named(self.day - WEEK)
        n_in: Cell = sum(hour.n_in for hour in day) if day else Gap.UNKNOWN
        stats = [
            Stat(key="in", name=tr("In on {day}", day=today), value=n_in),
            Stat(
                key="in_week_before",
                name=tr("In on {day}", day=earlier),
                value=sum(hour.n_in for hour in before),
            ),
        ]
        local = self.now.astimezone(self.zone)
        if self.day == local.date():
            then = datetime.combine(self.day - WEEK, local.time(), self.zone).astimezone(UTC)
            by_now: Cell = sum(count.n_in for minute, count in self.week_before if minute < seen_text(then))
            if not all(known.is_known(hour) for hour in before if hour.begin < then):
                by_now = Gap.UNKNOWN
            time = f"{local:%H:%M}{offset_if_twice(local)}"
            name = tr("In on {day} until {time}", day=earlier, time=time)
            stats.insert(1, Stat(key="in_week_before_by_now", name=name, value=by_now))
        return tuple(stats)

    def _hours(self, day: Day, before: Day, known: Known) -> Chart:
        table = Table(
            key="week_before",
            title=tr("In by hour, beside the same weekday a week before"),
            columns=(
                Column(key="hour", heading=tr("hour"), is_vital=True),
                Column(
                    key="in", heading=tr("in on {day}", day=_named(self.day)), unit="number", is_vital=True
                ),
                Column(
                    key="in_week_before",
                    heading=tr("in on {day}", day=_named(self.day - WEEK)),
                    unit="number",
                    is_vital=True,
                ),
            ),
            rows=tuple(
                (label, known.n_in(hour) if day else Gap.UNKNOWN, known.n_in(earlier))
                for label, (hour, earlier) in side_by_side((day, before))
            ),
        )
        return Chart(table=table, x="hour", series={"in": "bars", "in_week_before": "bars"})

    def _days(self) -> tuple[Chart, ...]:
        """Return the month by day; days without a record are missing."""
        days = put_together(days_of(self.month, zone=self.zone), by="day")
        table = Table(
            key="month",
            title=tr("{month} by day", month=month_text(self.day)),
            columns=(*period_columns("day"), *ways()[:2]),
            rows=tuple((*period_cells(each.begin, by="day"), each.n_in, each.n_out) for each in days),
            is_newest_last=True,
        )
        chart = Chart(table=table, x=axis_of("day"), series={"in": "bars", "out": "bars"})
        return (chart,) if days else ()


def _named(day: date) -> str:
    """Return `Fri 2026-11-20`."""
    return tr("{weekday} {day}", weekday=weekday_text(day), day=day_text(day))

"""The visits of some days: a row for each period, their chart, and what a reader must know of the numbers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC
from typing import Final

from tallyd.core.language.messages import mark, tr, translation
from tallyd.core.panels import Cell, Chart, Column, Gap, Shape, Table
from tallyd.core.periods import BEGIN, By, axis_of, labels_of, period_columns
from tallyd.pollers.visitors.boards.beside import Known
from tallyd.pollers.visitors.boards.columns import other, ways
from tallyd.pollers.visitors.boards.visits import Day, Visits

WITHIN_DAY: Final = ("hour", "day")
CORRECTIONS: Final = "corrections"
"""The sum of those made in a period. `corrected` is the sum of those since the last reset."""
_TITLES: Final[Mapping[By, str]] = {
    "hour": mark("Visitors by hour"),
    "day": mark("Visitors by day"),
    "weekday": mark("Visitors by weekday"),
    "week": mark("Visitors by week"),
    "month": mark("Visitors by month"),
    "year": mark("Visitors by year"),
}


def _numbers() -> tuple[Column, ...]:
    return (
        Column(key="days", heading=tr("days"), unit="number"),
        *ways(),
        Column(key="most_inside", heading=tr("most inside"), unit="number"),
        other(),
        Column(key=CORRECTIONS, heading=tr("corrections"), unit="number"),
    )


def said(what: str, days: Sequence[Day], *, is_one_day: bool) -> str:
    """Return the sums: `Gate 12 (12): 27 in, 20 out on 2 days with records`."""
    if not days:
        return tr("{what}: no records", what=what)
    hours = [hour for day in days for hour in day]
    return tr(
        "{what}: {n_in} in, {n_out} out[ on {days:# day|# days} with records]",
        what=what,
        n_in=sum(hour.n_in for hour in hours),
        n_out=sum(hour.n_out for hour in hours),
        days=None if is_one_day else len(days),
    )


def notes(found: Sequence[Visits], by: By, known: Known, *, inside: str) -> Iterator[str]:
    """Yield what a reader must know of the numbers."""
    off = sum(not known.is_known(each) for each in found) if by == "hour" else 0
    if off:
        yield tr(
            "{hours:# hour without records is|# hours without records are} not known: tallyd was off, or no "
            "file came.",
            hours=off,
        )
    if found and by in WITHIN_DAY:
        yield tr("Inside: {meaning}.", meaning=inside)


def visits_chart(found: Sequence[Visits], by: By, known: Known, *, nothing: str) -> Chart:
    """Return a row for each period: bars of who came and left, and for hours, who was inside at their end."""
    is_within_day = by in WITHIN_DAY
    without = {"days" if is_within_day else "inside"}
    if not any(each.corrections for each in found):
        without.add(CORRECTIONS)
    numbers = [each for each in _numbers() if each.key not in without]
    series: dict[str, Shape] = {"in": "bars", "out": "bars"}
    if by == "hour":  # at the end of a day, next to nobody is inside
        series["inside"] = "dots"
    table = Table(
        key="visits",
        title=translation(_TITLES[by]),
        columns=(*period_columns(by), *numbers),
        rows=tuple(_row(each, by, numbers, known) for each in found),
        nothing=nothing,
        is_newest_last=by != "weekday",
    )
    return Chart(table=table, x=axis_of(by), series=series, nothing=nothing)


def _row(visits: Visits, by: By, numbers: Iterable[Column], known: Known) -> tuple[Cell, ...]:
    cells: Mapping[str, Cell] = {
        "days": visits.days,
        "in": visits.n_in,
        "out": visits.n_out,
        "inside": visits.inside,
        "most_inside": visits.most_inside,
        "other": visits.n_other,
        CORRECTIONS: visits.corrections,
    }
    is_known = known.is_known(visits)
    by_hand = {CORRECTIONS, *(("inside", "most_inside") if visits.corrections else ())}
    numbered = (cells[each.key] if is_known or each.key in by_hand else Gap.UNKNOWN for each in numbers)
    # In UTC: of an hour that comes twice, the two local times would be equal.
    begin = (visits.begin.astimezone(UTC),) if axis_of(by) == BEGIN else ()
    return (*begin, *labels_of(visits.begin, by=by).values(), *numbered)

"""What a report as HTML shows of visitors: each day by the hour, or days, weekdays, months, years."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from tallyd.cli.report_visits import KIND, PastVisits, cell_of, headings_of, said_of
from tallyd.core.periods import LABELS, By, weekday
from tallyd.pollers.visitors.visit_history import Visits, buckets
from tallyd.web.drawing import drawing
from tallyd.web.plots import visits_by_plot, visits_plot
from tallyd.web.report_view import Chapter, Plot, Table, table

MOST_DAYS = 31
"""So many days are drawn by the hour; of more, only all days together."""
_NOTHING = "there are no records"


def visits_chapter(past: PastVisits) -> Chapter:
    """Return one poller's visitors."""
    is_long = past.by == "hour" and len(past.days) > MOST_DAYS
    notes = [f"Of more than {MOST_DAYS} days, hours are not drawn."] if is_long else []
    return Chapter(
        poller=past.poller,
        kind=KIND,
        zone=str(past.zone),
        first=past.first,
        last=past.last,
        said=said_of(past),
        notes=(*_without_records(past), *notes),
        plots=_plots(past, is_long=is_long),
        after=(_table(past.buckets, "hour", "By hour"),) if is_long else (),
    )


def _without_records(past: PastVisits) -> tuple[str, ...]:
    known = {day.day for day in past.days}
    missing = (min(past.last, past.today) - past.first).days + 1 - len(known)
    if not known or missing <= 0:
        return ()
    days = "1 day has no records" if missing == 1 else f"{missing} days have no records"
    return (f"{days}: nobody knows whether nobody came then, or nobody counted.",)


def _plots(past: PastVisits, *, is_long: bool) -> tuple[Plot, ...]:
    if not past.days:
        return ()
    if past.by != "hour":
        return (_together(past.buckets, past.by),)
    every_day = () if is_long else tuple(_one_day(day.day, day.hours) for day in past.days)
    return (_together(buckets(past.days, by="day"), "day"), *every_day) if len(past.days) > 1 else every_day


def _one_day(day: date, hours: Sequence[Visits]) -> Plot:
    name = f"{weekday(day)} {day}"
    behind = _table(hours, "hour", f"{name} by hour", but=("date", "weekday"))
    figure = drawing(visits_plot(hours))
    return Plot(heading=f"{name} by hour", drawing=figure, table=behind, nothing=_NOTHING)


def _together(found: Sequence[Visits], by: By) -> Plot:
    return Plot(
        heading=f"By {by}",
        drawing=drawing(visits_by_plot(found, by=by)),
        table=_table(found, by, f"By {by}"),
        nothing=_NOTHING,
    )


def _table(found: Sequence[Visits], by: By, caption: str, *, but: Sequence[str] = ()) -> Table:
    headings = [heading for heading in headings_of(by) if heading not in but]
    rows = [[cell_of(visits, heading) for heading in headings] for visits in found]
    return table(caption, headings, rows, texts=LABELS[by])

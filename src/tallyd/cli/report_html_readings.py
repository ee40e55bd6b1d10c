"""What a report as HTML shows of readings: counts one after the other, and by time of day."""

from __future__ import annotations

from collections.abc import Iterator

from tallyd.cli.report_shapes import Past, sheet_of, tally
from tallyd.core.history import Gap, Spread, why_no_number
from tallyd.core.periods import By
from tallyd.web.drawing import drawing
from tallyd.web.plots import buckets_plot, day_plot, readings_plot
from tallyd.web.report_view import Chapter, Plot, Table, mean_text, table, table_of

_TEXTS = ("date", "time", "hour", "weekday", "week", "month", "year", "note")
_MEANS = "mean, least and most"


def readings_chapter(past: Past, by: By | None) -> Chapter:
    """Return one poller's readings, or their means. Counts that are hidden stay so, in plots as well."""
    return Chapter(
        poller=past.poller,
        kind=past.kind or "",
        zone=str(past.zone),
        first=past.first,
        last=past.last,
        said=tally(past, by),
        notes=tuple(_notes(past, by)),
        plots=_means(past, by) if by else _one_by_one(past),
        after=_missed(past) if by else (),
    )


def _notes(past: Past, by: By | None) -> Iterator[str]:
    below = {
        entry.hide_below
        for entry in past.entries
        if entry.hide_below is not None
        and any(entry.count(status.id) is Gap.HIDDEN for status in past.statuses)
    }
    if below:
        limit = " or ".join(map(str, sorted(below)))
        yield f"Numbers below {limit} are hidden, and so is what would give them away."
    if below and by:
        yield "Hidden counts are left out of the means, which so are too high; where all are, it is empty."


def _one_by_one(past: Past) -> tuple[Plot, ...]:
    entries, columns, zone = past.entries, past.statuses, past.zone
    chart = readings_plot(entries, columns, zone=zone, most=max(1, len(entries)))
    readings = Plot(
        heading="One after the other",
        drawing=drawing(chart),
        table=_readings(past),
        nothing=why_no_number(entries),
    )
    if len({entry.at.astimezone(zone).date() for entry in entries}) < 2:
        return (readings,)
    chart = day_plot(entries, columns, zone=zone)
    behind = table_of(f"By time of day: {_MEANS}", "hour", chart)
    heading = f"By time of day: {_MEANS} of each hour"
    why = why_no_number(entries, in_timetable=True)
    return (Plot(heading=heading, drawing=drawing(chart), table=behind, nothing=why), readings)


def _means(past: Past, by: By) -> tuple[Plot, ...]:
    buckets = past.buckets(by)
    rows = [
        [
            *bucket.labels.values(),
            bucket.readings,
            bucket.missed,
            *(_mean(bucket.total) for _ in past.totals),
            *(_mean(bucket.counts[status.id]) for status in past.statuses),
        ]
        for bucket in buckets
    ]
    headings = sheet_of(past, by, hidden=None).headings
    heading = f"By {by}: {_MEANS} of the readings"
    chart = buckets_plot(buckets, past.statuses, by=by)
    behind = table(f"By {by}: {_MEANS}", headings, rows, texts=_TEXTS)
    why = why_no_number(past.entries, in_timetable=True)
    return (Plot(heading=heading, drawing=drawing(chart), table=behind, nothing=why),)


def _mean(spread: Spread | None) -> str | None:
    return mean_text(spread.mean, spread.low, spread.high) if spread else None


def _readings(past: Past) -> Table:
    sheet = sheet_of(past, None, hidden="hidden")
    rows = [[row.get(heading) for heading in sheet.headings] for row in sheet.rows]
    return table("Readings", sheet.headings, rows, texts=_TEXTS)


def _missed(past: Past) -> tuple[Table, ...]:
    """Return why slots have no reading, where no row of a reading says it."""
    rows = [
        (f"{entry.at.astimezone(past.zone):%Y-%m-%d %H:%M:%S}".removesuffix(":00"), entry.reason)
        for entry in past.entries
        if entry.is_missed
    ]
    headings = ("slot", "reason")
    return (table("Missed slots", headings, rows, texts=headings),) if rows else ()

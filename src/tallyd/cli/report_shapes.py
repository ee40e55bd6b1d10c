"""What `tallyd report` prints: a table, CSV or JSON.

As JSON it is a list with one object a poller:

    {"poller": "divera", "kind": "divera", "zone": "Europe/Berlin", "from": "2026-11-01", "to": "2026-11-30",
     "statuses": [{"id": "50101", "name": "Einsatzbereit"}],
     "readings": [{"at": "2026-11-20T08:00:00+01:00", "taken_at": "2026-11-20T08:00:00.412+01:00",
                   "origin": "live", "total": 18, "counts": {"50101": 12}}]}

`origin` is `live`, `late`, `once` or `missed`. A missed slot has a `reason`; its `taken_at`, `total` and
`counts` are null. A hidden count is null, one that nobody knows is left out. `hide_below` and
`clock_suspect` stand where they apply. With `--by` there are `by` and `buckets` instead of `readings`:

    {"date": "2026-11-20", "weekday": "Fri", "readings": 5, "missed": 0,
     "total": {"mean": 17.6, "min": 16, "max": 18, "known": 5}, "counts": {"50101": {...}}}

A bucket is named by `date`, `hour` and `weekday`, by `date` and `weekday`, or by `weekday`, `month` or
`year` alone. `known` is how many readings the mean is of; where it would be 0 there is null instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import TypeAlias
from zoneinfo import ZoneInfo

from tallyd.cli.report_asked import SEE_ALL
from tallyd.core.history import NO_STATUS, Bucket, Entry, Gap, Spread, Status, Value, buckets, remarks
from tallyd.core.naming import local_text
from tallyd.core.periods import LABELS, By, weekday
from tallyd.core.reading import Json
from tallyd.presentation.csv_text import Cell, csv_text
from tallyd.presentation.terminal import say, show_table

Row: TypeAlias = Mapping[str, Cell]


@dataclass(frozen=True, kw_only=True)
class Past:
    """What is known of one poller from the first to the last day (local dates, inclusive), oldest first.

    `kind` is None where nothing is known of the poller but its name. `statuses` are the columns. `next_at` is
    when the next reading comes, where the days are not over.
    """

    poller: str
    kind: str | None
    zone: ZoneInfo
    first: date
    last: date
    statuses: tuple[Status, ...]
    entries: tuple[Entry, ...]
    next_at: datetime | None = None

    @property
    def totals(self) -> tuple[str, ...]:
        """The heading of the total, where the readings have one."""
        return ("total",) if all(entry.has_total for entry in self.entries) else ()

    def buckets(self, by: By) -> tuple[Bucket, ...]:
        return buckets(self.entries, self.statuses, by=by, zone=self.zone)


@dataclass(frozen=True)
class Sheet:
    """Rows under headings; a row holds its cells by heading, and what it does not hold is empty."""

    before: tuple[str, ...]
    statuses: tuple[Status, ...]
    after: tuple[str, ...]
    rows: tuple[Row, ...]

    @property
    def headings(self) -> tuple[str, ...]:
        return (*self.before, *(status.heading for status in self.statuses), *self.after)


# -- tables and CSV -----------------------------------------------------------------------------------------


def show_tables(pasts: Sequence[Past], by: By | None) -> None:
    """Print a heading and a table for each poller; hidden counts say so."""
    if not pasts:
        say("No poller is configured, and none has readings from these days.")
    for number, past in enumerate(pasts):
        said = f"{past.first} to {past.last} ({past.zone}): {tally(past, by)}"
        say(("\n" if number else "") + f"{past.poller}, {said}")
        sheet = sheet_of(past, by, hidden="hidden")
        if sheet.rows:
            _show(sheet)


def tally(past: Past, by: By | None) -> str:
    """Return how many readings the table is made of: `4 readings, 1 missed`."""
    if not past.entries:
        next_at = past.next_at.astimezone(past.zone) if past.next_at else None
        return f"no readings; the next one: {next_at:%Y-%m-%d %H:%M}" if next_at else "no readings"
    missed = sum(entry.is_missed for entry in past.entries)
    left_out = sum(entry.origin == "once" for entry in past.entries) if by else 0
    taken = len(past.entries) - missed - left_out
    said = f"{taken} {'reading' if taken == 1 else 'readings'}, {missed} missed"
    return f"{said}; {left_out} by once left out" if left_out else said


def _show(sheet: Sheet) -> None:
    headings = sheet.headings
    texts = ("date", "time", "hour", "weekday", "week", "month", "year", "note")
    numbers = frozenset(place for place, heading in enumerate(headings) if heading not in texts)
    notes = frozenset(place for place, heading in enumerate(headings) if heading == "note")
    vital = frozenset(place for place, heading in enumerate(headings) if heading != "weekday")
    rows = [[row.get(heading) for heading in headings] for row in sheet.rows]
    show_table(headings, rows, right=numbers, prose=notes, vital=vital, see=SEE_ALL)


def as_csv(pasts: Sequence[Past], by: By | None, *, excel: bool, name_pollers: bool) -> str:
    """Return CSV, one line of headings for all pollers together.

    With `name_pollers` the first column is the poller. A column that a poller does not have is empty there.
    Hidden counts are empty cells too, named in the note of their row.
    """
    sheets = [(past.poller, sheet_of(past, by, hidden=None)) for past in _sharing_names(pasts)]
    found = dict.fromkeys(status for _, sheet in sheets for status in sheet.statuses)
    columns = tuple(sorted(found, key=lambda status: status.id == NO_STATUS))
    before = tuple(dict.fromkeys(heading for _, sheet in sheets for heading in sheet.before))
    headings = Sheet(before, columns, sheets[0][1].after if sheets else (), ()).headings
    lines: list[list[Cell]] = [["poller", *headings] if name_pollers else [*headings]]
    for poller, sheet in sheets:
        for row in sheet.rows:
            cells = [row.get(heading) for heading in headings]
            lines.append([poller, *cells] if name_pollers else cells)
    return csv_text(lines, excel=excel)


def _sharing_names(pasts: Sequence[Past]) -> Iterator[Past]:
    """Yield the pasts; a status without a name takes the one that another poller knows for its id."""
    names = {status.id: status.name for past in pasts for status in past.statuses if status.name}
    for past in pasts:
        named = (Status(status.id, status.name or names.get(status.id)) for status in past.statuses)
        yield replace(past, statuses=tuple(named))


def sheet_of(past: Past, by: By | None, *, hidden: str | None) -> Sheet:
    """Return the rows; `hidden` stands where a count is hidden, and with None the note says it instead."""
    if by is None:
        rows = tuple(_reading_row(entry, past, hidden) for entry in past.entries)
        return Sheet(("date", "time", "weekday", *past.totals), past.statuses, ("note",), rows)
    rows = tuple(_bucket_row(bucket, past.statuses) for bucket in past.buckets(by))
    return Sheet((*LABELS[by], "readings", "missed", *past.totals), past.statuses, (), rows)


def _reading_row(entry: Entry, past: Past, hidden: str | None) -> Row:
    local = entry.at.astimezone(past.zone)
    notes = [*remarks(entry, past.zone)]
    values = {"total": entry.total, **{status.id: entry.count(status.id) for status in past.statuses}}
    secret = [name for name, value in values.items() if value is Gap.HIDDEN]
    if secret and hidden is None:
        notes.append(f"hidden (hide_below {entry.hide_below}): {', '.join(secret)}")
    return {
        "date": local.date().isoformat(),
        "time": f"{local:%H:%M:%S}" if local.second else f"{local:%H:%M}",
        "weekday": weekday(local),
        "total": _cell(entry.total, hidden),
        **{status.heading: _cell(entry.count(status.id), hidden) for status in past.statuses},
        "note": "; ".join(notes),
    }


def _cell(value: Value, hidden: str | None) -> Cell:
    return hidden if value is Gap.HIDDEN else None if isinstance(value, Gap) else value


def _bucket_row(bucket: Bucket, columns: Iterable[Status]) -> Row:
    return {
        **bucket.labels,
        "readings": bucket.readings,
        "missed": bucket.missed,
        "total": bucket.total.mean if bucket.total else None,
        **{status.heading: _mean(bucket.counts[status.id]) for status in columns},
    }


def _mean(spread: Spread | None) -> float | None:
    return spread.mean if spread else None


# -- JSON ---------------------------------------------------------------------------------------------------


def as_json(pasts: Iterable[Past], by: By | None) -> list[Json]:
    """Return what the top of this module describes."""
    return [_past_json(past, by) for past in pasts]


def _past_json(past: Past, by: By | None) -> Json:
    content: dict[str, Json] = {
        "poller": past.poller,
        "kind": past.kind,
        "zone": str(past.zone),
        "from": past.first.isoformat(),
        "to": past.last.isoformat(),
        "statuses": [{"id": status.id, "name": status.name} for status in past.statuses],
    }
    if by is None:
        return {**content, "readings": [_reading_json(entry, past) for entry in past.entries]}
    return {**content, "by": by, "buckets": [_bucket_json(bucket) for bucket in past.buckets(by)]}


def _reading_json(entry: Entry, past: Past) -> Json:
    values = {status.id: entry.count(status.id) for status in past.statuses}
    content: dict[str, Json] = {
        "at": local_text(entry.at, past.zone),
        "taken_at": local_text(entry.taken_at, past.zone) if entry.taken_at else None,
        "origin": entry.origin,
        "total": _number(entry.total),
        "counts": None
        if entry.is_missed
        else {each: _number(value) for each, value in values.items() if value is not Gap.UNKNOWN},
    }
    if entry.is_missed:
        content["reason"] = entry.reason
    if entry.hide_below is not None:
        content["hide_below"] = entry.hide_below
    if entry.is_clock_suspect:
        content["clock_suspect"] = True
    return content


def _number(value: Value) -> float | None:
    return None if isinstance(value, Gap) else value


def _bucket_json(bucket: Bucket) -> Json:
    return {
        **bucket.labels,
        "readings": bucket.readings,
        "missed": bucket.missed,
        "total": _spread_json(bucket.total),
        "counts": {status: _spread_json(spread) for status, spread in bucket.counts.items()},
    }


def _spread_json(spread: Spread | None) -> Json:
    if spread is None:
        return None
    return {"mean": spread.mean, "min": spread.low, "max": spread.high, "known": spread.known}

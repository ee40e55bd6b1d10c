"""What the page shows of people by status: the newest counts, and those of the last weeks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from tallyd.core.history import Entry, Gap, Status, Value, missed_slot, reading, remarks, statuses
from tallyd.core.stored import StoredReading
from tallyd.core.texts import visible
from tallyd.web.views import Moment, moment

WEEKS_BACK = timedelta(days=28)
MOST_ROWS = 150
HIDDEN, UNKNOWN = "hidden", "not known"


@dataclass(frozen=True)
class CountView:
    """A status and how many are on it, as shown. `share` is 0 to 100, of the largest; None: not known."""

    name: str
    id: str
    shown: str
    is_number: bool
    share: int | None


@dataclass(frozen=True)
class PastRow:
    """A reading in the table behind the plot."""

    at: Moment
    cells: tuple[str, ...]
    remark: str


@dataclass(frozen=True, kw_only=True)
class DiveraView:
    """The newest counts. `hides_below`: smaller ones are hidden; None: none are."""

    counts: tuple[CountView, ...]
    total: str
    hides_below: int | None


@dataclass(frozen=True, kw_only=True)
class DiveraPast:
    """The table behind the plot, the newest reading first. `left_out` rows are not shown."""

    headings: tuple[str, ...]
    rows: tuple[PastRow, ...]
    left_out: int


def entries_of(rows: Sequence[StoredReading]) -> tuple[Entry, ...]:
    """Return stored readings and missed slots as entries, oldest first."""
    return tuple(
        missed_slot(row.due_at or row.taken_at, reason=row.reason)
        if row.body is None
        else reading(row.due_at or row.taken_at, taken_at=row.taken_at, body=row.body)
        for row in rows
    )


def divera_view(newest: Entry | None, names: Mapping[str, str]) -> DiveraView | None:
    """Return the newest reading as it is shown; None before the first. `names` are the config's."""
    if newest is None:
        return None
    columns = statuses([newest], names)
    numbers = {column.id: newest.count(column.id) for column in columns}
    most = max((value for value in numbers.values() if isinstance(value, int)), default=0)
    return DiveraView(
        counts=tuple(_count(column, numbers[column.id], most) for column in columns),
        total=shown(newest.total),
        hides_below=newest.hide_below,
    )


def _count(column: Status, value: Value, most: int) -> CountView:
    share = round(100 * value / most) if isinstance(value, int) and most else None
    name = visible(column.name) if column.name else "no status" if column.id == "none" else column.id
    return CountView(name, column.id, shown(value), isinstance(value, int), share)


def shown(value: Value) -> str:
    """Return a value as text; what is hidden or not known is no number."""
    if isinstance(value, int):
        return str(value)
    return HIDDEN if value is Gap.HIDDEN else UNKNOWN


def divera_past(
    entries: Sequence[Entry], names: Mapping[str, str], zone: ZoneInfo, *, now: datetime
) -> DiveraPast:
    """Return the table behind the plot."""
    columns = statuses(entries, names)
    newest = [*reversed(entries)][:MOST_ROWS]
    return DiveraPast(
        headings=("total", *(column.heading for column in columns)),
        rows=tuple(
            PastRow(
                moment(entry.at, zone, now=now),
                ("",) * (len(columns) + 1)
                if entry.is_missed
                else (shown(entry.total), *(shown(entry.count(column.id)) for column in columns)),
                "; ".join(remarks(entry, zone)),
            )
            for entry in newest
        ),
        left_out=len(entries) - len(newest),
    )

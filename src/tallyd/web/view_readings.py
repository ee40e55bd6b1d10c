"""What the page shows of readings: the newest numbers, and those of the last weeks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from tallyd.contract.poller import Poller
from tallyd.core.history import Entry, Gap, Status, Value, missed_slot, remarks, statuses
from tallyd.core.stored import StoredReading
from tallyd.core.texts import number_text, visible
from tallyd.web.views import Moment, moment

MOST_ROWS = 150
HIDDEN, UNKNOWN = "hidden", "not known"


@dataclass(frozen=True)
class CountView:
    """A number with its name, as shown. `share` is 0 to 100, of the largest; None: not known."""

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
class NewestView:
    """The newest numbers. `total`: empty where the kind has none. `hides_below`: smaller ones are hidden;
    None: none are.
    """

    counts: tuple[CountView, ...]
    total: str
    hides_below: int | None


@dataclass(frozen=True, kw_only=True)
class PastView:
    """The table behind the plot, the newest reading first. `left_out` rows are not shown."""

    headings: tuple[str, ...]
    rows: tuple[PastRow, ...]
    left_out: int


def entries_of(rows: Sequence[StoredReading], poller: Poller) -> tuple[Entry, ...]:
    """Return stored readings and missed slots as entries, oldest first."""
    return tuple(
        missed_slot(row.due_at or row.taken_at, reason=row.reason)
        if row.body is None
        else poller.entry(row.due_at or row.taken_at, taken_at=row.taken_at, body=row.body)
        for row in rows
    )


def newest_view(newest: Entry | None, names: Mapping[str, str]) -> NewestView | None:
    """Return the newest reading as it is shown; None before the first. `names` are the config's."""
    if newest is None:
        return None
    columns = statuses([newest], names)
    numbers = {column.id: newest.count(column.id) for column in columns}
    most = max((value for value in numbers.values() if not isinstance(value, Gap)), default=0)
    return NewestView(
        counts=tuple(_count(column, numbers[column.id], most) for column in columns),
        total=shown(newest.total) if newest.has_total else "",
        hides_below=newest.hide_below,
    )


def _count(column: Status, value: Value, most: float) -> CountView:
    is_number = not isinstance(value, Gap)
    share = max(0, round(100 * value / most)) if not isinstance(value, Gap) and most > 0 else None
    name = visible(column.name) if column.name else "no status" if column.id == "none" else column.id
    return CountView(name, column.id, shown(value), is_number, share)


def shown(value: Value) -> str:
    """Return a value as text; what is hidden or not known is no number."""
    if isinstance(value, Gap):
        return HIDDEN if value is Gap.HIDDEN else UNKNOWN
    return number_text(value)


def past_view(
    entries: Sequence[Entry], names: Mapping[str, str], zone: ZoneInfo, *, now: datetime
) -> PastView:
    """Return the table behind the plot."""
    columns = statuses(entries, names)
    has_total = all(entry.has_total for entry in entries)
    newest = [*reversed(entries)][:MOST_ROWS]
    return PastView(
        headings=(*(["total"] if has_total else []), *(column.heading for column in columns)),
        rows=tuple(
            PastRow(
                moment(entry.at, zone, now=now),
                ("",) * (len(columns) + has_total)
                if entry.is_missed
                else (
                    *([shown(entry.total)] if has_total else []),
                    *(shown(entry.count(column.id)) for column in columns),
                ),
                "; ".join(remarks(entry, zone)),
            )
            for entry in newest
        ),
        left_out=len(entries) - len(newest),
    )

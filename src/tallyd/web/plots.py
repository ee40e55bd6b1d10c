"""What a plot shows, as plain values. The page draws them with uPlot, a report as SVG (`drawing.py`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Literal, TypeAlias

from tallyd.core.history import Bucket, Entry, Gap, Spread, Status, Value, spread
from tallyd.core.lags import HourCount
from tallyd.core.periods import By
from tallyd.core.reading import Json
from tallyd.pollers.visitors.visit_history import Visits

Shape: TypeAlias = Literal["bars", "dots", "line"]
"""Bars, a line with a dot at each number, or a line alone."""
Numbers: TypeAlias = tuple[float | None, ...]

MOST_POINTS = 3000
"""Of one line; of more, the newest are drawn."""
_UNITS = ((86400.0, "days"), (3600.0, "hours"), (60.0, "minutes"), (1.0, "seconds"))


@dataclass(frozen=True, kw_only=True)
class Column:
    """A number for each place from left to right; None: it is not known, and stays a gap.

    Of means, `low` and `high` are the least and the most that each was made of; else they are empty.
    """

    name: str
    values: Numbers
    shape: Shape = "dots"
    low: Numbers = ()
    high: Numbers = ()


@dataclass(frozen=True)
class Limit:
    """A level that is drawn across the plot."""

    name: str
    value: float


@dataclass(frozen=True, kw_only=True)
class Chart:
    """A plot. `places` are names, or times in the zone in which they are shown.

    `is_whole`: only whole numbers stand beside the axis; `top` is its upper end where that is fixed.
    """

    places: tuple[datetime, ...] | tuple[str, ...]
    columns: tuple[Column, ...]
    unit: str = ""
    limit: Limit | None = None
    top: float | None = None
    is_whole: bool = False

    @property
    def has_numbers(self) -> bool:
        """Whether there is anything to draw besides a limit."""
        return any(value is not None for column in self.columns for value in column.values)

    @property
    def times(self) -> tuple[datetime, ...]:
        """The places, where they are times."""
        return tuple(place for place in self.places if isinstance(place, datetime))


def plain(chart: Chart) -> dict[str, Json]:
    """Return a plot for the page. Times are seconds since 1970, `zone` is the one to show them in."""
    times = chart.times
    return {
        "times": [int(at.timestamp()) for at in times],
        "zone": str(times[0].tzinfo) if times else "",
        "names": [place for place in chart.places if isinstance(place, str)],
        "columns": [
            {
                "name": column.name,
                "shape": column.shape,
                "values": [*column.values],
                "low": [*column.low],
                "high": [*column.high],
            }
            for column in chart.columns
        ],
        "limit": {"name": chart.limit.name, "value": chart.limit.value} if chart.limit else None,
        "unit": chart.unit,
        "top": chart.top,
        "is_whole": chart.is_whole,
    }


def readings_plot(
    entries: Sequence[Entry], statuses: Sequence[Status], *, zone: tzinfo, most: int = MOST_POINTS
) -> Chart:
    """Return a line for each status over time; where no number is known, or it is hidden, is a gap."""
    shown = entries[-most:]
    return Chart(
        places=tuple(entry.at.astimezone(zone) for entry in shown),
        columns=tuple(
            Column(name=status.heading, values=tuple(_number(entry.count(status.id)) for entry in shown))
            for status in statuses
        ),
        is_whole=not any(isinstance(entry.count(status.id), float) for entry in shown for status in statuses),
    )


def day_plot(entries: Sequence[Entry], statuses: Sequence[Status], *, zone: tzinfo) -> Chart:
    """Return for each status the mean of each hour of the day, with least and most.

    Readings by `once` stand outside the timetable and are left out; so is what is hidden or not known.
    """
    hours: dict[str, list[Entry]] = {}
    for entry in entries:
        if entry.origin in ("live", "late"):
            hours.setdefault(f"{entry.at.astimezone(zone):%H}:00", []).append(entry)
    names = sorted(hours)
    return Chart(
        places=tuple(names),
        columns=tuple(
            _means(status, [spread(entry.count(status.id) for entry in hours[name]) for name in names])
            for status in statuses
        ),
    )


def buckets_plot(buckets: Sequence[Bucket], statuses: Sequence[Status], *, by: By) -> Chart:
    """Return for each status the mean of each hour, day, ..., with least and most."""
    return Chart(
        places=_places([bucket.labels for bucket in buckets], by),
        columns=tuple(
            _means(status, [bucket.counts[status.id] for bucket in buckets]) for status in statuses
        ),
    )


def _means(status: Status, found: Sequence[Spread | None]) -> Column:
    return Column(
        name=status.heading,
        values=tuple(each.mean if each else None for each in found),
        low=tuple(each.low if each else None for each in found),
        high=tuple(each.high if each else None for each in found),
    )


def _places(labels: Sequence[Mapping[str, str]], by: By) -> tuple[datetime, ...] | tuple[str, ...]:
    """Return where buckets lie: an hour or a day at its local time, else its name.

    An hour that comes twice lies twice at the same place.
    """
    if by == "hour":
        return tuple(datetime.fromisoformat(f"{each['date']}T{each['hour'][:5]}") for each in labels)
    if by == "day":
        return tuple(datetime.fromisoformat(each["date"]) for each in labels)
    return tuple(each[by] for each in labels)


def visits_plot(hours: Sequence[Visits]) -> Chart:
    """Return one day: bars of who came and left, a line of who was inside at the end of each hour."""
    return _visits(tuple(hour.labels["hour"] for hour in hours), hours)


def visits_by_plot(found: Sequence[Visits], *, by: By) -> Chart:
    """Return the same by day, weekday, ...; the line only where it is known who was inside at the end."""
    return _visits(_places([visits.labels for visits in found], by), found)


def _visits(places: tuple[datetime, ...] | tuple[str, ...], found: Sequence[Visits]) -> Chart:
    bars = (
        Column(name="in", values=tuple(each.n_in for each in found), shape="bars"),
        Column(name="out", values=tuple(each.n_out for each in found), shape="bars"),
    )
    inside = Column(name="inside", values=tuple(each.inside for each in found))
    is_known = any(value is not None for value in inside.values)
    return Chart(places=places, columns=(*bars, inside) if is_known else bars, is_whole=True)


def lags_plot(
    points: Sequence[tuple[datetime, float | None]], *, stale_after_s: float | None, zone: tzinfo
) -> Chart:
    """Return how old data was over time, and the limit above which it is stale; None is a gap."""
    known = [lag_s for _, lag_s in points if lag_s is not None]
    longest_s = max([*known, stale_after_s or 0.0])
    unit_s, unit = next((each for each in _UNITS if longest_s >= 2 * each[0]), _UNITS[-1])
    values = tuple(None if lag_s is None else round(lag_s / unit_s, 2) for _, lag_s in points)
    return Chart(
        places=tuple(at.astimezone(zone) for at, _ in points),
        columns=(Column(name="lag", values=values, shape="line"),),
        unit=unit,
        limit=None if stale_after_s is None else Limit("stale above", round(stale_after_s / unit_s, 2)),
    )


def shares_plot(names: Sequence[Mapping[str, str]], counts: Sequence[HourCount], *, by: By) -> Chart:
    """Return how much of each hour, day, ... data was within the limit, and fresh, in percent.

    `names` are the labels of `counts`.
    """
    shares = {
        "within the limit": [count.within_limit_share for count in counts],
        "fresh": [count.fresh_share for count in counts],
    }
    return Chart(
        places=_places(names, by),
        columns=tuple(
            Column(name=name, values=tuple(round(100 * each, 2) for each in found), shape="bars")
            for name, found in shares.items()
        ),
        unit="%",
        top=100,
    )


def _number(value: Value) -> float | None:
    return None if isinstance(value, Gap) else value

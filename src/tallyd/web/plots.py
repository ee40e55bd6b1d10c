"""The plots as plain JSON for plotly: values in, a figure out. Colours are the page's, by light and dark.

`drawing.py` draws the same figures without plotly, for a report.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, tzinfo
from html import escape
from typing import Any, TypeAlias, cast

from tallyd.core.history import Bucket, By, Entry, Spread, Status, Value, spread
from tallyd.core.lags import HourCount
from tallyd.core.reading import Json
from tallyd.pollers.visitors.visit_history import Visits

Figure: TypeAlias = dict[str, Json]

MOST_POINTS = 3000
"""Of one line; of more, the newest are drawn."""
_UNITS = ((86400.0, "days"), (3600.0, "hours"), (60.0, "minutes"), (1.0, "seconds"))
_LINE: dict[str, Json] = {"shape": "linear", "width": 2}
_AXIS_IS_COUNT: dict[str, Json] = {"rangemode": "tozero", "tickformat": ",d"}


def readings_plot(
    entries: Sequence[Entry], statuses: Sequence[Status], *, zone: tzinfo, most: int = MOST_POINTS
) -> Figure:
    """Return a line for each status, over local time; where no number is known, or it is hidden, is a gap."""
    shown = entries[-most:]
    at: list[Json] = [_local(entry.at, zone) for entry in shown]
    data: list[Json] = [
        {
            "type": "scatter",
            "mode": "lines+markers",
            "name": _plain(status.heading),
            "x": at,
            "y": [_number(entry.count(status.id)) for entry in shown],
            "connectgaps": False,
            "line": _LINE,
            "marker": {"size": 5},
        }
        for status in statuses
    ]
    return {
        "data": data,
        "layout": {"xaxis": {"type": "date"}, "yaxis": _AXIS_IS_COUNT, "hovermode": "x unified"},
    }


def day_plot(entries: Sequence[Entry], statuses: Sequence[Status], *, zone: tzinfo) -> Figure:
    """Return for each status the mean of each hour of the day, with least and most as a bar around it.

    Readings by `once` stand outside the timetable and are left out; so is what is hidden or not known.
    """
    hours: dict[str, list[Entry]] = {}
    for entry in entries:
        if entry.origin in ("live", "late"):
            hours.setdefault(f"{entry.at.astimezone(zone):%H}:00", []).append(entry)
    names = sorted(hours)
    data: list[Json] = [
        _means(status, names, [spread(entry.count(status.id) for entry in hours[name]) for name in names])
        for status in statuses
    ]
    layout: dict[str, Json] = {
        "xaxis": {"type": "category"},
        "yaxis": {"rangemode": "tozero"},
        "hovermode": "x unified",
    }
    return {"data": data, "layout": layout}


def buckets_plot(buckets: Sequence[Bucket], statuses: Sequence[Status], *, by: By) -> Figure:
    """Return for each status the mean of each hour, day, ..., with least and most as a bar around it."""
    names = [_place(bucket.labels, by) for bucket in buckets]
    data: list[Json] = [
        _means(status, names, [bucket.counts[status.id] for bucket in buckets]) for status in statuses
    ]
    layout: dict[str, Json] = {
        "xaxis": {"type": _axis_type(by)},
        "yaxis": {"rangemode": "tozero"},
        "hovermode": "x unified",
    }
    return {"data": data, "layout": layout}


def _means(status: Status, names: Sequence[str], found: Sequence[Spread | None]) -> Json:
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": _plain(status.heading),
        "x": [*names],
        "y": [each.mean if each else None for each in found],
        "error_y": {
            "type": "data",
            "symmetric": False,
            "array": [round(each.high - each.mean, 1) if each else 0 for each in found],
            "arrayminus": [round(each.mean - each.low, 1) if each else 0 for each in found],
            "thickness": 1,
            "width": 3,
        },
        "line": _LINE,
    }


def _place(labels: Mapping[str, str], by: By) -> str:
    """Return where a bucket lies on its axis; an hour that comes twice lies twice at the same place."""
    if by == "hour":
        return f"{labels['date']}T{labels['hour'][:5]}"
    return labels["date" if by == "day" else by]


def _axis_type(by: By) -> str:
    return "date" if by in ("hour", "day") else "category"


def visits_plot(hours: Sequence[Visits]) -> Figure:
    """Return one day: bars of who came and left, a line of who was inside at the end of each hour."""
    return _visits([hour.labels["hour"] for hour in hours], hours, "category")


def visits_by_plot(found: Sequence[Visits], *, by: By) -> Figure:
    """Return the same by day, weekday, ...; the line only where it is known who was inside at the end."""
    return _visits([_place(visits.labels, by) for visits in found], found, _axis_type(by))


def _visits(places: Sequence[str], found: Sequence[Visits], axis: str) -> Figure:
    names: list[Json] = [*places]
    data: list[Json] = [
        {"type": "bar", "name": "in", "x": names, "y": [each.n_in for each in found]},
        {"type": "bar", "name": "out", "x": names, "y": [each.n_out for each in found]},
    ]
    if not found or any(each.inside is not None for each in found):
        data.append(
            {
                "type": "scatter",
                "mode": "lines+markers",
                "name": "inside",
                "x": names,
                "y": [each.inside for each in found],
                "line": _LINE,
            }
        )
    layout: dict[str, Json] = {
        "barmode": "group",
        "xaxis": {"type": axis},
        "yaxis": _AXIS_IS_COUNT,
        "hovermode": "x unified",
    }
    return {"data": data, "layout": layout}


def lags_plot(
    points: Sequence[tuple[datetime, float | None]], *, stale_after_s: float | None, zone: tzinfo
) -> Figure:
    """Return how old data was over local time, and the limit above which it is stale; None is a gap."""
    known = [lag_s for _, lag_s in points if lag_s is not None]
    longest_s = max([*known, stale_after_s or 0.0])
    unit_s, unit = next((each for each in _UNITS if longest_s >= 2 * each[0]), _UNITS[-1])
    at: list[Json] = [_local(each, zone) for each, _ in points]
    data: list[Json] = [
        {
            "type": "scatter",
            "mode": "lines",
            "name": "lag",
            "x": at,
            "y": [None if lag_s is None else round(lag_s / unit_s, 2) for _, lag_s in points],
            "line": _LINE,
        }
    ]
    if points and stale_after_s is not None:
        limit = round(stale_after_s / unit_s, 2)
        data.append(
            {
                "type": "scatter",
                "mode": "lines",
                "name": "stale above",
                "x": [at[0], at[-1]],
                "y": [limit, limit],
                "line": {"dash": "dash", "width": 1},
            }
        )
    layout: dict[str, Json] = {
        "xaxis": {"type": "date"},
        "yaxis": {"rangemode": "tozero", "title": {"text": unit}},
        "hovermode": "x unified",
    }
    return {"data": data, "layout": layout}


def shares_plot(names: Sequence[Mapping[str, str]], counts: Sequence[HourCount], *, by: By) -> Figure:
    """Return how much of each hour, day, ... data was within the limit, and fresh, in percent.

    `names` are the labels of `counts`.
    """
    places: list[Json] = [_place(labels, by) for labels in names]
    shares = {
        "within the limit": [count.within_limit_share for count in counts],
        "fresh": [count.fresh_share for count in counts],
    }
    data: list[Json] = [
        {"type": "bar", "name": name, "x": places, "y": [round(100 * each, 2) for each in found]}
        for name, found in shares.items()
    ]
    layout: dict[str, Json] = {
        "barmode": "group",
        "xaxis": {"type": _axis_type(by)},
        "yaxis": {"range": [0, 100], "title": {"text": "%"}},
        "hovermode": "x unified",
    }
    return {"data": data, "layout": layout}


def has_numbers(figure: Figure) -> bool:
    """Whether there is anything to draw besides a limit."""
    traces = cast("list[dict[str, Any]]", figure["data"])
    return any(
        any(y is not None for y in trace["y"]) for trace in traces if "dash" not in trace.get("line", {})
    )


def _local(at: datetime, zone: tzinfo) -> str:
    """Return local time without its offset: plotly draws it as it stands there."""
    return at.astimezone(zone).replace(tzinfo=None).isoformat(timespec="seconds")


def _plain(text: str) -> str:
    """Return text that plotly shows as it is: it takes some HTML in names."""
    return escape(text, quote=False)


def _number(value: Value) -> int | None:
    return value if isinstance(value, int) else None

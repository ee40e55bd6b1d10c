"""The plots as plain JSON for plotly: values in, a figure out. Colours are the page's, by light and dark."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, tzinfo
from html import escape
from typing import TypeAlias

from tallyd.core.history import Entry, Status, Value, spread
from tallyd.core.reading import Json
from tallyd.core.visit_history import Visits

Figure: TypeAlias = dict[str, Json]

MOST_POINTS = 3000
"""Of one line; of more, the newest are drawn."""
_UNITS = ((86400.0, "days"), (3600.0, "hours"), (60.0, "minutes"), (1.0, "seconds"))
_LINE: dict[str, Json] = {"shape": "linear", "width": 2}
_AXIS_IS_COUNT: dict[str, Json] = {"rangemode": "tozero", "tickformat": ",d"}


def readings_plot(entries: Sequence[Entry], statuses: Sequence[Status], *, zone: tzinfo) -> Figure:
    """Return a line for each status, over local time; where no number is known, or it is hidden, is a gap."""
    shown = entries[-MOST_POINTS:]
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
    data: list[Json] = []
    for status in statuses:
        found = [spread(entry.count(status.id) for entry in hours[name]) for name in names]
        data.append(
            {
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
        )
    layout: dict[str, Json] = {
        "xaxis": {"type": "category"},
        "yaxis": {"rangemode": "tozero"},
        "hovermode": "x unified",
    }
    return {"data": data, "layout": layout}


def visits_plot(hours: Sequence[Visits]) -> Figure:
    """Return one day: bars of who came and left, a line of who was inside at the end of each hour."""
    names: list[Json] = [hour.labels["hour"] for hour in hours]
    data: list[Json] = [
        {"type": "bar", "name": "in", "x": names, "y": [hour.n_in for hour in hours]},
        {"type": "bar", "name": "out", "x": names, "y": [hour.n_out for hour in hours]},
        {
            "type": "scatter",
            "mode": "lines+markers",
            "name": "inside",
            "x": names,
            "y": [hour.inside for hour in hours],
            "line": _LINE,
        },
    ]
    layout: dict[str, Json] = {
        "barmode": "group",
        "xaxis": {"type": "category"},
        "yaxis": _AXIS_IS_COUNT,
        "hovermode": "x unified",
    }
    return {"data": data, "layout": layout}


def lags_plot(points: Sequence[tuple[datetime, float]], *, stale_after_s: float, zone: tzinfo) -> Figure:
    """Return how old data was over local time, and the limit above which it is stale."""
    longest_s = max([lag_s for _, lag_s in points] + [stale_after_s])
    unit_s, unit = next((each for each in _UNITS if longest_s >= 2 * each[0]), _UNITS[-1])
    at: list[Json] = [_local(each, zone) for each, _ in points]
    data: list[Json] = [
        {
            "type": "scatter",
            "mode": "lines",
            "name": "lag",
            "x": at,
            "y": [round(lag_s / unit_s, 2) for _, lag_s in points],
            "line": _LINE,
        }
    ]
    if points:
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


def _local(at: datetime, zone: tzinfo) -> str:
    """Return local time without its offset: plotly draws it as it stands there."""
    return at.astimezone(zone).replace(tzinfo=None).isoformat(timespec="seconds")


def _plain(text: str) -> str:
    """Return text that plotly shows as it is: it takes some HTML in names."""
    return escape(text, quote=False)


def _number(value: Value) -> int | None:
    return value if isinstance(value, int) else None

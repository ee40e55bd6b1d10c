"""What the page shows of servers: a table of targets, each with its lag now and over the last hours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal, TypeAlias, get_args
from zoneinfo import ZoneInfo

from tallyd.core.freshness import BY_SERIOUSNESS, STATES, Known, State
from tallyd.core.lags import HourCount
from tallyd.core.texts import span, visible
from tallyd.pollers.servers.target_settings import Target
from tallyd.web.svg import Line, line
from tallyd.web.views import Level, Moment, moment

Sort: TypeAlias = Literal["state", "name", "lag", "within"]
SORTS: tuple[Sort, ...] = get_args(Sort)
ROWS_A_PAGE = 50
PLOTTED = timedelta(hours=3)
SHARE_OF = timedelta(days=7)
PLOT_STEPS = 60
LEVELS: Mapping[State, Level] = {
    "fresh": "fine",
    "late": "warning",
    "stale": "error",
    "unreachable": "error",
    "invalid": "error",
    "future": "error",
}


@dataclass(frozen=True, kw_only=True)
class TargetView:
    """A row. `lag` is how old its data is now; `within` and `fresh` for how much of the last days it was
    within its limit, and fresh.
    """

    name: str
    level: Level
    state: str
    since: Moment | None
    lag: str
    computed: Moment | None
    within: str
    fresh: str
    limit: str
    plot: Line | None = None


@dataclass(frozen=True, kw_only=True)
class ServersView:
    """The targets. `counts` are how many are in each state. `pages` is 1 at least; `page` counts from 1."""

    counts: tuple[tuple[Level, str, int], ...]
    rows: tuple[TargetView, ...]
    names: tuple[str, ...]
    sort: Sort
    is_reversed: bool
    page: int
    pages: int
    total: int


def lag_s_of(known: Known | None, now: datetime) -> float | None:
    """Return how old a target's data is now, in seconds, by the last time it told; None: it told none."""
    if known is None or known.computed_at is None:
        return None
    return (now - known.computed_at).total_seconds()


def servers_view(
    targets: Sequence[Target],
    known: Mapping[str, Known],
    shares: Mapping[str, HourCount],
    *,
    zone: ZoneInfo,
    now: datetime,
    sort: Sort = "state",
    is_reversed: bool = False,
    page: int = 1,
    rows_a_page: int = ROWS_A_PAGE,
) -> ServersView:
    """Return one page of the table, without the plots of the lags: those are drawn for its rows alone."""
    ordered = sorted(
        targets, key=lambda target: _place(target, known, shares, sort, now), reverse=is_reversed
    )
    pages = max(1, -(-len(ordered) // rows_a_page))
    page = min(max(1, page), pages)
    shown = ordered[(page - 1) * rows_a_page : page * rows_a_page]
    counted: dict[State | None, int] = {}
    for target in targets:
        state = known[target.name].state if target.name in known else None
        counted[state] = counted.get(state, 0) + 1
    return ServersView(
        counts=(
            *((LEVELS[state], str(state), counted.get(state, 0)) for state in STATES),
            *((("unknown", "not checked yet", counted[None]),) if None in counted else ()),
        ),
        rows=tuple(
            _row(target, known.get(target.name), shares.get(target.name), zone, now) for target in shown
        ),
        names=tuple(target.name for target in shown),
        sort=sort,
        is_reversed=is_reversed,
        page=page,
        pages=pages,
        total=len(targets),
    )


def _place(
    target: Target,
    known: Mapping[str, Known],
    shares: Mapping[str, HourCount],
    sort: Sort,
    now: datetime,
) -> tuple[float, float, str]:
    found = known.get(target.name)
    lag_s = lag_s_of(found, now)
    by_lag = -lag_s if lag_s is not None else float("-inf")
    if sort == "name":
        return 0.0, 0.0, target.name
    if sort == "lag":
        return 0.0, by_lag, target.name
    if sort == "within":
        count = shares.get(target.name)
        if count is None or not count.checks:
            return -1.0, -1.0, target.name
        return count.within_limit_share, count.fresh_share, target.name
    if found is not None and found.state == "fresh":
        by_lag = 0.0  # by name: theirs goes up and down, and rows would change places at every look
    return (BY_SERIOUSNESS.index(found.state) if found else -1), by_lag, target.name


def _row(
    target: Target, known: Known | None, count: HourCount | None, zone: ZoneInfo, now: datetime
) -> TargetView:
    lag_s = lag_s_of(known, now)
    return TargetView(
        name=visible(target.name),
        level=LEVELS[known.state] if known else "unknown",
        state=known.state if known else "not checked yet",
        since=moment(known.since, zone, now=now) if known else None,
        lag="" if lag_s is None else span(round(lag_s)),
        computed=moment(known.computed_at, zone, now=now) if known and known.computed_at else None,
        within=f"{count.within_limit_share:.1%}" if count and count.checks else "",
        fresh=f"{count.fresh_share:.1%}" if count and count.checks else "",
        limit=span(target.limits.stale_after_s),
    )


def small_plot(
    points: Sequence[tuple[datetime, float]], *, now: datetime, stale_after_s: float
) -> Line | None:
    """Return a lag over the last hours, from its first point where it is younger."""
    if not points:
        return None
    first = max(points[0][0], now - PLOTTED).timestamp()
    last = now.timestamp()
    # Of a target that computes often, its ups and downs would be one thick line: the height of each step.
    highest: dict[int, tuple[float, float]] = {}
    for at, lag_s in points:
        step = int(PLOT_STEPS * (at.timestamp() - first) / max(1.0, last - first))
        if step not in highest or highest[step][1] < lag_s:
            highest[step] = (at.timestamp(), max(0.0, lag_s))
    return line([highest[step] for step in sorted(highest)], first=first, last=last, limit=stale_after_s)


def with_plots(view: ServersView, plots: Mapping[str, Line | None]) -> ServersView:
    """Return a table with the plots of its rows, by target."""
    rows = tuple(replace(row, plot=plots.get(name)) for row, name in zip(view.rows, view.names, strict=True))
    return replace(view, rows=rows)

"""What people are shown of targets: how old their data is, and how old it was."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from functools import reduce
from operator import add
from typing import Final, TypeAlias
from urllib.parse import urlsplit

from tallyd.contract.lags import HourCount
from tallyd.contract.passages import read_seen
from tallyd.core.panels import (
    NO_DATA_SHARE,
    Board,
    Cell,
    Chart,
    Choice,
    Column,
    Gap,
    Level,
    Limit,
    Metric,
    Shape,
    Stat,
    State,
    StateTimeline,
    Table,
    Timeline,
    unreadable,
)
from tallyd.core.periods import By, axis_of, period_columns
from tallyd.core.reading import Facts
from tallyd.core.texts import span
from tallyd.core.timeline import gathered
from tallyd.pollers.servers.freshness import BY_SERIOUSNESS, STATES, Known
from tallyd.pollers.servers.lag_history import Change, Checks, Hour, Steps
from tallyd.pollers.servers.target_settings import Target

MOST_NAMED: Final = 1000
"""How many targets have metrics of their own, the first in the order of the config; sums are of all.

A mistake in a config must not give Prometheus ten thousand names.
"""
MOST_BARS: Final = 50
MOST_CHOICES: Final = 200
LEVELS: Final[Mapping[str, Level]] = {
    "fresh": "fine",
    "late": "warning",
    "stale": "error",
    "unreachable": "error",
    "invalid": "error",
    "future": "error",
}
_NAMES: Final = {"unchecked": "Not checked yet"}
_UNCHECKED: Final = State("unknown", "not checked yet")
_STATES: Final = {state: State(level, state) for state, level in LEVELS.items()}
Rows: TypeAlias = "tuple[tuple[Cell, ...], ...]"
_TARGET: Final = Column(key="target", heading="target", option="target", is_subject=True, is_vital=True)
_NUMBERS: Final = (
    Column(key="within_limit_share", heading="within limit", unit="share", is_vital=True),
    Column(key="fresh_share", heading="fresh", unit="share"),
    Column(key=NO_DATA_SHARE, heading="no data", unit="share"),
    Column(key="lag_s_max", heading="largest lag", unit="seconds"),
    Column(key="checks", heading="checks", unit="number"),
)


# -- now ----------------------------------------------------------------------------------------------------


def now_board(
    targets: Sequence[Target],
    known: Mapping[str, Known],
    now: datetime,
    *,
    bars: Callable[[Collection[str]], Mapping[str, Timeline]],
) -> Board:
    """Return the state of each target, the most serious first, of the fresh ones by name.

    A lag of those would go up and down, and rows would change places at every look. `bars` reads the last day
    of some targets.
    """

    def fill(rows: Rows) -> Rows:
        found = bars([str(row[0]) for row in rows])
        return tuple((*row[:-1], found.get(str(row[0]), Gap.UNKNOWN)) for row in rows)

    def place(target: Target) -> tuple[int, float, str]:
        one = known.get(target.name)
        if one is None:
            return -1, 0.0, target.name
        lag_s = None if one.state == "fresh" else _lag_s(one, now)
        return BY_SERIOUSNESS.index(one.state), -(lag_s or 0.0), target.name

    counts = Counter(known[target.name].state if target.name in known else "unchecked" for target in targets)
    table = Table(
        key="targets",
        title="Targets",
        columns=(
            _TARGET,
            Column(key="state", heading="state", is_vital=True),
            Column(key="since", heading="since", unit="instant"),
            Column(key="lag_s", heading="lag now", unit="seconds", is_vital=True),
            Column(key="limit_s", heading="limit", unit="seconds"),
            Column(key="computed_time", heading="last computed", unit="instant"),
            Column(key="last_day", heading="last 24 h", unit="timeline", is_vital=True),
        ),
        rows=tuple(_row(target, known.get(target.name), now) for target in sorted(targets, key=place)),
        nothing="No target is configured.",
        fill=fill,
    )
    return Board(panels=(*_stats(counts), table))


def _row(target: Target, known: Known | None, now: datetime) -> tuple[Cell, ...]:
    limit_s = target.limits.stale_after_s
    if known is None:
        return (target.name, _UNCHECKED, None, Gap.UNKNOWN, limit_s, None, Gap.UNKNOWN)
    lag_s = _lag_s(known, now)
    lag: Cell = Gap.UNKNOWN if lag_s is None else lag_s
    state = _STATES[known.state]
    return (target.name, state, known.since, lag, limit_s, known.computed_at, Gap.UNKNOWN)


def _lag_s(known: Known, now: datetime) -> float | None:
    """Return how old a target's data is now, by our clock and the last time that it sent; None: none."""
    return None if known.computed_at is None else (now - known.computed_at).total_seconds()


def _stats(counts: Mapping[str, int]) -> tuple[Stat, ...]:
    """Return how many targets are in each state that occurs."""
    return tuple(
        Stat(key=key, name=_NAMES.get(key, key.capitalize()), value=counts[key])
        for key in (*STATES, *_NAMES)
        if counts.get(key)
    )


def metrics_of(
    poller: str, limits_s: Mapping[str, float], known: Mapping[str, Known], now: datetime
) -> tuple[Metric, ...]:
    """Return the metrics of targets, by their limits; one that was not checked yet does not count."""
    of_target = ("poller", "target")
    lag = Metric(
        name="tallyd_target_lag_seconds",
        help="How old a target's data is now, by our clock and the last time that it told.",
        labels=of_target,
    )
    limit = Metric(
        name="tallyd_target_limit_seconds",
        help="How old a target's data may be before it is stale.",
        labels=of_target,
    )
    fresh = Metric(
        name="tallyd_target_fresh", help="1 where a target's data is fresh, else 0.", labels=of_target
    )
    states = Metric(name="tallyd_targets", help="Targets by state.", labels=("poller", "state"))
    unnamed = Metric(
        name="tallyd_targets_unnamed",
        help=f"How many targets have no series of their own: only the first {MOST_NAMED} of the config have.",
        labels=("poller",),
    )
    found = [(name, known[name]) for name in limits_s if name in known]
    counts = Counter(one.state for _, one in found)
    states.samples.extend(((poller, state), counts[state]) for state in STATES)
    unnamed.samples.append(((poller,), max(0, len(found) - MOST_NAMED)))
    for name, one in found[:MOST_NAMED]:
        limit.samples.append(((poller, name), limits_s[name]))
        fresh.samples.append(((poller, name), int(one.state == "fresh")))
        lag_s = _lag_s(one, now)
        if lag_s is not None:
            lag.samples.append(((poller, name), lag_s))
    return (lag, limit, fresh, states, unnamed)


# -- one target now -----------------------------------------------------------------------------------------


def one_board(
    target: Target | None,
    known: Known | None,
    now: datetime,
    *,
    every_s: float,
    ranges: Sequence[tuple[str, Checks]],
    changes: Sequence[Change],
    trouble: str,
) -> Board:
    """Return how one target is now: its facts, its shares of some ranges, and its last changes.

    `target` is None if the config no longer has it. `trouble` says why the database can't be read; empty: it
    can.
    """
    return Board(
        panels=(
            *(_facts(target, known, now, every_s) if target else ()),
            Table(
                key="shares",
                title="Share of the time",
                columns=(Column(key="range", heading="last", is_vital=True), *_NUMBERS),
                rows=tuple((name, *_numbers(checks)) for name, checks in ranges),
            ),
        ),
        details=(
            Table(
                key="changes",
                title="Last changes of its state",
                columns=(
                    Column(key="at", heading="at", unit="instant", is_vital=True),
                    Column(key="state", heading="state", is_vital=True),
                    Column(key="was", heading="before", is_vital=True),
                    Column(key="lag_s", heading="lag then", unit="seconds"),
                ),
                rows=tuple(map(_change_row, changes)),
                nothing=_no_change(target),
            ),
        ),
        notes=() if target else ("The config no longer has this target.",),
        troubles=(unreadable(trouble),) if trouble else (),
    )


def _facts(target: Target, known: Known | None, now: datetime, every_s: float) -> tuple[Stat, ...]:
    lag_s = _lag_s(known, now) if known else None
    computed_at = known.computed_at if known else None
    # The name of a parameter does not always tell that its value is a secret: no query is shown.
    url = urlsplit(target.url)._replace(query="").geturl()
    return (
        Stat(key="state", name="State", value=_STATES[known.state] if known else _UNCHECKED),
        Stat(key="lag_s", name="Lag now", value=Gap.UNKNOWN if lag_s is None else lag_s, unit="seconds"),
        Stat(key="limit_s", name="Limit", value=target.limits.stale_after_s, unit="seconds"),
        Stat(key="every_s", name="Checked every", value=every_s, unit="seconds"),
        Stat(key="since", name="State since", value=known.since if known else Gap.UNKNOWN, unit="instant"),
        Stat(key="computed_time", name="Last computed", value=computed_at or Gap.UNKNOWN, unit="instant"),
        Stat(key="url", name="URL", value=url, unit="text"),
    )


def _change_row(change: Change) -> tuple[Cell, ...]:
    was = _STATES[change.was] if change.was else None
    return change.at, _STATES[change.state], was, Gap.UNKNOWN if change.lag_s is None else change.lag_s


def _no_change(target: Target | None) -> str:
    if target and not target.is_recorded:
        return "Its changes are not recorded (`record` is false)."
    return "No change is stored yet."


# -- once ---------------------------------------------------------------------------------------------------


def reading_board(content: Facts) -> Board:
    """Return how many targets are in each state, by the content of an out file."""
    counts = content.get("counts")
    found = counts if isinstance(counts, dict) else {}
    return Board(panels=_stats({state: count for state, count in found.items() if isinstance(count, int)}))


def summary_board(summary: Facts) -> Board:
    """Return the targets of a round, in the order of its summary."""
    targets = summary.get("targets")
    columns = (
        _TARGET,
        Column(key="state", heading="state", is_vital=True),
        Column(key="lag_s", heading="lag", unit="seconds", is_vital=True),
        Column(key="since", heading="since", unit="instant"),
    )
    rows = (
        tuple(_summary_row(each) for each in targets if isinstance(each, dict))
        if isinstance(targets, list)
        else ()
    )
    return Board(panels=(Table(key="targets", title="Targets", columns=columns, rows=rows),))


def _summary_row(target: Facts) -> tuple[Cell, ...]:
    lag_s = target["lag_s"]
    return (
        str(target["target"]),
        _STATES[str(target["state"])],
        lag_s if isinstance(lag_s, int | float) else Gap.UNKNOWN,
        datetime.fromisoformat(str(target["since"])),
    )


# -- the past -----------------------------------------------------------------------------------------------


def past_board(
    checks: Sequence[Checks], *, by: By | None, passed_s: float, nothing: str, choices: tuple[Choice, ...]
) -> Board:
    """Return for how much of the time each target was within its limit, as bars if there are few of them.

    `passed_s` is how much of the days has passed. `nothing` says why there are no checks.
    """
    targets = len({each.target for each in checks})
    named = "" if not targets else "1 target, " if targets == 1 else f"{targets} targets, "
    table = Table(
        key="targets",
        title=f"Targets by {by}" if by else "Targets",
        columns=(_TARGET, *(period_columns(by) if by else ()), *_NUMBERS),
        rows=tuple((each.target, *_cells(each)) for each in checks),
        nothing=nothing,
    )
    is_drawn = by is None and len(checks) <= MOST_BARS
    return Board(
        panels=(_bars(table, x="target") if is_drawn else table,),
        said=named + _said(checks, passed_s * targets),
        choices=choices,
    )


def target_board(
    checks: Sequence[Checks],
    steps: Steps | None,
    timeline: Timeline,
    *,
    target: str,
    by: By,
    passed_s: float,
    stale_after_s: float | None,
    nothing: str,
    choices: tuple[Choice, ...],
) -> Board:
    """Return how old the data of one target was in steps of time; `steps` None: its checks as bars.

    `checks` are by `by`. `stale_after_s` is None if the target is not configured.
    """
    table = Table(
        key="checks",
        title=f"Checks of {target} by {by}",
        columns=(*period_columns(by), *_NUMBERS),
        rows=tuple(_cells(each) for each in checks),
        nothing=nothing,
        is_newest_last=True,
    )
    said = _said(checks, passed_s)
    states = StateTimeline(key="states", title=f"State of {target}", timeline=timeline)
    if steps is None:
        return Board(panels=(states, _bars(table, x=axis_of(by))), said=said, choices=choices)
    limit = None if stale_after_s is None else Limit("stale above", stale_after_s)
    why = nothing if not checks else f"None of its {_total(checks).checks} checks found the time of its data."
    lag = Table(
        key="lag",
        title=f"How old the data of {target} was",
        columns=(
            Column(key="at", heading="from", unit="instant", is_vital=True),
            Column(key="lag_s_max", heading="largest lag", unit="seconds", is_vital=True),
        ),
        rows=_lags(steps),
        nothing=why,
        is_newest_last=True,
    )
    chart = Chart(table=lag, x="at", series={"lag_s_max": "line"}, limit=limit, nothing=why)
    panels = (states, chart) if checks else (chart,)
    return Board(panels=panels, said=said, details=(table,) if checks else (), choices=choices)


def timeline_of(hours: Iterable[Hour], borders: Sequence[datetime], *, every_s: float) -> Timeline:
    """Return the states of one target in spans of time, from its hours.

    A state counts only when the next check is there. So the last span is left out while it is too young to
    have any.
    """
    amounts = (
        (read_seen(begin), {_STATES[state]: held_s for state, held_s in count.seconds.items() if held_s})
        for _, begin, count in hours
    )
    timeline = gathered(amounts, borders)
    newest = timeline.spans[-1:]
    is_too_young = newest and not newest[0].seconds and newest[0].length_s <= 3 * every_s
    return Timeline(timeline.spans[:-1]) if is_too_young else timeline


def _lags(steps: Steps) -> tuple[tuple[Cell, ...], ...]:
    """Return the rows of steps; none if no lag is known in any."""
    if all(lag_s is None for _, lag_s in steps):
        return ()
    return tuple((at, Gap.UNKNOWN if lag_s is None else lag_s) for at, lag_s in steps)


def _bars(table: Table, *, x: str) -> Chart:
    shares: dict[str, Shape] = {"within_limit_share": "bars", "fresh_share": "bars"}
    return Chart(table=table, x=x, series=shares, top=1, nothing=table.nothing)


def _cells(checks: Checks) -> tuple[Cell, ...]:
    return (*checks.period, *_numbers(checks))


def _numbers(checks: Checks) -> tuple[Cell, ...]:
    known = (
        checks.within_limit_share,
        checks.fresh_share,
        checks.no_data_share,
        checks.count.lag_s_max,
    )
    return (*(Gap.UNKNOWN if each is None else each for each in known), checks.count.checks)


def _total(checks: Sequence[Checks]) -> HourCount:
    return reduce(add, (each.count for each in checks))


def _said(checks: Sequence[Checks], passed_s: float) -> str:
    """Return `240 checks, 98.06% within the limit, 90.00% fresh, 0.10% no data`."""
    if not checks:
        return "no checks"
    whole = Checks("", (), _total(checks), passed_s)
    names = ("within the limit", "fresh", "no data")
    shares = (whole.within_limit_share, whole.fresh_share, whole.no_data_share)
    said = [f"{share:.2%} {name}" for name, share in zip(names, shares, strict=True) if share is not None]
    count = whole.count.checks
    return ", ".join([f"{count} {'check' if count == 1 else 'checks'}", *said])


def no_checks(every_s: float | None) -> str:
    """Return why there is no row. `every_s`: how often targets are checked now; None: not in these days."""
    return "No checks in these days." + (f" Targets are checked every {span(every_s)}." if every_s else "")


def choices_of(targets: Sequence[str]) -> tuple[Choice, ...]:
    """Return the choice of a target, if they are few enough for a list."""
    if len(targets) > MOST_CHOICES:
        return ()
    values = tuple((target, target) for target in targets)
    return (Choice(option="target", label="Target", values=(("", "All targets"), *values)),)

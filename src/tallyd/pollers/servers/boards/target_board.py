"""What people are shown of one target: how it is now, and how it was."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, tzinfo
from functools import reduce
from operator import add
from typing import Final

from tallyd.contract.lags import HourCount
from tallyd.contract.passages import read_seen, seen_text
from tallyd.core.language.formats import span
from tallyd.core.language.messages import tr, translation
from tallyd.core.panels import (
    Board,
    Cell,
    Chart,
    Choice,
    Column,
    Gap,
    Limit,
    Stat,
    StateTimeline,
    Table,
    unreadable,
)
from tallyd.core.periods import By, axis_of, period_columns
from tallyd.core.states import Timeline
from tallyd.core.timeline import gathered, shares_table
from tallyd.pollers.servers.boards.checks_table import (
    SHOWN,
    UNCHECKED,
    bars_of,
    cells_of,
    lag_s_of,
    number_columns,
    numbers_of,
    said_of,
    total_of,
)
from tallyd.pollers.servers.boards.lag_history import Change, Checks, Hour
from tallyd.pollers.servers.boards.lag_steps import Steps
from tallyd.pollers.servers.freshness import Known
from tallyd.pollers.servers.targets.target import Target

MOST_LIMITS: Final = 10
"""A chart with a lag above this many limits shows it up to `SHOWN_LIMITS`."""
SHOWN_LIMITS: Final = 4

# -- now -----------------------------------------------------------------------------------------


def one_board(
    target: Target | None,
    known: Known | None,
    now: datetime,
    zone: tzinfo,
    *,
    every_s: float,
    shares: Sequence[Table],
    changes: Sequence[Change],
    trouble: str,
) -> Board:
    """Return how one target is now: its facts, its shares of the time, and its last changes.

    `target` is None if the config no longer has it. `trouble` says why the database can't be read; empty: it
    can.
    """
    return Board(
        panels=(
            *(_facts(target, known, now, zone, every_s) if target else ()),
            *shares,
        ),
        details=(
            Table(
                key="changes",
                title=tr("Last changes of its state"),
                columns=(
                    Column(key="at", heading=tr("at"), unit="instant", is_vital=True),
                    Column(key="state", heading=tr("state"), is_vital=True),
                    Column(key="was", heading=tr("before"), is_vital=True),
                    Column(key="lag_s", heading=tr("lag then"), unit="seconds"),
                ),
                rows=tuple(map(_change_row, changes)),
                nothing=_no_change(target),
            ),
        ),
        notes=() if target else (tr("The config no longer has this target."),),
        troubles=(unreadable(trouble),) if trouble else (),
    )


def shares_of(hours: Sequence[Hour], *, now: datetime, zone: tzinfo) -> Table:
    """Return for what share of the time a target was within its limit, by range, from its hours."""

    def since(begin: datetime) -> tuple[Cell, ...]:
        first = seen_text(begin)
        counts = (count for _, hour, count in hours if hour >= first)
        whole = reduce(add, counts, HourCount(0, None))
        return numbers_of(Checks("", (), whole, (now - begin).total_seconds()))

    return shares_table(number_columns(), since, now=now, zone=zone)


def _facts(
    target: Target, known: Known | None, now: datetime, zone: tzinfo, every_s: float
) -> tuple[Stat, ...]:
    lag_s = lag_s_of(known, now) if known else None
    computed_at = known.computed_at if known else None
    limit = Stat(key="limit_s", name=tr("Limit"), value=target.limits.stale_after_s, unit="seconds")
    if target.due:
        due_at = target.next_due(now, zone)
        limit = Stat(key="next_due", name=tr("Next due"), value=due_at or Gap.UNKNOWN, unit="instant")
    return (
        Stat(key="state", name=tr("State"), value=SHOWN[known.state] if known else UNCHECKED),
        Stat(key="lag_s", name=tr("Lag now"), value=Gap.UNKNOWN if lag_s is None else lag_s, unit="seconds"),
        limit,
        Stat(key="every_s", name=tr("Checked every"), value=every_s, unit="seconds"),
        Stat(
            key="since", name=tr("State since"), value=known.since if known else Gap.UNKNOWN, unit="instant"
        ),
        Stat(key="computed_time", name=tr("Last computed"), value=computed_at or Gap.UNKNOWN, unit="instant"),
        Stat(key="url", name=tr("Source"), value=target.source.address, unit="text"),
    )


def _change_row(change: Change) -> tuple[Cell, ...]:
    was = SHOWN[change.was] if change.was else None
    return change.at, SHOWN[change.state], was, Gap.UNKNOWN if change.lag_s is None else change.lag_s


def _no_change(target: Target | None) -> str:
    if target and not target.is_recorded:
        return tr("Its changes are not recorded (`record` is false).")
    return tr("No change is stored yet.")


# -- the past ----------------------------------------------------------------------------------------------


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
        title=tr("Checks of {target} by {period}", target=target, period=translation(by)),
        columns=(*period_columns(by), *number_columns()),
        rows=tuple(cells_of(each) for each in checks),
        nothing=nothing,
        is_newest_last=True,
    )
    said = said_of(checks, passed_s, whose=target)
    states = StateTimeline(key="states", title=tr("State of {target}", target=target), timeline=timeline)
    if steps is None:
        return Board(panels=(states, bars_of(table, x=axis_of(by))), said=said, choices=choices)
    lag = Table(
        key="lag",
        title=tr("How old the data of {target} was", target=target),
        columns=(
            Column(key="at", heading=tr("from"), unit="instant", is_vital=True),
            Column(key="lag_s_max", heading=tr("largest lag"), unit="seconds", is_vital=True),
        ),
        rows=_lags(steps),
        nothing=_no_lag(checks) if checks else nothing,
        is_newest_last=True,
    )
    chart = _lag_chart(lag, stale_after_s, target=target)
    panels = (states, chart) if checks else (chart,)
    return Board(panels=panels, said=said, details=(table,) if checks else (), choices=choices)


def _no_lag(checks: Sequence[Checks]) -> str:
    return tr(
        "{checks:The only check did not find|None of its # checks found} the time of its data.",
        checks=total_of(checks).checks,
    )


def _lag_chart(lag: Table, stale_after_s: float | None, *, target: str) -> Chart:
    """Return a lag over time with its limit. Where a peak would press the limit to the ground, it is cut."""
    chart = Chart(table=lag, x="at", series={"lag_s_max": "line"}, nothing=lag.nothing)
    if stale_after_s is None:
        return chart
    chart = replace(chart, limit=Limit(tr("stale above"), stale_after_s))
    largest_s = max((cell for cell in lag.cells("lag_s_max") if isinstance(cell, int | float)), default=0.0)
    if largest_s <= MOST_LIMITS * stale_after_s:
        return chart
    top_s = SHOWN_LIMITS * stale_after_s
    title = tr(
        "How old the data of {target} was, up to {top}; the largest lag was {largest}",
        target=target,
        top=span(top_s),
        largest=span(largest_s),
    )
    return replace(chart, top=top_s, title=title)


def timeline_of(hours: Iterable[Hour], borders: Sequence[datetime], *, every_s: float) -> Timeline:
    """Return the states of one target in spans of time, from its hours.

    A state counts only when the next check is there. So the last span is left out while it is too young to
    have any.
    """
    amounts = (
        (read_seen(begin), {SHOWN[state]: held_s for state, held_s in count.seconds.items() if held_s})
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

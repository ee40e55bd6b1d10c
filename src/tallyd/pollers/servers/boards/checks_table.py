"""Checks of targets as rows of a table, as bars and in a sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import reduce
from operator import add
from typing import Final

from tallyd.contract.lags import HourCount
from tallyd.core.language.formats import share_text
from tallyd.core.language.messages import mark, tr
from tallyd.core.panels import Cell, Chart, Column, Gap, Shape, Table
from tallyd.core.states import NO_DATA_SHARE, State
from tallyd.pollers.servers.boards.lag_history import Checks
from tallyd.pollers.servers.freshness import Known

UNCHECKED: Final = State("unknown", mark("not checked yet"))
SHOWN: Final[Mapping[str, State]] = {
    "fresh": State("fine", mark("fresh")),
    "late": State("warning", mark("late")),
    "stale": State("error", mark("stale")),
    "unreachable": State("error", mark("unreachable")),
    "invalid": State("error", mark("invalid")),
    "future": State("error", mark("future")),
}
"""A state as people see it."""


def number_columns() -> tuple[Column, ...]:
    """Return the columns of `numbers_of`."""
    return (
        Column(key="within_limit_share", heading=tr("within limit"), unit="share", is_vital=True),
        Column(key="fresh_share", heading=tr("fresh"), unit="share"),
        Column(key=NO_DATA_SHARE, heading=tr("no data"), unit="share"),
        Column(key="lag_s_max", heading=tr("largest lag"), unit="seconds"),
        Column(key="checks", heading=tr("checks"), unit="number"),
    )


def bars_of(table: Table, *, x: str) -> Chart:
    """Return the shares of a table as bars over its column `x`."""
    shares: dict[str, Shape] = {"within_limit_share": "bars", "fresh_share": "bars"}
    return Chart(table=table, x=x, series=shares, top=1, nothing=table.nothing)


def cells_of(checks: Checks) -> tuple[Cell, ...]:
    """Return a row: the cells of its period, and its numbers."""
    return (*checks.period, *numbers_of(checks))


def numbers_of(checks: Checks) -> tuple[Cell, ...]:
    """Return the cells of `number_columns`."""
    known = (
        checks.within_limit_share,
        checks.fresh_share,
        checks.no_data_share,
        checks.count.lag_s_max,
    )
    return (*(Gap.UNKNOWN if each is None else each for each in known), checks.count.checks)


def total_of(checks: Sequence[Checks]) -> HourCount:
    """Return the sum of some checks, at least one."""
    return reduce(add, (each.count for each in checks))


def said_of(checks: Sequence[Checks], passed_s: float, *, whose: str = "", targets: int | None = None) -> str:
    """Return `2 targets, 240 checks, 98.06% within the limit, 90.00% fresh, 0.10% no data`.

    `whose` is a group or a target. `passed_s` is how much time has passed, of each of the `targets`.
    """
    if not checks:
        return tr("[{group}: ]no checks", group=whose)
    whole = Checks("", (), total_of(checks), passed_s)
    shares = {
        "within": whole.within_limit_share,
        "fresh": whole.fresh_share,
        "no_data": whole.no_data_share,
    }
    return tr(
        "[{group}: ][{targets:# target|# targets}, ]{checks:# check|# checks}"
        "[, {within} within the limit][, {fresh} fresh][, {no_data} no data]",
        group=whose,
        targets=targets,
        checks=whole.count.checks,
        **{name: share_text(share) for name, share in shares.items() if share is not None},
    )


def lag_s_of(known: Known, now: datetime) -> float | None:
    """Return how old a target's data is now, by our clock and the last time that it sent; None: none."""
    return None if known.computed_at is None else (now - known.computed_at).total_seconds()

"""Checks of targets as rows of a table, as bars and in a sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import reduce
from operator import add
from typing import Final

from tallyd.contract.lags import HourCount
from tallyd.core.language.formats import share_text
from tallyd.core.panels import Cell, Chart, Column, Gap, Shape, Table
from tallyd.core.states import NO_DATA_SHARE, Level, State
from tallyd.pollers.servers.boards.lag_history import Checks
from tallyd.pollers.servers.freshness import Known

_LEVELS: Final[Mapping[str, Level]] = {
    "fresh": "fine",
    "late": "warning",
    "stale": "error",
    "unreachable": "error",
    "invalid": "error",
    "future": "error",
}
UNCHECKED: Final = State("unknown", "not checked yet")
SHOWN: Final = {state: State(level, state) for state, level in _LEVELS.items()}
"""A state as people see it."""
NUMBERS: Final = (
    Column(key="within_limit_share", heading="within limit", unit="share", is_vital=True),
    Column(key="fresh_share", heading="fresh", unit="share"),
    Column(key=NO_DATA_SHARE, heading="no data", unit="share"),
    Column(key="lag_s_max", heading="largest lag", unit="seconds"),
    Column(key="checks", heading="checks", unit="number"),
)


def bars_of(table: Table, *, x: str) -> Chart:
    """Return the shares of a table as bars over its column `x`."""
    shares: dict[str, Shape] = {"within_limit_share": "bars", "fresh_share": "bars"}
    return Chart(table=table, x=x, series=shares, top=1, nothing=table.nothing)


def cells_of(checks: Checks) -> tuple[Cell, ...]:
    """Return a row: the cells of its period, and its numbers."""
    return (*checks.period, *numbers_of(checks))


def numbers_of(checks: Checks) -> tuple[Cell, ...]:
    """Return the cells of `NUMBERS`."""
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


def said_of(checks: Sequence[Checks], passed_s: float) -> str:
    """Return `240 checks, 98.06% within the limit, 90.00% fresh, 0.10% no data`."""
    if not checks:
        return "no checks"
    whole = Checks("", (), total_of(checks), passed_s)
    names = ("within the limit", "fresh", "no data")
    shares = (whole.within_limit_share, whole.fresh_share, whole.no_data_share)
    said = [
        f"{share_text(share)} {name}" for name, share in zip(names, shares, strict=True) if share is not None
    ]
    count = whole.count.checks
    return ", ".join([f"{count} {'check' if count == 1 else 'checks'}", *said])


def lag_s_of(known: Known, now: datetime) -> float | None:
    """Return how old a target's data is now, by our clock and the last time that it sent; None: none."""
    return None if known.computed_at is None else (now - known.computed_at).total_seconds()

"""What people are shown of targets: how old their data is, and how old it was."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, tzinfo
from typing import Final

from tallyd.contract.board import AskedError
from tallyd.contract.unknown_names import no_group
from tallyd.core.language.formats import span
from tallyd.core.language.messages import mark, tr, translation
from tallyd.core.panels import Board, Cell, Choice, Column, Gap, Stat, Table
from tallyd.core.periods import By, period_columns
from tallyd.core.reading import Facts
from tallyd.core.states import Timeline
from tallyd.core.texts import visible
from tallyd.core.timeline import with_last_day
from tallyd.pollers.servers.boards.checks_table import (
    SHOWN,
    UNCHECKED,
    bars_of,
    cells_of,
    lag_s_of,
    number_columns,
    said_of,
)
from tallyd.pollers.servers.boards.lag_history import Checks
from tallyd.pollers.servers.freshness import BY_SERIOUSNESS, Known
from tallyd.pollers.servers.targets.target import Target

GROUP: Final = "group"
MOST_BARS: Final = 50
MOST_CHOICES: Final = 200
_NAMES: Final = {
    "fresh": mark("Fresh"),
    "late": mark("Late"),
    "stale": mark("Stale"),
    "unreachable": mark("Unreachable"),
    "invalid": mark("Invalid"),
    "future": mark("Future"),
    "unchecked": mark("Not checked yet"),
}
"""What the number of targets in each state is called."""


def _target_column() -> Column:
    return Column(key="target", heading=tr("target"), option="target", is_subject=True, is_vital=True)


# -- now ----------------------------------------------------------------------------------------------------


def now_board(
    targets: Sequence[Target],
    known: Mapping[str, Known],
    now: datetime,
    zone: tzinfo,
    *,
    bars: Callable[[Collection[str]], Mapping[str, Timeline]],
) -> Board:
    """Return the state of each target, the most serious first, of the fresh ones by name.

    A lag of those would go up and down, and rows would change places at every look. `bars` reads the last day
    of some targets.
    """

    def place(target: Target) -> tuple[int, float, str]:
        one = known.get(target.name)
        if one is None:
            return -1, 0.0, target.name
        lag_s = None if one.state == "fresh" else lag_s_of(one, now)
        return BY_SERIOUSNESS.index(one.state), -(lag_s or 0.0), target.name

    further = _further_columns(targets, now, zone)
    counts = Counter(known[target.name].state if target.name in known else "unchecked" for target in targets)
    table = Table(
        key="targets",
        title=tr("Targets"),
        columns=(
            _target_column(),
            Column(key="state", heading=tr("state"), is_vital=True),
            Column(key="since", heading=tr("since"), unit="instant"),
            Column(key="lag_s", heading=tr("lag now"), unit="seconds", is_vital=True),
            Column(key="limit_s", heading=tr("limit"), unit="seconds"),
            Column(key="computed_time", heading=tr("last computed"), unit="instant"),
            *(column for column, _ in further),
        ),
        rows=tuple(
            (*_row(target, known.get(target.name), now), *(cell(target) for _, cell in further))
            for target in sorted(targets, key=place)
        ),
        nothing=tr("No target is configured."),
    )
    return Board(panels=(*_stats(counts), with_last_day(table, bars)))


def _further_columns(
    targets: Sequence[Target], now: datetime, zone: tzinfo
) -> list[tuple[Column, Callable[[Target], Cell]]]:
    """Return the columns of what only some configs have, each with its cell of a target."""
    further: list[tuple[Column, Callable[[Target], Cell]]] = []
    if any(target.due for target in targets):
        due = Column(key="next_due", heading=tr("next due"), unit="instant")
        further.append((due, lambda target: target.next_due(now, zone)))
    if any(target.group for target in targets):
        group = Column(key="group", heading=tr("group"), option=GROUP)
        further.append((group, lambda target: target.group))
    if any(target.tags for target in targets):
        tags = Column(key="tags", heading=tr("tags"))
        further.append((tags, lambda target: ", ".join(target.tags)))
    return further


def _row(target: Target, known: Known | None, now: datetime) -> tuple[Cell, ...]:
    limit_s = None if target.due else target.limits.stale_after_s
    if known is None:
        return (target.name, UNCHECKED, None, Gap.UNKNOWN, limit_s, None)
    lag_s = lag_s_of(known, now)
    lag: Cell = Gap.UNKNOWN if lag_s is None else lag_s
    state = SHOWN[known.state]
    return (target.name, state, known.since, lag, limit_s, known.computed_at)


def _stats(counts: Mapping[str, int]) -> tuple[Stat, ...]:
    """Return how many targets are in each state that occurs."""
    return tuple(
        Stat(key=key, name=translation(name), value=counts[key])
        for key, name in _NAMES.items()
        if counts.get(key)
    )


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
        _target_column(),
        Column(key="state", heading=tr("state"), is_vital=True),
        Column(key="lag_s", heading=tr("lag"), unit="seconds", is_vital=True),
        Column(key="since", heading=tr("since"), unit="instant"),
    )
    rows = (
        tuple(_summary_row(each) for each in targets if isinstance(each, dict))
        if isinstance(targets, list)
        else ()
    )
    return Board(panels=(Table(key="targets", title=tr("Targets"), columns=columns, rows=rows),))


def _summary_row(target: Facts) -> tuple[Cell, ...]:
    lag_s = target["lag_s"]
    return (
        str(target["target"]),
        SHOWN[str(target["state"])],
        lag_s if isinstance(lag_s, int | float) else Gap.UNKNOWN,
        datetime.fromisoformat(str(target["since"])),
    )


# -- the past -----------------------------------------------------------------------------------------------


def past_board(
    checks: Sequence[Checks],
    *,
    by: By | None,
    passed_s: float,
    nothing: str,
    group: str,
    choices: tuple[Choice, ...],
) -> Board:
    """Return for how much of the time each target was within its limit, as bars if there are few of them.

    `passed_s` is how much of the days has passed. `nothing` says why there are no checks. Without a `group`,
    these are all targets.
    """
    targets = len({each.target for each in checks})
    table = Table(
        key="targets",
        title=tr("Targets by {period}", period=translation(by)) if by else tr("Targets"),
        columns=(_target_column(), *(period_columns(by) if by else ()), *number_columns()),
        rows=tuple((each.target, *cells_of(each)) for each in checks),
        nothing=nothing,
    )
    is_drawn = by is None and len(checks) <= MOST_BARS
    return Board(
        panels=(bars_of(table, x="target") if is_drawn else table,),
        said=said_of(checks, passed_s * targets, whose=group, targets=targets),
        choices=choices,
    )


def no_checks(every_s: float | None) -> str:
    """Return why there is no row. `every_s`: how often targets are checked now; None: not in these days."""
    return tr(
        "No checks in these days.[ Targets are checked every {every}.]",
        every=span(every_s) if every_s else "",
    )


def choices_of(targets: Sequence[str], groups: Sequence[str]) -> tuple[Choice, ...]:
    """Return the choices of a group and of a target, each if they are few enough for a list."""
    found = (
        (GROUP, tr("Group"), tr("All groups"), groups),
        ("target", tr("Target"), tr("All targets"), targets),
    )
    return tuple(
        Choice(option=option, label=label, values=(("", every), *((name, name) for name in names)))
        for option, label, every, names in found
        if (names or option == "target") and len(names) <= MOST_CHOICES
    )


def chosen_targets(members: Mapping[str, Collection[str]], group: str, target: str) -> Sequence[str]:
    """Return the targets of a group. Raises `AskedError` if there is none, or a `target` is of another."""
    if group not in members:
        raise no_group(group, tuple(members))
    if target and target.partition("/")[0] not in members[group]:
        raise AskedError(
            tr(
                '"{target}" is not in the group "{group}"; leave out one of them',
                target=visible(target),
                group=group,
            )
        )
    return sorted(members[group])

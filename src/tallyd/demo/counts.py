"""What the daemon wrote, as the demo shows it: each file as it appears, and at the end a table."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeAlias

from tallyd.core.counting import NO_STATUS
from tallyd.core.naming import is_out_name
from tallyd.core.texts import span

Rows: TypeAlias = "list[tuple[object, ...]]"
_SHOWN_OF_VISITORS = ("in", "out", "inside", "other")
"""`balance` says no more than `inside`, as nobody leaves the small world who did not come."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """A server as a file has it. `lag_s`: how old its data is; `oldest_s`: at most, since the file before."""

    state: str
    lag_s: float | None
    oldest_s: float | None


@dataclass(frozen=True, kw_only=True)
class Counted:
    """One out file. `counts` by name, as far as the file knows one; None where a count is hidden.

    `report` is what became of a report of visitors: `sent: OK`. `targets` are the servers by name.
    """

    path: Path
    poller: str
    kind: str
    due_at: datetime | None
    total: int | None
    counts: Mapping[str, int | None]
    report: str | None = None
    targets: Mapping[str, Target] | None = None


class OutFolder:
    """Finds the files that are new since the last look."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._seen: set[Path] = set()

    def new(self) -> list[Counted]:
        """Return the new files, oldest first (by their names)."""
        found = sorted(
            path
            for path in self._root.glob("*/*/*.json")
            if path not in self._seen and is_out_name(path.parent.name, path.name)
        )
        self._seen.update(found)
        return [_read(path) for path in found]


def _read(path: Path) -> Counted:
    content: dict[str, Any] = json.loads(path.read_text("utf-8"))
    kind = content["kind"]
    names = {NO_STATUS: "no status", **content.get("names", {})} if kind == "divera" else {}
    targets = content.get("targets", {})
    return Counted(
        path=path,
        poller=content["poller"],
        kind=kind,
        due_at=datetime.fromisoformat(content["due_at"]) if content["due_at"] else None,
        total=content.get("total"),
        counts={
            names.get(key, key): count
            for key, count in content["counts"].items()
            if kind != "visitors" or key in _SHOWN_OF_VISITORS
        },
        report=_report(content["report"]) if "report" in content else None,
        targets={
            name: Target(state=each["state"], lag_s=each["lag_s"], oldest_s=each["lag_s_max"])
            for name, each in targets.items()
        },
    )


def _report(report: Mapping[str, Any]) -> str:
    answer = report["answer"]
    return f"{report['state']}: {answer}" if answer else str(report["state"])


# -- a line for each -----------------------------------------------------------------------------------------


def in_a_line(counted: Counted, before: Counted | None) -> str:
    """Return what a file says; in brackets what changed since `before`, the one before it of its poller.

    `25 people: ready 12 (+2), out 0, no status 2`, `in 7 (+3), out 1, inside 6 (+2); report sent: OK`, or
    `PROD fresh (2 s old), STAGE stale (14 s old)`.
    """
    if counted.targets:
        return ", ".join(f"{name} {_target(target)}" for name, target in counted.targets.items())
    line = ("" if counted.total is None else f"{counted.total} people: ") + _counts(counted, before)
    return line if counted.report is None else f"{line}; report {counted.report}"


def _target(target: Target) -> str:
    return target.state if target.lag_s is None else f"{target.state} ({_age(target.lag_s)} old)"


def _age(seconds: float) -> str:
    return span(int(seconds))


def _counts(counted: Counted, before: Counted | None) -> str:
    parts = []
    for name, count in counted.counts.items():
        was = before.counts.get(name, 0) if before else count
        change = f" ({count - was:+d})" if count is not None and was is not None and count != was else ""
        parts.append(f"{name} {'hidden' if count is None else count}{change}")
    if before:
        parts += [
            f"{name} 0 ({-was:+d})"
            for name, was in before.counts.items()
            if was and name not in counted.counts
        ]
    return ", ".join(parts)


# -- a table for each poller ---------------------------------------------------------------------------------


def in_a_table(readings: Sequence[Counted]) -> Rows:
    """Return rows of name, last, least and most count, of all readings (one at least) of one poller."""
    names = dict.fromkeys(name for reading in readings for name in reading.counts)
    rows: Rows = []
    for name in names:
        # Nobody there: such a status is missing in the list of users, and is no gap.
        known = [count for reading in readings if (count := reading.counts.get(name, 0)) is not None]
        rows.append(
            (name, readings[-1].counts.get(name, 0), min(known, default=None), max(known, default=None))
        )
    return rows


def targets_in_a_table(readings: Sequence[Counted]) -> Rows:
    """Return rows of a server's name, last state, the states it was in, and how old its data was at most."""
    seen: dict[str, list[Target]] = {}
    for reading in readings:
        for name, target in (reading.targets or {}).items():
            seen.setdefault(name, []).append(target)
    rows: Rows = []
    for name, targets in seen.items():
        states = dict.fromkeys(target.state for target in targets)
        ages_s = [age for target in targets for age in (target.lag_s, target.oldest_s) if age is not None]
        rows.append((name, targets[-1].state, ", ".join(states), _age(max(ages_s)) if ages_s else None))
    return rows


def missing(readings: Sequence[Counted], *, every_s: float) -> int:
    """Return how many slots between the first and the last reading have none."""
    due = [reading.due_at for reading in readings if reading.due_at is not None]
    if not due:
        return 0
    return round((max(due) - min(due)).total_seconds() / every_s) + 1 - len(due)

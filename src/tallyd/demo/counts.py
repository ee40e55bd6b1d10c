"""What the daemon wrote, as the demo shows it: each file as it appears, and at the end a table."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from tallyd.core.counting import NO_STATUS
from tallyd.core.naming import is_out_name


@dataclass(frozen=True, kw_only=True)
class Counted:
    """One out file. `counts` by name, as far as the file knows one; None where a count is hidden."""

    path: Path
    poller: str
    due_at: datetime | None
    total: int | None
    counts: Mapping[str, int | None]


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
    names = {NO_STATUS: "no status", **content.get("names", {})}
    return Counted(
        path=path,
        poller=content["poller"],
        due_at=datetime.fromisoformat(content["due_at"]) if content["due_at"] else None,
        total=content.get("total"),
        counts={names.get(key, key): count for key, count in content["counts"].items()},
    )


def in_a_line(counted: Counted, before: Counted | None) -> str:
    """Return `25 people: ready 12 (+2), out 0, no status 2`; in brackets what changed since `before`."""
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
    return ("" if counted.total is None else f"{counted.total} people: ") + ", ".join(parts)


def in_a_table(readings: list[Counted]) -> list[tuple[object, ...]]:
    """Return rows of name, last, least and most count, of all readings (one at least) of one poller."""
    names = dict.fromkeys(name for reading in readings for name in reading.counts)
    rows: list[tuple[object, ...]] = []
    for name in names:
        # Nobody there: such a status is missing in the list of users, and is no gap.
        known = [count for reading in readings if (count := reading.counts.get(name, 0)) is not None]
        rows.append(
            (name, readings[-1].counts.get(name, 0), min(known, default=None), max(known, default=None))
        )
    return rows


def missing(readings: list[Counted], *, every_s: float) -> int:
    """Return how many slots between the first and the last reading have none."""
    due = [reading.due_at for reading in readings if reading.due_at is not None]
    if not due:
        return 0
    return round((max(due) - min(due)).total_seconds() / every_s) + 1 - len(due)

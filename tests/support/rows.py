"""Passages as people read them, and as tallyd hands them on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

from tallyd.contract.passages import Row, Rows, instant_of, read_seen, seconds_of, seen_text

Passage: TypeAlias = "tuple[int, str, str, int | None]"
"""person_id, direction (`in`, `out`, `other`), `YYYY-MM-DD HH:MM:SS` in UTC, frame."""
WAYS = ("in", "out", "other")


def rows_of(passages: Iterable[Passage]) -> Rows:
    """Return passages in the form to store."""
    return Rows.of(
        (person, WAYS.index(way), seconds_of(read_seen(at)), frame) for person, way, at, frame in passages
    )


def readable(rows: Iterable[Row]) -> list[Passage]:
    """Undo `rows_of`."""
    return [(person, WAYS[way], seen_text(instant_of(at)), frame) for person, way, at, frame in rows]

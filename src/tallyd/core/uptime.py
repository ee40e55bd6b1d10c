"""When tallyd was on: the rules for the beats that it notes."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final, TypeAlias

BEAT_EVERY_S: Final = 60.0
MOST_SILENT_S: Final = 180.0
"""A longer pause between two beats is a break: a suspend, a stall, or a clock that was set."""

TimeSpan: TypeAlias = tuple[datetime, datetime]
"""Two instants: the first one that belongs to it, and the first one after it."""


def is_unbroken(seen_at: datetime, now: datetime) -> bool:
    """Whether a beat at `now` continues the time that was last noted at `seen_at`."""
    return 0 <= (now - seen_at).total_seconds() <= MOST_SILENT_S


def merged(
    spans: Iterable[TimeSpan], since: datetime, until: datetime, *, now: datetime
) -> tuple[TimeSpan, ...]:
    """Return the parts of the spans within since <= time < until, oldest first; none overlap.

    They can overlap if the clock was set back. The span that `now` continues goes on until `now`: the last
    beat may be a minute old, and what began since then must not be hidden.
    """
    found: list[TimeSpan] = []
    lasting = ((begin, now if is_unbroken(end, now) else end) for begin, end in spans)
    for begin, end in sorted((max(begin, since), min(end, until)) for begin, end in lasting):
        if begin >= end:
            continue
        if found and begin <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((begin, end))
    return tuple(found)

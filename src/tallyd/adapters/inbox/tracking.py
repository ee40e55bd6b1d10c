"""Remembers from look to look which files have not changed, and which could not be used.

Both are limited in size. A file that drops out is only found later, or reported again.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from operator import itemgetter

from tallyd.adapters.inbox.rename import identity
from tallyd.contract.inbox import Identity

MOST_FILES = 100_000
MOST_TROUBLES = 10_000
MOST_SOURCES = 1000
AGAIN_AFTER_S = 60.0
FUTURE_S = 2.0
"""A modification time may be this far in the future: the clocks of file servers differ a little."""
_SENSIBLE_FROM = datetime(1990, 1, 1, tzinfo=UTC).timestamp()


@dataclass(slots=True)
class _Unchanged:
    identity: Identity
    still_since_s: float
    first_seen_at: float


class Settling:
    """Decides which files are complete, as far as that is visible from outside."""

    def __init__(
        self, settle_s: float, *, now: Callable[[], datetime], monotonic: Callable[[], float]
    ) -> None:
        self._settle_s = settle_s
        self._now, self._monotonic = now, monotonic
        self._finished: dict[str, Identity] = {}
        self._standing: dict[str, _Unchanged] = {}
        self._begin_clocks()

    def begin(self, finished: Mapping[str, Identity]) -> None:
        """Begin a look. `finished`: files that were closed, or renamed into the inbox, since the last."""
        self._begin_clocks()
        self._finished, self._finished_before = dict(finished), self._finished
        self._standing, self._standing_before = {}, self._standing

    def check(self, path: str, stat: os.stat_result) -> tuple[bool, float]:
        """Return whether a file is complete, and when it arrived (seconds since 1970).

        It arrived when it was last modified, or renamed after that: a file that was moved in may be years
        old. If the modification time makes no sense (before 1990 or in the future), the file is complete once
        it has not changed for `settle_s`, and it arrived when it was first seen.
        """
        changed_at, moved_at = stat.st_mtime, stat.st_ctime
        if _SENSIBLE_FROM <= changed_at <= self._latest:
            settled = changed_at <= self._settled_before or self._is_finished(path, stat)
            if changed_at < moved_at <= self._latest:
                changed_at = moved_at
            return settled, changed_at if changed_at < self._wall else self._wall
        standing = self._observe(path, stat)
        settled = self._mono - standing.still_since_s >= self._settle_s or self._is_finished(path, stat)
        return settled, standing.first_seen_at

    def _begin_clocks(self) -> None:
        self._wall, self._mono = self._now().timestamp(), self._monotonic()
        self._latest = self._wall + FUTURE_S
        self._settled_before = self._wall - self._settle_s

    def _is_finished(self, path: str, stat: os.stat_result) -> bool:
        found = self._finished.get(path) or self._finished_before.get(path)
        if found is None or found != identity(stat):
            return False
        self._finished[path] = found
        return True

    def _observe(self, path: str, stat: os.stat_result) -> _Unchanged:
        now = identity(stat)
        standing = self._standing_before.get(path)
        if standing is None:
            standing = _Unchanged(now, self._mono, self._wall)
        elif standing.identity != now:
            standing = _Unchanged(now, self._mono, standing.first_seen_at)
        if len(self._standing) < MOST_FILES:
            self._standing[path] = standing
        return standing


class Arrivals:
    """The arrival time of each source's newest file, over all looks."""

    def __init__(self, *, now: Callable[[], datetime]) -> None:
        self._now = now
        self._newest: dict[str, float] = {}

    def seen(self, arrived: Mapping[str, float]) -> Mapping[str, datetime]:
        """Add the arrivals of one look (seconds since 1970); return all that are known now."""
        for source, at in arrived.items():
            if at > self._newest.get(source, float("-inf")):
                self._newest[source] = at
        if len(self._newest) > MOST_SOURCES:
            newest = sorted(self._newest.items(), key=itemgetter(1), reverse=True)
            self._newest = dict(newest[:MOST_SOURCES])
        return self.known()

    def known(self) -> Mapping[str, datetime]:
        """Return the known arrivals. After the clock was set back, times in the future become now."""
        wall = self._now().timestamp()
        self._newest = {source: min(at, wall) for source, at in self._newest.items()}
        return {source: datetime.fromtimestamp(at, UTC) for source, at in self._newest.items()}


@dataclass(slots=True)
class _Trouble:
    identity: Identity
    reason: str
    again_at_s: float
    looks: int = 0


class Troubles:
    """Files that can't be read or moved, by path, as long as they exist and do not change."""

    def __init__(self, *, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._by_path: dict[str, _Trouble] = {}
        self._looks = 0

    def note(self, path: str, found: Identity, reason: str) -> None:
        """Remember why a file could not be used just now."""
        self._by_path.pop(path, None)
        if len(self._by_path) >= MOST_TROUBLES:
            del self._by_path[next(iter(self._by_path))]
        again_at_s = self._monotonic() + AGAIN_AFTER_S
        self._by_path[path] = _Trouble(found, reason, again_at_s, self._looks)

    def forget(self, path: str) -> None:
        """Forget a file that could be used."""
        self._by_path.pop(path, None)

    def begin(self) -> None:
        """Begin a look."""
        self._looks += 1

    def of(self, path: str, stat: os.stat_result) -> tuple[str | None, bool]:
        """Return the known trouble of a file, and whether it may be tried (again)."""
        trouble = self._by_path.get(path)
        if trouble is None or trouble.identity != identity(stat):
            return None, True
        trouble.looks = self._looks
        # Report it until it works. Otherwise the problem would end with every try and come back each minute.
        return trouble.reason, self._monotonic() >= trouble.again_at_s

    def end(self) -> None:
        """End a look: forget files that it has not found, or that have changed."""
        self._by_path = {path: one for path, one in self._by_path.items() if one.looks == self._looks}

    def __len__(self) -> int:
        return len(self._by_path)

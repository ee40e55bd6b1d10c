"""Idle connections, to be used again."""

from __future__ import annotations

import resource
from typing import Final, TypeAlias

from tallyd.adapters.http.connection import Connection

Key: TypeAlias = tuple[object, ...]
"""Where a connection leads, and how it is secured."""

IDLE_PER_HOST: Final = 16


class Pool:
    """Idle connections by where they lead. At most a quarter of the open files that are allowed."""

    def __init__(self) -> None:
        self._idle: dict[Key, list[Connection]] = {}  # the one that was used last is the last
        self._count = 0
        self._most = _most_idle()

    def take(self, key: Key) -> Connection | None:
        """Return an idle connection, or None."""
        while kept := self._idle.get(key):
            connection = kept.pop()
            self._count -= 1
            if not kept:
                del self._idle[key]
            if connection.is_usable:
                return connection
            connection.close()
        return None

    def put(self, key: Key, connection: Connection) -> None:
        """Keep a connection, or close it if there are enough."""
        kept = self._idle[key] = self._idle.pop(key, [])
        kept.append(connection)
        self._count += 1
        if len(kept) > IDLE_PER_HOST:
            kept.pop(0).close()
            self._count -= 1
        elif self._count > self._most:
            self._close_oldest()

    def _close_oldest(self) -> None:
        key = next(iter(self._idle))
        self._idle[key].pop(0).close()
        self._count -= 1
        if not self._idle[key]:
            del self._idle[key]

    def close(self) -> None:
        """Close all."""
        while self._idle:
            self._close_oldest()


def _most_idle() -> int:
    open_files, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return min(max(open_files // 4, 16), 10_000) if open_files != resource.RLIM_INFINITY else 10_000

"""Reads files and databases on threads, and waits for them with a deadline."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Future
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

from tallyd.adapters.event_loop import EventLoop, in_thread
from tallyd.adapters.reads.files import fixed_folder, newest_of
from tallyd.contract.reads import NewestFile, QueryResult
from tallyd.core.errors import SourceError, Stopped
from tallyd.core.language.messages import english, mark

if TYPE_CHECKING:
    from tallyd.adapters.reads.queries import Databases

T = TypeVar("T")
Key: TypeAlias = tuple[str, ...]
"""What a read asks: a pattern, or a URL and a query."""

MOST: Final = 64
"""Reads at the same time. One that hangs (a file system that is gone) keeps a thread until it ends."""


class TimedReads:
    """Reads the newest file of a pattern, and one value of a database; implements `contract.Reads`.

    Thread-safe. A read that is late ends for the caller with a `SourceError`; nothing can end its thread.
    """

    def __init__(self, *, now: Callable[[], datetime]) -> None:
        self._now = now
        self._loop = EventLoop("reads")
        self._places = asyncio.Semaphore(MOST)
        self._reads: dict[Key, tuple[asyncio.Task[Any], float]] = {}
        """Those under way and when each is late, by the clock of the loop. Only the loop's thread uses it."""
        self._databases: Databases | None = None

    def newest_file(self, pattern: str, *, timeout_s: float) -> Future[NewestFile]:
        """Begin to look for the newest file. Raises `Stopped` after `close`."""

        def read() -> NewestFile:
            modified_at, failure = newest_of(pattern, deadline_s=time.monotonic() + timeout_s)
            return NewestFile(read_at=self._now(), modified_at=modified_at, failure=failure)

        return self._begin((pattern,), read, place=lambda: fixed_folder(pattern), timeout_s=timeout_s)

    def query(self, url: str, query: str, *, timeout_s: float) -> Future[QueryResult]:
        """Begin a query. Raises `Stopped` after `close`."""
        # Imported here: SQLAlchemy takes time to load.
        from tallyd.adapters.reads.queries import Databases, QueryFailed, rows_of  # noqa: PLC0415 # see above

        databases = self._databases = self._databases or Databases()

        def read() -> QueryResult:
            began_s = time.monotonic()
            engine, place = databases.connected_to(url, timeout_s=timeout_s)
            failure = ""
            try:
                rows = rows_of(engine, place, query, timeout_s=timeout_s)
            except QueryFailed as error:
                rows, failure = (), str(error)
            return QueryResult(
                place=place,
                read_at=self._now(),
                elapsed_s=time.monotonic() - began_s,
                rows=rows,
                failure=failure,
            )

        def place() -> str:
            return databases.place_of(url, timeout_s=timeout_s)

        return self._begin((url, query), read, place=place, timeout_s=timeout_s)

    def close(self) -> None:
        """End all reads at once. They and all later calls raise `Stopped`."""
        self._loop.end()
        if self._databases is not None:
            self._databases.close()

    def _begin(
        self, key: Key, read: Callable[[], T], *, place: Callable[[], str], timeout_s: float
    ) -> Future[T]:
        return self._loop.begin(self._outcome(key, read, place, timeout_s))

    async def _outcome(
        self, key: Key, read: Callable[[], T], place: Callable[[], str], timeout_s: float
    ) -> T:
        outcome: SourceError | Stopped
        try:
            async with asyncio.timeout(timeout_s):
                # Shielded: it goes on without the one who asked first.
                return await asyncio.shield(self._under_way(key, read, place, timeout_s))
        except SourceError as failure:
            # A new exception: the old one may have a context.
            outcome = SourceError(failure.text, transient=failure.transient)
        except TimeoutError:
            text = english(
                "{place} timed out after {duration}", place=place(), duration=timedelta(seconds=timeout_s)
            )
            outcome = SourceError(text, transient=True)
        except BlockingIOError:
            text = english("{place}: {why}", place=place(), why=mark("this machine allows no more threads"))
            outcome = SourceError(text, transient=True)
        except asyncio.CancelledError:
            outcome = Stopped()
        try:
            raise outcome  # outside of any except block, which would add a context
        finally:
            del outcome  # its traceback holds this frame: a cycle for the garbage collector

    def _under_way(
        self, key: Key, read: Callable[[], T], place: Callable[[], str], timeout_s: float
    ) -> asyncio.Task[T]:
        """Return the read of this key, a new one if none is under way.

        Raises `SourceError` if it is late: one that hangs must not take a second place.
        """
        now_s = asyncio.get_running_loop().time()
        if key not in self._reads:
            task = asyncio.ensure_future(in_thread(read, self._places, name="read"))
            self._reads[key] = task, now_s + timeout_s
            task.add_done_callback(lambda _: self._reads.pop(key))
        task, deadline_s = self._reads[key]
        if now_s > deadline_s:
            text = english("{place}: {why}", place=place(), why=mark("an earlier look has not ended"))
            raise SourceError(text, transient=True)
        return task

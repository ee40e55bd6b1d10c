"""An asyncio event loop on a thread of its own, and blocking calls that it waits for."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

from tallyd.core.errors import Stopped

T = TypeVar("T")


class EventLoop:
    """Runs coroutines for other threads. Its thread starts with the first one. Thread-safe.

    `at_end` is called on the thread when everything has ended.
    """

    def __init__(self, name: str, at_end: Callable[[], None] = lambda: None) -> None:
        self._name = name
        self._at_end = at_end
        self._lock = threading.RLock()  # a signal may abort where it is held
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._is_ended = False

    def begin(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Begin some work; the future has its outcome. Raises `Stopped` after `end`."""
        with self._lock:
            if self._is_ended:
                work.close()
                raise Stopped
            if self._loop is None:
                # At DEBUG, asyncio says which selector it uses.
                logging.getLogger("asyncio").setLevel(logging.WARNING)
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(
                    target=self._run, args=(self._loop,), name=self._name, daemon=True
                )
                self._thread.start()
            return asyncio.run_coroutine_threadsafe(work, self._loop)

    def end(self) -> None:
        """Cancel everything at once. A further call does nothing."""
        with self._lock:
            is_first, self._is_ended = not self._is_ended, True
            loop, thread = self._loop, self._thread
        if is_first and loop is not None and thread is not None:
            asyncio.run_coroutine_threadsafe(self._end(loop), loop)
            thread.join(timeout=1)

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            loop.run_forever()
        finally:
            loop.close()

    async def _end(self, loop: asyncio.AbstractEventLoop) -> None:
        """Cancel all other tasks. Each of them has begun: this one was the last to come in."""
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._at_end()
        loop.call_soon(loop.stop)


async def in_thread(act: Callable[[], T], places: asyncio.Semaphore, *, name: str) -> T:
    """Return what a blocking call returns; raise what it raises. `places` limits those at the same time.

    Nothing can end a call that hangs. So each has a thread of its own. It is a daemon, because Python waits
    at its end for the threads of an executor. A call keeps its place until it ends, even if nobody waits for
    it any more. Raises `BlockingIOError` if the system allows no more threads.
    """
    await places.acquire()
    loop = asyncio.get_running_loop()
    found: asyncio.Future[T] = loop.create_future()
    thread = threading.Thread(target=_call, args=(act, loop, places, found), name=name, daemon=True)
    try:
        thread.start()
    except RuntimeError:  # the system allows no more threads
        places.release()
        raise BlockingIOError(errno.EAGAIN, "no thread") from None
    try:
        return await found
    finally:
        del found  # it holds the error whose traceback holds this frame: a cycle for the garbage collector


def _call(
    act: Callable[[], T], loop: asyncio.AbstractEventLoop, places: asyncio.Semaphore, found: asyncio.Future[T]
) -> None:
    value: T | None = None
    failure: BaseException | None = None
    try:
        value = act()
    except BaseException as error:  # raised again where the call is waited for
        failure = error.with_traceback(None)
    with contextlib.suppress(RuntimeError):  # the loop is closed, so nobody waits
        loop.call_soon_threadsafe(_end, places, found, value, failure)


def _end(
    places: asyncio.Semaphore, found: asyncio.Future[Any], value: object, failure: BaseException | None
) -> None:
    places.release()
    if found.cancelled():
        return
    if failure is not None:
        found.set_exception(failure)
    else:
        found.set_result(value)

"""The addresses of a host, from the system's resolver."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import threading
from typing import Any, Final

MOST_CHECKS: Final = 128
"""Lookups that run at the same time for checks of many servers.

A lookup that hangs costs a thread and a socket of the resolver, so this is an eighth of the 1,024 open files
of a shell.
"""


async def addresses_of(name: str, port: int, places: asyncio.Semaphore) -> list[Any]:
    """Return what `socket.getaddrinfo` finds. Raises `OSError`, `UnicodeError`.

    Nothing can end a lookup that hangs. So each has a thread of its own. It is a daemon, because Python waits
    at its end for the threads of an executor. A lookup keeps its place until it ends, even if nobody waits
    for it any more.
    """
    with contextlib.suppress(socket.gaierror):  # a number needs no lookup
        return socket.getaddrinfo(name, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    await places.acquire()
    loop = asyncio.get_running_loop()
    found: asyncio.Future[list[Any]] = loop.create_future()
    thread = threading.Thread(
        target=_look_up, args=(name, port, loop, places, found), name="http-lookup", daemon=True
    )
    try:
        thread.start()
    except RuntimeError:  # the system allows no more threads
        places.release()
        raise BlockingIOError(errno.EAGAIN, "no thread for a name lookup") from None
    try:
        return await found
    finally:
        del found  # it holds the error whose traceback holds this frame: a cycle for the garbage collector


def _look_up(
    name: str,
    port: int,
    loop: asyncio.AbstractEventLoop,
    places: asyncio.Semaphore,
    found: asyncio.Future[list[Any]],
) -> None:
    outcome: list[Any] | Exception
    try:
        outcome = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        outcome = error.with_traceback(None)
    with contextlib.suppress(RuntimeError):  # the loop is closed, so nobody waits
        loop.call_soon_threadsafe(_end, places, found, outcome)


def _end(places: asyncio.Semaphore, found: asyncio.Future[list[Any]], outcome: list[Any] | Exception) -> None:
    places.release()
    if found.cancelled():
        return
    if isinstance(outcome, Exception):
        found.set_exception(outcome)
    else:
        found.set_result(outcome)

"""The addresses of a host, from the system's resolver."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import Any, Final

from tallyd.adapters.event_loop import in_thread

MOST_CHECKS: Final = 128
"""Lookups that run at the same time for checks of many servers.

A lookup that hangs costs a thread and a socket of the resolver, so this is an eighth of the 1,024 open files
of a shell.
"""


async def addresses_of(name: str, port: int, places: asyncio.Semaphore) -> list[Any]:
    """Return what `socket.getaddrinfo` finds, in a thread (see `in_thread`).

    Raises `OSError`, `UnicodeError`.
    """
    with contextlib.suppress(socket.gaierror):  # a number needs no lookup
        return socket.getaddrinfo(name, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    return await in_thread(
        lambda: socket.getaddrinfo(name, port, type=socket.SOCK_STREAM), places, name="http-lookup"
    )

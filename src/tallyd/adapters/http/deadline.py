"""One request in flight, and the thread that ends it when its time is up.

A socket's own timeout begins anew with every byte, so a server that drips one byte a second is never late.
Here the deadline is that of the whole request: when it comes, the socket is shut down from outside, and
the connect, handshake, read or write that is blocked on it returns at once. One thread watches them all.
"""

from __future__ import annotations

import contextlib
import math
import os
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from enum import Enum, auto
from typing import Any

from tallyd.core.errors import Stopped

Address = tuple[socket.AddressFamily, socket.SocketKind, int, str, tuple[Any, ...]]
SocketOption = tuple[int, int, int | bytes]

_current: ContextVar[Transfer] = ContextVar("transfer")


def current() -> Transfer:
    """Return the transfer that this thread is in. Raises LookupError outside of one."""
    return _current.get()


class Ended(Enum):
    """Why a transfer was ended from outside."""

    DEADLINE = auto()
    SHUTDOWN = auto()


class Transfer:
    """One request, its redirects included: how long it may take, and the socket it is on now.

    `connected`: whether a connection was opened for it since that was last set to False; if none was, it
    is on one out of the pool. `ended`: why it was cut short.
    """

    def __init__(self, limit_s: float, monotonic: Callable[[], float], lock: threading.Condition) -> None:
        self.limit_s = limit_s
        self.began = monotonic()
        self.deadline = self.began + limit_s
        self.connected = False
        self.ended: Ended | None = None
        self._monotonic = monotonic
        self._lock = lock
        self._fd = -1

    def left_s(self) -> float:
        """Return the seconds until the deadline; never 0, which would mean "do not wait" to a socket."""
        return max(self.deadline - self._monotonic(), 0.001)

    def elapsed_s(self) -> float:
        """Return the seconds since it began."""
        return self._monotonic() - self.began

    def check(self) -> None:
        """Raise `TimeoutError` once the transfer was ended from outside."""
        if self.ended is not None:
            raise TimeoutError

    def connect(self, addresses: Sequence[Address], options: Sequence[SocketOption]) -> socket.socket:
        """Return a connection to the first address that takes one. Raises `OSError` with the last failure.

        `addresses` are those of `socket.getaddrinfo`, `options` arguments of `setsockopt`. Each address
        gets an equal share of the time left, so that one that swallows every packet (IPv6 without a route,
        often) does not use up what the next one needs.
        """
        failure = OSError()
        for tried, (family, kind, protocol, _name, address) in enumerate(addresses):
            sock = socket.socket(family, kind, protocol)
            try:
                for option in options:
                    sock.setsockopt(*option)
                self.hold(sock)
                sock.settimeout(self.left_s() / (len(addresses) - tried))
                sock.connect(address)
                sock.settimeout(self.left_s())
            except OSError as error:
                sock.close()
                failure = error
            else:
                self.connected = True
                return sock
        raise failure

    def hold(self, sock: socket.socket) -> None:
        """From now on the transfer is on `sock`. Raises `TimeoutError` if it was ended already.

        A duplicate of the descriptor is kept: TLS takes the descriptor out of the socket object, and one
        that was closed meanwhile may by then be somebody else's.
        """
        duplicate = os.dup(sock.fileno())
        with self._lock:
            self.let_go()
            self._fd = duplicate
            if self.ended is None:
                return
            self.let_go()
        raise TimeoutError

    def let_go(self) -> None:
        """Forget the socket."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def end(self, why: Ended) -> None:
        """End the transfer from outside; whoever is blocked on its socket returns at once."""
        with self._lock:
            self.ended = why
            if self._fd < 0:
                return
            with socket.socket(fileno=self._fd) as duplicate, contextlib.suppress(OSError):
                # OSError: there is nothing left to shut down, the other side was faster.
                duplicate.shutdown(socket.SHUT_RDWR)
            self._fd = -1


class Watch:
    """All transfers in flight, and the thread that ends those whose deadline has come.

    The thread starts with the first transfer and sleeps until the earliest deadline it knows, so that a
    request which is over in time costs it nothing.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._changed = threading.Condition()
        self._transfers: set[Transfer] = set()
        self._thread: threading.Thread | None = None
        self._looks_at = -math.inf
        self._stopped = False

    @contextlib.contextmanager
    def transfer(self, limit_s: float) -> Iterator[Transfer]:
        """Begin a transfer that this thread is in until the block is left. Raises `Stopped` after `abort`."""
        transfer = Transfer(limit_s, self._monotonic, self._changed)
        self._begin(transfer)
        token = _current.set(transfer)
        try:
            yield transfer
        finally:
            _current.reset(token)
            with self._changed:
                self._transfers.discard(transfer)
                transfer.let_go()

    def abort(self) -> None:
        """End every transfer, let none begin any more, and end the thread. May be called again."""
        with self._changed:
            self._stopped = True
            for transfer in self._transfers:
                transfer.end(Ended.SHUTDOWN)
            self._changed.notify_all()
            thread = self._thread
        if thread is not None:
            thread.join(timeout=1)

    def _begin(self, transfer: Transfer) -> None:
        with self._changed:
            if self._stopped:
                raise Stopped
            self._transfers.add(transfer)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="http-deadlines", daemon=True)
                self._thread.start()
            elif transfer.deadline < self._looks_at:
                self._changed.notify_all()

    def _run(self) -> None:
        with self._changed:
            while not self._stopped:
                now = self._monotonic()
                running = [transfer for transfer in self._transfers if transfer.ended is None]
                for transfer in running:
                    if transfer.deadline <= now:
                        transfer.end(Ended.DEADLINE)
                self._looks_at = min((each.deadline for each in running if not each.ended), default=math.inf)
                wait_s = self._looks_at - now
                self._changed.wait(min(wait_s, threading.TIMEOUT_MAX))

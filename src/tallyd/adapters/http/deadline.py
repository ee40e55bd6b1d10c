"""Deadlines for whole requests, enforced by one thread.

A socket's own timeout starts again with every byte, so a server that sends one byte a second never times out.
Here the deadline is for the whole request. When it comes, the thread shuts down the socket, and the connect,
handshake, read or write that blocks on it returns at once.
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
    """Return the transfer of this thread. Raises LookupError if there is none."""
    return _current.get()


class Ended(Enum):
    """Why the watch ended a transfer."""

    DEADLINE = auto()
    SHUTDOWN = auto()


class Transfer:
    """One request with its redirects: its time limit, and its current socket.

    `connected`: a new connection was opened since it was last set to False; otherwise the request uses one
    from the pool. `ended`: why the watch ended it.
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
        """Return the seconds until the deadline. Never 0, which makes a socket non-blocking."""
        return max(self.deadline - self._monotonic(), 0.001)

    def elapsed_s(self) -> float:
        """Return the seconds since the transfer began."""
        return self._monotonic() - self.began

    def check(self) -> None:
        """Raise `TimeoutError` if the watch has ended the transfer."""
        if self.ended is not None:
            raise TimeoutError

    def connect(self, addresses: Sequence[Address], options: Sequence[SocketOption]) -> socket.socket:
        """Return a connection to the first address that accepts one. Raises `OSError` with the last failure.

        `addresses` come from `socket.getaddrinfo`, `options` are arguments of `setsockopt`. Each address gets
        an equal share of the time left, so that an address that never answers (often IPv6 without a route)
        leaves enough time for the next one.
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
        """Make `sock` the transfer's socket. Raises `TimeoutError` if the watch has already ended it.

        Keeps a duplicate of the descriptor: TLS takes the descriptor out of the socket object, and the number
        of a closed descriptor may belong to another file by then.
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
        """End the transfer. A thread that blocks on its socket returns at once."""
        with self._lock:
            self.ended = why
            if self._fd < 0:
                return
            with socket.socket(fileno=self._fd) as duplicate, contextlib.suppress(OSError):
                # OSError: the other side has already closed it.
                duplicate.shutdown(socket.SHUT_RDWR)
            self._fd = -1


class Watch:
    """All current transfers, and the thread that ends them at their deadlines.

    The thread starts with the first transfer. It sleeps until the earliest deadline, so a request that ends
    in time costs it nothing.
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
        """Begin a transfer of this thread; it ends with the block. Raises `Stopped` after `abort`."""
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
        """End all transfers, let no new ones begin, and end the thread. A further call does nothing."""
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

"""One connection: a socket, perhaps with TLS over it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar

from httptools import HttpResponseParser

from tallyd.adapters.http.lookup import addresses_of

T = TypeVar("T")

PIECE_BYTES = 65536


class Plain:
    """A connected socket."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._loop = asyncio.get_running_loop()

    has_unread = False
    """Whether bytes were received that nobody has read yet."""

    async def send(self, data: bytes) -> None:
        """Send everything. Raises `OSError`."""
        await self._loop.sock_sendall(self._sock, data)

    async def receive(self) -> bytes:
        """Return what has arrived; b"" at the end. Raises `OSError`."""
        try:
            return await self._loop.sock_recv(self._sock, PIECE_BYTES)
        except OSError as error:
            # A frame of asyncio holds the future that holds the error: a cycle for the garbage collector.
            raise error.with_traceback(None) from None


class Tls:
    """TLS over another channel, which may be TLS too: that is a proxy with an https:// address.

    asyncio's own TLS keeps a buffer of 256 KiB for each connection, idle ones included.
    """

    def __init__(self, below: Channel, context: ssl.SSLContext, name: str) -> None:
        self._below = below
        self._arrived, self._to_send = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._arrived, self._to_send, server_hostname=name)

    @property
    def has_unread(self) -> bool:
        """Whether bytes were received that nobody has read yet."""
        return bool(self._arrived.pending or self._tls.pending() or self._below.has_unread)

    async def handshake(self) -> None:
        """Agree on keys, and check the certificate. Raises `OSError`, that is `ssl.SSLError` too."""
        await self._until_done(self._tls.do_handshake)

    async def send(self, data: bytes) -> None:
        """Send everything. Raises `OSError`."""
        left = memoryview(data)
        while left:  # OpenSSL takes one record, 16 KiB, at a time
            left = left[await self._until_done(self._tls.write, left) :]

    async def receive(self) -> bytes:
        """Return what has arrived; b"" at the end, also without TLS's own word for it. Raises `OSError`."""
        try:
            return await self._until_done(self._tls.read, PIECE_BYTES)
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            return b""

    async def _until_done(self, act: Callable[..., T], *args: Any) -> T:
        while True:
            try:
                done = act(*args)
            except ssl.SSLWantReadError:
                await self._flush()
                if piece := await self._below.receive():
                    self._arrived.write(piece)
                else:
                    self._arrived.write_eof()
            except ssl.SSLError:
                with contextlib.suppress(OSError):
                    await self._flush()  # the alert that says why, such as a certificate that is not trusted
                raise
            else:
                await self._flush()
                return done

    async def _flush(self) -> None:
        if self._to_send.pending:
            await self._below.send(self._to_send.read())


Channel: TypeAlias = "Plain | Tls"


class Connection:
    """A connection to one host.

    `has_answered`: a byte arrived since the last request. `parser`: of the answer that is arriving; None: no
    answer is, or it is whole.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._channel: Channel = Plain(sock)
        self.has_answered = False
        self.parser: HttpResponseParser | None = None

    async def secure(self, context: ssl.SSLContext, name: str) -> None:
        """Put TLS over what there is. Raises `OSError`; the connection is then closed."""
        tls = Tls(self._channel, context, name)
        try:
            await tls.handshake()
        except BaseException:
            self.close()
            raise
        self._channel = tls

    async def send(self, data: bytes) -> None:
        """Send a request. Raises `OSError`."""
        self.has_answered = False
        await self._channel.send(data)

    async def receive(self) -> bytes:
        """Return what has arrived; b"" at the end. Raises `OSError`."""
        if self.has_answered:
            # Bytes that are already here are received without a wait. A server that never stops sending must
            # let the others, and the deadline, have their turn.
            await asyncio.sleep(0)
        found = await self._channel.receive()
        self.has_answered = self.has_answered or bool(found)
        return found

    @property
    def is_usable(self) -> bool:
        """Whether an idle connection is as it was left: not closed, and nothing arrived unasked."""
        if self._channel.has_unread:
            return False
        try:
            self._sock.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        except OSError:
            pass
        return False

    def close(self) -> None:
        """Close the socket. A further call does nothing."""
        self.parser = None  # it knows the answer, which knows this: a cycle for the garbage collector
        self._sock.close()


async def connected(
    name: str, port: int, *, left_s: Callable[[], float], lookups: asyncio.Semaphore
) -> Connection:
    """Return a connection to the first address of a host that accepts one. Raises the last failure.

    Each address gets an equal share of the time left, so that an address that never answers (often IPv6
    without a route) leaves enough time for the next one. `lookups` limits those at the same time. Raises
    `OSError`, `UnicodeError`.
    """
    addresses = await addresses_of(name, port, lookups)
    for tried, (family, kind, protocol, _name, address) in enumerate(addresses):
        others = len(addresses) - tried - 1
        sock = socket.socket(family, kind, protocol)
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            async with asyncio.timeout(left_s() / (others + 1) if others else None):
                await asyncio.get_running_loop().sock_connect(sock, address)
        except BaseException as error:
            sock.close()
            # Not kept for later: a frame that holds its own failure waits for the garbage collector.
            if not others or not isinstance(error, OSError):  # which includes TimeoutError
                raise
        else:
            return Connection(sock)
    raise AssertionError("a lookup without addresses is an error")

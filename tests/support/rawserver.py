"""A server on loopback that answers with whatever bytes a test wants, at whatever pace.

A script is a function that is handed each new connection, on a thread of its own, and does with it what it
likes. When it returns, the connection is closed. `HOSTILE` holds scripts for what servers do wrong.
"""

from __future__ import annotations

import contextlib
import gzip
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

Script = Callable[["Connection"], None]
_IN_CHUNKS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
_FILLER = b"x" * 10_000


@dataclass
class Connection:
    """One accepted connection; `number` counts them from 1."""

    sock: socket.socket
    number: int
    server: RawServer

    def request(self) -> bytes:
        """Read one request's head, blank line included; b"" once the client has closed."""
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            piece = self.sock.recv(1)
            if not piece:
                return b""
            head += piece
        self.server.heads.append(head)
        return head

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def drip(self, data: bytes, *, every_s: float = 0.02) -> None:
        """Send byte by byte; ends early when the server is closed."""
        for byte in data:
            self.sock.sendall(bytes([byte]))
            if self.server.stopping.wait(every_s):
                return

    def hang(self) -> None:
        """Do nothing until the server is closed."""
        self.server.stopping.wait()

    def end(self) -> None:
        """Send nothing more."""
        self.sock.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Close with a RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


@dataclass
class RawServer:
    """`heads`: every request read so far; `connections`: how many were accepted."""

    listener: socket.socket
    port: int
    scheme: str = "http"
    heads: list[bytes] = field(default_factory=list)
    connections: int = 0
    stopping: threading.Event = field(default_factory=threading.Event)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.host}"


@contextlib.contextmanager
def serving(script: Script, *, tls: ssl.SSLContext | None = None) -> Iterator[RawServer]:
    """Serve `script` on 127.0.0.1 until the block is left; whatever it still does ends then."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as listener:
        server = RawServer(listener, listener.getsockname()[1], scheme="https" if tls else "http")
        connections: list[Connection] = []
        acceptor = threading.Thread(target=_accept, args=(server, script, tls, connections), daemon=True)
        acceptor.start()
        try:
            yield server
        finally:
            server.stopping.set()
            # Ends accept() and every recv() or sendall() that a script is blocked in.
            for sock in (listener, *(connection.sock for connection in connections)):
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)
            acceptor.join(timeout=5)


@contextlib.contextmanager
def unreachable() -> Iterator[str]:
    """Yield the URL of a port on which a connection is neither accepted nor refused."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):  # more than the queue holds: the kernel drops what comes next
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def _accept(
    server: RawServer, script: Script, tls: ssl.SSLContext | None, connections: list[Connection]
) -> None:
    threads = []
    with contextlib.suppress(OSError):
        while not server.stopping.is_set():
            sock, _address = server.listener.accept()
            server.connections += 1
            connections.append(Connection(sock, server.connections, server))
            threads.append(threading.Thread(target=_speak, args=(connections[-1], script, tls), daemon=True))
            threads[-1].start()
    for thread in threads:
        thread.join(timeout=5)


def _speak(connection: Connection, script: Script, tls: ssl.SSLContext | None) -> None:
    # OSError: the client has gone, which is what most of these scripts are for.
    with contextlib.suppress(OSError):
        if tls is not None:
            secured = tls.wrap_socket(connection.sock, server_side=True, do_handshake_on_connect=False)
            connection.sock = secured
            secured.do_handshake()
        script(connection)
    connection.sock.close()


def answer(body: bytes = b"", *, status: str = "200 OK", **headers: str) -> bytes:
    """Return a whole answer. `_` in a header's name stands for `-`; `Content-Length` is added if missing."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    if not {"Content-Length", "Transfer-Encoding"} & named.keys():
        named["Content-Length"] = str(len(body))
    lines = "".join(f"{name}: {value}\r\n" for name, value in named.items())
    return f"HTTP/1.1 {status}\r\n{lines}\r\n".encode("latin-1") + body


def always(data: bytes) -> Script:
    """Return a script that answers each request of a connection with the same bytes."""

    def script(connection: Connection) -> None:
        while connection.request():
            connection.send(data)

    return script


def once(data: bytes) -> Script:
    """Return a script that answers one request and closes."""

    def script(connection: Connection) -> None:
        if connection.request():
            connection.send(data)

    return script


def _hanging(start: bytes = b"") -> Script:
    """Return a script that sends this much of an answer, then nothing."""

    def script(connection: Connection) -> None:
        connection.request()
        connection.send(start)
        connection.hang()

    return script


def _dripping(start: bytes, rest: bytes) -> Script:
    """Return a script that sends the rest of its answer byte by byte."""

    def script(connection: Connection) -> None:
        connection.request()
        connection.send(start)
        connection.drip(rest)

    return script


def endless(start: bytes, more: bytes = b"x" * 65536) -> Script:
    """Return a script whose answer goes on like this for ever."""

    def script(connection: Connection) -> None:
        connection.request()
        connection.send(start)
        while True:
            connection.send(more)

    return script


def tunnel(
    connection: Connection,
    *,
    to: int | None = None,
    opened: bytes = b"HTTP/1.1 200 Connection established\r\n\r\n",
) -> None:
    """Be an HTTP proxy: open the way to a port of loopback, by default the one that CONNECT asks for."""
    port = int(connection.request().split()[1].rpartition(b":")[2])
    with socket.create_connection(("127.0.0.1", to or port)) as far:
        connection.send(opened)
        back = threading.Thread(target=_copy, args=(far, connection.sock), daemon=True)
        back.start()
        _copy(connection.sock, far)
        back.join(timeout=5)


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while piece := source.recv(65536):
            target.sendall(piece)
        target.shutdown(socket.SHUT_WR)


def _reset_at_once(connection: Connection) -> None:
    connection.request()
    connection.reset()


def _reset_mid_body(connection: Connection) -> None:
    connection.request()
    connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n" + b"x" * 100)
    connection.reset()


def gzip_bomb(size_bytes: int) -> bytes:
    """Return a gzip of this number of zeros, a thousandth as large."""
    return gzip.compress(bytes(size_bytes))


def _many_headers(count: int) -> bytes:
    return b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: x\r\n" % n for n in range(count)) + b"\r\n"


SLOW: dict[str, Script] = {
    "no answer at all": _hanging(),
    "headers, then nothing": _hanging(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"),
    "headers byte by byte": _dripping(b"", b"HTTP/1.1 200 OK\r\nX-Filler: " + _FILLER),
    "body byte by byte": _dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n", _FILLER),
    "body byte by byte, ended by closing": _dripping(b"HTTP/1.0 200 OK\r\n\r\n", _FILLER),
    "chunks byte by byte": _dripping(_IN_CHUNKS, b"1\r\nx\r\n" * 10_000),
    "gzip that unpacks to nothing for ever": endless(
        b"HTTP/1.0 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + gzip.compress(b"")[:10],
        b"\x00\x00\x00\xff\xff" * 1000,  # a block that is valid, and has no byte
    ),
}
"""What is never over: a client that waits for the next byte only waits for ever."""

BROKEN: dict[str, Script] = {
    "no HTTP": once(b"SSH-2.0-OpenSSH_9.6\r\n"),
    "status that is no number": once(b"HTTP/1.1 OK\r\n\r\n"),
    "unknown version": once(b"HTTP/9.9 200 OK\r\n\r\n"),
    "closed without a byte": once(b""),
    "closed in the status line": once(b"HTTP/1.1 20"),
    "closed in the headers": once(b"HTTP/1.1 200 OK\r\nContent-Le"),
    "closed between two headers": once(b"HTTP/1.1 200 OK\r\nServer: x\r\n"),
    "a line among the headers that is none": once(
        b"HTTP/1.1 200 OK\r\nHello\r\nContent-Length: 9\r\n\r\nshort"
    ),
    "100,000 headers": once(_many_headers(100_000)),
    "a header of a megabyte": once(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 1_000_000 + b"\r\n\r\n"),
    "Content-Length too large": once(answer(b"short", Content_Length="500")),
    "two Content-Lengths": once(
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nshorts",
    ),
    "Content-Length that is no number": once(answer(b"hello", Content_Length="many")),
    "Content-Length and chunks": once(
        answer(b"5\r\nhello\r\n0\r\n\r\n", Content_Length="5", Transfer_Encoding="chunked")
    ),
    "a coding without a known end": once(answer(b"hello", Transfer_Encoding="identity")),
    "chunks that break off": once(answer(b"5\r\nhello\r\n", Transfer_Encoding="chunked")),
    "chunk cut in the middle": once(answer(b"50\r\nhello", Transfer_Encoding="chunked")),
    "chunks without an end": once(answer(b"5\r\nhello\r\n0\r\n", Transfer_Encoding="chunked")),
    "endless headers behind the chunks": endless(_IN_CHUNKS + b"5\r\nhello\r\n0\r\nX: "),
    "chunk with no size": once(answer(b"zz\r\nhello\r\n0\r\n\r\n", Transfer_Encoding="chunked")),
    "gzip that is none": once(answer(b"hello", Content_Encoding="gzip")),
    "gzip that breaks off": once(answer(gzip.compress(b"hello" * 100)[:-10], Content_Encoding="gzip")),
    "gzip bomb": once(answer(gzip_bomb(4 * 1024 * 1024), Content_Encoding="gzip")),
    "100 Continue for ever": endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100),
    "endless body": endless(b"HTTP/1.0 200 OK\r\n\r\n"),
    "reset without a byte": _reset_at_once,
    "reset in the body": _reset_mid_body,
}
"""What ends by itself, but is no whole answer. A limit of at most 1 MiB is assumed."""

UNWANTED: dict[str, Script] = {
    "unasked encoding": once(answer(b"hello", Content_Encoding="br")),
    "gzip in gzip": once(answer(gzip.compress(gzip.compress(b"hello")), Content_Encoding="gzip, gzip")),
    "redirect elsewhere, endless body": endless(
        b"HTTP/1.0 302 Found\r\nLocation: http://elsewhere.example/\r\n\r\n"
    ),
    "redirect to no address": once(answer(status="302 Found", Location="http://[::1")),
    "not found": once(answer(b"nothing here", status="404 Not Found")),
    "not modified": once(answer(status="304 Not Modified")),
}
"""Whole answers that another try would not make better."""

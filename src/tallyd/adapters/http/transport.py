"""requests and urllib3, with connections that a deadline can end, and no settings from the environment."""

from __future__ import annotations

import http.client
import io
import logging
import resource
import socket
from typing import Any, ClassVar

import requests
import requests.adapters
import urllib3
import urllib3.connection
import urllib3.exceptions
from urllib3.util.connection import allowed_gai_family

from tallyd.adapters.http import deadline
from tallyd.adapters.http.ca_store import TrustStore

IDLE_PER_HOST = 16
"""Idle connections per host: as many as a poller has workers."""


def silence_libraries() -> None:
    """Silence the logs of requests and urllib3.

    At DEBUG they log every URL with its query, at WARNING the URL of an answer with a malformed header. Both
    contain the access key. Nothing is lost, since every failure is also raised.
    """
    for name in ("urllib3", "requests", "charset_normalizer"):
        logging.getLogger(name).setLevel(logging.ERROR)


class MalformedHeaders(http.client.HTTPException):
    """One header line is malformed. The parser lost all lines after it, perhaps the body's length."""


class _Reader(io.BufferedReader):
    """Remembers the last line: http.client treats an end of file like an empty line."""

    last_line = b""

    def readline(self, size: int | None = -1, /) -> bytes:
        self.last_line = super().readline(size)
        return self.last_line


class _Answer(http.client.HTTPResponse):
    """Raises an error if the headers are incomplete or malformed; http.client would accept them."""

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self._is_to_post = kwargs.get("method") == "POST"
        self.fp = self._lines = _Reader(self.fp.detach())

    def begin(self, *args: Any, **kwargs: Any) -> None:
        super().begin(*args, **kwargs)
        # Close even if the server does not; see `HttpClient.post`.
        self.will_close = self.will_close or self._is_to_post
        if self._lines.last_line not in (b"\r\n", b"\n"):
            raise http.client.IncompleteRead(b"")
        # http.client uses an e-mail parser: for it, a line without a colon begins the text.
        text = self.msg.get_payload()
        if isinstance(text, str) and text:
            raise MalformedHeaders


class _Endable(urllib3.connection.HTTPConnection):
    """A connection that passes its socket to the current transfer, so that a deadline can end it."""

    response_class = _Answer

    def _new_conn(self) -> socket.socket:
        try:
            found = socket.getaddrinfo(self._dns_host, self.port, allowed_gai_family(), socket.SOCK_STREAM)
            return deadline.current().connect(found, self.socket_options or ())
        except (OSError, UnicodeError) as error:  # UnicodeError: not a host name
            raise urllib3.exceptions.NewConnectionError(self, "not connected") from error

    def request(self, *args: Any, **kwargs: Any) -> None:
        here = deadline.current()
        if self.sock is not None and not here.connected:
            here.hold(self.sock)
        super().request(*args, **kwargs)


class _EndableTls(_Endable, urllib3.connection.HTTPSConnection):
    pass


class _Pool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Endable


class _TlsPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _EndableTls


class Adapter(requests.adapters.HTTPAdapter):
    """Sends prepared requests over pooled connections. Thread-safe.

    Why not a `requests.Session`: it sends the cookies of one source to the next one, it reads the bodies of
    redirects without a limit, and threads must not share it. One session per thread would keep many idle
    connections to each host.
    """

    _pools: ClassVar = {"http": _Pool, "https": _TlsPool}

    def __init__(self, trust: TrustStore) -> None:
        self._trust = trust
        super().__init__(pool_connections=_most_hosts(), pool_maxsize=IDLE_PER_HOST)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **kwargs)
        manager.pool_classes_by_scheme = self._pools
        return manager

    def build_connection_pool_key_attributes(self, request: Any, verify: Any, cert: Any = None) -> Any:
        """Use our own TLS context. requests would read a CA file for each connection."""
        host, _tls = super().build_connection_pool_key_attributes(request, verify, cert)
        return host, {"ssl_context": self._trust.context()} if host["scheme"] == "https" else {}

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        """Do nothing. requests would add certifi's certificates to the context here."""


def _most_hosts() -> int:
    """Return the number of hosts with idle connections: a quarter of the open files that are allowed."""
    open_files, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return min(max(open_files // 4, 16), 10_000) if open_files != resource.RLIM_INFINITY else 10_000

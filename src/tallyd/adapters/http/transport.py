"""requests and urllib3, with connections that a transfer can end, and nothing taken from the environment."""

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
"""Idle connections kept to one host: as many as a poller has workers."""


def silence_libraries() -> None:
    """Keep what requests and urllib3 log to themselves.

    At DEBUG they log every URL with its query, and at WARNING the URL of an answer with a malformed header:
    the access key stands in both. Nothing is lost: whatever fails is raised.
    """
    for name in ("urllib3", "requests", "charset_normalizer"):
        logging.getLogger(name).setLevel(logging.ERROR)


class MalformedHeaders(http.client.HTTPException):
    """A line among the headers is none, and all that followed it was lost, perhaps the body's length."""


class _Reader(io.BufferedReader):
    """A socket's bytes; remembers the last line, as http.client takes an end of file for an empty one."""

    last_line = b""

    def readline(self, size: int | None = -1, /) -> bytes:
        self.last_line = super().readline(size)
        return self.last_line


class _Answer(http.client.HTTPResponse):
    """An answer that is an error, and not a short one, when its headers break off or can't be read."""

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self._is_to_post = kwargs.get("method") == "POST"
        self.fp = self._lines = _Reader(self.fp.detach())

    def begin(self, *args: Any, **kwargs: Any) -> None:
        super().begin(*args, **kwargs)
        # Whether or not the server closes as it was asked to: see `HttpClient.post`.
        self.will_close = self.will_close or self._is_to_post
        if self._lines.last_line not in (b"\r\n", b"\n"):
            raise http.client.IncompleteRead(b"")
        # Headers are read by a parser of e-mails, to which a line without a colon begins the text.
        text = self.msg.get_payload()
        if isinstance(text, str) and text:
            raise MalformedHeaders


class _Endable(urllib3.connection.HTTPConnection):
    """A connection that tells the transfer it works for which socket it is on."""

    response_class = _Answer

    def _new_conn(self) -> socket.socket:
        try:
            found = socket.getaddrinfo(self._dns_host, self.port, allowed_gai_family(), socket.SOCK_STREAM)
            return deadline.current().connect(found, self.socket_options or ())
        except (OSError, UnicodeError) as error:  # UnicodeError: no name of a host at all
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
    """Sends prepared requests over pooled connections; may be used by any number of threads at once.

    It is used without a `requests.Session`. A Session adds nothing to a request but what is not wanted here:
    cookies that one source sets and the next one is sent, and redirects whose bodies are read without a
    bound. Nor is it meant to be shared, and one for each thread would keep as many idle connections to
    every host as there are threads.
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
        """Give every TLS connection our own context; requests would read a CA file for each of them."""
        host, _tls = super().build_connection_pool_key_attributes(request, verify, cert)
        return host, {"ssl_context": self._trust.context()} if host["scheme"] == "https" else {}

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        """Do nothing: this is where requests would add certifi's certificates to the context."""


def _most_hosts() -> int:
    """Return to how many hosts idle connections are kept: a quarter of the files that may be open."""
    open_files, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return min(max(open_files // 4, 16), 10_000) if open_files != resource.RLIM_INFINITY else 10_000

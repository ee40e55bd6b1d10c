"""A request as it is sent, and the parts of its address."""

from __future__ import annotations

import base64
import contextlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from urllib.parse import quote, unquote, urlencode, urlsplit

from tallyd.contract.http import Request
from tallyd.core.addresses import host_of
from tallyd.core.errors import SourceError
from tallyd.core.language.messages import mark
from tallyd.settings.headers import HEADER_NAME

_HEADER_VALUE = re.compile(r"(?:[!-~\x80-\xff](?:[\t -~\x80-\xff]*[!-~\x80-\xff])?)?")
_NAME = re.compile(r"[^\x00-\x20\x7f*./?#@\\][^\x00-\x20\x7f*/?#@\\]*")
"""Of a host. A wildcard or a dot in front is the mistake of a person."""
_PORTS = {"http": 80, "https": 443}
_AS_WRITTEN = "!#$%&'()*+,/:;=?@[]~"
"""Characters of a path or query that are sent as they are. `%` is one: it begins what is already escaped."""


@dataclass(frozen=True)
class Address:
    """Where a request goes. `host`: for messages; `name`: as it is connected to; `target`: path and query."""

    scheme: str
    host: str
    name: str
    port: int
    target: str
    login: str | None

    @property
    def authority(self) -> str:
        """Name and port as HTTP writes them; the port only if it is not the default."""
        name = f"[{self.name}]" if ":" in self.name else self.name
        return name if self.port == _PORTS[self.scheme] else f"{name}:{self.port}"


def address_of(url: str, params: Mapping[str, str] | None = None) -> Address:
    """Return the parts of an http or https URL, with parameters added. Raises `ValueError`."""
    parts = urlsplit(url)
    host = host_of(url)
    name = parts.hostname or ""
    if not name.isascii():
        import idna  # noqa: PLC0415 # large, and rarely needed

        name = idna.encode(name, uts46=True).decode()  # idna.IDNAError is a UnicodeError, that a ValueError
    if not _NAME.fullmatch(name):
        raise ValueError
    query = "&".join(filter(None, (parts.query, urlencode(params or {}))))
    target = quote((parts.path or "/") + (f"?{query}" if query else ""), safe=_AS_WRITTEN)
    login = None
    if parts.username is not None:
        login = basic(parts.username, parts.password or "")
    port = parts.port if parts.port is not None else _PORTS[parts.scheme]
    return Address(parts.scheme, host, name, port, target, login)


def basic(user: str, password: str) -> str:
    """Return the value of a header for a user and a password as they stand in a URL (RFC 7617)."""
    return "Basic " + base64.b64encode(f"{unquote(user)}:{unquote(password)}".encode()).decode()


@dataclass(frozen=True)
class PreparedRequest:
    """What is sent: `headers` are complete but for `Host`, `Content-Length` and those of a proxy."""

    method: str
    url: str
    address: Address
    headers: Mapping[str, str]
    body: bytes | None
    is_sent_once: bool

    @property
    def has_reply_body(self) -> bool:
        """Whether the reply may have a body."""
        return self.method != "HEAD"

    def moved_to(self, url: str, status: int) -> PreparedRequest:
        """Return the request after a redirect to another address on the same host. Raises `ValueError`.

        As in browsers, only 307 and 308 send a POST again; after the others, a GET asks for the result.
        """
        moved = replace(self, url=url, address=address_of(url))
        if self.method != "POST" or status in (307, 308):
            return moved
        headers = {name: value for name, value in self.headers.items() if name.lower() != "content-type"}
        return replace(moved, method="GET", headers=headers, body=None)

    def written(self, proxy: Proxy | None = None) -> bytes:
        """Return the request as bytes. `proxy` is the one that passes a request without TLS on."""
        there = self.address
        target, more = there.target, ""
        if proxy is not None:
            target = f"http://{there.authority}{there.target}"
            more = proxy.login_line
        if self.body is not None:
            more += f"Content-Length: {len(self.body)}\r\n"
        lines = "".join(f"{name}: {value}\r\n" for name, value in self.headers.items())
        text = f"{self.method} {target} HTTP/1.1\r\nHost: {there.authority}\r\n{lines}{more}\r\n"
        return text.encode("latin-1") + (self.body or b"")


@dataclass(frozen=True)
class Proxy:
    """The proxy for all hosts but this machine."""

    url: str

    @cached_property
    def address(self) -> Address:
        """The parts of its URL."""
        return address_of(self.url)

    @property
    def login_line(self) -> str:
        """The header with its user and password, or nothing."""
        return f"Proxy-Authorization: {self.address.login}\r\n" if self.address.login else ""

    def opening(self, there: Address) -> bytes:
        """Return the request for a way through to a host, which then carries TLS."""
        name = f"[{there.name}]" if ":" in there.name else there.name
        to = f"{name}:{there.port}"
        return f"CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n{self.login_line}\r\n".encode("latin-1")


def prepared(request: Request, headers: Iterable[tuple[str, str]]) -> PreparedRequest:
    """Return the request to send. The last of headers with one name counts.

    Raises `SourceError` without the URL.
    """
    last = {}
    for name, value in headers:
        last[name.lower()] = name, value
        if not HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(value):
            raise SourceError(mark("a header holds characters that can't be sent"), transient=False)
    with contextlib.suppress(ValueError):
        address = address_of(request.url, request.params)
        if address.login is not None:
            last["authorization"] = "Authorization", address.login
        return PreparedRequest(
            request.method, request.url, address, dict(last.values()), request.body, request.is_sent_once
        )
    text = mark("the address can't be read; it must begin with https:// and name a host")
    raise SourceError(text, transient=False)

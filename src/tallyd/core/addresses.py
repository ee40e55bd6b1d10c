"""URLs: the host for messages, and URLs in which a part of a password could be read as the host.

If a password holds a plain "@", "/", ":", "#", "?" or backslash, each library cuts the URL at another place.
One library reads a text as the end of the password, and another connects to it, so a message shows it.
"""

from __future__ import annotations

import re
from typing import Literal
from urllib.parse import urlsplit

from tallyd.core.language.messages import english

HOW_TO_ESCAPE = english(
    "contains a special character that could be part of a password. In a user name, password or token "
    'write "@" as %40, "/" as %2F, ":" as %3A, "#" as %23, "?" as %3F, "[[" as %5B, "]]" as %5D and "\\" as '
    '%5C; after the host write "@" as %40'
)

_DEFAULT_PORTS = {"http": 80, "https": 443}
_PARTS = re.compile(r"[^:/?#]+://(?P<authority>[^/?#]*)(?P<path>[^?]*)(?P<query>.*)", re.DOTALL)


def host_of(url: str) -> str:
    """Return the host for messages: `name`, or `name:port` if the port is not the default of the scheme.

    Raises ValueError unless it is a readable http(s) address with a host.
    """
    scheme, name, port = origin_of(url)
    if not name or scheme not in _DEFAULT_PORTS:
        raise ValueError
    name = f"[{name}]" if ":" in name else name
    return name if port == _DEFAULT_PORTS[scheme] else f"{name}:{port}"


def origin_of(url: str) -> tuple[str, str, int | None]:
    """Return scheme, host and port. Raises ValueError for an unreadable URL."""
    parts = urlsplit(url)
    name = (parts.hostname or "").rstrip(".")
    return parts.scheme, name, parts.port if parts.port is not None else _DEFAULT_PORTS.get(parts.scheme)


def is_ambiguous(url: str, *, at_may_follow: Literal["nowhere", "in values", "anywhere"] = "nowhere") -> bool:
    """Whether a part of the user name or password could be read as the host. False if it is not a URL.

    `at_may_follow` says where an "@" may come after the host: nowhere, only in the values of the query
    (`?to=me@host.example`), or anywhere. With such an "@", the host could also be the text after it.
    """
    found = _PARTS.fullmatch(url)
    if found is None:
        return False
    userinfo, _, _ = found["authority"].rpartition("@")
    if set(userinfo) & set("@[]\\") or userinfo.count(":") > 1:
        return True
    path, query = found["path"], found["query"]
    names = (pair.partition("=")[0] for pair in query.split("&"))
    behind = {"nowhere": path + query, "in values": "".join((path, *names)), "anywhere": ""}[at_may_follow]
    try:
        urlsplit(url)
    except ValueError:
        return True  # brackets, or a character that some libraries turn into one of these
    return "@" in behind

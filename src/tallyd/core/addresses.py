"""URLs: the host as messages name it, and those in which a part of a password could be taken for the host.

Where a password holds an "@", "/", ":", "#", "?" or a backslash as it is, each library cuts the URL
elsewhere: what one takes for the end of the password, another connects to, and a message shows.
"""

from __future__ import annotations

import re
from typing import Literal
from urllib.parse import urlsplit

HOW_TO_ESCAPE = (
    "holds a special character where it may be a part of a password. In a user name, password or token "
    'write "@" as %40, "/" as %2F, ":" as %3A, "#" as %23, "?" as %3F, "[" as %5B, "]" as %5D and "\\" as '
    '%5C; behind the host write "@" as %40'
)

_DEFAULT_PORTS = {"http": 80, "https": 443}
_PARTS = re.compile(r"[^:/?#]+://(?P<authority>[^/?#]*)(?P<path>[^?]*)(?P<query>.*)", re.DOTALL)


def host_of(url: str) -> str:
    """Return the host as messages name it: `name`, or `name:port` where the port is not the scheme's own.

    Raises ValueError for what is no http(s) address, names no host or can't be read.
    """
    scheme, name, port = origin_of(url)
    if not name or scheme not in _DEFAULT_PORTS:
        raise ValueError
    name = f"[{name}]" if ":" in name else name
    return name if port == _DEFAULT_PORTS[scheme] else f"{name}:{port}"


def origin_of(url: str) -> tuple[str, str, int | None]:
    """Return scheme, host and port. Raises ValueError for what can't be read."""
    parts = urlsplit(url)
    name = (parts.hostname or "").rstrip(".")
    return parts.scheme, name, parts.port if parts.port is not None else _DEFAULT_PORTS.get(parts.scheme)


def is_ambiguous(url: str, *, at_may_follow: Literal["nowhere", "in values", "anywhere"] = "nowhere") -> bool:
    """Whether somebody could take a part of the user name or password for the host. False for what is no URL.

    `at_may_follow` says where an "@" may stand behind the host: nowhere, in the values of the query alone
    (`?to=me@host.example`), or anywhere. With one there, the host may as well be what follows it.
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

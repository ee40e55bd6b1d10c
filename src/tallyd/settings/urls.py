"""The types of addresses in config files. Messages show URLs, so a URL holds no secret."""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import unquote, urlsplit

from pydantic import AfterValidator, BeforeValidator, WithJsonSchema

from tallyd.core.addresses import HOW_TO_ESCAPE, is_ambiguous
from tallyd.core.language.messages import english
from tallyd.settings.types import wrong

_SECRET_WORD = re.compile(
    r"(?i)(?:access|api)?"
    r"(?:key|token|jwt|secret|password|passwd|pass|pwd|auth|authorization|signature|sig|sas)"
)
_NAME_AND_COLON = re.compile(r"[^:/?#]+://[^/?#@]*:")  # a host and its port, or a user and a password
_PLAIN_URL = re.compile(
    r"https?://[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::[1-9][0-9]{0,3})?(?:/[A-Za-z0-9._~/-]*)?", re.ASCII
)
_LOOPBACK = re.compile(r"localhost|127(?:\.\d{1,3}){3}|::1")


def parse_url(written: object) -> str:
    """Return an http(s) URL that holds no secret: no user, no password, no key in its query."""
    if not isinstance(written, str):
        raise wrong(english("must be text: a URL"))
    if _PLAIN_URL.fullmatch(written):  # nothing in it can be wrong, and a config may have ten thousand
        return written
    if any(char <= " " or char == "\x7f" for char in written):
        raise wrong(english("contains a space or a control character"))
    if _NAME_AND_COLON.match(written):
        check_unambiguous(written)
    try:
        parts = urlsplit(written)
        host, _port = parts.hostname, parts.port
    except ValueError:
        raise wrong(english("is not a URL")) from None
    if parts.scheme not in ("http", "https") or not host:
        raise wrong(english("must begin with https:// (or http://) and name a host"))
    if parts.username is not None or parts.password is not None:
        raise wrong(english("contains a user or a password; remove it, because messages show URLs"))
    if parts.fragment:
        raise wrong(english("contains a #fragment, which is never sent to a server; remove it"))
    # In lower case, because other code compares it: HTTP:// is as unencrypted as http://.
    return parts.scheme + written[len(parts.scheme) :]


def check_unambiguous(url: str) -> None:
    """Raise `wrong()` if a part of a user name or password could be read as the host."""
    if is_ambiguous(url):
        raise wrong(HOW_TO_ESCAPE)


def check_keyless(url: str) -> str:
    """Return a URL without a key in its query: messages show URLs."""
    query = urlsplit(url).query if "?" in url else ""
    for pair in re.split("[&;]", query):
        name, _, value = pair.partition("=")
        if value and is_secret_name(unquote(name)):
            text = english(
                'contains a key ("{name}=..."), but messages show URLs; send it in `headers`',
                name=unquote(name),
            )
            raise wrong(text)
    return url


def is_loopback(url: str) -> bool:
    """Whether the host of a URL is this machine."""
    return bool(_LOOPBACK.fullmatch(urlsplit(url).hostname or ""))


def other_host(url: str) -> str:
    """Return the name of the host of a URL; empty if it is this machine, or none."""
    return "" if is_loopback(url) else urlsplit(url).hostname or ""


def is_secret_name(name: str) -> bool:
    """Whether a query parameter of that name usually carries a secret (`accesskey`, `api_key`, `token`).

    The last word decides: `client_secret`, `X-Amz-Signature`.
    """
    return bool(_SECRET_WORD.fullmatch(re.split("[-_]", name)[-1]))


Url = Annotated[
    str,
    BeforeValidator(parse_url),
    WithJsonSchema({"type": "string", "format": "uri", "pattern": "^https?://"}),
]
KeylessUrl = Annotated[Url, AfterValidator(check_keyless)]

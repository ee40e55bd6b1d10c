"""The headers of a request that a config names: which of their values are secrets."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated

from pydantic import BeforeValidator

from tallyd.core.texts import UNPRINTABLE
from tallyd.settings.secrets import NEAR_REFERENCE, Secret, is_placeholder
from tallyd.settings.urls import is_loopback, is_secret_name

HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""The name of a header: a token of RFC 9110, section 5.6.2."""

HARMLESS_NAMES = frozenset(
    {
        "accept",
        "accept-charset",
        "accept-datetime",
        "accept-encoding",
        "accept-language",
        "cache-control",
        "content-language",
        "content-type",
        "from",
        "origin",
        "pragma",
        "prefer",
        "referer",
        "user-agent",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-port",
        "x-forwarded-proto",
        "x-requested-with",
    }
)
HARMLESS_WORDS = frozenset(
    {
        "env",
        "environment",
        "format",
        "lang",
        "language",
        "locale",
        "region",
        "stage",
        "timezone",
        "version",
        "zone",
    }
)
_SHORTEST_REDACTED = 6


class Plain(Secret):
    """A value that stands where secrets stand, but is none: it may be short, and logs may show it."""

    __slots__ = ()

    @property
    def is_secret(self) -> bool:
        """No."""
        return False

    @property
    def can_travel(self) -> bool:
        """Yes."""
        return True

    def __reduce__(self) -> tuple[type[Secret], tuple[str]]:
        return Plain, (self.reveal(),)


def is_harmless_header(name: str) -> bool:
    """Whether a header of that name never carries a secret: it is known, or its last word is.

    Nobody knows all names of headers for keys and sessions (`X-AuthToken`, `X-Ticket`). So the harmless ones
    are listed, and any other name is one of a secret.
    """
    lower = name.lower()
    return lower in HARMLESS_NAMES or re.split("[-_.]", lower)[-1] in HARMLESS_WORDS


def unencrypted_header(url: str, headers: Mapping[str, Secret]) -> str | None:
    """Return the name of the first secret header that a request to `url` would send unencrypted."""
    if not url.startswith("http://") or is_loopback(url):
        return None
    return next((name for name, value in headers.items() if value.is_secret), None)


def _sorted_out(written: object) -> object:
    """Make the values that need no redaction, so that only the others are read as secrets."""
    if not isinstance(written, dict):
        return written
    return {name: _unredacted(name, value) or value for name, value in written.items()}


def _unredacted(name: str, value: object) -> Secret | None:
    """Return a header's value if no text is redacted for it; None: it is read as any other secret.

    A short value of an unknown header (`X-Mode: test`, `X-Tenant: 7`) stays a secret, so that it is never
    sent unencrypted. But the log would become unreadable without each such word or number.
    """
    if not isinstance(value, str) or NEAR_REFERENCE.match(value) or is_placeholder(value):
        return None
    if value != value.strip() or not value or UNPRINTABLE.search(value):
        return None
    if is_harmless_header(name):
        return Plain(value)
    return Secret(value) if len(value) < _SHORTEST_REDACTED and not is_secret_name(name) else None


Headers = Annotated[dict[str, Secret], BeforeValidator(_sorted_out)]
"""Headers of a request by name. A value is a secret, unless written directly under a harmless name."""

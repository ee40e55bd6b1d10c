"""Converts a webhook URL, as the administration page of Rocket.Chat shows it, into an Apprise URL."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from tallyd.core.language.messages import english

_PART = re.compile(r"[A-Za-z0-9_-]+")


class UnusableUrl(ValueError):  # noqa: N818 # named after the finding; people see its text
    """A URL that Apprise can't use. The text contains no part of the URL."""


def apprise_url(url: str) -> str:
    """Return `url` as Apprise needs it. Raises `UnusableUrl`.

    `https://host[:port]/hooks/ID/TOKEN` becomes an Apprise URL for exactly this path. Any other URL is only
    stripped. Apprise puts `/hooks/` right after the host, so a Rocket.Chat below a path is not possible.
    """
    url = url.strip()
    if not url.lower().startswith(("http://", "https://")):
        return url
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        raise UnusableUrl(english("its host or port can't be read")) from None
    before, hooks, after = parts.path.rpartition("/hooks/")
    webhook = after.removesuffix("/").split("/")
    if not hooks or len(webhook) != 2:
        return url
    if before:
        raise UnusableUrl(
            english("Rocket.Chat below a path is not supported; /hooks/ must follow right after the host")
        )
    if not all(_PART.fullmatch(part) for part in webhook) or parts.query or parts.fragment:
        raise UnusableUrl(
            english("a Rocket.Chat webhook ends with /hooks/ID/TOKEN, made of letters and digits")
        )
    if not parts.hostname or "@" in parts.netloc:
        raise UnusableUrl(
            english("a Rocket.Chat webhook is https://host/hooks/ID/TOKEN, without a user name")
        )
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    scheme = "rockets" if parts.scheme == "https" else "rocket"
    # As a parameter: before the @, Apprise accepts only letters and digits.
    return f"{scheme}://{host}{port}/?mode=webhook&webhook={'%2F'.join(webhook)}"

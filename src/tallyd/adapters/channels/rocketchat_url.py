"""The webhook of Rocket.Chat, as its administration page shows it, as an Apprise URL."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

_PART = re.compile(r"[A-Za-z0-9_-]+")


class UnusableUrl(ValueError):  # noqa: N818 # named after what is wrong; its text is shown as it is
    """A URL that can't be turned into one for Apprise. The text holds nothing of the URL."""


def apprise_url(url: str) -> str:
    """Return `url` as Apprise takes it. Raises `UnusableUrl`.

    `https://host[:port]/hooks/ID/TOKEN` becomes one that arrives at exactly this path; everything else is
    returned as it is, without white space around it. Apprise puts `/hooks/` right behind the host, so there
    is no way to say that Rocket.Chat is served below a path.
    """
    url = url.strip()
    if not url.lower().startswith(("http://", "https://")):
        return url
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        raise UnusableUrl("its host or port can't be read") from None
    before, hooks, after = parts.path.rpartition("/hooks/")
    webhook = after.removesuffix("/").split("/")
    if not hooks or len(webhook) != 2:
        return url
    if before:
        raise UnusableUrl(
            "Rocket.Chat below a path is not supported, /hooks/ must stand right behind the host"
        )
    if not all(_PART.fullmatch(part) for part in webhook) or parts.query or parts.fragment:
        raise UnusableUrl("a webhook of Rocket.Chat ends in /hooks/ID/TOKEN, of letters and digits")
    if not parts.hostname or "@" in parts.netloc:
        raise UnusableUrl("a webhook of Rocket.Chat is https://host/hooks/ID/TOKEN, without a user's name")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    scheme = "rockets" if parts.scheme == "https" else "rocket"
    # As a parameter, for in its place before the @ Apprise takes only letters and digits.
    return f"{scheme}://{host}{port}/?mode=webhook&webhook={'%2F'.join(webhook)}"

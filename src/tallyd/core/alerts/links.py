"""The link to the page for a problem."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Protocol
from urllib.parse import quote, urlencode

from tallyd.core.alerts.daemon_alerts import WEB
from tallyd.core.alerts.rules import OWN
from tallyd.core.naming import key_segments

LONGEST = 300
"""A longer link is replaced by the link to the poller: some services cut long links."""


class Views(Protocol):
    """Finds the view of a poller by its name, and by the subject and the `what` of a key."""

    def __call__(self, poller: str, subject: str, what: str) -> Mapping[str, str] | None:
        """Return the query for the poller's view; None: there is no such poller."""
        ...


def link_to(page: str, keys: Collection[str], views: Views) -> str:
    """Return the address of the most specific view that shows all problems of `keys`.

    `page` is the address of the page. Problems of several pollers, or of tallyd itself, are on the overview.
    If the problem is that the page is not served, the result is empty.
    """
    if all(key == WEB.key for key in keys):
        return ""
    page = page if page.endswith("/") else f"{page}/"
    pollers = {key_segments(key)[0] for key in keys}
    if len(pollers) != 1 or OWN in pollers:
        return page
    (poller,) = pollers
    asked = [views(poller, *_end(key)) for key in keys]
    if asked[0] is None:
        return page
    whole = f"{page}poller/{quote(poller, safe='')}"
    if not asked[0] or any(each != asked[0] for each in asked):
        return whole
    exact = f"{whole}?{urlencode(asked[0], quote_via=quote, safe='', errors='replace')}"
    return exact if len(exact) <= LONGEST else whole


def _end(key: str) -> tuple[str, str]:
    """Return the subject and the `what` of a key; both empty for a pattern with fewer parts."""
    segments = key_segments(key)
    return (segments[1], segments[-1]) if len(segments) == 3 else ("", "")

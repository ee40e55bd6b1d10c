"""The link to the page for a problem."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from urllib.parse import quote, urlencode

from tallyd.core.alerts.daemon_alerts import WEB
from tallyd.core.alerts.rules import OWN
from tallyd.core.naming import key_segments

LONGEST = 300
"""A longer link is replaced by the link to the poller: some services cut long links."""


def link_to(page: str, keys: Collection[str], view: Callable[[str], Mapping[str, str] | None]) -> str:
    """Return the address of the most specific view that shows all problems of `keys`.

    `page` is the address of the page. `view` returns the query of the view of its poller that shows a
    problem; None: there is no such poller. Problems of several pollers, or of tallyd itself, are on the
    overview. If the problem is that the page is not served, the result is empty.
    """
    if all(key == WEB.key for key in keys):
        return ""
    page = page if page.endswith("/") else f"{page}/"
    pollers = {key_segments(key)[0] for key in keys}
    if len(pollers) != 1 or OWN in pollers:
        return page
    (poller,) = pollers
    asked = [view(key) for key in keys]
    if asked[0] is None:
        return page
    whole = f"{page}poller/{quote(poller, safe='')}"
    if not asked[0] or any(each != asked[0] for each in asked):
        return whole
    exact = f"{whole}?{urlencode(asked[0], quote_via=quote, safe='', errors='replace')}"
    return exact if len(exact) <= LONGEST else whole

"""Where the link of a message leads."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tallyd.core.alerts.links import LONGEST, link_to
from tallyd.core.naming import key_segments, problem_key

PAGE = "https://tallyd.example/"
LONG = "x" * LONGEST


def views(key: str) -> Mapping[str, str] | None:
    """The poller `apps` has a view of each target; `divera` has none of its own, others are not there."""
    poller, *between, what = key_segments(key)
    if poller == "apps":
        return {"target": between[0]} if between and what in ("stale", "unreachable") else {}
    return {} if poller == "divera" else None


LINKS = {
    "a job": (["divera/count/failed"], f"{PAGE}poller/divera"),
    "a target": (["apps/PROD/stale"], f"{PAGE}poller/apps?target=PROD"),
    "two of one target": (["apps/PROD/stale", "apps/PROD/unreachable"], f"{PAGE}poller/apps?target=PROD"),
    "two targets": (["apps/PROD/stale", "apps/TEST/stale"], f"{PAGE}poller/apps"),
    "one poller": (["apps/database/unstored", "apps/PROD/stale"], f"{PAGE}poller/apps"),
    "two pollers": (["apps/PROD/stale", "divera/count/failed"], PAGE),
    "tallyd itself": (["tallyd/state"], PAGE),
    "tallyd and a poller": (["tallyd/ops/undelivered", "apps/PROD/stale"], PAGE),
    "the page itself is not served": (["tallyd/web"], ""),
    "the page and something else": (["tallyd/web", "tallyd/state"], PAGE),
    "a poller that left the config": (["gone/PROD/stale"], PAGE),
    "a mute of a poller": (["apps/*"], f"{PAGE}poller/apps"),
    "a mute and a target": (["apps/*/stale", "apps/PROD/stale"], f"{PAGE}poller/apps"),
    "a mute of anything": (["*/stale"], PAGE),
    "a name of odd characters": (
        [problem_key("apps", "Größe / <b>&_*", "stale")],
        f"{PAGE}poller/apps?target=Gr%C3%B6%C3%9Fe%20%2F%20%3Cb%3E%26_%2A",
    ),
    "half a character": (["apps/\ud800/stale"], f"{PAGE}poller/apps?target=%3F"),
    "a name too long for a link": ([f"apps/{LONG}/stale"], f"{PAGE}poller/apps"),
}


@pytest.mark.parametrize(("keys", "link"), LINKS.values(), ids=LINKS)
def test_the_link_leads_to_what_all_of_a_message_is_about(keys: list[str], link: str) -> None:
    assert link_to(PAGE, keys, views) == link


@pytest.mark.parametrize("page", ["https://example.org/tallyd", "https://example.org/tallyd/"])
def test_a_page_below_a_path_is_linked_with_or_without_its_slash(page: str) -> None:
    assert link_to(page, ["tallyd/state"], views) == "https://example.org/tallyd/"
    assert link_to(page, ["divera/count/failed"], views) == "https://example.org/tallyd/poller/divera"

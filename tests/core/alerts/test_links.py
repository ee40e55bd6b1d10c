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


@pytest.mark.parametrize(
    ("keys", "link"),
    [
        pytest.param(["divera/count/failed"], f"{PAGE}poller/divera", id="a job"),
        pytest.param(["apps/PROD/stale"], f"{PAGE}poller/apps?target=PROD", id="a target"),
        pytest.param(
            ["apps/PROD/stale", "apps/PROD/unreachable"],
            f"{PAGE}poller/apps?target=PROD",
            id="two of one target",
        ),
        pytest.param(["apps/PROD/stale", "apps/TEST/stale"], f"{PAGE}poller/apps", id="two targets"),
        pytest.param(["apps/database/unstored", "apps/PROD/stale"], f"{PAGE}poller/apps", id="one poller"),
        pytest.param(["apps/PROD/stale", "divera/count/failed"], PAGE, id="two pollers"),
        pytest.param(["tallyd/state"], PAGE, id="tallyd itself"),
        pytest.param(["tallyd/ops/undelivered", "apps/PROD/stale"], PAGE, id="tallyd and a poller"),
        pytest.param(["tallyd/web"], "", id="the page itself is not served"),
        pytest.param(["tallyd/web", "tallyd/state"], PAGE, id="the page and something else"),
        pytest.param(["gone/PROD/stale"], PAGE, id="a poller that left the config"),
        pytest.param(["apps/*"], f"{PAGE}poller/apps", id="a mute of a poller"),
        pytest.param(["apps/*/stale", "apps/PROD/stale"], f"{PAGE}poller/apps", id="a mute and a target"),
        pytest.param(["*/stale"], PAGE, id="a mute of anything"),
        pytest.param(
            [problem_key("apps", "Größe / <b>&_*", "stale")],
            f"{PAGE}poller/apps?target=Gr%C3%B6%C3%9Fe%20%2F%20%3Cb%3E%26_%2A",
            id="a name of odd characters",
        ),
        pytest.param(["apps/\ud800/stale"], f"{PAGE}poller/apps?target=%3F", id="half a character"),
        pytest.param([f"apps/{LONG}/stale"], f"{PAGE}poller/apps", id="a name too long for a link"),
    ],
)
def test_the_link_leads_to_what_all_of_a_message_is_about(keys: list[str], link: str) -> None:
    assert link_to(PAGE, keys, views) == link


@pytest.mark.parametrize("page", ["https://example.org/tallyd", "https://example.org/tallyd/"])
def test_a_page_below_a_path_is_linked_with_or_without_its_slash(page: str) -> None:
    assert link_to(page, ["tallyd/state"], views) == "https://example.org/tallyd/"
    assert link_to(page, ["divera/count/failed"], views) == "https://example.org/tallyd/poller/divera"

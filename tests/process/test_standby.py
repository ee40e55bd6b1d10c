"""Two real daemons on a real PostgreSQL: one works, and the other one takes over."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.records.conftest import postgresql  # noqa: F401 # a fixture, found by its name
from adapters.records.servers import Server
from campaigns.standby import SHORT, SHORT_LEASE_S, VARIANTS, campaign
from support.chatservers import Posted
from support.standby_truth import unmatched

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


def test_no_slot_and_no_notice_is_lost_or_doubled_and_nobody_goes_on_after_a_takeover(
    postgresql: Server,  # noqa: F811 # see above
    tmp_path: Path,
) -> None:
    assert campaign(postgresql, tmp_path, [*SHORT], variant="sound", lease_s=SHORT_LEASE_S, seed=1) == []


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_lock_without_a_token_and_a_token_without_a_lock_are_found_out(
    variant: str,
    postgresql: Server,  # noqa: F811 # see above
    tmp_path: Path,
) -> None:
    found = campaign(postgresql, tmp_path, ["late"], variant=variant, lease_s=SHORT_LEASE_S, seed=1)
    assert "in term 2, more than one changed something" in found


@pytest.mark.parametrize(
    ("sent", "noted", "found"),
    [
        pytest.param([1.0, 2.0], [1.1, 2.1], [], id="each has its note"),
        pytest.param([1.0, 2.0], [2.1], [1.0], id="sent and not noted"),
        pytest.param([1.0], [], [1.0], id="the last one is not noted"),
        pytest.param([1.0], [1.1, 1.2], [1.2], id="noted and never sent"),
    ],
)
def test_a_message_without_a_note_is_found_and_a_note_without_a_message(
    sent: list[float], noted: list[float], found: list[float]
) -> None:
    posts = [Posted("POST", "/chat/a", {}, b"{}", at_s) for at_s in sent]
    events = [each.at_s if isinstance(each, Posted) else each for each in unmatched(posts, noted)]
    assert events == found

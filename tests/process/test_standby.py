"""Two real daemons on a real PostgreSQL: one works, and the other one takes over."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.records.conftest import postgresql  # noqa: F401 # a fixture, found by its name
from adapters.records.servers import Server
from campaigns.standby import SHORT, SHORT_LEASE_S, VARIANTS, campaign

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

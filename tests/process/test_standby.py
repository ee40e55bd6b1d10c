"""Two real daemons on a real PostgreSQL: one works, and the other one takes over."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.records.conftest import postgresql  # noqa: F401 # a fixture, found by its name
from adapters.records.servers import Server
from campaigns.standby import SHORT, SHORT_LEASE_S, campaign

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


def test_no_slot_and_no_notice_is_lost_or_doubled_and_nobody_goes_on_after_a_takeover(
    postgresql: Server,  # noqa: F811 # see above
    tmp_path: Path,
) -> None:
    assert campaign(postgresql, tmp_path, [*SHORT], variant="sound", lease_s=SHORT_LEASE_S, seed=1) == []

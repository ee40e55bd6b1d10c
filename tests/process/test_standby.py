"""Two real daemons on a real PostgreSQL: one works, the other one takes over; and two that do it wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.records.conftest import postgresql  # noqa: F401 # a fixture, found by its name
from adapters.records.servers import Server
from campaigns.standby import SHORT, SHORT_LEASE_S, campaign

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


def broken(server: Server, folder: Path, variant: str, *kinds: str) -> list[str]:
    return campaign(server, folder, [*kinds], variant=variant, lease_s=SHORT_LEASE_S, seed=1)


def test_no_slot_and_no_notice_is_lost_or_doubled_and_nobody_goes_on_after_a_takeover(
    postgresql: Server,  # noqa: F811 # see above
    tmp_path: Path,
) -> None:
    assert broken(postgresql, tmp_path, "sound", *SHORT) == []


@pytest.mark.parametrize(
    ("variant", "kind"), [pytest.param("lock-only", "freeze"), pytest.param("look-only", "hold")]
)
def test_a_lock_without_a_term_and_a_term_without_a_lock_are_found_out(
    variant: str,
    kind: str,
    postgresql: Server,  # noqa: F811 # see above
    tmp_path: Path,
) -> None:
    assert any("terms" in each for each in broken(postgresql, tmp_path, variant, kind, kind))

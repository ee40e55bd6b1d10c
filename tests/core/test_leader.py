"""Who works, of several daemons that share a state."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tallyd.core.leader import Leader, standby_text

NOW = datetime(2026, 11, 20, 13, 0, tzinfo=UTC)
PI1 = Leader(term=2, host="pi1", folder="/srv/a", since=NOW.replace(hour=7), is_there=True)


@pytest.mark.parametrize(
    ("leader", "text"),
    [
        pytest.param(None, "standby; nobody is active", id="nobody yet"),
        pytest.param(replace(PI1, is_there=False), "standby; nobody is active", id="nobody now"),
        pytest.param(PI1, "standby; active is pi1 since 07:00", id="another one"),
    ],
)
def test_a_standby_says_who_is_active(leader: Leader | None, text: str) -> None:
    assert standby_text(leader, UTC, now=NOW) == text

"""The texts about the daemon itself."""

from __future__ import annotations

from datetime import UTC, datetime

from support.wording import text_of
from tallyd.core.alerts import daemon_alerts

NOW = datetime(2026, 11, 20, 7, 0, tzinfo=UTC)


def test_a_clock_is_suspect_from_a_minute_on() -> None:
    assert daemon_alerts.clock_suspect(60, now=NOW) is None
    ahead, behind = (
        daemon_alerts.clock_suspect(3600, now=NOW),
        daemon_alerts.clock_suspect(-86400 * 300, now=NOW),
    )
    assert ahead is not None
    assert "1 h ahead of" in text_of(ahead)
    assert behind is not None
    assert "300 d behind" in text_of(behind)

"""Which alert keys are about the daemon itself."""

from __future__ import annotations

from tallyd.core.alerts.daemon_alerts import (
    CONFIG,
    CONFIGS,
    DAMAGED,
    DOUBLED,
    INTAKE,
    LOG,
    NETWORK,
    PART_CRASHED,
    UNDELIVERED,
    WEB,
)
from tallyd.core.alerts.rules import OWN
from tallyd.core.alerts.run_alerts import OVERDUE
from tallyd.core.naming import key_segments

_KEYS = frozenset(kind.key for kind in (CONFIG, CONFIGS, LOG, DAMAGED, NETWORK, WEB, INTAKE))
_WHATS = frozenset(kind.what for kind in (PART_CRASHED, UNDELIVERED, DOUBLED))


def is_about_daemon(key: str) -> bool:
    """Whether the daemon finds this problem when it checks itself."""
    segments = key_segments(key)
    is_own_part = segments[0] == OWN and segments[-1] in _WHATS
    return segments[-1] == OVERDUE.what or key in _KEYS or is_own_part

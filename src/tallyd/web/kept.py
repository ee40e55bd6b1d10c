"""What jobs keep in memory, and before their first run in this process, as they last had it stored."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from tallyd.pollers.servers.target_memory import TargetMemory, read_target_memory
from tallyd.pollers.visitors.alerts.memory import read_memory
from tallyd.web.context import Context


def arrivals_of(context: Context, poller: str) -> Mapping[str, datetime]:
    """Return when the newest file of each source of a visitors poller came. Raises `StateError`."""
    kept = context.kept(poller, "sweep").get("arrivals")
    if isinstance(kept, Mapping):
        return kept
    return read_memory(context.state.readings.memory(poller, "sweep"), context.now()).arrivals


def memory_of(context: Context, poller: str) -> TargetMemory:
    """Return what a servers poller knows of its targets; a round may be changing it. Raises `StateError`."""
    kept = context.kept(poller, "check").get("memory")
    return (
        kept
        if isinstance(kept, TargetMemory)
        else read_target_memory(context.state.readings.memory(poller, "check"))
    )

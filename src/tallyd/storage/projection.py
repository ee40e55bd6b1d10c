"""What out/ of this machine lacks after another one has worked: the state has it, and it is written again."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from tallyd.adapters.outfiles import OutFiles
from tallyd.adapters.state import State

OUT_DAYS: Final = 31
"""A new leader looks back so far."""


def let_missing_be_written(state: State, out: OutFiles, *, now: datetime) -> int:
    """Mark the out files that are not on this disk as unwritten; return how many. Raises `StateError`."""
    since = now - timedelta(days=OUT_DAYS)
    missing = [each for each in state.out_files.since(since) if not out.exists(each.poller, each.name)]
    if missing:
        state.out_files.mark_unwritten(missing)
    return len(missing)

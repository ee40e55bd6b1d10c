"""What out/ of this machine lacks, because another one has worked: it is written again from the state."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from tallyd.adapters.outfiles import OutFiles
from tallyd.adapters.state import State

A_MONTH: Final = timedelta(days=31)
"""A new leader looks back so far."""


def let_missing_be_written(state: State, out: OutFiles, *, since: datetime) -> int:
    """Mark the out files since then that this disk lacks as unwritten; return how many.

    Raises `StateError`.
    """
    missing = [each for each in state.out_files.since(since) if not out.exists(each.poller, each.name)]
    if missing:
        state.out_files.mark_unwritten(missing)
    return len(missing)

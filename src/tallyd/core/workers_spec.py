"""Which workers a poller needs. It gets them as a field of the toolbox."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class WorkersNeeded:
    """Processes that do a part of its work: `processes` of them on this machine (0: one for each core), or
    those of the Dask scheduler with this address.
    """

    processes: int = 0
    scheduler: str | None = None

"""When the newest file of each source came, and which host took it, as daemons on one database share it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple, TypeAlias

ArrivalState: TypeAlias = Literal["done", "empty", "rejected", "seen", "away"]
"""What became of the newest file: it was stored; it had no records; it was rejected. `seen`: it has not been
ingested yet. `away`: its host cannot see its inbox now."""


class Came(NamedTuple):
    """What a host has to say of a source: when its newest file came, and what became of it.

    `last_record` is the time of the newest record in it, in seconds since 1970; None: it has none.
    """

    source: str
    at: datetime
    state: ArrivalState
    reason: str | None = None
    last_record: int | None = None


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """What is stored of a source. `host` is the place of the daemon that last said so, at `seen_at`.

    `last_record_at` is the time of the newest record ever. The other instants are by the clock of who reads:
    a host whose clock is wrong counts as one that is right. `is_ahead`: what is stored is ahead of now; it
    counts as now.
    """

    last_file_at: datetime
    last_record_at: datetime | None
    state: ArrivalState
    reason: str | None
    host: str
    seen_at: datetime
    is_ahead: bool = False

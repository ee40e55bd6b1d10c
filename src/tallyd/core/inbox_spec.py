"""What a poller needs from the outside world besides HTTP. It gets this as a field of the toolbox."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class InboxNeeded:
    """A folder into which other programs drop files. `path` is as in the config.

    `source` is that of files directly in it. tallyd ingests files whose names match `pattern`, `settle_s`
    after the last write, and rejects those above `max_bytes`. `is_mount`: something must be mounted there.
    Ingested and rejected files are kept for `done_keep_days` and `rejected_keep_days`.
    """

    path: str
    source: str
    pattern: str
    settle_s: float
    is_mount: bool
    max_bytes: int
    done_keep_days: int
    rejected_keep_days: int

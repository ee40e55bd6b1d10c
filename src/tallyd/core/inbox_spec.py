"""What a poller needs of the outside world beside HTTP; wiring gives it as a field of the toolbox."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class InboxNeeded:
    """A folder into which others drop files. `path` as in the config; `source` that of files directly in it.

    The file names are those that match `pattern`. A file is taken `settle_s` after it was last written to,
    and refused above `max_bytes`. `is_mount`: something must be mounted there. Files put aside are kept for
    `done_keep_days` and `rejected_keep_days`.
    """

    path: str
    source: str
    pattern: str
    settle_s: float
    is_mount: bool
    max_bytes: int
    done_keep_days: int
    rejected_keep_days: int

"""Everything that a running job may touch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import tzinfo

from tallyd.contract.http import Retry
from tallyd.contract.inbox import Inbox
from tallyd.contract.records import Records
from tallyd.contract.reporter import Reporter
from tallyd.contract.workers import Workers, WorkTools
from tallyd.core.reading import Facts


@dataclass(frozen=True, kw_only=True)
class Toolbox(WorkTools):
    """Everything that a running job may use.

    `poller` is the poller's name in the config (the first segment of its problem keys), `zone` its time
    zone. `alive()` tells the daemon that a long run still makes progress. `memory()` is what the last reading
    of the job wanted to keep. `records`, `inbox` and `workers` are None for a poller that needs none.
    Passages are kept for `keep_days` (0: never stored).
    `wake` makes the job run once more, at once. `show_progress(done, total)` is for a person who waits, in
    bytes or rows. `is_by_hand`: a person waits for this run (`once`); it is not part of the timetable. `kept`
    is the job's own from run to run. It is lost at a restart, and then starts empty. `reporter` is what
    reports are made with.
    """

    poller: str
    zone: tzinfo
    alive: Callable[[], None]
    retry: Retry
    memory: Callable[[], Facts]
    records: Records | None = None
    inbox: Inbox | None = None
    workers: Workers | None = None
    keep_days: int = 90
    wake: Callable[[], None] = lambda: None
    show_progress: Callable[[int, int], None] = lambda _done, _total: None
    is_by_hand: bool = False
    reporter: Reporter | None = None
    kept: dict[str, object] = field(default_factory=dict)

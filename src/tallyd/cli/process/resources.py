"""The database and the inboxes for the jobs of a config: opened once, kept while the process lives."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import tallyd
from tallyd.adapters.locks import holder
from tallyd.adapters.reads.reads import TimedReads
from tallyd.cli.process.worker_pools import WorkerPools
from tallyd.config.folders import sqlite_file
from tallyd.config.jobs import Task, duties_of, tasks_of
from tallyd.config.model import Config
from tallyd.contract.inbox import Inbox
from tallyd.contract.records import Records
from tallyd.contract.reporter import Reporter
from tallyd.contract.workers import Workers
from tallyd.core.errors import ConfigProblem, InboxError, RecordsError
from tallyd.core.hosts import Neighbours, place_of
from tallyd.core.inbox_spec import InboxNeeded
from tallyd.storage.record_retention import Prunable

if TYPE_CHECKING:
    # Imported only if needed: SQLAlchemy and watchdog cost a second and 20 MiB on a small machine.
    from tallyd.adapters.inbox import Folder
    from tallyd.adapters.records.database import Database
    from tallyd.adapters.records.hosts import HostTable

log = logging.getLogger("tallyd")

LEDGER_DAYS = 90
"""How long files are recognised if passages are not stored."""
INBOX_MODE = 0o770


class Outside:
    """What `runs.toolbox.Resources` wants, for one config after the other. Any number of threads.

    With `on_files` (the daemon) an inbox is locked and watched: it is called with poller and job when files
    came. Without, it is locked only where no daemon of this config holds it; with `holds` false, never: what
    only looks leaves no trace, and makes no tables. `reporter` makes the reports of a config.
    """

    def __init__(
        self,
        config: Config,
        *,
        now: Callable[[], datetime],
        on_files: Callable[[str, str], None] | None = None,
        holds: bool = True,
        reporter: Callable[[Config], Reporter] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._config = config
        self._now, self._monotonic = now, monotonic
        self._on_files = on_files
        self._holds = holds
        self._reporter = reporter
        self._lock = threading.Lock()
        self._database: Database | None = None
        self._host: HostTable | None = None
        self._bound: dict[str, Records] = {}
        self._folders: dict[str, tuple[InboxNeeded, Folder]] = {}
        self._workers = WorkerPools(now)
        self.reads = TimedReads(now=now)

    @property
    def keep_days(self) -> int:
        """How long passages are kept, in days; 0: they are not."""
        return self._config.settings.database.keep_days

    @property
    def reporter(self) -> Reporter | None:
        """What makes and sends the reports of the present config."""
        return self._reporter(self._config) if self._reporter else None

    def apply_config(self, config: Config) -> None:
        """Reach what this config wants from now on; runs under way finish with what they have.

        The inbox of a new poller is made, as at a start. One that was there before is not: it is gone.
        """
        make_inboxes(config, but=self._config.inboxes.values())
        with self._lock:
            self._config = config
            wanted = {name: poller.inbox_needed(name) for name, poller in config.settings.pollers.items()}
            for name, (needed, folder) in list(self._folders.items()):
                if wanted.get(name) != needed:
                    folder.close()
                    del self._folders[name]
        self._workers.apply_config(config)

    def records(self, task: Task) -> Records | None:
        """Return the poller's records, None where it keeps none."""
        return self._records(task.poller) if task.source.needs_records else None

    def inbox(self, task: Task) -> Inbox | None:
        """Return the poller's inbox, None where it takes no files."""
        needed = task.source.inbox_needed(task.poller)
        return None if needed is None else self._folder(task, needed)

    def workers(self, task: Task) -> Workers | None:
        """Return the workers of the poller, None where it needs none."""
        needed = task.source.workers_needed()
        return None if needed is None else self._workers.of(task.poller, needed, self._config)

    def prunables(self, now: datetime) -> Iterator[Prunable]:
        """Yield everything with old rows or files at `now`: rows, and finished or quarantined files."""
        config = self._config
        before = now - timedelta(days=self.keep_days or LEDGER_DAYS)
        for name, poller in config.settings.pollers.items():
            if poller.needs_records:
                yield Prunable(name, "rows", partial(self._prune_rows, name, before))
        with self._lock:
            folders = list(self._folders.items())
        for name, (needed, folder) in folders:
            done_before = (now - timedelta(days=needed.done_keep_days)).astimezone(UTC).date()
            rejected_before = now - timedelta(days=needed.rejected_keep_days)
            prune = partial(_prune_files, folder, done_before=done_before, rejected_before=rejected_before)
            yield Prunable(name, "finished and rejected files", prune)

    def beat(self) -> Neighbours | None:
        """Note in the database that this daemon runs; return who else does. Raises `RecordsError`.

        None: no poller uses the database, or it has no tables yet, which a poller makes.
        """
        config, duties = self._config, duties_of(self._config)
        if self._host is None:
            if not duties or not self.has_tables():
                return None
            self._host = self._opened().hosts(name=socket.gethostname(), folder=str(config.state_dir))
        return self._host.beat(
            version=tallyd.__version__, config_digest=config.digest, duties=duties, now=self._now
        )

    def inbox_is_made_at_start(self, task: Task) -> bool:
        """Whether the inbox is not there and the start makes it. What is to be mounted is not made."""
        needed = task.source.inbox_needed(task.poller)
        if needed is None or needed.is_mount:
            return False
        try:
            (self._config.data_dir / needed.path).stat()
        except FileNotFoundError:
            return True
        except OSError:  # whether it is there, nobody can say
            return False
        return False

    def close(self) -> None:
        """End watches, give back locks, close connections; a further call does nothing."""
        self.reads.close()
        self._workers.close()
        with self._lock:
            for _, folder in self._folders.values():
                folder.close()
            self._folders.clear()
            if self._host is not None:
                with suppress(RecordsError):  # its row is deleted after a day without beats
                    self._host.leave()
            if self._database is not None:
                for poller, count in self._database.waiting().items():
                    log.warning("checks lost", extra={"poller": poller, "rows": count})
                self._database.close()

    def has_tables(self) -> bool:
        """Whether the database was ever used. Raises `RecordsError` where that can't be found out."""
        return self._opened().revision() is not None

    def _records(self, poller: str) -> Records:
        database = self._opened()
        with self._lock:
            # One for each poller: what waits while the database is away waits there.
            return self._bound.setdefault(poller, database.records(poller))

    def _opened(self) -> Database:
        from tallyd.adapters.records.database import Database  # noqa: PLC0415 # see above

        with self._lock:
            if self._database is None:
                here = place_of(socket.gethostname(), str(self._config.state_dir))
                self._database = Database(self._config.database_url, prepares=self._holds, here=here)
            return self._database

    def _prune_rows(self, poller: str, before: datetime, most: int) -> int:
        return self._records(poller).prune(before, most=most)

    def _folder(self, task: Task, needed: InboxNeeded) -> Folder:
        from tallyd.adapters.inbox import Folder  # noqa: PLC0415 # see above

        with self._lock:
            known = self._folders.get(task.poller)
            if known is not None and known[0] == needed:
                return known[1]
            if known is not None:
                known[1].close()
            folder = Folder(
                self._config.data_dir / needed.path,
                own_source=needed.source,
                pattern=needed.pattern,
                settle_s=needed.settle_s,
                is_mount=needed.is_mount,
                max_bytes=needed.max_bytes,
                now=self._now,
                monotonic=self._monotonic,
            )
            self._folders[task.poller] = (needed, folder)
        is_daemon = self._on_files is not None
        if self._holds and (is_daemon or holder(self._config.state_dir / "lock") is None):
            # What stands in the way is in each look, which tries it again.
            with suppress(InboxError):
                folder.take_lock()
        if self._on_files is not None:
            woken = [job.name for job in task.source.jobs() if job.wakes]
            folder.watch(partial(_call_each, self._on_files, task.poller, woken))
        return folder


def state_problems(config: Config) -> tuple[ConfigProblem, ...]:
    """Return the problem of a `state.url` whose driver is not installed."""
    if config.settings.state.url is None:
        return ()
    try:
        import psycopg  # noqa: F401, PLC0415 # an extra
    except ImportError:
        text = 'needs psycopg, which is not installed: pip install "tallyd[postgres]"'
        return (ConfigProblem("state.url", text),)
    return ()


def database_problems(config: Config) -> tuple[ConfigProblem, ...]:
    """Return what is wrong with a database that is needed, as far as its URL and this machine can say.

    Such as a driver that is not installed. It connects to nothing.
    """
    is_needed = any(poller.needs_records for poller in config.settings.pollers.values())
    if not is_needed or not config.settings.database.url.is_known:
        return ()
    from tallyd.adapters.records.engine.engines import PATIENCE_S, engine_of  # noqa: PLC0415 # see above

    try:
        engine_of(config.database_url, patience_s=PATIENCE_S)
    except RecordsError as error:
        return (ConfigProblem("database.url", error.text),)
    return ()


def make_inboxes(config: Config, *, but: Collection[Path] = ()) -> None:
    """Create the missing inboxes, and the folder of a SQLite database.

    It skips the inboxes in `but`, and mounts, which somebody else creates. A folder that cannot be created is
    a problem in the next look into it.
    """
    for task in tasks_of(config):
        needed = task.source.inbox_needed(task.poller)
        if needed is not None and not needed.is_mount and config.inboxes[task.poller] not in but:
            _make(config.inboxes[task.poller], INBOX_MODE)
        if task.source.needs_records and (records := sqlite_file(config.database_url)):
            _make(records.parent, 0o750)


def _make(folder: Path, mode: int) -> None:
    if folder.exists():
        return
    try:
        folder.mkdir(mode=mode, parents=True)
        os.chmod(folder, mode)  # noqa: PTH101 # the umask has taken from it; those who drop files are in the group
    except OSError as error:
        log.warning("cannot create folder", extra={"folder": str(folder), "reason": error.strerror})


def _call_each(on_files: Callable[[str, str], None], poller: str, jobs: Iterable[str]) -> None:
    for job in jobs:
        on_files(poller, job)


def _prune_files(folder: Folder, most: int, *, done_before: date, rejected_before: datetime) -> int:
    return folder.prune(done_before=done_before, rejected_before=rejected_before, most=most)

"""Restores a backup: writes what is missing on this machine, and overwrites nothing.

state.db comes last: if the restore dies, the next one continues.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from tallyd.adapters.archive import Archive
from tallyd.adapters.locks import FileLock, LockedError
from tallyd.adapters.outfiles import OutFiles
from tallyd.adapters.sqlite_copy import SUFFIXES
from tallyd.adapters.state import State, StateError
from tallyd.config.folders import STATE_FILE, sqlite_file
from tallyd.config.jobs import tasks_of
from tallyd.config.model import Config
from tallyd.core.errors import BackupError, InboxError, RecordsError
from tallyd.core.inbox_spec import InboxNeeded
from tallyd.core.language.messages import english
from tallyd.storage.backup import OUT, RECORDS, STATE
from tallyd.storage.out_writer import OutWriter
from tallyd.storage.projection import let_missing_be_written

_STAGED = ".restoring"


@dataclass
class Restored:
    """What was written, what was there already, and what went wrong without stopping the rest.

    `put_back`: how many files were moved back into the inbox of each poller, because the backup is older.
    """

    written: list[Path] = field(default_factory=list)
    kept: list[Path] = field(default_factory=list)
    out_files: int = 0
    put_back: dict[str, int] = field(default_factory=dict)
    troubles: list[str] = field(default_factory=list)


def restore_data(archive: Archive, config: Config) -> Restored:
    """Restore the databases and the out files of a backup that was checked. No daemon may run.

    Raises `BackupError`, OSError.
    """
    done = Restored()
    for folder in (config.state_dir, config.out_dir):
        folder.mkdir(parents=True, exist_ok=True)
    try:
        lock = FileLock(config.state_dir / "lock").take()
    except LockedError as error:
        why = english("tallyd runs (process {pid}); stop it first", pid=error.pid or "?")
        raise BackupError(why) from None
    with lock:
        records = sqlite_file(config.database_url)
        if records is not None and RECORDS in archive.manifest.files:
            _place(archive, RECORDS, records, _check_records, done)
        _restore_out(archive, config, done)
        _put_back_files(archive, config, done)
        if config.settings.state.url is None and STATE in archive.manifest.files:
            target = config.state_dir / STATE_FILE
            _place(archive, STATE, target, lambda staged: _prepare_state(staged, config, done), done)
    return done


def _place(
    archive: Archive, name: str, target: Path, prepare: Callable[[Path], None], done: Restored
) -> None:
    """Put a database in its place, once `prepare` has accepted it, unless there is one."""
    if target.exists():
        done.kept.append(target)
        return
    log = Path(f"{target}-wal")
    if log.exists() and log.stat().st_size:  # SQLite would apply it to the restored database
        raise BackupError(english("{file} is left of another database; move it away", file=log))
    _remove(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    staged = target.with_name(target.name + _STAGED)
    _remove(staged)
    try:
        archive.extract(name, staged)
        prepare(staged)
        os.sync()
        staged.rename(target)
    finally:
        _remove(staged)
    os.sync()
    done.written.append(target)


def _remove(database: Path) -> None:
    for suffix in SUFFIXES:
        Path(f"{database}{suffix}").unlink(missing_ok=True)


def _check_records(staged: Path) -> None:
    """Raise `BackupError` if a newer tallyd has made the tables."""
    from tallyd.adapters.records.database import Database  # noqa: PLC0415 # SQLAlchemy costs a second

    try:
        with closing(Database(f"sqlite:///{staged}")) as database:
            database.has_tables()
    except RecordsError as error:
        raise BackupError(error.text) from error


def _restore_out(archive: Archive, config: Config, done: Restored) -> None:
    """Write the out files of the backup that are missing here."""
    for name in archive.names(OUT):
        target = config.out_dir / name.removeprefix(f"{OUT}/")
        if not os.path.lexists(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            archive.extract(name, target, is_durable=False)
            done.out_files += 1


def _prepare_state(staged: Path, config: Config, done: Restored) -> None:
    """Check a state.db, and write every out file that it has and out/ lacks.

    The daemon would do so too, but it waits for the disk after each file.
    """
    try:
        with closing(State(staged)) as state:
            state.check()
            out = OutFiles(config.out_dir, is_durable=False)
            with state.together():
                let_missing_be_written(state, out, since=datetime.min.replace(tzinfo=UTC))
                waiting = state.out_files.unwritten()
                writer = OutWriter(state, out, now=lambda: datetime.now(UTC))
                failures = writer.write(waiting, tasks_of(config))
                if failures:
                    raise BackupError(next(iter(failures.values())))
    except StateError as error:
        raise BackupError(str(error)) from error
    done.out_files += len(waiting)


def _put_back_files(archive: Archive, config: Config, done: Restored) -> None:
    """Move files back into the inboxes that were ingested after the backup: the ledger does not know them."""
    if not config.settings.database.url.is_known:
        return
    for poller, source in config.settings.pollers.items():
        needed = source.inbox_needed(poller)
        if needed is not None and (config.data_dir / needed.path).is_dir():
            try:
                if count := _put_back(archive, config, poller, needed):
                    done.put_back[poller] = count
            except (InboxError, RecordsError) as error:
                done.troubles.append(f"{poller}: {error.text}")


def _put_back(archive: Archive, config: Config, poller: str, needed: InboxNeeded) -> int:
    from tallyd.adapters.inbox import Folder  # noqa: PLC0415 # as the next one
    from tallyd.adapters.records.database import Database  # noqa: PLC0415 # SQLAlchemy costs a second

    path = config.data_dir / needed.path
    folder = Folder(path, own_source=needed.source, pattern=needed.pattern, is_mount=needed.is_mount)
    with closing(folder), closing(Database(config.database_url)) as database:
        if not database.has_tables():
            return 0
        folder.take_lock()
        known = database.records(poller).known
        return folder.put_back_unknown(since=archive.manifest.made_at.astimezone(UTC).date(), known=known)

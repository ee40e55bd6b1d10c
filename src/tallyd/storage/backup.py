"""Makes a backup: what the daemon must remember so that another machine can go on where it stopped.

Each part may be newer than the one before it. That is harmless: a slot that the records know more about is
taken again or recorded as missed, and an out file that state.db lacks is read back at the start. In the other
order, a report would have counted files that the ledger does not know.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, Self

import tallyd
from tallyd.adapters.archive import FORMAT, Manifest, NewArchive
from tallyd.adapters.locks import FileLock, LockedError, holder
from tallyd.adapters.outfiles import OutFiles
from tallyd.adapters.sqlite_copy import copy_database
from tallyd.adapters.state import State, StateError
from tallyd.adapters.state.schema import WITHOUT_USERS
from tallyd.config.active_file import Active
from tallyd.config.folders import STATE_FILE, sqlite_file
from tallyd.config.model import Config
from tallyd.config.portable import Portable
from tallyd.core.errors import BackupError
from tallyd.core.language.messages import english
from tallyd.pollers.report import PREFIX

STATE, RECORDS, CONFIG = STATE_FILE, "records.db", "config.json"
BESIDE, OUT = "beside", "out"
"""The names of the members; the folders of files beside the config, and of out files."""
LOOKS: Final = 60
LOOK_EVERY_S: Final = 0.25
"""How often, and how long, to wait for a moment at which no message is on its way."""


@dataclass(frozen=True, kw_only=True)
class Origin:
    """What a backup is made of. `records` is None if they are on a server, as the state if `has_state_url`.

    `config` is None if the one on disk is not that of the daemon.
    """

    state_dir: Path
    out_dir: Path
    records: Path | None
    has_state_url: bool
    timezone: str
    config: Config | None

    @classmethod
    def of(cls, config: Config) -> Self:
        return cls(
            state_dir=config.state_dir,
            out_dir=config.out_dir,
            records=sqlite_file(config.database_url),
            has_state_url=config.state_url is not None,
            timezone=config.zone.key or "",
            config=config,
        )

    @classmethod
    def of_active(cls, active: Active) -> Self:
        return cls(
            state_dir=active.state_dir,
            out_dir=active.out_dir,
            records=active.records,
            has_state_url=active.state_url is not None,
            timezone=active.timezone,
            config=None,
        )


@dataclass(frozen=True, kw_only=True)
class Made:
    """What is special about a backup: databases on a server are not in it, and a message was on its way."""

    elsewhere: tuple[str, ...]
    is_notifying: bool


def make_backup(
    origin: Origin,
    archive: NewArchive,
    portable: Portable,
    *,
    is_private: bool,
    with_out: bool,
    now: Callable[[], datetime],
    sleep: Callable[[float], object] = time.sleep,
) -> Made:
    """Write everything into an archive while the daemon runs. Raises `BackupError`, OSError."""
    made_at, elsewhere, is_notifying = now(), [], False
    with _work_folder(origin.state_dir) as work:
        copy = work / "copy.db"
        if origin.has_state_url:
            elsewhere.append("state.url")
        elif (origin.state_dir / STATE_FILE).exists():
            changes = () if is_private else WITHOUT_USERS
            is_notifying = _copy_state(origin, copy, changes, now=now, sleep=sleep)
            archive.add(STATE, copy)
            copy.unlink()
        if origin.records is None:
            elsewhere.append("database.url")
        elif origin.records.exists():
            _copy_records(origin.records, copy, is_private=is_private)
            archive.add(RECORDS, copy)
    if with_out:
        for name, path in OutFiles(origin.out_dir).files():
            with suppress(FileNotFoundError):  # too old by now, and deleted
                archive.add(f"{OUT}/{name}", path)
    if portable.config:
        archive.add_content(CONFIG, portable.config)
    for name, content in portable.beside.items():
        archive.add_content(f"{BESIDE}/{name}", content)
    manifest = Manifest(
        format=FORMAT,
        tallyd=tallyd.__version__,
        made_at=made_at,
        timezone=origin.timezone,
        is_private=is_private,
        elsewhere=tuple(elsewhere),
        files=archive.files,
    )
    archive.finish(manifest)
    return Made(elsewhere=tuple(elsewhere), is_notifying=is_notifying)


def _copy_state(
    origin: Origin,
    copy: Path,
    changes: tuple[str, ...],
    *,
    now: Callable[[], datetime],
    sleep: Callable[[float], object],
) -> bool:
    """Copy state.db at a moment at which no message is on its way; return whether there was none in time.

    A message is noted once it is delivered. A daemon with a copy from in between would send it again.
    """
    path, is_running = origin.state_dir / STATE_FILE, holder(origin.state_dir / "lock") is not None
    if is_running and (config := origin.config):  # without a config, nobody can tell
        for _ in range(LOOKS):
            if not _is_notifying(config, path, now()):
                copy_database(path, copy, changes)
                if not _is_notifying(config, copy, now()):
                    return False
                copy.unlink()
            sleep(LOOK_EVERY_S)
    copy_database(path, copy, changes)
    return is_running


def _is_notifying(config: Config, path: Path, now: datetime) -> bool:
    """Whether a channel is to get a notice or a report now.

    What goes to an upstream does not count: it may go there twice.
    """
    try:
        with closing(State(path, reads_only=True)) as state:
            snapshot = config.snapshot(
                alerts=state.alerts.all(),
                notified=state.notifications.notified(),
                mutes=state.notifications.mutes(),
                now=now,
            )
            reports = [name for name in state.outbox.pollers() if name.startswith(PREFIX)]
            if any(map(state.outbox.waiting, reports)):
                return True
    except StateError as error:
        raise BackupError(str(error)) from error
    return any(snapshot.notices(name) or snapshot.mute_notices(name) for name in snapshot.channels)


def _copy_records(path: Path, copy: Path, *, is_private: bool) -> None:
    # Imported here: SQLAlchemy costs a second on a small machine.
    from tallyd.adapters.records.tables import WITHOUT_HOSTS, WITHOUT_USERS  # noqa: PLC0415 # see above

    copy_database(path, copy, (*WITHOUT_HOSTS, *(() if is_private else WITHOUT_USERS)))


@contextmanager
def _work_folder(state_dir: Path) -> Iterator[Path]:
    """A folder for copies that only we may read. What a killed backup left there is deleted."""
    folder = state_dir / ".backup"
    lock = FileLock(state_dir / "locks" / "backup.lock")
    lock.path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    try:
        lock.take()
    except LockedError:
        raise BackupError(english("another backup is being made now")) from None
    with lock:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

"""`tallyd restore`: writes what a backup has and this machine lacks."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from tallyd.adapters.archive import Archive
from tallyd.adapters.host_zone import read_host_zone
from tallyd.adapters.outfiles import replace_file
from tallyd.cli.actions.backup import STREAM
from tallyd.cli.process.equipment import UMASK
from tallyd.cli.shared import load_config, utc_now, wrong_usage
from tallyd.config.model import Config
from tallyd.config.portable import moved, read_without_secrets
from tallyd.core.errors import EXIT_OK, EXIT_PROBLEM, BackupError, ConfigError
from tallyd.core.language.formats import clock
from tallyd.core.language.languages import language_of_locale, reading_in
from tallyd.core.language.messages import english, tr, translated
from tallyd.presentation.invocation import filled
from tallyd.presentation.terminal import complain, say
from tallyd.storage.backup import BESIDE, CONFIG
from tallyd.storage.restore import Restored, restore_data

_BESIDE_MODE, _FOLDER_MODE = 0o600, 0o700


def restore(path: Path, file: str, *, into: Path | None = None) -> int:
    """Restore a backup for the config at `path`; return the exit status. Raises `ConfigError`.

    A config that is there stays, and says where everything goes. With `into`, the config and what is beside
    it are written there: the installer moves them to their places.
    """
    path = path.absolute()
    os.umask(UMASK)
    with reading_in(language_of_locale(os.environ)):
        try:
            with _opened(file) as source:
                archive = Archive(source, file)
                archive.check()
                return _restore(archive, path, into or path.parent)
        except BackupError as error:
            complain(f"tallyd: {translated(error.text)}")
            return EXIT_PROBLEM


def _restore(archive: Archive, path: Path, folder: Path) -> int:
    manifest, zone_here = archive.manifest, read_host_zone().zone
    files: list[Path] = []
    if os.path.lexists(path):
        text, is_new = path.read_bytes(), False
    elif CONFIG not in manifest.files:
        raise BackupError(english("{file} has no config; write {path} first", file=archive.place, path=path))
    else:
        text = moved(archive.read(CONFIG), path, zone=manifest.timezone, zone_here=zone_here)
        is_new = True
        files += _write_beside(archive, folder)
    config = read_without_secrets(text, path, folder)
    with reading_in(config.settings.language):
        if manifest.timezone and config.zone.key != manifest.timezone:
            why = english(
                "the slots of the backup are in time zone {zone}; set `timezone` in the config to it",
                zone=manifest.timezone,
            )
            raise BackupError(why)
        restored = restore_data(archive, config)
        if is_new:
            replace_file(folder / path.name, text)
            files.append(folder / path.name)
        shown = [path.parent / file.relative_to(folder) for file in files]
        _say(manifest.made_at, config, restored, shown, is_new=is_new)
        if folder == path.parent:
            _say_what_is_missing(path)
    has_changed = files or restored.written or restored.out_files or restored.put_back
    return EXIT_OK if has_changed else EXIT_PROBLEM


@contextmanager
def _opened(file: str) -> Iterator[BinaryIO]:
    with sys.stdin.buffer if file == STREAM else Path(file).open("rb") as source:
        if not stat.S_ISREG(os.fstat(source.fileno()).st_mode):
            wrong_usage("restore reads a file, not a pipe: restore FILE, or restore - < FILE")
        yield source


def _write_beside(archive: Archive, folder: Path) -> list[Path]:
    """Write the files that the config names, and that are not there; return them."""
    written = []
    for name in archive.names(BESIDE):
        target = folder / name.removeprefix(f"{BESIDE}/")
        if not os.path.lexists(target):
            target.parent.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
            archive.extract(name, target, mode=_BESIDE_MODE)
            written.append(target)
    return written


def _say(made_at: datetime, config: Config, restored: Restored, files: list[Path], *, is_new: bool) -> None:
    say(tr("Backup of {time}.", time=clock(made_at, config.zone, now=utc_now())))
    for written in (*files, *restored.written):
        say(tr("Written: {file}", file=written), style="fine")
    if restored.out_files:
        text = tr(
            "Written: {count:# out file|# out files} in {folder}",
            count=restored.out_files,
            folder=config.out_dir,
        )
        say(text, style="fine")
    for kept in (*(() if is_new else (config.path,)), *restored.kept):
        say(tr("Already there, so not changed: {file}", file=kept))
    if restored.kept:
        text = tr(
            "To replace a database: stop tallyd, move {folder} away, and restore again.",
            folder=config.state_dir,
        )
        say(text, style="quiet")
    for poller, count in restored.put_back.items():
        text = tr(
            "{poller}: {files:# file|# files} ingested after the backup moved back to the inbox; "
            "tallyd counts each of them once",
            poller=poller,
            files=count,
        )
        say(text)
    for trouble in restored.troubles:
        complain(translated(trouble))
    text = tr(
        "What was counted after the backup is not in it. At its start, tallyd takes the newest slot if it is "
        "not too late, and records the others since the backup as missed."
    )
    say(text, style="quiet")


def _say_what_is_missing(path: Path) -> None:
    """Say what the config lacks on this machine: mostly secrets."""
    try:
        load_config(path, lenient=True)
    except ConfigError as error:
        complain(tr("The config needs this on this machine:"))
        for line in error.lines():
            complain(filled(line))
    else:
        say(filled(tr("Check it, then start tallyd: {tallyd} check --online")))

"""`tallyd backup`: writes everything that another machine needs into one file, while the daemon runs."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from tallyd.adapters.archive import NewArchive, new_file
from tallyd.cli.process.equipment import UMASK
from tallyd.cli.shared import Place, find_state, has_not_run, utc_now, wrong_usage
from tallyd.config.active_file import read_active
from tallyd.config.portable import Portable, whole, without_secrets
from tallyd.core.errors import EXIT_OK, EXIT_PROBLEM, BackupError
from tallyd.core.language.formats import size_text
from tallyd.core.language.languages import reading_in
from tallyd.core.language.messages import tr, translated
from tallyd.core.texts import listed
from tallyd.presentation.terminal import complain
from tallyd.storage.backup import BESIDE, OUT, Made, Origin, make_backup

STREAM: Final = "-"
"""As a file: stdout, or stdin."""


def backup(path: Path, file: str, *, is_private: bool, with_out: bool) -> int:
    """Make a backup; return the exit status. Raises `ConfigError`."""
    place = find_state(path)
    if file == STREAM and sys.stdout.isatty():
        wrong_usage("a backup is no text; redirect it: backup - > FILE")
    os.umask(UMASK)
    with reading_in(place.language):
        if place.config and not place.folder.exists():
            complain(f"tallyd: {has_not_run(place.config)}")
            return EXIT_PROBLEM
        try:
            origin, portable = _chosen(place, path, is_private=is_private)
            with _opened(file) as target, closing(NewArchive(target)) as archive:
                made = make_backup(
                    origin, archive, portable, is_private=is_private, with_out=with_out, now=utc_now
                )
        except BackupError as error:
            complain(f"tallyd: {translated(error.text)}")
            return EXIT_PROBLEM
        _say(file, archive, portable, made, is_private=is_private)
        if place.trouble:
            complain(f"tallyd: {translated(place.trouble)}")
    return EXIT_PROBLEM if place.trouble else EXIT_OK


def _chosen(place: Place, path: Path, *, is_private: bool) -> tuple[Origin, Portable]:
    """Return what to back up: without the config if the daemon has another one. Raises `BackupError`."""
    if place.config is not None:
        choose = whole if is_private else without_secrets
        return Origin.of(place.config), choose(place.config, os.environ)
    active = read_active(path)
    if active is None:  # the state has gone meanwhile
        raise BackupError(place.trouble or "")
    return Origin.of_active(active), Portable(b"", {}, (path,))


@contextmanager
def _opened(file: str) -> Iterator[BinaryIO]:
    if file == STREAM:
        yield sys.stdout.buffer
        return
    with new_file(Path(file).absolute()) as target:
        yield target


def _say(file: str, archive: NewArchive, portable: Portable, made: Made, *, is_private: bool) -> None:
    """Say on stderr what is in the backup, and what is not."""
    out_files = sum(name.startswith(f"{OUT}/") for name in archive.files)
    parts = [name.removeprefix(f"{BESIDE}/") for name in archive.files if not name.startswith(f"{OUT}/")]
    if out_files:
        parts.append(tr("{count:# out file|# out files}", count=out_files))
    if file != STREAM:
        written = tr("Backup written: {file} ({size})", file=file, size=size_text(Path(file).stat().st_size))
        complain(written, style="fine")
    complain(tr("In it: {parts}.", parts=listed(parts)), style=None)
    if is_private:
        text = tr("It has secrets and user names: keep it where only you can read it.")
    else:
        text = tr("It has no secrets and no user names; --private adds them.")
    complain(text, style="quiet")
    if portable.left_out:
        left_out = listed([str(path) for path in portable.left_out])
        complain(tr("Not in it: {files}. Keep copies of your own.", files=left_out), style=None)
    for key in made.elsewhere:
        text = tr(
            "Not in it: {key}, which is on a server. Back it up now, with its own tools (docs/backup.md).",
            key=key,
        )
        complain(text, style=None)
    if made.is_notifying:
        text = tr("If a message is on its way, or a channel accepts none, it is sent again after a restore.")
        complain(text, style=None)

"""The newest of the files that match a pattern."""

from __future__ import annotations

import glob
import os
import stat
from datetime import UTC, datetime

from tallyd.core.errors import SourceError


def newest_of(pattern: str) -> datetime | None:
    """Return when the newest file was last changed; None if no file matches.

    Links are followed. Folders, and files that vanish meanwhile, do not count. Raises `SourceError` if the
    folder before the first sign of the pattern cannot be read.
    """
    folder = fixed_folder(pattern)
    try:
        os.scandir(folder).close()
    except OSError as error:
        raise SourceError(f"{folder}: {(error.strerror or '').lower()}", transient=True) from None
    newest_ns = None
    for path in glob.iglob(pattern, recursive=True):  # noqa: PTH207 # a Path per file costs as much again
        try:
            found = os.stat(path)  # noqa: PTH116 # asked for each file
        except OSError:
            continue
        if stat.S_ISREG(found.st_mode):
            newest_ns = max(found.st_mtime_ns, newest_ns or found.st_mtime_ns)
    try:
        return None if newest_ns is None else datetime.fromtimestamp(newest_ns / 1e9, UTC)
    except (ValueError, OverflowError):
        raise SourceError(f"{folder}: a file has a time of no year that there is", transient=True) from None


def fixed_folder(pattern: str) -> str:
    """Return the folder before the first sign of a pattern."""
    folder = os.path.dirname(pattern)  # noqa: PTH120 # a pattern is no path
    while glob.has_magic(folder):
        folder = os.path.dirname(folder)  # noqa: PTH120 # see above
    return folder

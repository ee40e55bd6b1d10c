"""The newest of the files that match a pattern."""

from __future__ import annotations

import errno
import glob
import os
import stat
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Final, TypeAlias

from tallyd.core.errors import SourceError
from tallyd.core.language.messages import english
from tallyd.core.system_words import reason_of

Rest: TypeAlias = tuple[str, ...]
"""What is left of a pattern below some folder: a part for each name."""

_ANY_FOLDERS: Final = "**"
_GONE: Final = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})
_UNUSED: Final = "lost+found"
"""At the top of a file system, readable for root alone. `**` leaves it out."""


def newest_of(pattern: str, *, deadline_s: float) -> tuple[datetime | None, str]:
    """Return when the newest file was last changed, or None and the reason why there is none.

    Links are followed, but not to folders for `**`: they may lead in circles. Folders, and files that vanish
    meanwhile, do not count. Raises `SourceError` if a folder on the way cannot be read: the newest file may
    be in it. Raises `TimeoutError` after `deadline_s` of the monotonic clock.
    """
    folder = fixed_folder(pattern)
    newest_ns, other = None, None
    try:
        os.scandir(folder).close()
        for found in _matches(folder, _parts(pattern.removeprefix(folder)), deadline_s):
            if stat.S_ISREG(found.st_mode):
                newest_ns = max(found.st_mtime_ns, newest_ns or found.st_mtime_ns)
            else:
                other = found
    except OSError as error:
        if isinstance(error, TimeoutError) and error.errno is None:
            raise
        text = english("{place}: {why}", place=error.filename, why=reason_of(error))
        raise SourceError(text, transient=True) from None
    if newest_ns is None:
        return None, _why_none(pattern, other)
    try:
        return datetime.fromtimestamp(newest_ns / 1e9, UTC), ""
    except (ValueError, OverflowError):
        text = english("{folder}: a file has a time of no year that there is", folder=folder)
        raise SourceError(text, transient=True) from None


def fixed_folder(pattern: str) -> str:
    """Return the folder before the first sign of a pattern."""
    folder = os.path.dirname(pattern)  # noqa: PTH120 # a pattern is no path
    while glob.has_magic(folder):
        folder = os.path.dirname(folder)  # noqa: PTH120 # see above
    return folder


def _parts(pattern: str) -> Rest:
    """Return the parts of a pattern. `**` at its end means all files below; twice in a row it is once."""
    parts = [part for part in pattern.split("/") if part] or ["."]
    if parts[-1] == _ANY_FOLDERS:
        parts.append("*")
    pairs = zip(["", *parts], parts, strict=False)
    return tuple(part for before, part in pairs if not part == before == _ANY_FOLDERS)


def _matches(folder: str, parts: Rest, deadline_s: float) -> Iterator[os.stat_result]:
    """Yield what matches. Each folder is read once, however many `**` lead to it."""
    folders = [(folder, frozenset({parts}))]
    while folders:
        folder, rests = folders.pop()
        for name, below in _names(folder, rests):
            if time.monotonic() > deadline_s:
                raise TimeoutError
            if not below:
                continue
            path = os.path.join(folder, name)  # noqa: PTH118 # a Path per file costs as much again
            try:
                found = os.stat(path)  # noqa: PTH116 # see above
            except OSError as error:
                if error.errno in _GONE:
                    continue
                raise
            if () in below:
                yield found
            if stat.S_ISDIR(found.st_mode) and (deeper := below - {()}):
                folders.append((path, deeper))


def _names(folder: str, rests: frozenset[Rest]) -> Iterator[tuple[str, frozenset[Rest]]]:
    """Yield each name in a folder, and what is left of the pattern below it. Nothing: the name is in no way.

    A folder where the next names are known is not listed: that may be forbidden.
    """
    deep = frozenset(rest for rest in rests if rest[0] == _ANY_FOLDERS)
    flat = {rest[1:] for rest in deep} | (rests - deep)
    if not any(glob.has_magic(rest[0]) for rest in rests):
        for rest in rests:
            yield rest[0], frozenset({rest[1:]})
        return
    try:
        entries = os.scandir(folder)
    except OSError as error:
        if error.errno in _GONE:
            return
        raise
    with entries:
        for entry in entries:
            below = frozenset(rest[1:] for rest in flat if _fits(entry.name, rest[0]))
            if (
                deep
                and _fits(entry.name, "*")
                and entry.name != _UNUSED
                and entry.is_dir(follow_symlinks=False)
            ):
                below |= deep
            yield entry.name, below


def _fits(name: str, part: str) -> bool:
    """Whether a name matches a part. One that begins with a dot matches only a part that does, too."""
    return name.startswith(".") <= part.startswith(".") and fnmatchcase(name, part)


def _why_none(pattern: str, other: os.stat_result | None) -> str:
    if other is None or glob.has_magic(pattern):
        return english("{pattern} matches no file", pattern=pattern)
    if stat.S_ISDIR(other.st_mode):
        files = f"{pattern.rstrip('/')}/*"
        return english("{pattern} is a folder; write {files}", pattern=pattern, files=files)
    return english("{pattern} is not a regular file", pattern=pattern)

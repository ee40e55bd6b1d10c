"""Notices that the config file, or a file that it names, has changed and then stayed unchanged."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

SETTLE_S = 2.0

Stat: TypeAlias = "tuple[int, int, int] | None"
_UNSEEN: Stat = (-1, -1, -1)


class ConfigWatch:
    """Compares the `stat` of some files. Reads nothing.

    The start counts as a change: the files were read before the watch began, and an edit in between must not
    be missed.
    """

    def __init__(self, files: tuple[Path, ...], *, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._taken = dict.fromkeys(files, _UNSEEN)
        self._seen = _look(files)
        self._seen_s = monotonic()

    def follow(self, files: tuple[Path, ...]) -> None:
        """Watch these files from now on.

        A file that was watched before keeps its old `stat`: if it changed while it was being read, that still
        counts as a change.
        """
        self._taken = {path: self._taken.get(path, stat) for path, stat in _look(files).items()}
        self._seen = self._taken

    def has_changed(self) -> bool:
        """Whether the files differ and have not changed for SETTLE_S. It is true once for each change."""
        found = _look(tuple(self._taken))
        if found != self._seen:
            self._seen, self._seen_s = found, self._monotonic()
        if found == self._taken or self._monotonic() - self._seen_s < SETTLE_S:
            return False
        self._taken = found
        return True


def _look(files: tuple[Path, ...]) -> dict[Path, Stat]:
    return {path: _stat(path) for path in files}


def _stat(path: Path) -> Stat:
    try:
        found = path.stat()
    except OSError:
        return None
    return (found.st_ino, found.st_size, found.st_mtime_ns)

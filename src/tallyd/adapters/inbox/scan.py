"""One scan of the inbox and its sub-folders. It finds all files; events of the kernel only wake it."""

from __future__ import annotations

import errno
import os

from tallyd.adapters.inbox.errors import why
from tallyd.adapters.inbox.filenames import Pattern, is_ignored, shown, source_of
from tallyd.adapters.inbox.folders import enter
from tallyd.adapters.inbox.rename import identity
from tallyd.adapters.inbox.tracking import MOST_TROUBLES, Settling, Troubles
from tallyd.contract.inbox import Identity, Waiting
from tallyd.core.language.messages import english, mark

MOST_DEEP = 32
_OTHER_MOUNT = mark(
    "another disk or share is mounted here, and files can't be moved from it into .tallyd; "
    "mount it elsewhere and configure it as its own inbox"
)
# It is gone, or was replaced by something that is not a folder.
_NOT_THERE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ESTALE)


class Scan:
    """What is in the inbox now. It keeps the oldest `most` files; `more` counts the others.

    `folders` are the folders of the sources by name, with device and inode. `arrived` is the time of the
    newest file of each source (seconds since 1970). `is_blind`: the inbox itself could not be listed.
    """

    def __init__(
        self, pattern: Pattern, own_source: str, settling: Settling, troubles: Troubles, *, most: int
    ) -> None:
        self._pattern = pattern
        self._own_source = own_source
        self._settling = settling
        self._troubles = troubles
        self._most = most
        self._found: list[tuple[int, str, str, Identity]] = []
        self.arrived: dict[str, float] = {}
        self.folders: dict[str, tuple[int, int]] = {}
        self.more = 0
        self.unsettled = 0
        self.is_blind = False
        self.untakable: dict[str, str] = {}

    def through(self, inbox: int) -> None:
        """Scan an open inbox."""
        self._device = os.fstat(inbox).st_dev
        self._troubles.begin()
        self._folder(inbox, (), None)
        self._troubles.end()

    def waiting(self) -> tuple[Waiting, ...]:
        """Return the files that are ready, oldest first."""
        self._cut()
        return tuple(Waiting(source, shown(path), path, found) for _, path, source, found in self._found)

    def _folder(self, folder: int, above: tuple[str, ...], source: str | None) -> None:
        """Scan one open folder. `source` is None for the inbox itself."""
        folders = []
        prefix = "".join(f"{name}/" for name in above)
        wants, file_source = self._pattern.match, source or self._own_source
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    # The kernel returns the kind with the name, so this needs no further call.
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.name)
                    elif wants(entry.name):
                        self._file(entry, prefix + entry.name, file_source)
        except OSError as error:
            self.is_blind |= not prefix
            self._note_error(prefix, error)
        for name in folders:
            if not is_ignored(name):
                self._sub_folder(folder, (*above, name), source or source_of(name))

    def _file(self, entry: os.DirEntry[str], path: str, source: str) -> None:
        try:
            if not entry.is_file(follow_symlinks=False):
                return
            stat = entry.stat(follow_symlinks=False)
        except OSError as error:
            self._note_error(path, error)
            return
        settled, arrived_at = self._settling.check(path, stat)
        if arrived_at > self.arrived.get(source, float("-inf")):
            self.arrived[source] = arrived_at
        reason, may_try = self._troubles.of(path, stat) if self._troubles else (None, True)
        if reason:
            self._note(path, reason)
        if not settled:
            self.unsettled += 1
        elif may_try:
            self._found.append((stat.st_mtime_ns, path, source, identity(stat)))
            if len(self._found) >= 2 * self._most:
                self._cut()

    def _sub_folder(self, parent: int, path: tuple[str, ...], source: str) -> None:
        if len(path) > MOST_DEEP:
            reason = english("more than {most} folders deep; move it up", most=MOST_DEEP)
            self._note("/".join(path) + "/", reason)
            return
        try:
            descriptor = enter(parent, path[-1])
        except OSError as error:
            self._note_error("/".join(path) + "/", error)
            return
        try:
            found = os.fstat(descriptor)
            if found.st_dev == self._device:
                if len(path) == 1:
                    self.folders[path[0]] = (found.st_dev, found.st_ino)
                self._folder(descriptor, path, source)
            else:
                self._note("/".join(path) + "/", _OTHER_MOUNT)
        finally:
            os.close(descriptor)

    def _note_error(self, path: str, error: OSError) -> None:
        if error.errno not in _NOT_THERE or not path:
            self._note(path or ".", why(error))

    def _note(self, path: str, reason: str) -> None:
        if len(self.untakable) < MOST_TROUBLES:
            self.untakable[shown(path)] = reason

    def _cut(self) -> None:
        self._found.sort()
        self.more += max(0, len(self._found) - self._most)
        del self._found[self._most :]

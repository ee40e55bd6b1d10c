"""What a disk would hold after a power cut: of each file and folder only what an fsync has promised.

Two disks, since file systems differ in what they do with the rest. `strict` keeps nothing that was not
asked for: content as of the file's last fsync, a folder's names as of its own. `names` has every name at
once, while content waits for its fsync: what leaves empty files behind after a careless rename.
"""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

Names = dict[str, int]


class Durable:
    """The tree below `root`, watched fsync by fsync. What is there at the beginning is taken as durable."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._content: dict[int, bytes] = {}
        self._names: dict[int, Names] = {}
        for folder, _folders, files in os.walk(root):
            self.synced(Path(folder))
            for name in files:
                self.synced(Path(folder, name))

    def synced(self, path: Path) -> None:
        """Note that an fsync of this open file or folder is done (`path` may be `/proc/PID/fd/N`)."""
        found = path.stat()
        if stat.S_ISDIR(found.st_mode):
            self._names[found.st_ino] = _names(path)
        elif stat.S_ISREG(found.st_mode):
            self._content[found.st_ino] = path.read_bytes()

    def cut(self, into: Path) -> None:
        """Lay out both disks, as `into/strict` and `into/names`."""
        kinds = {
            (Path(folder) / name).lstat().st_ino: (Path(folder) / name).is_dir()
            for folder, folders, files in os.walk(self.root)
            for name in (*folders, *files)
        }
        root = self.root.stat().st_ino
        self._lay(into / "strict", root, self._names, kinds)
        now = {
            path.stat().st_ino: _names(path) for path in (self.root, *self.root.rglob("*")) if path.is_dir()
        }
        self._lay(into / "names", root, now, kinds)

    def _lay(self, path: Path, inode: int, names: dict[int, Names], is_folder: dict[int, bool]) -> None:
        path.mkdir(parents=True)
        for name, child in names.get(inode, {}).items():
            if is_folder.get(child, child in self._names):
                self._lay(path / name, child, names, is_folder)
            else:
                # Never synced: the name may be there, the content is not.
                (path / name).write_bytes(self._content.get(child, b""))


def _names(folder: Path) -> Names:
    return {entry.name: entry.inode() for entry in os.scandir(folder)}


def put_back(disk: Path, root: Path) -> None:
    """Make the tree below `root` what the disk holds."""
    shutil.rmtree(root)
    shutil.copytree(disk, root)

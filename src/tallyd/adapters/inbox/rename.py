"""Renames without overwriting anything, and moves only the file that is meant."""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Callable
from contextlib import suppress
from typing import TypeAlias

from tallyd.adapters.inbox.filenames import free_names
from tallyd.contract.inbox import Identity

Wanted: TypeAlias = "Callable[[os.stat_result], bool]"

_NOREPLACE = 1
_LACKING = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP)


class ChangedError(Exception):
    """The file is another one, or has changed. It is still where it was."""


def identity(stat: os.stat_result) -> Identity:
    """Return the identity of a file and its content."""
    return (stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns)


def rename_new(old: str, new: str, *, old_folder: int, new_folder: int) -> None:
    """Rename between two open folders. Raises FileExistsError if the new name exists, and OSError."""
    if _renameat2 is not None:
        arguments = (old_folder, os.fsencode(old), new_folder, os.fsencode(new), _NOREPLACE)
        if _renameat2(*arguments) == 0:
            return
        code = ctypes.get_errno()
        if code not in _LACKING:
            raise OSError(code, os.strerror(code), old)
    rename_reserved(old, new, old_folder=old_folder, new_folder=new_folder)


def rename_reserved(old: str, new: str, *, old_folder: int, new_folder: int) -> None:
    """Like `rename_new`, for file systems without renameat2 (some FUSE and network shares).

    An empty file reserves the name and is then replaced. Linking the new name and unlinking the old one could
    delete another file that replaced the old one in between.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    os.close(os.open(new, flags, 0o600, dir_fd=new_folder))
    try:
        os.rename(old, new, src_dir_fd=old_folder, dst_dir_fd=new_folder)
    except OSError:
        with suppress(OSError):
            os.unlink(new, dir_fd=new_folder)
        raise


def take(name: str, new: str, *, folder: int, new_folder: int, wanted: Wanted) -> None:
    """Move one file under a new name. Raises `ChangedError`, FileExistsError, FileNotFoundError, OSError.

    It checks the file before and after: if another file replaced it in between, that one is moved back.
    """
    if not wanted(os.stat(name, dir_fd=folder, follow_symlinks=False)):
        raise ChangedError
    rename_new(name, new, old_folder=folder, new_folder=new_folder)
    if not wanted(os.stat(new, dir_fd=new_folder, follow_symlinks=False)):
        put_back(new, name, folder=new_folder, new_folder=folder)
        raise ChangedError


def put_back(name: str, new: str, *, folder: int, new_folder: int) -> str:
    """Move one file under a name, or a similar one if it exists; return the name. Raises OSError."""
    for free in free_names(new):
        with suppress(FileExistsError):
            rename_new(name, free, old_folder=folder, new_folder=new_folder)
            return free
    raise FileExistsError(errno.EEXIST, "no free name found", new)


def _find_renameat2() -> Callable[..., int] | None:
    # Python does not offer renameat2, and C libraries from before 2018 do not have it.
    found: Callable[..., int] | None = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    return found


_renameat2 = _find_renameat2()

"""Opens folders by descriptor: the inbox, its sub-folders, and `.tallyd`, which must belong to tallyd.

Everybody who may write to an inbox may put symbolic links into it at any time. Therefore everything below the
inbox is opened name by name, never by a longer path.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Literal

from tallyd.adapters.inbox.errors import why
from tallyd.core.errors import InboxError
from tallyd.core.language.messages import english
from tallyd.core.texts import visible

OWN = ".tallyd"
MOST_HELD = 32
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_NO_FOLDER = (errno.ELOOP, errno.ENOTDIR)
# The folder is missing, or the server of a share is down.
_GONE = (errno.ENOENT, errno.ENOTDIR, errno.ESTALE, errno.ENOTCONN, errno.EHOSTDOWN, errno.ENODEV)


class AwayError(InboxError):
    """The inbox is missing, or not mounted."""

    def __init__(self, text: str, state: Literal["gone", "unmounted"]) -> None:
        super().__init__(text)
        self.state = state


class OpenInbox:
    """An inbox and its folders. Each is opened once and stays open until `close`, few at a time.

    So what `folder_of` returns is valid until its next call, and the same holds for `own`. `is_mount`: a file
    system must be mounted on the inbox. An inbox is never created. Raises `AwayError`, `InboxError`.
    """

    def __init__(self, path: Path, *, is_mount: bool) -> None:
        self.shown = visible(str(path))
        self._folders: dict[str, int] = {}
        self._own: dict[str, int] = {}
        try:
            self.descriptor = os.open(path, _FOLDER)
        except OSError as error:
            if error.errno in _GONE:
                text = english("{folder} is not there: {why}", folder=self.shown, why=why(error))
                raise AwayError(text, "gone") from error
            raise _failed(self.shown, error) from error
        if is_mount and not _is_mounted(self.descriptor):
            os.close(self.descriptor)
            text = english("nothing is mounted on {folder}", folder=self.shown)
            raise AwayError(text, "unmounted")

    def __enter__(self) -> OpenInbox:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def close(self) -> None:
        _close_all(self._folders)
        _close_all(self._own)
        os.close(self.descriptor)

    def folder_of(self, path: str) -> tuple[int, str]:
        """Return the open folder of a file in the inbox, and the file's name. Raises OSError."""
        folder, _, name = path.rpartition("/")
        if not folder:
            return self.descriptor, name
        descriptor = self._folders.get(folder)
        if descriptor is None:
            descriptor = self._enter(folder.split("/"), lambda parent, each, _shown: enter(parent, each))
            _keep(self._folders, folder, descriptor)
        return descriptor, name

    def own(self, *names: str, make: bool) -> int:
        """Return `.tallyd` or a folder below it. With `make`, create missing ones with mode 0700.

        Raises `InboxError` if one of them is a link, not a folder, or not ours. Raises FileNotFoundError if
        one is missing without `make`, OSError.
        """
        path = "/".join(names)
        descriptor = self._own.get(path)
        if descriptor is None:
            descriptor = self._enter((OWN, *names), partial(_enter_own, make=make))
            _keep(self._own, path, descriptor)
        return descriptor

    def _enter(self, names: Iterable[str], step: Callable[[int, str, str], int]) -> int:
        descriptor, shown = self.descriptor, self.shown
        for name in names:
            parent, shown = descriptor, f"{shown}/{visible(name)}"
            try:
                descriptor = step(parent, name, shown)
            finally:
                if parent != self.descriptor:
                    os.close(parent)
        return descriptor


def _keep(held: dict[str, int], path: str, descriptor: int) -> None:
    if len(held) >= MOST_HELD:
        _close_all(held)
    held[path] = descriptor


def _close_all(held: dict[str, int]) -> None:
    while held:
        os.close(held.popitem()[1])


def names_in(folder: int) -> list[str]:
    """Return the names in an open folder. Raises OSError."""
    with os.scandir(folder) as entries:
        return [entry.name for entry in entries]


def enter(parent: int, name: str) -> int:
    """Open a folder in a folder. Raises OSError, also for a symbolic link."""
    return os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=parent)


def _enter_own(parent: int, name: str, shown: str, *, make: bool) -> int:
    if make:
        try:
            return _ours(enter(parent, name), shown)
        except FileNotFoundError:
            with suppress(FileExistsError):
                os.mkdir(name, 0o700, dir_fd=parent)
        except OSError as error:
            raise _refused(error, shown) from error
    try:
        return _ours(enter(parent, name), shown)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise _refused(error, shown) from error


def _ours(descriptor: int, shown: str) -> int:
    found = os.fstat(descriptor)
    if found.st_uid == os.geteuid():
        if stat.S_IMODE(found.st_mode) & 0o022:
            with suppress(OSError):  # some shares have one mode for everything
                os.fchmod(descriptor, stat.S_IMODE(found.st_mode) & ~0o022)
        return descriptor
    os.close(descriptor)
    text = english(
        "{folder} belongs to user {user_id}, not to the user of tallyd ({own_id}), "
        "who could read or replace files there. Remove it, or change its owner.",
        folder=shown,
        user_id=found.st_uid,
        own_id=os.geteuid(),
    )
    raise InboxError(text)


def _refused(error: OSError, shown: str) -> InboxError:
    if error.errno in _NO_FOLDER:
        text = english(
            "{folder} is a symbolic link or a file, but tallyd needs a folder there. Remove it.", folder=shown
        )
        return InboxError(text)
    return _failed(shown, error)


def _failed(shown: str, error: OSError) -> InboxError:
    return InboxError(english("{place}: {why}", place=shown, why=why(error)))


def _is_mounted(descriptor: int) -> bool:
    # A bind mount of the same file system does not count: the service's sandbox makes one for every writable
    # folder.
    return os.fstat(descriptor).st_dev != os.stat("..", dir_fd=descriptor).st_dev

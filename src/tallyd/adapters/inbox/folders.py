"""Opens folders by descriptor: the inbox, its sub-folders, and `.tallyd`, which must belong to tallyd.

Everybody who may write to an inbox may put symbolic links into it at any time. Therefore everything below the
inbox is opened name by name, never by a longer path.
"""

from __future__ import annotations

import errno
import os
import stat
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Literal

from tallyd.adapters.inbox.errors import why
from tallyd.core.errors import InboxError
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


class _ThreadFolders(threading.local):
    """The folders that one thread holds open.

    A sweep and the retention run in parallel on different threads.
    """

    held: dict[tuple[str, ...], int] | None = None


class InboxFolders:
    """Opens the inbox at a path and its folders. `is_mount`: a file system must be mounted on it."""

    def __init__(self, path: Path, *, is_mount: bool) -> None:
        self.path = path
        self.shown = visible(str(path))
        self._is_mount = is_mount
        self._own_thread = _ThreadFolders()

    def inbox(self) -> AbstractContextManager[int]:
        """Open the inbox; never create it. Raises `AwayError`, `InboxError`."""
        return self._kept((), self._inbox)

    def folder_of(self, inbox: int, path: str) -> AbstractContextManager[tuple[int, str]]:
        """Open the folder of a file in the inbox. Yields it with the file's name. Raises OSError."""
        *folders, name = path.split("/")
        held = self._own_thread.held
        if held is None:
            return _folder_of(inbox, folders, name)
        if not folders:
            return nullcontext((inbox, name))
        if (key := (*folders,)) not in held:
            _make_room(held)
            with _folder_of(inbox, folders, name) as (descriptor, _):
                held[key] = os.dup(descriptor)
        return nullcontext((held[key], name))

    def own(self, inbox: int, *names: str, make: bool) -> AbstractContextManager[int]:
        """Open `.tallyd` or a folder below it. With `make`, create missing ones with mode 0700.

        Raises `InboxError` if one of them is a link, not a folder, or not ours. Raises FileNotFoundError if
        one is missing without `make`, OSError.
        """
        # The key begins with "", because no folder in the inbox can have that name.
        return self._kept(("", *names), lambda: self._own(inbox, names, make=make))

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold opened folders open until the end of the block, or until `release`. Only for this thread.

        It saves two of three system calls for a small file.
        """
        self._own_thread.held = {}
        try:
            yield
        finally:
            self.release()
            self._own_thread.held = None

    def release(self) -> bool:
        """Close the held folders, so that they are opened anew. Return whether there were any."""
        was_held = self._own_thread.held or {}
        if was_held:
            self._own_thread.held = {}
        for descriptor in was_held.values():
            os.close(descriptor)
        return bool(was_held)

    def _kept(
        self, key: tuple[str, ...], opened: Callable[[], AbstractContextManager[int]]
    ) -> AbstractContextManager[int]:
        """Return the held folder of a key. Outside of `held`, open it."""
        held = self._own_thread.held
        if held is None:
            return opened()
        if key not in held:
            with opened() as descriptor:
                held[key] = os.dup(descriptor)
        return nullcontext(held[key])

    @contextmanager
    def _inbox(self) -> Iterator[int]:
        try:
            descriptor = os.open(self.path, _FOLDER)
        except OSError as error:
            if error.errno in _GONE:
                raise AwayError(f"{self.shown} is not there: {why(error)}", "gone") from error
            raise InboxError(f"{self.shown}: {why(error)}") from error
        try:
            if self._is_mount and not _is_mounted(descriptor):
                raise AwayError(f"nothing is mounted on {self.shown}", "unmounted")
            yield descriptor
        finally:
            os.close(descriptor)

    @contextmanager
    def _own(self, inbox: int, names: Sequence[str], *, make: bool) -> Iterator[int]:
        descriptor, shown = inbox, self.shown
        try:
            for name in (OWN, *names):
                shown = f"{shown}/{visible(name)}"
                parent, descriptor = descriptor, _enter(descriptor, name, shown, make=make)
                if parent != inbox:
                    os.close(parent)
            yield descriptor
        finally:
            if descriptor != inbox:
                os.close(descriptor)


def _make_room(held: dict[tuple[str, ...], int]) -> None:
    # Called when only the inbox itself is in use.
    if len(held) < MOST_HELD:
        return
    for key in [key for key in held if key]:
        os.close(held.pop(key))


@contextmanager
def _folder_of(inbox: int, folders: Sequence[str], name: str) -> Iterator[tuple[int, str]]:
    descriptor = inbox
    try:
        for folder in folders:
            parent, descriptor = descriptor, enter(descriptor, folder)
            if parent != inbox:
                os.close(parent)
        yield descriptor, name
    finally:
        if descriptor != inbox:
            os.close(descriptor)


def names_in(folder: int) -> list[str]:
    """Return the names in an open folder. Raises OSError."""
    with os.scandir(folder) as entries:
        return [entry.name for entry in entries]


def enter(parent: int, name: str) -> int:
    """Open a folder in a folder. Raises OSError, also for a symbolic link."""
    return os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=parent)


def _enter(parent: int, name: str, shown: str, *, make: bool) -> int:
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
    raise InboxError(
        f"{shown} belongs to user {found.st_uid}, not to the user of tallyd ({os.geteuid()}), "
        "who could read or replace files there. Remove it, or change its owner."
    )


def _refused(error: OSError, shown: str) -> InboxError:
    if error.errno in _NO_FOLDER:
        return InboxError(
            f"{shown} is a symbolic link or a file, but tallyd needs a folder there. Remove it."
        )
    return InboxError(f"{shown}: {why(error)}")


def _is_mounted(descriptor: int) -> bool:
    # A bind mount of the same file system does not count: the service's sandbox makes one for every writable
    # folder.
    return os.fstat(descriptor).st_dev != os.stat("..", dir_fd=descriptor).st_dev

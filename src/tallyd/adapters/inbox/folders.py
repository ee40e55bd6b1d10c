"""Opening folders by descriptor: the inbox, the folders in it, and `.tallyd`, which must be ours.

Whoever may write an inbox may put a symbolic link anywhere into it, at any time. So nothing below the inbox
is ever reached by a path of more than one name.
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
# Nothing there, or a share whose server is away.
_GONE = (errno.ENOENT, errno.ENOTDIR, errno.ESTALE, errno.ENOTCONN, errno.EHOSTDOWN, errno.ENODEV)


class AwayError(InboxError):
    """The inbox is not there."""

    def __init__(self, text: str, state: Literal["gone", "unmounted"]) -> None:
        super().__init__(text)
        self.state = state


class _OfThread(threading.local):
    """What one thread holds open. Old files are deleted beside a sweep, which may not close their folders."""

    held: dict[tuple[str, ...], int] | None = None


class Places:
    """The inbox at a path. `is_mount`: another file system must be mounted on it."""

    def __init__(self, path: Path, *, is_mount: bool) -> None:
        self.path = path
        self.shown = visible(str(path))
        self._is_mount = is_mount
        self._own_thread = _OfThread()

    def inbox(self) -> AbstractContextManager[int]:
        """Open the inbox. Raises `AwayError`, `InboxError`. Nothing is made."""
        return self._kept((), self._inbox)

    def folder_of(self, inbox: int, path: str) -> AbstractContextManager[tuple[int, str]]:
        """Open the folder in which a file of the inbox lies; yield it and the file's name. Raises OSError."""
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
        """Open `.tallyd` or a folder below it; with `make`, made where it is missing, 0700.

        Raises `InboxError` where one of them is a link, no folder or not ours, FileNotFoundError without
        `make`, OSError.
        """
        # No folder of the inbox is called "".
        return self._kept(("", *names), lambda: self._own(inbox, names, make=make))

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep what is opened open until the end of the block, or until `let_go`; for this thread alone.

        Of three calls of the kernel for a small file two are for its folders.
        """
        self._own_thread.held = {}
        try:
            yield
        finally:
            self.let_go()
            self._own_thread.held = None

    def let_go(self) -> bool:
        """Open everything anew from now on; return whether anything was kept open."""
        was_held = self._own_thread.held or {}
        if was_held:
            self._own_thread.held = {}
        for descriptor in was_held.values():
            os.close(descriptor)
        return bool(was_held)

    def _kept(
        self, key: tuple[str, ...], opened: Callable[[], AbstractContextManager[int]]
    ) -> AbstractContextManager[int]:
        """Return what is held under a key; where nothing is held, what is opened."""
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
    # Before anything but the inbox itself is in use.
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
    """Open a folder in a folder. Raises OSError, for a symbolic link too."""
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
            with suppress(OSError):  # a share that has one mode for everything
                os.fchmod(descriptor, stat.S_IMODE(found.st_mode) & ~0o022)
        return descriptor
    os.close(descriptor)
    raise InboxError(
        f"{shown} belongs to user {found.st_uid}, not to that of tallyd ({os.geteuid()}); "
        "what is put aside could be read or swapped there. Remove it, or give it to tallyd."
    )


def _refused(error: OSError, shown: str) -> InboxError:
    if error.errno in _NO_FOLDER:
        return InboxError(
            f"{shown} is a symbolic link or a file; tallyd's own folder must be there. Remove it."
        )
    return InboxError(f"{shown}: {why(error)}")


def _is_mounted(descriptor: int) -> bool:
    # Not a bind mount of the same file system: the service's sandbox makes one of every writable folder.
    return os.fstat(descriptor).st_dev != os.stat("..", dir_fd=descriptor).st_dev

"""Kernel events, only as a wake-up: the next look finds files without an event."""

from __future__ import annotations

import logging
import os
import threading
import warnings
from collections.abc import Callable, Mapping
from itertools import islice
from pathlib import Path
from types import MappingProxyType

from watchdog.events import FileClosedEvent, FileMovedEvent, FileSystemEvent, FileSystemEventHandler
from watchdog.observers.api import ObservedWatch
from watchdog.observers.inotify import InotifyFullEmitter, InotifyObserver
from watchdog.observers.inotify_c import InotifyConstants, Mask

from tallyd.adapters.inbox.errors import why
from tallyd.adapters.inbox.filenames import Pattern, is_ignored
from tallyd.adapters.inbox.rename import identity
from tallyd.adapters.inbox.tracking import MOST_FILES
from tallyd.contract.inbox import Identity

AGAIN_AFTER_S = 60.0
# watchdog has a thread for each. Looks find the files in the other folders.
MOST_WATCHED = 64


class Watcher:
    """Calls `on_change` when a file was closed after writing, or renamed into the folder.

    It calls from its own thread. An exception of `on_change` ends that thread; `tend` starts a new one, at
    most one a minute.
    """

    def __init__(
        self, path: Path, pattern: Pattern, on_change: Callable[[], None], *, monotonic: Callable[[], float]
    ) -> None:
        self._path = path
        self._pattern = pattern
        self._on_change = on_change
        self._monotonic = monotonic
        self._observer: InotifyObserver | None = None
        self._watches: dict[str, tuple[ObservedWatch, tuple[int, int]]] = {}
        self._watched: tuple[int, int] | None = None
        self._again_at_s = float("-inf")
        self._finished: dict[str, Identity] = {}
        self._lock = threading.Lock()
        self.trouble: str | None = None

    def tend(self, inbox: int | None, folders: Mapping[str, tuple[int, int]] = MappingProxyType({})) -> None:
        """Make sure that the open folder `inbox` is watched; None if the inbox is missing.

        `folders` are the sub-folders to watch too, with device and inode.
        """
        if inbox is None:
            self.close()
            return
        found = os.fstat(inbox)
        folder = (found.st_dev, found.st_ino)
        if folder != self._watched or not (self._is_alive() or self._has_to_wait()):
            self.close()
            self._watched = folder
            self._again_at_s = self._monotonic() + AGAIN_AFTER_S
            self._start()
        if self._observer is not None and self._observer.is_alive():
            self._tend_folders(self._observer, dict(islice(folders.items(), MOST_WATCHED)))

    def finished(self) -> Mapping[str, Identity]:
        """Return the files that were closed or renamed in since the last call, with their identity then."""
        with self._lock:
            finished, self._finished = self._finished, {}
        return finished

    def close(self) -> None:
        """Stop watching. A further call does nothing."""
        observer, self._observer, self._watched = self._observer, None, None
        self._watches = {}
        if observer is not None:
            observer.stop()
            observer.join()

    def _start(self) -> None:
        _silence()
        try:
            observer = _Observer()
        except (OSError, RuntimeError) as error:
            self.trouble = _why(error)
            return
        try:
            self._schedule(observer, "")
            observer.start()
        except (OSError, RuntimeError) as error:  # too many watches, or no thread available
            self.trouble = _why(error)
            observer.on_thread_stop()  # it already has a thread and a descriptor
            return
        self._observer, self.trouble = observer, None

    def _tend_folders(self, observer: InotifyObserver, folders: Mapping[str, tuple[int, int]]) -> None:
        """Watch each folder separately: a recursive watch would follow each file into `.tallyd`."""
        alive = {one.watch for one in observer.emitters if one.is_alive()}
        for name, (watch, which) in list(self._watches.items()):
            if folders.get(name) != which or watch not in alive:
                del self._watches[name]
                observer.unschedule(watch)
        self.trouble = None
        for name in folders.keys() - self._watches.keys():
            try:
                self._watches[name] = (self._schedule(observer, name), folders[name])
            except (OSError, RuntimeError) as error:
                self.trouble = _why(error)
                return

    def _schedule(self, observer: InotifyObserver, name: str) -> ObservedWatch:
        # Resolve links in the configured path: watchdog would watch the link itself.
        top = os.path.realpath(self._path)
        handler = _Handler(top, self._note)
        kinds: list[type[FileSystemEvent]] = [FileClosedEvent, FileMovedEvent]
        path = f"{top}/{name}" if name else top
        return observer.schedule(handler, path, recursive=bool(name), event_filter=kinds)

    def _has_to_wait(self) -> bool:
        """Whether it failed less than a minute ago. False if the folder was only deleted and made anew."""
        failed = self._observer is None or not self._observer.is_alive()
        return failed and self._monotonic() < self._again_at_s

    def _is_alive(self) -> bool:
        observer = self._observer
        if observer is None or not observer.is_alive():
            return False
        return all(one.is_alive() for one in observer.emitters if not one.watch.is_recursive)

    def _note(self, top: str, path: str) -> None:
        """Note that a file is finished, unless it is ignored."""
        *folders, name = path.split("/")
        if any(map(is_ignored, folders)) or not self._pattern.wants(name):
            return
        try:
            found = os.lstat(f"{top}/{path}")
        except OSError:
            return  # already moved, or renamed again
        # Many programs create an empty file, close it, and open it again to write: such a file must settle.
        if found.st_size:
            with self._lock:
                if len(self._finished) < MOST_FILES:
                    self._finished[path] = identity(found)
        self._on_change()


def _silence() -> None:
    """Silence watchdog's warnings about folders that come and go."""
    warnings.filterwarnings("ignore", category=RuntimeWarning, module=r"watchdog\.observers\.")
    logging.getLogger("watchdog").setLevel(logging.CRITICAL)


def _why(error: OSError | RuntimeError) -> str:
    return why(error) if isinstance(error, OSError) else str(error)


class _Emitter(InotifyFullEmitter):
    """Asks only for events that complete a file, and for new folders.

    It does not ask for files that are moved out: that would be one event for each file that tallyd moves, and
    cost more than the rest of the work. It is a full emitter, because others report a file that was renamed
    in from outside as a new one.
    """

    def get_event_mask_from_filter(self) -> Mask:
        kinds = InotifyConstants
        return Mask(kinds.IN_CLOSE_WRITE | kinds.IN_MOVED_TO | kinds.IN_CREATE | kinds.IN_DELETE_SELF)


class _Observer(InotifyObserver):
    """An InotifyObserver with the emitter above; the base class has no parameter for it."""

    def __init__(self) -> None:
        super().__init__()
        self._emitter_class = _Emitter


class _Handler(FileSystemEventHandler):
    def __init__(self, top: str, note: Callable[[str, str], None]) -> None:
        self._top = top
        self._note = note

    def dispatch(self, event: FileSystemEvent) -> None:
        """Pass on a finished file. Ignore files of a renamed folder, which may still be being written."""
        if event.is_synthetic or event.is_directory:
            return
        path = os.fsdecode(event.dest_path if isinstance(event, FileMovedEvent) else event.src_path)
        if path.startswith(self._top + "/"):
            self._note(self._top, path[len(self._top) + 1 :])

"""Which certificates are trusted: those of the machine, read again when they change."""

from __future__ import annotations

import ssl
import threading
from pathlib import Path

import certifi


class StoreUnreadable(Exception):  # noqa: N818 # named after what happened, as its message will say it
    """The file with the trusted certificates is missing, unreadable or holds none."""


def system_store() -> Path:
    """Return the machine's CA file, else its CA folder, else the list that comes with certifi.

    certifi alone would not know the authority of a company that its administrators added to the machine.
    """
    paths = ssl.get_default_verify_paths()
    if paths.cafile:
        return Path(paths.cafile)
    if paths.capath and any(Path(paths.capath).iterdir()):
        return Path(paths.capath)
    return Path(certifi.where())


class TrustStore:
    """The TLS settings of every connection, made from one CA file or folder.

    The file is looked at before each use: a service that runs for years outlives the certificates it
    began with, and the system's updates replace the file under it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._loaded: tuple[tuple[int, int, int], ssl.SSLContext] | None = None

    def context(self) -> ssl.SSLContext:
        """Return the same context until the file changes. Raises `StoreUnreadable`.

        While the file can't be read (it may be just being replaced), what was read before stays in force.
        """
        with self._lock:
            try:
                found = self._path.stat()
                version = (found.st_mtime_ns, found.st_ino, found.st_size)
                if self._loaded is None or self._loaded[0] != version:
                    self._loaded = version, self._load()
            except OSError as error:  # an ssl.SSLError is one, too
                if self._loaded is None:
                    raise StoreUnreadable from error
            return self._loaded[1]

    def _load(self) -> ssl.SSLContext:
        if self._path.is_dir():
            return ssl.create_default_context(capath=self._path)
        return ssl.create_default_context(cafile=self._path)

"""The trusted certificates: by default the machine's, read again when they change."""

from __future__ import annotations

import ssl
import threading
from pathlib import Path

import certifi


class StoreUnreadable(Exception):  # noqa: N818 # named after the finding
    """The file with the trusted certificates is missing, unreadable or empty."""


def system_store() -> Path:
    """Return the machine's CA file, else its CA folder, else the list of certifi.

    certifi does not have a company's own authority that administrators added to the machine.
    """
    paths = ssl.get_default_verify_paths()
    if paths.cafile:
        return Path(paths.cafile)
    if paths.capath and any(Path(paths.capath).iterdir()):
        return Path(paths.capath)
    return Path(certifi.where())


class TrustStore:
    """The TLS settings of all connections, from one CA file or folder.

    Every use checks whether the file has changed: a service runs for years, and system updates replace the
    certificates.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._loaded: tuple[tuple[int, int, int], ssl.SSLContext] | None = None

    def context(self) -> ssl.SSLContext:
        """Return the same context until the file changes. Raises `StoreUnreadable`.

        If the file can't be read (perhaps it is being replaced), the last context stays active.
        """
        with self._lock:
            try:
                found = self._path.stat()
                version = (found.st_mtime_ns, found.st_ino, found.st_size)
                if self._loaded is None or self._loaded[0] != version:
                    self._loaded = version, self._load()
            except OSError as error:  # includes ssl.SSLError
                if self._loaded is None:
                    raise StoreUnreadable from error
            return self._loaded[1]

    def _load(self) -> ssl.SSLContext:
        if self._path.is_dir():
            return ssl.create_default_context(capath=self._path)
        return ssl.create_default_context(cafile=self._path)

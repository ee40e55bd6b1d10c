"""The trusted certificates: by default the machine's, read again when they change."""

from __future__ import annotations

import ssl
import threading
from pathlib import Path

import certifi

from tallyd.core.language.messages import english


class StoreUnreadable(Exception):  # noqa: N818 # named after the finding
    """A file with certificates is missing, unreadable or has none. The text says which and what to do."""


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


def load_client_cert(context: ssl.SSLContext, path: Path) -> None:
    """Read our own certificate and its key. Raises `OSError`, also for a key with a password."""
    context.load_cert_chain(path, password="")  # without one, OpenSSL asks the terminal


class TrustStore:
    """The TLS settings of connections: whom to trust, and our own certificate if there is one.

    `path` is a CA file or folder; None: those of this machine. Every use checks whether a file has changed: a
    service runs for years, and system updates and authorities replace certificates.
    """

    def __init__(self, path: Path | None = None, *, client_cert: Path | None = None) -> None:
        self._is_of_machine = path is None
        self._path = path or system_store()
        self._client_cert = client_cert
        self._lock = threading.Lock()
        self._loaded: tuple[list[tuple[int, int, int]], ssl.SSLContext] | None = None

    def context(self) -> ssl.SSLContext:
        """Return the same context until a file changes. Raises `StoreUnreadable`.

        If a file can't be read (perhaps it is being replaced), the last context stays active.
        """
        with self._lock:
            try:
                found = [path.stat() for path in (self._path, self._client_cert) if path]
                version = [(each.st_mtime_ns, each.st_ino, each.st_size) for each in found]
                if self._loaded is None or self._loaded[0] != version:
                    self._loaded = version, self._load()
            except OSError as error:  # includes ssl.SSLError
                if self._loaded is None:
                    raise StoreUnreadable(self._how_to_mend()) from error
            return self._loaded[1]

    def _load(self) -> ssl.SSLContext:
        if self._path.is_dir():
            context = ssl.create_default_context(capath=self._path)
        else:
            context = ssl.create_default_context(cafile=self._path)
        if self._client_cert is not None:
            load_client_cert(context, self._client_cert)
        return context

    def _how_to_mend(self) -> str:
        if self._is_of_machine:
            return english(
                "this machine's trusted certificates[, or {client_cert} (our certificate and its key)]"
                " can't be read; install ca-certificates",
                client_cert=self._client_cert,
            )
        return english(
            "{file}[, or {client_cert} (our certificate and its key)] can't be read;"
            " put the certificate of the authority into it (PEM)",
            file=self._path,
            client_cert=self._client_cert,
        )

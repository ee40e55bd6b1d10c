"""What can go wrong with the machine: it dies, its disk is full or slow, its database of records is away.

Three seams of Python itself are used, so that all of the daemon's own code is real: audit hooks see every
file that is opened, renamed or deleted; `sqlite3.connect` gives a connection that tells of each statement
that begins or ends a transaction; and the limit on file sizes lets real writes really fail.
"""

from __future__ import annotations

import errno
import os
import resource
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_FILES = frozenset({"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "os.chmod"})
_connect = sqlite3.connect


class Killed(BaseException):
    """SIGKILL, as near as it comes within a process. The dead process can change nothing any more."""


@dataclass
class Perils:
    """The perils of one machine. Nothing happens to what runs outside of `armed`: that is the simulation.

    The process dies at the `kill_in`-th point from now on. `lose_commit`: the next commit of records
    succeeds, but its answer is lost. `commit_s`: how long each commit takes, on `pass_s`.
    """

    folder: Path
    pass_s: Callable[[float], None]
    now_text: Callable[[], str]
    kill_in: int | None = None
    is_dead: bool = False
    is_disk_full: bool = False
    is_out_full: bool = False
    are_records_away: bool = False
    lose_commit: bool = False
    commit_s: float = 0.0
    points: int = 0
    killed_at: str = ""
    _is_armed: bool = field(default=False, init=False)

    @contextmanager
    def armed(self) -> Iterator[None]:
        """Within it runs the daemon."""
        global _perils  # hooks of the interpreter have nothing else to ask
        before, self._is_armed, _perils = self._is_armed, True, self
        limit = resource.getrlimit(resource.RLIMIT_FSIZE)
        if self.is_disk_full:
            resource.setrlimit(resource.RLIMIT_FSIZE, (0, limit[1]))
        try:
            yield
        finally:
            if self.is_disk_full:
                resource.setrlimit(resource.RLIMIT_FSIZE, limit)
            self._is_armed = before

    def point(self, what: str) -> None:
        """Say that the process is about to do something that can be seen from outside. Raises `Killed`."""
        if not self._is_armed:
            return
        if self.is_dead:
            raise Killed
        self.points += 1
        if self.kill_in is not None:
            self.kill_in -= 1
            if self.kill_in <= 0:
                self.kill_in, self.is_dead, self.killed_at = None, True, what
                raise Killed

    def file(self, act: str, path: str) -> None:
        """The same before a file is written, renamed or deleted. Raises OSError too."""
        # A temporary file has the number of the process in its name, and a life must be the same again.
        name = path.rpartition("/")[2].replace(f".{os.getpid()}.", ".")
        self.point(f"{act} {name}")
        if self._is_armed and self.is_out_full and path.startswith(f"{self.folder}/out/") and act == "open":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)

    def sql(self, name: str, act: str) -> None:
        """The same before a statement that begins or ends a transaction. Raises `sqlite3.Error` too."""
        self.point(f"{act} of {name}")
        if not self._is_armed:
            return
        if name == "records.db" and self.are_records_away:
            raise _failure("SQLITE_IOERR", "disk I/O error")
        if act == "commit" and self.commit_s:
            self.pass_s(self.commit_s)

    def committed(self, name: str) -> None:
        """Say that a transaction is committed. Raises `sqlite3.Error` if that gets lost."""
        if self._is_armed and name == "records.db" and self.lose_commit:
            self.lose_commit = False
            raise _failure("SQLITE_IOERR", "disk I/O error")
        self.point(f"after the commit of {name}")


_perils: Perils | None = None


def _failure(name: str, text: str) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError(text)
    error.sqlite_errorname, error.sqlite_errorcode = name, getattr(sqlite3, name)
    return error


def _audit(event: str, args: tuple[Any, ...]) -> None:
    if event not in _FILES or _perils is None:
        return
    path = args[0]
    if isinstance(path, bytes):
        path = path.decode(errors="replace")
    # Below an open folder the inbox uses bare names; modules are imported by whole paths.
    if isinstance(path, str) and (not path.startswith("/") or path.startswith(str(_perils.folder))):
        is_read = event == "open" and not args[2] & 3
        if not is_read:
            _perils.file(event, path)


class _Connection(sqlite3.Connection):
    """A connection that tells of its transactions."""

    def __init__(self, database: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(database, *args, **kwargs)
        self.file = "records.db" if "records.db" in str(database) else "state.db"
        if _perils is not None:
            # The time of hosts in the database is the database's own.
            perils = _perils
            self.create_function("datetime", 1, lambda _now: perils.now_text())

    def execute(self, sql: str, *args: Any) -> sqlite3.Cursor:
        if _perils is None or sql not in {"BEGIN IMMEDIATE", "COMMIT"}:
            return super().execute(sql, *args)
        _perils.sql(self.file, "commit" if sql == "COMMIT" else "begin")
        found = super().execute(sql, *args)
        if sql == "COMMIT":
            _perils.committed(self.file)
        return found

    def cursor(self, *args: Any) -> Any:
        if _perils is not None and self.file == "records.db":
            _perils.sql(self.file, "use")
        return super().cursor(*args)

    def commit(self) -> None:
        was_changing = self.in_transaction
        if _perils is None or not was_changing:
            super().commit()
            return
        _perils.sql(self.file, "commit")
        super().commit()
        _perils.committed(self.file)


def plain_connect(path: Path) -> sqlite3.Connection:
    """Open a database to look at, without any peril."""
    return _connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)


def install() -> None:
    """Watch files and databases from now on, until the process ends."""
    sys.addaudithook(_audit)

    def connect(*args: Any, **kwargs: Any) -> sqlite3.Connection:
        found: sqlite3.Connection = _connect(*args, factory=_Connection, **kwargs)
        return found

    sqlite3.connect = connect  # type: ignore[assignment] # the same, with a factory

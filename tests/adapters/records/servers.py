"""PostgreSQL and MariaDB of Debian, each on a free loopback port with its data in a temporary folder.

Both refuse to run as root; there they get the user that Debian made for them.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

import psycopg
import pymysql  # type: ignore[import-untyped] # it brings no types

from support.needs import needs
from support.processes import free_port

PASSWORD = "pw@Zq7/made:up?#[%"
ESCAPED = quote(PASSWORD, safe="")
START_S = 60.0


class Server(ABC):
    """A database server: `start`, `stop`, `url(database)`."""

    user = ""
    kind = ""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self.made = 0
        if os.geteuid() == 0:
            shutil.chown(folder, self.user)

    def start(self) -> None:
        """Start it, and wait until it answers."""
        for _ in range(3):
            if self._started():
                return
            # Another process may have taken the free port in the meantime.
            self.port = free_port()
        raise AssertionError((self.folder / "server.log").read_text(errors="replace")[-4000:])

    def _started(self) -> bool:
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                self.as_user(self.command()),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + START_S
        while self.process.poll() is None and time.monotonic() < deadline:
            if self.answers():
                return True
            time.sleep(0.05)
        self.process.kill()
        self.process.wait()
        return False

    def stop(self) -> None:
        if self.process is not None:
            if self.process.poll() is None:
                self.shut_down()
            self.process.wait(timeout=START_S)
            self.process = None

    def set_up(self, command: Sequence[str]) -> None:
        """Make the folder with its data."""
        done = subprocess.run(
            self.as_user(command), cwd=self.folder, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def as_user(self, command: Sequence[str]) -> list[str]:
        user = [f"--reuid={self.user}", f"--regid={self.user}", "--init-groups"] if os.geteuid() == 0 else []
        # It ends with the tests, however they end.
        return ["setpriv", "--pdeathsig=KILL", *user, "--", *command]

    def new_database(self) -> str:
        """Create a database and return its name."""
        self.made += 1
        name = f"made{self.made}"
        self.execute(f"CREATE DATABASE {name}")
        return name

    @abstractmethod
    def command(self) -> list[str]: ...

    @abstractmethod
    def answers(self) -> bool: ...

    @abstractmethod
    def shut_down(self) -> None: ...

    @abstractmethod
    def execute(self, statement: str, database: str = "") -> list[tuple[object, ...]]:
        """Run a statement as the administrator; return its rows."""

    @abstractmethod
    def url(self, database: str, port: int | None = None) -> str: ...

    @abstractmethod
    def end_sessions(self) -> None:
        """End all sessions except the current one."""


class PostgreSql(Server):
    user = "postgres"
    kind = "PostgreSQL"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.programs = postgresql_programs()
        self.data = folder / "data"
        password = folder / "password"
        password.write_text(PASSWORD)
        password.chmod(0o644)
        initdb = [f"{self.programs}/initdb", "-D", str(self.data), "-U", "tally", f"--pwfile={password}"]
        options = ["-A", "scram-sha-256", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions"]
        self.set_up([*initdb, *options])

    def command(self) -> list[str]:
        settings = {
            "port": self.port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "fsync": "off",
            "timezone": "America/Caracas",
            "shared_buffers": "32MB",
            "dynamic_shared_memory_type": "mmap",  # in its folder: a kill leaves nothing elsewhere
        }
        given = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [f"{self.programs}/postgres", "-D", str(self.data), *given]

    def answers(self) -> bool:
        try:
            self.execute("SELECT 1")
        except psycopg.Error:
            return False
        return True

    def shut_down(self) -> None:
        options = ["-D", str(self.data), "-m", "immediate", "-W", "stop"]
        subprocess.run(
            self.as_user([f"{self.programs}/pg_ctl", *options]),
            check=True,
            capture_output=True,
            cwd=self.folder,
        )

    def execute(self, statement: str, database: str = "") -> list[tuple[object, ...]]:
        with psycopg.connect(
            host="127.0.0.1",
            port=self.port,
            user="tally",
            password=PASSWORD,
            dbname=database or "postgres",
            autocommit=True,
        ) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def url(self, database: str, port: int | None = None) -> str:
        return f"postgresql+psycopg://tally:{ESCAPED}@127.0.0.1:{port or self.port}/{database}"

    def end_sessions(self) -> None:
        self.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )


_MARIADB_SETTINGS = (
    "--innodb-flush-log-at-trx-commit=2",  # what was committed outlives the process, though not the machine
    "--innodb-log-file-size=16M",
    "--innodb-buffer-pool-size=64M",
    "--innodb-use-native-aio=0",  # the kernel has only so many for all servers together
)


class MariaDb(Server):
    user = "mysql"
    kind = "MariaDB"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.data = folder / "data"
        # With that user's rights only: mariadb-install-db would change the owner of the folder for itself.
        self.set_up(
            [
                "mariadb-install-db",
                "--no-defaults",
                f"--datadir={self.data}",
                f"--tmpdir={folder}",  # two at once would delete each other's files
                "--auth-root-authentication-method=normal",
                "--skip-test-db",
                "--skip-name-resolve",
                *_MARIADB_SETTINGS,
            ]
        )
        # SQL's own file: it gives the test's user a password before anybody can connect.
        (folder / "users.sql").write_text(
            f"CREATE USER IF NOT EXISTS tally@'127.0.0.1' IDENTIFIED BY '{PASSWORD}';\n"
            "GRANT ALL ON *.* TO tally@'127.0.0.1' WITH GRANT OPTION;\n"
        )

    def command(self) -> list[str]:
        return [
            "mariadbd",
            "--no-defaults",
            f"--datadir={self.data}",
            f"--port={self.port}",
            "--bind-address=127.0.0.1",
            f"--socket={self.folder / 'socket'}",
            f"--pid-file={self.folder / 'pid'}",
            f"--init-file={self.folder / 'users.sql'}",
            "--skip-name-resolve",
            *_MARIADB_SETTINGS,
            "--default-time-zone=-04:00",
            "--character-set-server=latin1",
            "--sql-mode=",
        ]

    def answers(self) -> bool:
        try:
            self.execute("SELECT 1")
        except pymysql.err.MySQLError:
            return False
        return True

    def shut_down(self) -> None:
        assert self.process is not None
        self.process.kill()

    def execute(self, statement: str, database: str = "") -> list[tuple[object, ...]]:
        with pymysql.connect(
            host="127.0.0.1",
            port=self.port,
            user="tally",
            password=PASSWORD,
            database=database or None,
            charset="utf8mb4",
            autocommit=True,
        ) as connection:
            cursor = connection.cursor()
            cursor.execute(statement)
            return list(cursor.fetchall())

    def url(self, database: str, port: int | None = None) -> str:
        return f"mysql+pymysql://tally:{ESCAPED}@127.0.0.1:{port or self.port}/{database}"

    def end_sessions(self) -> None:
        own = "CONNECTION_ID()"
        for (number,) in self.execute(
            f"SELECT id FROM information_schema.processlist WHERE user='tally' AND id <> {own}"
        ):
            self.execute(f"KILL {number}")


def postgresql_programs() -> Path:
    """Return where initdb and postgres are: Debian keeps them off the PATH, one folder a version."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if found:
        return found[-1].parent
    needs("pg_ctl")
    return Path(shutil.which("pg_ctl") or "").resolve().parent

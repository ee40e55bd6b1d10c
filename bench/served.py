"""A database server of its own for a bench, on a socket in a temporary folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

START_S = 60.0


def is_installed(kind: str) -> bool:
    """Whether `postgresql` or `mariadb` is installed."""
    return bool(_postgresql_programs() if kind == "postgresql" else shutil.which("mariadb-install-db"))


@contextmanager
def server(kind: str) -> Iterator[str]:
    """Run an empty `postgresql` or `mariadb` with its own settings. Yields its URL."""
    with tempfile.TemporaryDirectory(prefix="tallyd-bench-") as name:
        folder = Path(name)
        if os.geteuid() == 0:  # both refuse to run as root
            shutil.chown(folder, _USERS[kind])
        with (_postgresql if kind == "postgresql" else _mariadb)(folder) as url:
            yield url


_USERS = {"postgresql": "postgres", "mariadb": "mysql"}


def _as(kind: str, words: Sequence[str]) -> list[str]:
    user = ["setpriv", f"--reuid={_USERS[kind]}", f"--regid={_USERS[kind]}", "--clear-groups", "--"]
    return [*(user if os.geteuid() == 0 else []), *words]


def _done(kind: str, folder: Path, words: Sequence[str]) -> None:
    subprocess.run(_as(kind, words), cwd=folder, check=True, capture_output=True)


def _postgresql_programs() -> Path | None:
    """Return the folder of initdb and postgres. Debian keeps them off the PATH, in one folder a version."""
    initdb = shutil.which("initdb")
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return debian[-1].parent if debian else Path(initdb).resolve().parent if initdb else None


@contextmanager
def _postgresql(folder: Path) -> Iterator[str]:
    programs, data = _postgresql_programs(), str(folder / "data")
    _done(
        "postgresql", folder, [f"{programs}/initdb", "-D", data, "-U", "bench", "-E", "UTF8", "-A", "trust"]
    )
    run = [f"{programs}/pg_ctl", "-D", data, "-w", "-l", str(folder / "log")]
    _done("postgresql", folder, [*run, "-o", f"-c listen_addresses= -k {folder}", "start"])
    try:
        yield f"postgresql+psycopg://bench@/postgres?host={folder}"
    finally:
        _done("postgresql", folder, [*run, "-m", "immediate", "stop"])


@contextmanager
def _mariadb(folder: Path) -> Iterator[str]:
    data, socket = f"--datadir={folder}/data", folder / "socket"
    usual = ["--no-defaults", data, "--innodb-use-native-aio=0"]
    _done(
        "mariadb",
        folder,
        ["mariadb-install-db", *usual, "--auth-root-authentication-method=normal", "--skip-test-db"],
    )
    (folder / "made.sql").write_text("CREATE DATABASE bench;\n")
    run = ["mariadbd", *usual, "--skip-networking", f"--socket={socket}", f"--init-file={folder}/made.sql"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(_as("mariadb", run), cwd=folder, stdout=log, stderr=log)
    try:
        until_s = time.monotonic() + START_S
        while not socket.exists():  # it is made after the init file has run
            if process.poll() is not None or time.monotonic() > until_s:
                raise RuntimeError((folder / "log").read_text(errors="replace")[-2000:])
            time.sleep(0.05)
        yield f"mysql+pymysql://root@/bench?unix_socket={socket}"
    finally:
        process.kill()
        process.wait()

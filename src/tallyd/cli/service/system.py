"""The system that tallyd is installed on: its programs, its users, systemd."""

from __future__ import annotations

import fcntl
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from tallyd.cli.service.places import USER, Places
from tallyd.core.language.messages import tr

UNIT = "tallyd.service"
_LOCK = Path("/run/tallyd-setup.lock")  # only root can write there


class ServiceError(Exception):
    """The service cannot be installed or changed like this. The text says why, and what to do."""


def say(text: str) -> None:
    """Print a line at once: a program that is started next prints below it."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def need_root(command: str) -> None:
    """Raise `ServiceError` unless this process may change the system."""
    if os.geteuid() != 0:
        called = Path(sys.argv[0]).absolute()
        again = "tallyd" if called.is_relative_to(Places.opt) else shlex.quote(str(called))
        raise ServiceError(f"{command} changes the system, so it needs root: sudo {again} service {command}")
    os.umask(0o022)


@contextmanager
def turn() -> Iterator[None]:
    """Keep others out: two installs at the same time would remove each other's releases."""
    with _LOCK.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ServiceError("another install is changing the service; wait until it ends") from None
        yield


def run(
    *command: str | Path,
    as_user: bool = False,
    environ: Mapping[str, str] | None = None,
    stdin: IO[bytes] | None = None,
    quiet: bool = False,
) -> bool:
    """Run a program; return whether it ended well. `as_user`: as the user of the service."""
    if as_user:
        command = ("setpriv", f"--reuid={USER}", f"--regid={USER}", "--init-groups", "--", *command)
    output = subprocess.DEVNULL if quiet else None
    done = subprocess.run(  # noqa: S603 # no shell
        command, env=environ, check=False, stdin=stdin, stdout=output, stderr=output
    )
    return done.returncode == 0


def must(*command: str | Path) -> None:
    """Run a program that must end well. Raises `ServiceError`."""
    if not run(*command):
        raise ServiceError(f"{Path(command[0]).name} failed; see above")


def answer(*command: str | Path) -> str:
    """Return what a program prints, without the end of its last line; "" if it fails."""
    done = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603 # no shell
    return done.stdout.rstrip("\n") if done.returncode == 0 else ""


def exists(kind: str, name: str) -> bool:
    """Whether there is a user (`passwd`) or a group (`group`) of this name."""
    return run("getent", kind, name, quiet=True)


def systemd_runs() -> bool:
    """Whether systemd is the first process of this system."""
    return Path("/run/systemd/system").is_dir()


def start_service() -> bool:
    """Restart the service with the installed files; return whether it is ready, and still runs 3 s later."""
    must("systemctl", "daemon-reload")
    if (
        run("systemctl", "restart", UNIT)
        and run("sleep", "3")
        and run("systemctl", "is-active", "--quiet", UNIT)
    ):
        say(tr("The service is running."))
        return True
    sys.stderr.write(tr("The service did not start. Its last log lines:") + "\n")
    sys.stderr.flush()
    run("journalctl", "--unit", UNIT, "--lines", "15", "--no-pager", "--output", "cat")
    return False


def quiet_environ(environ: Mapping[str, str], names: Sequence[str]) -> dict[str, str]:
    """Return only these variables: a service does not have the others."""
    return {name: environ[name] for name in names if name in environ}

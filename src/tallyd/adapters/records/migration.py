"""Starts the process that updates the tables.

Why a process: alembic and its dependencies stay out of the daemon, and a migration runs at most once per
upgrade.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Final

from tallyd.adapters.child_process import environment, in_memory
from tallyd.core.errors import RecordsError

COMMAND: Final = (sys.executable, "-P", "-m", "tallyd.adapters.records.migration_main")
LONGEST_S: Final = 600.0


class RecordsTooNewError(RecordsError):
    """A newer tallyd has updated the tables."""

    def __init__(self, place: str) -> None:
        super().__init__(
            f"{place}: its tables are from a newer tallyd; install that version again, or restore a backup"
        )


def bring_up_to_date(url: str, place: str) -> None:
    """Update the tables. Raises `RecordsError`, `RecordsTooNewError`."""
    with in_memory(json.dumps({"url": url}).encode()) as job:
        try:
            done = subprocess.run(  # noqa: S603 # our own module
                COMMAND,
                stdin=job,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                cwd="/",
                env=environment(_is_kept),
                timeout=LONGEST_S,
                start_new_session=True,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise RecordsError(f"{place}: updating its tables took too long") from None
        except OSError as error:
            why = os.strerror(error.errno).lower() if error.errno else type(error).__name__
            raise RecordsError(
                f"{place}: the process that updates its tables can't be started ({why})"
            ) from None
    _raise_if_failed(done, place)


def _raise_if_failed(done: subprocess.CompletedProcess[bytes], place: str) -> None:
    if done.returncode == 0:
        return
    try:
        answer = json.loads(done.stdout)
    except ValueError:
        raise RecordsError(
            f"{place}: the process that updates its tables ended with status {done.returncode}"
        ) from None
    if answer["too_new"]:
        raise RecordsTooNewError(place)
    raise RecordsError(answer["text"])


def _is_kept(name: str) -> bool:
    """Whether to keep an environment variable: libpq reads its own ones, and a password file below HOME."""
    return name == "HOME" or name.startswith("PG")

"""Starting the process that brings the tables up to date.

A process, because alembic and what it needs stay out of the daemon, and a migration runs at most once an
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
    """The tables are those of a newer tallyd."""

    def __init__(self, place: str) -> None:
        super().__init__(
            f"{place}: its tables are those of a newer tallyd; install that one again, or restore a backup"
        )


def bring_up_to_date(url: str, place: str) -> None:
    """Bring the tables up to date. Raises `RecordsError`, `RecordsTooNewError`."""
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
            raise RecordsError(f"{place}: bringing its tables up to date took too long") from None
        except OSError as error:
            why = os.strerror(error.errno).lower() if error.errno else type(error).__name__
            raise RecordsError(
                f"{place}: the process that brings its tables up to date can't be started ({why})"
            ) from None
    _raise_if_failed(done, place)


def _raise_if_failed(done: subprocess.CompletedProcess[bytes], place: str) -> None:
    if done.returncode == 0:
        return
    try:
        answer = json.loads(done.stdout)
    except ValueError:
        raise RecordsError(
            f"{place}: the process that brings its tables up to date ended with status {done.returncode}"
        ) from None
    if answer["too_new"]:
        raise RecordsTooNewError(place)
    raise RecordsError(answer["text"])


def _is_kept(name: str) -> bool:
    """Whether a variable is kept: libpq reads names of its own, and a password file below HOME."""
    return name == "HOME" or name.startswith("PG")

"""Starts the process that updates the tables.

Why a process: alembic and its dependencies stay out of the daemon, and a migration runs at most once per
upgrade.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Final

from tallyd.adapters.child_process import environment, in_memory
from tallyd.core.errors import RecordsError
from tallyd.core.language.messages import english
from tallyd.core.system_words import reason_of

COMMAND: Final = (sys.executable, "-P", "-m", "tallyd.adapters.records.migration_main")
LONGEST_S: Final = 600.0


class RecordsTooNewError(RecordsError):
    """A newer tallyd has updated the tables."""

    def __init__(self, place: str) -> None:
        text = english(
            "{database}: its tables are from a newer tallyd; install that version again, or restore a backup",
            database=place,
        )
        super().__init__(text)


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
            text = english("{database}: updating its tables took too long", database=place)
            raise RecordsError(text) from None
        except OSError as error:
            text = english(
                "{database}: the process that updates its tables can't be started ({why})",
                database=place,
                why=reason_of(error),
            )
            raise RecordsError(text) from None
    _raise_if_failed(done, place)


def _raise_if_failed(done: subprocess.CompletedProcess[bytes], place: str) -> None:
    if done.returncode == 0:
        return
    try:
        answer = json.loads(done.stdout)
    except ValueError:
        text = english(
            "{database}: the process that updates its tables ended with status {status}",
            database=place,
            status=done.returncode,
        )
        raise RecordsError(text) from None
    if answer["too_new"]:
        raise RecordsTooNewError(place)
    raise RecordsError(answer["text"])


def _is_kept(name: str) -> bool:
    """Whether to keep an environment variable: libpq reads its own ones, and a password file below HOME."""
    return name == "HOME" or name.startswith("PG")

"""The child process: `python -m tallyd.adapters.records.migration_main`, `{"url": ...}` on stdin.

Status 0 when the tables are up to date, else one JSON object on stdout: `text` says why, `too_new` whether a
newer tallyd has been at them. Two at once are no harm: the second waits, and then finds nothing to do.
"""

from __future__ import annotations

import json
import logging
import signal
import sys
from importlib import resources

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

from tallyd.adapters.child_process import forbid_core_dumps
from tallyd.adapters.records.create_sqlite import WAIT_S, hold_file
from tallyd.adapters.records.migration import RecordsTooNewError
from tallyd.adapters.records.tables import VERSION_TABLE
from tallyd.adapters.records.transactions import Access
from tallyd.core.errors import RecordsError


def main() -> int:
    """Migrate and answer. Any other exception ends the process, which the parent tells from its status."""
    forbid_core_dumps()
    # The daemon's blocked signals are let in again, so that this process can be ended.
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    logging.disable(logging.CRITICAL)
    url = json.load(sys.stdin.buffer)["url"]
    try:
        upgrade(url)
    except RecordsError as error:
        sys.stdout.write(json.dumps({"text": error.text, "too_new": isinstance(error, RecordsTooNewError)}))
        return 1
    return 0


def upgrade(url: str) -> None:
    """Bring the tables up to date. Raises `RecordsError`, `RecordsTooNewError`."""
    access = Access(url)
    try:
        hold_file(url, access.place)  # until the process ends
        with access.writing() as connection:
            _hold(connection, access.place)
            config = configured(connection)
            known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
            stored = _stored(connection)
            if stored is not None and stored not in known:
                raise RecordsTooNewError(access.place)
            command.upgrade(config, "head")
    finally:
        access.close()


def configured(connection: Connection | None = None) -> Config:
    """Return alembic's configuration for the migrations as they are installed."""
    config = Config()
    config.set_main_option(
        "script_location", str(resources.files("tallyd") / "migrations").replace("%", "%%")
    )
    config.attributes["connection"] = connection
    config.attributes["version_table"] = VERSION_TABLE
    return config


def _hold(connection: Connection, place: str) -> None:
    """Let nobody else migrate until this transaction (on MariaDB: this connection) ends."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('tallyd'))"))
    elif connection.dialect.name == "mysql":
        name = "CONCAT('tallyd ', LEFT(DATABASE(), 50))"
        if not connection.execute(text(f"SELECT GET_LOCK({name}, {WAIT_S})")).scalar():
            raise RecordsError(f"{place}: another process is bringing its tables up to date")


def _stored(connection: Connection) -> str | None:
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    found = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()  # noqa: S608 # a constant
    return None if found is None else str(found)


if __name__ == "__main__":
    sys.exit(main())

"""The child process: `python -m tallyd.adapters.records.migration_main`, with `{"url": ...}` on stdin.

Status 0: the tables are up to date. Otherwise stdout has one JSON object: `text` is the reason, `too_new` is
true if a newer tallyd has updated them. Two processes at once do no harm: the second one waits and then finds
nothing to do.
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
from tallyd.adapters.records.engine.transactions import Access
from tallyd.adapters.records.migration import RecordsTooNewError
from tallyd.adapters.records.tables import VERSION_TABLE
from tallyd.core.errors import RecordsError
from tallyd.core.language.messages import english


def main() -> int:
    """Migrate and answer. Any other exception ends the process; the parent sees the exit status."""
    forbid_core_dumps()
    # Unblock the signals that the daemon blocks, so that this process can be stopped.
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
    """Update the tables. Raises `RecordsError`, `RecordsTooNewError`."""
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
    """Return alembic's configuration for the installed migrations."""
    config = Config()
    config.set_main_option(
        "script_location", str(resources.files("tallyd") / "migrations").replace("%", "%%")
    )
    config.attributes["connection"] = connection
    config.attributes["version_table"] = VERSION_TABLE
    return config


def _hold(connection: Connection, place: str) -> None:
    """Prevent other migrations until this transaction (on MariaDB: this connection) ends."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('tallyd'))"))
    elif connection.dialect.name == "mysql":
        name = "CONCAT('tallyd ', LEFT(DATABASE(), 50))"
        if not connection.execute(text(f"SELECT GET_LOCK({name}, {WAIT_S})")).scalar():
            why = english("{database}: another process is updating its tables", database=place)
            raise RecordsError(why)


def _stored(connection: Connection) -> str | None:
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    found = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()  # noqa: S608 # a constant
    return None if found is None else str(found)


if __name__ == "__main__":
    sys.exit(main())

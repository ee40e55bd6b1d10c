"""The databases that the tests of the adapters use, for what a poller does with them."""

from __future__ import annotations

from adapters.records.conftest import (  # noqa: F401 # fixtures, found by their names
    mariadb,
    mariadb_site,
    postgresql,
    postgresql_site,
    records,
    site,
    sqlite_site,
)

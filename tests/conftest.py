"""What every test leaves as it found it."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from hypothesis import settings

# A deadline for each example measures how busy the machine is, not the code.
settings.register_profile("tallyd", deadline=None)
settings.load_profile("tallyd")

LIBRARIES = ("urllib3", "requests", "charset_normalizer", "sqlalchemy.pool", "sqlalchemy.engine", "psycopg")


@pytest.fixture(autouse=True)
def library_loggers() -> Iterator[None]:
    """HTTP client and database silence libraries for the whole process; each test begins without that."""
    # Set, not put back: a fixture of a whole session may have silenced them before the first test.
    for name in LIBRARIES:
        logging.getLogger(name).setLevel(logging.NOTSET)
    yield
    for name in LIBRARIES:
        logging.getLogger(name).setLevel(logging.NOTSET)

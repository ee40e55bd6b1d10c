"""What every test leaves as it found it."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from hypothesis import settings

# A deadline for each example measures how busy the machine is, not the code.
settings.register_profile("tallyd", deadline=None)
settings.load_profile("tallyd")

LIBRARIES = ("urllib3", "requests", "charset_normalizer")


@pytest.fixture(autouse=True)
def library_loggers() -> Iterator[None]:
    """The HTTP client silences its libraries for the whole process; the next test begins without that."""
    before = {name: logging.getLogger(name).level for name in LIBRARIES}
    yield
    for name, level in before.items():
        logging.getLogger(name).setLevel(level)

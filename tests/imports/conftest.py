"""A folder as a person has it who replaces an older program: a config for tallyd beside what is old."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
import time_machine

from adapters.records.conftest import mariadb, postgresql  # noqa: F401 # fixtures, found by their names

NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)


@pytest.fixture(autouse=True)
def now() -> Iterator[datetime]:
    """Let it be Friday, half past nine."""
    with time_machine.travel(NOW, tick=False):
        yield NOW


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Callable[[], tuple[str, str]]:
    """Return what reads stdout and stderr since the last time, each as one line."""

    def read() -> tuple[str, str]:
        captured = capsys.readouterr()
        return " ".join(captured.out.split()), " ".join(captured.err.split())

    return read

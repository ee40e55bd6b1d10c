"""A test that meets its time limit fails alone.

The alarm of pytest-timeout raises wherever the main thread is. Inside a test that is the failure of the test;
while pytest makes a report of it, that would be the end of the whole run. So the alarm waits meanwhile.
"""

from __future__ import annotations

import signal
from collections.abc import Generator

import pytest


def _without_alarm() -> Generator[None, object, object]:
    left_s, _ = signal.setitimer(signal.ITIMER_REAL, 0)
    try:
        return (yield)
    finally:
        signal.setitimer(signal.ITIMER_REAL, left_s)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport() -> Generator[None, object, object]:
    """Make what is known of a test into a report, however long that takes."""
    return (yield from _without_alarm())


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_logreport() -> Generator[None, object, object]:
    """Send the report, however long that takes."""
    return (yield from _without_alarm())

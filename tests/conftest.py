"""What every test leaves as it found it."""

from __future__ import annotations

import gc
import logging
import os
import runpy
import signal
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import settings

from support.alarm import pytest_runtest_logreport, pytest_runtest_makereport
from support.long import tries
from support.translations import use_translations

__all__ = ["pytest_runtest_logreport", "pytest_runtest_makereport", "use_translations"]

# A deadline for each example measures how busy the machine is, not the code. Each run tries other examples.
settings.register_profile("tallyd", deadline=None, max_examples=tries(40))
settings.load_profile("tallyd")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Know `--slow`."""
    parser.addoption("--slow", action="store_true", help="run the long stories too, as CI does")


def pytest_configure(config: pytest.Config) -> None:
    """Let Ctrl-C end what the tests start, and compile the catalogs."""
    # A shell that starts the tests in the background lets them ignore it, and with them all that they start.
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if not hasattr(config, "workerinput"):  # once, not in each worker
        runpy.run_path(str(config.rootpath / "hatch_build.py"))["compile_catalogs"]()
    # What is imported and collected stays to the end: to search it for garbage takes a third of that time.
    gc.disable()


def pytest_collection_finish() -> None:
    """Leave what was collected out of every later search for garbage."""
    gc.collect()
    gc.freeze()
    gc.enable()


def pytest_collection_modifyitems(config: pytest.Config, items: Sequence[pytest.Item]) -> None:
    """Leave out the long stories, half of the time that all tests take; CI leaves out nothing."""
    if _is_slow(config):
        return
    for item in items:
        if item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.skip(reason="a long story: runs with --slow, or TALLYD_TEST_ALL=1"))


def _is_slow(config: pytest.Config) -> bool:
    return bool(config.getoption("--slow")) or os.environ.get("TALLYD_TEST_ALL") == "1"


LOGGERS = ("urllib3", "requests", "charset_normalizer", "tallyd")


@pytest.fixture(autouse=True)
def umask() -> Iterator[None]:
    """Commands take rights from what the process makes; databases of the next test must read their files."""
    before = os.umask(0o022)
    os.umask(before)
    yield
    os.umask(before)


@pytest.fixture(autouse=True)
def log_levels() -> Iterator[None]:
    """The HTTP client silences its libraries for the whole process; the next test begins without that."""
    before = {name: logging.getLogger(name).level for name in LOGGERS}
    yield
    for name, level in before.items():
        logging.getLogger(name).setLevel(level)

"""The time limit of each test, in a run of pytest of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).parents[1]
SLOW_REPORT = """
import time

def pytest_runtest_makereport(item, call):
    if (item.name, call.when) == ("test_that_is_reported_slowly", "call"):
        time.sleep(4)
"""
BOTH = """
import time

def test_that_is_reported_slowly():
    pass

def test_that_takes_too_long():
    time.sleep(60)

def test_next():
    pass
"""


def test_it_fails_a_test_but_not_the_report_of_one(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(SLOW_REPORT)
    (tmp_path / "test_both.py").write_text(BOTH)
    options = ["-p", "support.alarm", "-p", "no:cacheprovider", "--rootdir", ".", "--timeout", "3", "-q"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "1 failed, 2 passed" in done.stdout, done.stdout + done.stderr
    assert "FAILED test_both.py::test_that_takes_too_long" in done.stdout

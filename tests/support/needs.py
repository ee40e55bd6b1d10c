"""A test that needs a tool the machine may lack says so here.

    def test_no_count_is_lost() -> None:
        needs("strace")
        ...

Without the tool the test is skipped, with a reason that says what to install. With TALLYD_TEST_ALL=1
(that is what .ci/run sets) a skip would hide that nothing was tested, so there it is a failure.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

# Where Debian keeps a program in a package of another name.
_PACKAGES = {
    "mariadb-install-db": "mariadb-server",
    "mariadbd": "mariadb-server",
    "pg_ctl": "postgresql",
    "systemd-analyze": "systemd",
    "systemd-nspawn": "systemd-container",
}


def needs(*programs: str, root: bool = False) -> None:
    """Go on only if every program is found (and, with `root`, the tests run as root).

    Call it first in a test or a fixture, or at the top of a module for all of its tests.
    """
    lacking = [
        f"{program} (Debian: apt-get install {_PACKAGES.get(program, program)})"
        for program in programs
        if shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin") is None
    ]
    if root and os.geteuid() != 0:
        lacking.append("to run as root")
    if not lacking:
        return
    reason = "needs " + ", ".join(lacking)
    if os.environ.get("TALLYD_TEST_ALL") == "1":
        pytest.fail(f"{reason}; TALLYD_TEST_ALL=1 allows no skip", pytrace=False)
    pytest.skip(reason, allow_module_level=True)


def may_trace() -> None:
    """Go on only if one process may trace another here (and the kernel is not older than 5.3)."""
    with tempfile.TemporaryDirectory() as folder:
        report = str(Path(folder) / "report")
        tried = subprocess.run(
            [sys.executable, "-S", "-m", "support.kill_at", report, sys.executable, "-S", "-c", ""],
            cwd=Path(__file__).parents[1],
            capture_output=True,
            text=True,
            check=False,
        )
    if tried.returncode == 0:
        return
    reason = f"needs leave to trace a process of its own: {tried.stderr.strip().splitlines()[-1]}"
    if os.environ.get("TALLYD_TEST_ALL") == "1":
        pytest.fail(f"{reason}; TALLYD_TEST_ALL=1 allows no skip", pytrace=False)
    pytest.skip(reason)

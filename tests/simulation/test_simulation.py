"""Some simulated lives, each replayed by its seed, and a planted bug that they find."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from support.long import tries

HERE = Path(__file__).parent


def lives(*options: str, command: str = "run.py") -> subprocess.CompletedProcess[str]:
    """Live in a process of its own: the seams of the disk stay in an interpreter for good."""
    return subprocess.run(
        [sys.executable, str(HERE / command), *options], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    "life",
    [
        pytest.param(["--seeds", f"1-{tries(6)}", "--days", "0.5"], id="one machine"),
        pytest.param(["--park", "--seeds", f"1-{tries(2)}", "--days", "0.5"], id="two hosts and a centre"),
        pytest.param(["--pair", "--seeds", f"1-{tries(4)}", "--days", "1"], id="a leader and its standby"),
    ],
)
def test_whatever_happens_to_machines_their_promises_hold(life: list[str]) -> None:
    done = lives(*life)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    "life",
    [
        pytest.param(["--seed", "11", "--days", "0.3"], id="one machine"),
        pytest.param(["--pair", "--seed", "1", "--days", "1"], id="a leader and its standby"),
    ],
)
def test_a_seed_lives_the_same_life_again(life: list[str]) -> None:
    first, second = (lives(*life, "--trace").stdout for _ in range(2))
    without_times = [re.sub(r" in [0-9.]+ s,", "", text) for text in (first, second)]
    assert without_times[0] == without_times[1]
    assert "all troubles end" in first


def test_a_planted_bug_is_found() -> None:
    done = lives("--most", "5", "--days", "0.5", "past_days_get_no_last_report", command="mutants.py")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "found by seed" in done.stdout


def test_every_planted_bug_still_fits_the_code(tmp_path: Path) -> None:
    for patch in sorted((HERE / "mutants").glob("*.patch")):
        done = subprocess.run(
            ["patch", "--dry-run", "-s", "-p1", "-d", str(HERE.parents[1]), "-i", str(patch)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{patch.stem}: {done.stdout}"

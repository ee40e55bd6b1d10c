"""Some simulated lives, each replayed by its seed, and a planted bug that they find."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def lives(*options: str, command: str = "run.py") -> subprocess.CompletedProcess[str]:
    """Live in a process of its own: the seams of the disk stay in an interpreter for good."""
    return subprocess.run(
        [sys.executable, str(HERE / command), *options], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("seed", range(1, 7))
def test_whatever_happens_to_a_machine_its_promises_hold(seed: int) -> None:
    done = lives("--seed", str(seed), "--days", "0.5")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("kind", "seed"),
    [
        pytest.param("--park", 1, id="two hosts and a centre"),
        pytest.param("--park", 2, id="two hosts and a centre again"),
        pytest.param("--pair", 3, id="a leader and its standby"),
    ],
)
def test_whatever_happens_to_several_machines_their_promises_hold(kind: str, seed: int) -> None:
    done = lives(kind, "--seed", str(seed), "--days", "0.5")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_seed_lives_the_same_life_again() -> None:
    first, second = (lives("--seed", "11", "--days", "0.3", "--trace").stdout for _ in range(2))
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

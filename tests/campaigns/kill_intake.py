"""Kills a process that receives a file, before each call about files, and says what was found.

    python tests/campaigns/kill_intake.py

After it, the file is in the inbox, whole, if the camera has the answer 201. Without it, the camera sends the
file again; then it is there too, never in part. Two files of one content count once: see kill.py.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.intake_once import CONTENT, receive_once
from support.killing import LONGEST_S, TESTS

INBOX = "camera-inbox"
CALLS = frozenset({"openat", "mkdirat", "write", "fsync", "renameat2", "close", "unlinkat"})


def traced(folder: Path, *, at: int | None = None) -> list[str]:
    """Receive a file under the tracer, killed before call `at`, if given. Return the names of the calls."""
    (folder / INBOX).mkdir(parents=True)
    report = folder / "report"
    options = [*(("--at", str(at)) if at else ()), "--opened", INBOX]
    words = [sys.executable, "-m", "support.intake_once", str(folder / INBOX), str(folder / "answered")]
    tracer = subprocess.run(
        [sys.executable, "-S", "-m", "support.kill_at", *options, str(report), *words],
        cwd=TESTS,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LONGEST_S,
        check=False,
    )
    assert tracer.returncode == 0, tracer.stderr[-2000:]
    return [name for name, _about in json.loads(report.read_text())["calls"]]


def stored(folder: Path) -> list[bytes]:
    """Return the content of each file that a sweep would find."""
    source = folder / INBOX / "12"
    return [each.read_bytes() for each in source.iterdir()] if source.is_dir() else []


def kill_all(root: Path, *, every: int) -> list[bool]:
    """Kill before each `every`-th call about files. Return whether the camera had its answer, for each."""
    calls = traced(root / "undisturbed")
    assert stored(root / "undisturbed") == [CONTENT]
    numbers = [number for number, name in enumerate(calls, 1) if name in CALLS]
    answers = []
    for number in numbers[::every]:
        folder = root / str(number)
        traced(folder, at=number)
        was_answered = (folder / "answered").exists()
        answers.append(was_answered)
        assert stored(folder) == [CONTENT] or not (was_answered or stored(folder)), f"call {number}"
        if not was_answered:
            asyncio.run(receive_once(folder / INBOX, folder / "answered"))
            assert set(stored(folder)) == {CONTENT}, f"call {number}"
    return answers


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="tallyd-kill-") as made:
        found = kill_all(Path(made), every=1)
    print(f"{len(found)} kills, {sum(found)} of them after the answer: nothing lost, nothing in part.")

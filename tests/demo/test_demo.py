"""`tallyd demo` as a process, with the real daemon inside."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from support import warm
from support.daemon import LONGEST_S, wait_until
from tallyd.config.load import load
from tallyd.demo.folder import MARKER, DemoFolder
from tallyd.demo.timetable import Pace
from tallyd.demo.world.chat import HOOK
from tallyd.demo.world.divera import KEY

DEMO = ("-m", "tallyd", "demo")

AT_ONCE = Pace(has_past=False)
"""The pace of most tests: a past takes seconds of the processor."""
A_READING = r"25 people: Einsatzbereit \d+"
BEGINS = r"(?m)^(?:chat:|     ) .*divera: no reading for .* closed the connection"
ENDS = r"(?m)^(?:chat:|     ) .*divera: working again since "


def paced(pace: Pace, *, lasts_s: float = LONGEST_S) -> tuple[str, ...]:
    """Return the words of a demo of another pace."""
    script = "import sys; from tallyd.demo.story import play; from tallyd.demo.timetable import Pace; "
    return ("-c", f"{script}sys.exit(play(port=0, lasts_s={lasts_s}, pace={pace}))")


class Running:
    """A demo under way."""

    def __init__(self, folder: Path, *words: str) -> None:
        self.folder = folder / "demo-data"
        self.began_s, self.began_at = time.monotonic(), datetime.now(UTC)
        self._output = folder / "output.txt"
        output = str(self._output)
        self.process = warm.Process(*words, cwd=folder, stdout=output, stderr=output, own_terminal=True)

    @property
    def said(self) -> str:
        """What it printed by now."""
        return self._output.read_text("utf-8") if self._output.exists() else ""

    def wait_for(self, pattern: str) -> re.Match[str]:
        wait_until(lambda: re.search(pattern, self.said) or self.process.poll() is not None)
        found = re.search(pattern, self.said)
        assert found, self.said
        return found

    def files(self, poller: str) -> list[Path]:
        """Return the out files of its own time, the oldest first; those of the past are older."""
        found = sorted((self.folder / "out" / poller).glob("*/*.json"))
        return [file for file in found if _due_at(file) > self.began_at]

    def ended(self) -> int:
        return self.process.wait(LONGEST_S)

    def children(self) -> list[int]:
        """Return the pids of its processes: of the daemon, once that has begun."""
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if f"\nPPid:\t{self.process.pid}\n" in (entry / "status").read_text():
                    found.append(int(entry.name))
        return found


def _due_at(file: Path) -> datetime:
    return datetime.fromisoformat(json.loads(file.read_text())["due_at"])


def is_alive(pid: int) -> bool:
    # A zombie is dead; who reaps it is not the demo's business.
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """Start demos in an empty folder; whatever still runs at the end is killed."""
    running: list[Running] = []

    def begin(*words: str) -> Running:
        running.append(Running(tmp_path, *words))
        return running[-1]

    yield begin
    for demo in running:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(demo.process.pid, signal.SIGKILL)
        demo.ended()


@pytest.mark.slow
def test_it_runs_for_as_long_as_it_was_asked_and_sums_up(
    start: Callable[..., Running], tmp_path: Path
) -> None:
    demo = start(*DEMO, "--for", "20s")
    status = demo.ended()

    files = demo.files("divera")
    assert status == 0, demo.said
    assert time.monotonic() - demo.began_s >= 20
    assert files
    for file in files:
        content = json.loads(file.read_text())
        assert str(file.relative_to(tmp_path)) in demo.said
        assert content["total"] == sum(content["counts"].values()) == 25
        assert content["names"]["50101"] == "Einsatzbereit"
    assert len(re.findall(A_READING, demo.said)) == len(files)
    assert re.search(r"^divera +count +\d\d:\d\d", demo.said, re.MULTILINE)
    (further,) = re.findall(r"^  (.* --config demo-data/config.json status)$", demo.said, re.MULTILINE)
    assert subprocess.run(further.split(), cwd=tmp_path, capture_output=True, check=False).returncode == 0
    with DemoFolder(tmp_path / "demo-data").taken():
        assert sorted(path.name for path in (tmp_path / "demo-data").rglob("*")) == [MARKER, "inbox"]


@pytest.mark.slow
def test_a_camera_falls_silent_a_server_goes_stale_divera_goes_down_and_all_come_back(
    start: Callable[..., Running], tmp_path: Path
) -> None:
    demo = start(*DEMO)
    chat = r"(?m)^(?:chat:|     ) .*"
    silent, again = f"{chat}Bridge: no file for ", f"{chat}Bridge: files arrive again since "
    stale, fresh = f"{chat}STAGE: data .* old", f"{chat}STAGE: no longer stale since "
    for pattern in (silent, stale, again, fresh, BEGINS, ENDS, r"(?s)(report sent ssid=SS-007 .*){3}"):
        demo.wait_for(pattern)
    os.killpg(demo.process.pid, signal.SIGINT)
    assert demo.ended() == 0, demo.said

    for pattern in (silent, again, stale, fresh, BEGINS, ENDS):
        assert len(re.findall(pattern, demo.said)) == 1, demo.said
    assert "Traceback" not in demo.said
    assert re.search(r"http://127\.0\.0\.1:\d+/world/divera", demo.said), "where to play one by hand"
    assert re.search(r"^The chat got \d+ messages\.$", demo.said, re.MULTILINE)
    files = demo.files("visitors")
    last = json.loads(files[-1].read_text())
    counts = last["counts"]
    assert all(str(file.relative_to(tmp_path)) in demo.said for file in files)
    assert counts["in"] > counts["out"] >= 0
    assert counts["in"] - counts["out"] == counts["inside"] == counts["balance"]
    assert f"in {counts['in']}, out {counts['out']}, " in demo.said
    states = [json.loads(file.read_text())["report"]["state"] for file in files]
    # The first slot may have come before the first file, and the end while the last report was on its way.
    said = " ".join(states)
    assert re.fullmatch(r"(skipped )?(sent ){2,}(sent|queued)", said), said
    # A file that was left over, and one with a wrong type.
    assert len(re.findall("file rejected source=", demo.said)) == 2
    assert re.search(r"^Files rejected today +2$", demo.said, re.MULTILINE)
    assert re.search(r" SS-007 +accepted .* OK$", demo.said, re.MULTILINE)
    for state in ("stale", "fresh"):
        assert re.search(rf"target changed target=STAGE state={state} ", demo.said)
    with DemoFolder(tmp_path / "demo-data").taken():
        assert sorted(path.name for path in (tmp_path / "demo-data").rglob("*")) == [MARKER, "inbox"]


def test_ctrl_c_ends_it_with_a_summary_and_leaves_no_process(start: Callable[..., Running]) -> None:
    demo = start(*paced(AT_ONCE))
    demo.wait_for(A_READING)
    children = demo.children()
    os.killpg(demo.process.pid, signal.SIGINT)
    status = demo.ended()

    assert status == 0, demo.said
    assert re.search(r"^divera +count +\d\d:\d\d", demo.said, re.MULTILINE)
    assert "Traceback" not in demo.said
    assert len(children) == 1
    assert not any(map(is_alive, children))


def test_killed_it_leaves_no_process(start: Callable[..., Running]) -> None:
    demo = start(*paced(AT_ONCE))
    demo.wait_for("Simulate an outage")
    wait_until(lambda: len(demo.children()) == 1)
    children = demo.children()
    demo.process.kill()

    wait_until(lambda: not any(map(is_alive, children)))


def test_ended_before_the_first_reading_it_says_so(start: Callable[..., Running]) -> None:
    demo = start(*paced(replace(AT_ONCE, first_after_s=300), lasts_s=0.1))

    assert demo.ended() == 1
    assert re.search(
        r"tallyd: the daemon wrote no reading in .* the first one was due at \d\d:\d\d:\d\d", demo.said
    )


def test_when_the_daemon_dies_it_ends_with_a_reason(start: Callable[..., Running]) -> None:
    demo = start(*paced(AT_ONCE))
    wait_until(lambda: len(demo.children()) == 1)
    (daemon,) = demo.children()
    demo.wait_for("Simulate an outage")
    os.kill(daemon, signal.SIGKILL)

    assert demo.ended() == 1
    assert "tallyd: the daemon stopped unexpectedly (exit status -9)" in demo.said


def test_what_the_daemon_said_is_shown_when_it_dies(start: Callable[..., Running]) -> None:
    demo = start(*paced(AT_ONCE))
    demo.wait_for("daemon started|page served|config loaded|target changed")
    (daemon,) = demo.children()
    os.kill(daemon, signal.SIGKILL)

    assert demo.ended() == 1
    assert re.search(r"stopped unexpectedly \(exit status -9\)\. Output:\n\s*\S", demo.said), demo.said


@pytest.mark.slow
def test_further_times_are_written_and_the_daemon_takes_them(start: Callable[..., Running]) -> None:
    # Between two slots there is time for taking a config: its channels are validated by a process of its own.
    demo = start(*paced(replace(AT_ONCE, every_s=5, ahead_s=20, extend_below_s=10)))
    covered_at_first = 4
    wait_until(lambda: len(re.findall(A_READING, demo.said)) > covered_at_first)
    os.killpg(demo.process.pid, signal.SIGINT)

    assert demo.ended() == 0
    assert "added more times of day" in demo.said
    assert "config loaded" in demo.said
    assert "slots missed" not in demo.said


@pytest.mark.parametrize("written", ["soon", "0s", "-5s", "60"])
def test_a_duration_that_is_none_is_wrong_usage(start: Callable[..., Running], written: str) -> None:
    demo = start(*DEMO, f"--for={written}")

    assert demo.ended() == 2
    assert demo.said.startswith("tallyd: --for must be")


def test_a_folder_of_somebody_else_is_rejected(start: Callable[..., Running], tmp_path: Path) -> None:
    (tmp_path / "demo-data").mkdir()
    (tmp_path / "demo-data" / "thesis.txt").write_text("mine")
    demo = start(*DEMO, "--for", "20s")

    assert demo.ended() == 1
    assert "demo-data/ already exists and was not created by the demo" in demo.said


def test_the_world_alone_says_what_can_be_asked_of_it(start: Callable[..., Running], tmp_path: Path) -> None:
    world = start(*DEMO, "--serve-only")
    users = world.wait_for(r"http://\S+/api/users\?\S+")[0]
    config = world.wait_for(r"(?s)\n(\{\n.*\n\})\n")[1]
    (tmp_path / "config.json").write_text(config)

    with urllib.request.urlopen(users) as answer:
        assert json.load(answer)["success"] is True
    loaded = load(tmp_path / "config.json", environ={})
    assert set(loaded.secrets) == {KEY, users.partition("/api/")[0] + HOOK}
    assert loaded.effective("divera").alert_policy.channels == ("chat",)
    assert loaded.settings.pollers.keys() == {"divera", "visitors", "servers"}
    assert loaded.inboxes == {"visitors": tmp_path / "demo-data" / "inbox"}
    wait_until(lambda: any((tmp_path / "demo-data" / "inbox").rglob("*.json")))
    os.killpg(world.process.pid, signal.SIGTERM)  # it is held like Ctrl-C, there and in the demo
    assert world.ended() == 0
    assert "Traceback" not in world.said


def test_the_world_alone_ends_by_itself_when_asked_for_a_time(start: Callable[..., Running]) -> None:
    assert start(*DEMO, "--serve-only", "--for", "0.5s").ended() == 0


@pytest.mark.parametrize("more", [("--serve-only",), ()], ids=["world alone", "demo"])
def test_a_port_that_is_taken_is_named(start: Callable[..., Running], more: tuple[str, ...]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        demo = start(*DEMO, *more, "--port", str(port))

        assert demo.ended() == 1
    assert (
        f"tallyd: cannot serve the small world on port {port} of 127.0.0.1: address already in use"
        in demo.said
    )


def test_a_library_that_is_not_installed_is_named_with_what_to_install() -> None:
    script = "import sys; sys.modules['uvicorn'] = None; from tallyd.demo import demo; sys.exit(demo("
    command = [sys.executable, "-c", f"{script}duration=None, serve_only=True, port=0))"]

    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "the demo needs a library that is not installed (uvicorn)" in done.stderr
    assert 'pip install "tallyd[web]"' in done.stderr


def test_what_only_the_demo_needs_is_not_imported_for_help() -> None:
    script = "import sys, tallyd.demo; sys.exit('pydantic' in sys.modules or 'starlette' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0

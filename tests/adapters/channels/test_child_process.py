"""The child process: what it may see, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from support.daemon import wait_until
from support.rawserver import SLOW, RawServer, always, answer, serving
from tallyd.adapters.channels.sender import Channels
from tallyd.core.alerts.message import Message
from tallyd.core.errors import DeliveryError, Stopped

MESSAGE = Message(subject="subject", text="private text", tone="info")
URL_SECRET, PROXY_SECRET = "Tok3nInTheUrl", "proxy-passw0rd"


def failure_of(*code: str, timeout_s: float = 10) -> str:
    """Return what is raised when the child runs `code` instead of its own."""
    command = [sys.executable, "-S", "-c", textwrap.dedent("\n".join(code))]
    with pytest.raises(DeliveryError) as caught:
        Channels(timeout_s=timeout_s, proxy=None, redact=str, command=command).deliver("json://x", MESSAGE)
    return caught.value.text


def children_of(pid: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        found += [int(stat.parent.name)] if parent == pid else []
    return found


def commands() -> Iterator[bytes]:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if path.read_bytes().startswith(b"sleep\0"):
                yield path.read_bytes()


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("print('Traceback, Tok3n')", "gave no readable answer"),
        ("", "gave no readable answer"),
        ("print('[' * 100_000)", "gave no readable answer"),
        ("print('[1]')", "gave no readable answer"),
        ("raise SystemExit(7)", "failed (status 7)"),
        ("import os; os.kill(os.getpid(), 9)", "was killed by SIGKILL"),
        ("import os; os.abort()", "was killed by SIGABRT"),
        ("import os\nwhile True: os.write(1, b'x' * 65536)", "was killed by SIGKILL"),
        ("print('{\"ok\": false}')", "no reason was given"),
    ],
    ids=["garbage", "nothing", "deep", "list", "status", "killed", "abort", "endless", "no reason"],
)
def test_whatever_the_child_does_ends_as_a_failed_delivery(code: str, text: str) -> None:
    assert failure_of(code).endswith(text)


def test_a_child_that_never_ends_is_killed_with_all_that_it_started() -> None:
    script = """
        import os, signal, subprocess, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        subprocess.Popen(["sleep", "1234.5678"])
        time.sleep(60)
    """
    began = time.monotonic()
    assert failure_of(script, timeout_s=0.5) == "timed out after 0.5 s"
    assert time.monotonic() - began < 20
    # It is killed at once. The system decides when it leaves the list of processes.
    wait_until(lambda: not any(b"1234.5678" in command for command in commands()))


def test_a_child_that_does_not_read_its_job_does_not_hold_up_the_parent() -> None:
    channels = Channels(timeout_s=0.3, proxy=None, redact=str, command=["/bin/sleep", "60"])
    began = time.monotonic()
    with pytest.raises(DeliveryError, match="timed out"):
        channels.deliver("json://x", Message(subject="", text="x" * 1_000_000, tone="info"))
    assert time.monotonic() - began < 20


def test_a_child_that_can_not_be_started_is_a_failed_delivery() -> None:
    channels = Channels(timeout_s=1, proxy=None, redact=str, command=["/nonexistent/python"])
    with pytest.raises(
        DeliveryError, match=r"^the sending process can't be started \(no such file or directory\)$"
    ):
        channels.deliver("json://x", MESSAGE)


def test_descriptors_are_all_closed_again() -> None:
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 # iterdir holds one itself
    for _ in range(3):
        failure_of("print('x')")
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208 # iterdir holds one itself


@pytest.fixture
def hanging() -> Iterator[RawServer]:
    with serving(SLOW["no answer at all"]) as server:
        yield server


def test_neither_ps_nor_the_environment_shows_a_secret(
    hanging: RawServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "https_proxy", "REQUESTS_CA_BUNDLE", "TALLYD_TOKEN"):
        monkeypatch.setenv(name, "inherited")
    channels = Channels(timeout_s=30, proxy=f"http://u:{PROXY_SECRET}@{hanging.host}", redact=str)
    before = set(children_of(os.getpid()))

    def deliver() -> None:
        with pytest.raises(Stopped):
            channels.deliver(f"json://chat.example/{URL_SECRET}", MESSAGE)

    thread = threading.Thread(target=deliver)
    thread.start()
    wait_until(lambda: hanging.connections)
    (child,) = set(children_of(os.getpid())) - before
    shown = Path(f"/proc/{child}/cmdline").read_bytes() + Path(f"/proc/{child}/environ").read_bytes()
    channels.abort()
    thread.join()
    assert b"tallyd.adapters.channels.child_main" in shown
    for secret in (URL_SECRET, PROXY_SECRET, MESSAGE.text, "inherited"):
        assert secret.encode() not in shown


# What a daemon does before it delivers: it blocks the signals in all its threads.
DAEMON = """
import signal, sys
from tallyd.adapters.channels.sender import Channels
from tallyd.core.alerts.message import Message
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGALRM])
channels = Channels(timeout_s=30, proxy=None, redact=str)
channels.deliver(sys.argv[1], Message(subject="", text="x", tone="info"))
print("delivered")
"""


def test_signals_that_the_parent_blocks_do_not_matter() -> None:
    with serving(always(answer(b"{}"))) as server:
        command = [sys.executable, "-c", DAEMON, f"json://{server.host}/x"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "delivered\n"


def test_a_child_ends_with_its_parent(hanging: RawServer) -> None:
    command = [sys.executable, "-c", DAEMON, f"json://{hanging.host}/x"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as parent:
        wait_until(lambda: hanging.connections)
        (child,) = children_of(parent.pid)
        mask = Path(f"/proc/{child}/status").read_text().partition("SigBlk:")[2].split()[0]
        parent.send_signal(signal.SIGKILL)
        wait_until(lambda: not is_running(child))
    assert int(mask, 16) == 0


def test_a_child_that_nobody_kills_ends_itself_after_the_deadline() -> None:
    with serving(SLOW["headers byte by byte"]) as server:
        job = {
            "act": "deliver",
            "urls": [f"json://{server.host}/x"],
            "subject": "",
            "text": "x",
            "tone": "info",
            "link": None,
            "files": [],
        }
        about = {"proxy": None, "timeout_s": 0.5, "parent": os.getpid()}
        command = [sys.executable, "-P", "-m", "tallyd.adapters.channels.child_main"]
        given = json.dumps(job | about).encode()
        done = subprocess.run(command, input=given, capture_output=True, timeout=30, check=False)
    assert done.returncode == -signal.SIGALRM
    assert done.stdout == b""

"""What systemd receives over a real datagram socket, and what happens if it does not listen."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tallyd.adapters.systemd import MOST_STATUS_CHARS, ServiceManager


class FakeSystemd:
    """The end of the socket that systemd holds. An empty name: an abstract address of the kernel's choice."""

    def __init__(self, address: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address)
        self.socket.settimeout(5)

    @property
    def address(self) -> str:
        name = self.socket.getsockname()
        return name if isinstance(name, str) else "@" + name[1:].decode()

    def heard(self) -> dict[str, str]:
        lines = self.socket.recv(65536).decode("utf-8").splitlines()
        return dict(line.split("=", 1) for line in lines)

    def hears_nothing(self) -> bool:
        self.socket.setblocking(False)
        try:
            return not self.socket.recv(65536)
        except BlockingIOError:
            return True


@pytest.fixture
def folder() -> Iterator[Path]:
    # Not tmp_path: the address of a socket is at most 107 bytes long.
    with tempfile.TemporaryDirectory(prefix="tallyd") as name:
        yield Path(name)


@pytest.fixture(params=["path", "abstract"])
def systemd(request: pytest.FixtureRequest, folder: Path) -> Iterator[FakeSystemd]:
    fake = FakeSystemd(str(folder / "notify") if request.param == "path" else "")
    with fake.socket:
        yield fake


SAYINGS = [
    pytest.param(
        lambda manager: manager.ready("3 pollers"), {"READY": "1", "STATUS": "3 pollers"}, id="ready"
    ),
    pytest.param(lambda manager: manager.status("next 12:00"), {"STATUS": "next 12:00"}, id="status"),
    pytest.param(lambda manager: manager.stopping(), {"STOPPING": "1"}, id="stopping"),
    pytest.param(lambda manager: manager.watchdog(), {"WATCHDOG": "1"}, id="watchdog"),
]


@pytest.mark.parametrize(("say", "heard"), SAYINGS)
def test_each_thing_said_is_one_datagram(
    systemd: FakeSystemd, say: Callable[[ServiceManager], None], heard: dict[str, str]
) -> None:
    say(ServiceManager(systemd.address))
    assert systemd.heard() == heard
    assert systemd.hears_nothing()


def test_a_reload_says_when_it_began(systemd: FakeSystemd) -> None:
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    ServiceManager(systemd.address).reloading()
    heard = systemd.heard()
    assert heard["RELOADING"] == "1"
    assert before <= int(heard["MONOTONIC_USEC"]) <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000


@pytest.mark.parametrize(
    ("text", "status"),
    [
        pytest.param("two\nlines\nREADY=1", r"two\nlines\nREADY=1", id="line breaks forge nothing"),
        pytest.param("Grüße \x1b[31m\u202e", r"Grüße \x1b[31m\u202e", id="controls"),
        pytest.param("\ud800", r"\ud800", id="lone surrogate"),
        pytest.param("😀" * 5000, "😀" * (MOST_STATUS_CHARS - 1) + "…", id="too long"),
    ],
)
def test_a_status_is_one_bounded_line(systemd: FakeSystemd, text: str, status: str) -> None:
    ServiceManager(systemd.address).ready(text)
    assert systemd.heard() == {"READY": "1", "STATUS": status}
    assert len(f"READY=1\nSTATUS={status}".encode()) < 4096


@pytest.mark.parametrize(
    "address",
    [
        pytest.param(None, id="not started by systemd"),
        pytest.param("", id="empty"),
        pytest.param("vsock:2:1234", id="another kind of address"),
        pytest.param("/nonexistent/notify", id="vanished"),
        pytest.param("/" + "x" * 200, id="too long for a socket"),
        pytest.param("@nobody-listens-here", id="nobody listens"),
        pytest.param("/dev/null", id="no socket"),
    ],
)
@pytest.mark.parametrize(("say", "_heard"), SAYINGS)
def test_nothing_is_raised_when_nobody_listens(
    address: str | None, say: Callable[[ServiceManager], None], _heard: dict[str, str]
) -> None:
    say(ServiceManager(address))


def test_a_full_socket_holds_nobody_up(systemd: FakeSystemd) -> None:
    service_manager = ServiceManager(systemd.address)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.setblocking(False)
        with suppress(BlockingIOError):
            while True:
                other.sendto(b"STATUS=x", systemd.socket.getsockname())
    service_manager.watchdog()


@pytest.mark.parametrize(
    ("environment", "interval_s"),
    [
        pytest.param({}, None, id="no watchdog"),
        pytest.param({"WATCHDOG_USEC": "60000000"}, 30.0, id="half of what is allowed"),
        pytest.param({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": str(os.getpid())}, 30.0, id="for us"),
        pytest.param({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "1"}, None, id="for another process"),
        pytest.param({"WATCHDOG_USEC": "0"}, None, id="zero"),
        pytest.param({"WATCHDOG_USEC": "-5"}, None, id="negative"),
        pytest.param({"WATCHDOG_USEC": "soon"}, None, id="no number"),
        pytest.param({"WATCHDOG_USEC": "²"}, None, id="a digit that is no number"),
        pytest.param({"WATCHDOG_USEC": ""}, None, id="empty"),
    ],
)
def test_the_watchdog_is_fed_twice_as_often_as_needed(
    environment: dict[str, str], interval_s: float | None
) -> None:
    assert ServiceManager.from_environment(environment).watchdog_interval_s == interval_s


def test_what_tallyd_starts_does_not_inherit_its_line_to_systemd(systemd: FakeSystemd) -> None:
    environment = {
        "NOTIFY_SOCKET": systemd.address,
        "WATCHDOG_USEC": "60000000",
        "WATCHDOG_PID": str(os.getpid()),
        "LANG": "C",
    }
    service_manager = ServiceManager.from_environment(environment)
    assert environment == {"LANG": "C"}
    service_manager.stopping()
    assert systemd.heard() == {"STOPPING": "1"}


def test_a_real_process_speaks_through_its_environment(systemd: FakeSystemd) -> None:
    program = (
        "import subprocess, sys; from tallyd.adapters.systemd import ServiceManager\n"
        "ServiceManager.from_environment().ready('up')\n"
        "child = 'import os; exit(\"NOTIFY_SOCKET\" in os.environ)'\n"
        "sys.exit(subprocess.call([sys.executable, '-c', child]))"
    )
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(sys.path),
        "NOTIFY_SOCKET": systemd.address,
    }
    assert subprocess.run([sys.executable, "-c", program], env=environment, check=False).returncode == 0
    assert systemd.heard() == {"READY": "1", "STATUS": "up"}

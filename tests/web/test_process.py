"""The daemon as a process, with its page and without."""

from __future__ import annotations

import json
import re
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from support import warm
from support.daemon import Daemon, every_seconds, running, wait_until, write_config
from support.divera_server import divera_server
from support.processes import free_port, wait_for_port
from tallyd.web.http.connection import HEAD_S


@contextmanager
def serving_divera() -> Iterator[str]:
    """An API that answers at once; its address."""
    with divera_server() as server:
        yield server.client("pi").url


def config(folder: Path, url: str, *, web: dict[str, Any] | None, at: list[str]) -> Path:
    poller = {"kind": "divera", "url": url, "accesskey": "canary-key-8f3a", "at": at}
    content: dict[str, Any] = {"name": "pi", "timezone": "UTC", "pollers": {"divera": poller}}
    return write_config(folder, content if web is None else {**content, "web": web})


def imported(daemon: Daemon) -> set[str]:
    """Return the modules that the daemon said it imported."""
    return set(re.findall(r"(?m)^import time:.*\|\s*(\S+)$", daemon.stderr.read_text()))


def test_without_a_page_nothing_of_it_is_imported(tmp_path: Path) -> None:
    with serving_divera() as url:
        path = config(tmp_path, url, web=None, at=every_seconds(3, count=20, first_in_s=4))
        with running(path, python=sys.executable, PYTHONPROFILEIMPORTTIME="1") as daemon:
            wait_until(lambda: daemon.out_files("divera"), what="a reading")
            assert daemon.end() == 0
    names = imported(daemon)
    assert "tallyd.daemon" in names
    parts = ("starlette", "uvicorn", "jinja2", "anyio", "prometheus_client", "tallyd.web.")
    assert {name for name in names if name.startswith(parts)} == {
        *("tallyd.web.service", "tallyd.web.http", "tallyd.web.http.service"),
        *("tallyd.web.intake", "tallyd.web.intake.service"),
    }


@pytest.mark.slow
def test_two_hundred_hostile_connections_cost_no_slot_its_time(tmp_path: Path) -> None:
    port = free_port()
    with serving_divera() as url:
        at = every_seconds(2, count=60)
        path = config(tmp_path, url, web={"listen": f"127.0.0.1:{port}"}, at=at)
        with running(path) as daemon, ExitStack() as stack:
            wait_for_port(port)
            for number in range(200):
                client = stack.enter_context(
                    closing(socket.create_connection(("127.0.0.1", port), timeout=10))
                )
                kinds = (
                    b"",
                    b"G",
                    b"\x00" * 100,
                    b"GET /static/uplot/uPlot.iife.min.js HTTP/1.1\r\nHost: localhost\r\n\r\n",
                )
                try:
                    client.sendall(kinds[number % 4])
                except OSError:
                    continue  # cut off already, which is as it should be
            wait_until(lambda: len(daemon.out_files("divera")) >= 6, what="six readings")
            late_s = [json.loads(path.read_text())["late_s"] for path in daemon.out_files("divera")]
            assert daemon.end() == 0
    assert max(late_s) < HEAD_S, "no slot waits until a hostile connection is cut off"
    assert [line["event"] for line in daemon.log() if line["level"] in ("ERROR", "CRITICAL")] == []


@pytest.mark.slow
def test_a_port_that_is_taken_is_an_alert_and_the_pollers_run_on(tmp_path: Path) -> None:
    with serving_divera() as url, closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        at = every_seconds(3, count=20, first_in_s=4)
        path = config(tmp_path, url, web={"listen": f"127.0.0.1:{port}"}, at=at)
        with running(path) as daemon:
            wait_until(lambda: daemon.out_files("divera"), what="a reading")
            wait_until(lambda: "tallyd/web" in said(path, "alerts"), what="the alert")
            assert f"127.0.0.1:{port} is in use by another program" in " ".join(said(path, "alerts").split())
            assert daemon.end() == 0


def said(path: Path, *arguments: str) -> str:
    return warm.run("-m", "tallyd", "--config", str(path), *arguments, "--json").stdout


def test_it_ends_while_a_browser_holds_connections(tmp_path: Path) -> None:
    port = free_port()
    with serving_divera() as url:
        path = config(tmp_path, url, web={"listen": f"127.0.0.1:{port}"}, at=["08:00"])
        with running(path) as daemon, requests.Session() as browser:
            wait_for_port(port)
            assert browser.get(f"http://127.0.0.1:{port}/", timeout=10).status_code == 200
            assert daemon.end() == 0
    events = [line["event"] for line in daemon.log()]
    assert events.index("tallyd started") < events.index("page served"), "/healthz would say unwell before"
    assert events[-1] == "tallyd stopped"


def test_the_page_appears_moves_gets_a_password_and_ends_while_counting_goes_on(tmp_path: Path) -> None:
    old, new = free_port(), free_port()
    with serving_divera() as url:
        at = every_seconds(2, count=150, first_in_s=4)
        with running(config(tmp_path, url, web=None, at=at)) as daemon:

            def take(web: dict[str, Any] | None, *, level: str) -> None:
                """Have a config taken that changes something else too; counting goes on after it."""
                content = json.loads(config(tmp_path, url, web=web, at=at).read_text())
                write_config(tmp_path, {**content, "log": {"level": level}})
                daemon.process.send_signal(signal.SIGHUP)
                taken = len(daemon.out_files("divera"))
                wait_until(lambda: len(daemon.out_files("divera")) >= taken + 2, what="readings")

            def debugs() -> int:
                return sum(line["level"] == "DEBUG" for line in daemon.log())

            take({"listen": f"127.0.0.1:{old}"}, level="DEBUG")
            wait_until(lambda: answer(old) == 200, what="the page")
            assert debugs() > 0
            take({"listen": f"127.0.0.1:{new}"}, level="DEBUG")
            wait_until(lambda: answer(new) == 200 and answer(old) is None, what="the move")
            (tmp_path / "password").write_text("canary-web-5f1c")
            secret = {"listen": f"127.0.0.1:{new}", "password": "file:password"}
            take(secret, level="DEBUG")
            wait_until(lambda: answer(new) == 401, what="the password")
            assert answer(new, "canary-web-5f1c") == 200
            (tmp_path / "password").write_text("canary-web-9a7e")  # taken by itself
            wait_until(lambda: answer(new, "canary-web-9a7e") == 200, what="the next password")
            assert answer(new, "canary-web-5f1c") == 401
            take(None, level="INFO")
            wait_until(lambda: answer(new) is None, what="the end")
            was = debugs()
            wait_until(lambda: len(daemon.out_files("divera")) > 12, what="readings without a page")
            assert debugs() == was
            assert daemon.end() == 0
    events = [line["event"] for line in daemon.log()]
    assert (events.count("page served"), events.count("page ends")) == (2, 1)
    assert not {"config rejected", "page not served"}.intersection(events)
    assert [line for line in daemon.log() if line["level"] in ("ERROR", "CRITICAL")] == []
    assert "canary-web" not in daemon.stderr.read_text()


def answer(port: int, password: str | None = None) -> int | None:
    """Return the status of the page; None where nobody listens."""
    auth = ("", password) if password else None
    try:
        return requests.get(f"http://127.0.0.1:{port}/", auth=auth, timeout=10).status_code
    except requests.ConnectionError:
        return None


def test_a_place_that_is_taken_keeps_the_page_where_it_is_until_it_is_free(tmp_path: Path) -> None:
    old = free_port()
    with serving_divera() as url, closing(socket.create_server(("127.0.0.1", 0))) as taken:
        new = taken.getsockname()[1]
        path = config(tmp_path, url, web={"listen": f"127.0.0.1:{old}"}, at=["08:00"])
        with running(path) as daemon:
            wait_until(lambda: answer(old) == 200, what="the page")
            config(tmp_path, url, web={"listen": f"127.0.0.1:{new}"}, at=["08:00"])
            wait_until(lambda: "page not served" in daemon.stderr.read_text(), what="the warning")
            daemon.process.send_signal(signal.SIGHUP)  # looks at everything now, and tries again
            wait_until(lambda: "tallyd/web" in said(path, "alerts"), what="the alert")
            assert f"Until then it stays at http://127.0.0.1:{old}/" in alert_text(path)
            assert answer(old) == 200
            taken.close()
            daemon.process.send_signal(signal.SIGHUP)
            wait_until(lambda: answer(new) == 200 and answer(old) is None, what="the move")
            daemon.process.send_signal(signal.SIGHUP)
            wait_until(lambda: "tallyd/web" not in said(path, "alerts"), what="its end")
            assert daemon.end() == 0


def test_the_alert_of_a_page_that_is_not_wanted_any_more_is_no_longer_watched(tmp_path: Path) -> None:
    with serving_divera() as url, closing(socket.create_server(("127.0.0.1", 0))) as taken:
        web = {"listen": f"127.0.0.1:{taken.getsockname()[1]}"}
        path = config(tmp_path, url, web=web, at=["08:00"])
        with running(path) as daemon:
            wait_until(lambda: "page not served" in daemon.stderr.read_text(), what="the warning")
            daemon.process.send_signal(signal.SIGHUP)
            wait_until(lambda: "tallyd/web" in said(path, "alerts"), what="the alert")
            config(tmp_path, url, web=None, at=["08:00"])
            wait_until(lambda: "tallyd/web" not in said(path, "alerts"), what="its end")
            assert daemon.end() == 0
    ends = [line["event"] for line in daemon.log() if line.get("key") == "tallyd/web"]
    assert ends[-1] == "problem no longer watched"


def alert_text(path: Path) -> str:
    return " ".join(alert["text"] for alert in json.loads(said(path, "alerts"))["alerts"])


def test_with_a_password_the_page_is_shown_only_to_who_has_it(tmp_path: Path) -> None:
    port = free_port()
    with serving_divera() as url:
        web = {"listen": f"0.0.0.0:{port}", "password": "canary-web-5f1c"}
        path = config(tmp_path, url, web=web, at=["08:00"])
        with running(path) as daemon:
            wait_for_port(port)
            page = f"http://127.0.0.1:{port}"
            assert requests.get(page + "/", timeout=10).status_code == 401
            assert requests.get(page + "/", auth=("", "canary-web-5f1c"), timeout=10).status_code == 200
            assert requests.get(page + "/healthz", timeout=10).status_code == 200
            assert daemon.end() == 0
    assert "canary-web-5f1c" not in daemon.stderr.read_text()

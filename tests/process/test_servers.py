"""The daemon as a process watches servers: over real HTTP, through restarts and edits, with messages."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from support import warm
from support.apps import app, version
from support.chatservers import WebService, web_service
from support.daemon import Daemon, running, wait_until, write_config
from support.rawserver import Connection, RawServer, serving
from tallyd.adapters.records.database import Database

HOOK = "/hooks/5f1c0ffee5f1c0ffe/aTokenOfThisTest0987654321"


class Apps:
    """Servers whose data was computed that many minutes ago; None: they do not answer."""

    def __init__(self, **minutes: float | None) -> None:
        self.minutes = minutes
        self.asked = 0

    def __call__(self, connection: Connection, path: str) -> None:
        self.asked += 1
        found = self.minutes[path.removeprefix("/")]
        if found is None:
            connection.reset()
        else:
            connection.send(version(datetime.now(UTC) - timedelta(minutes=found)))


@contextmanager
def site(folder: Path, apps: Apps, *, every: str = "1s") -> Iterator[tuple[RawServer, WebService]]:
    with serving(app(apps)) as server, web_service() as chat:
        write(folder, server, chat, *apps.minutes, every=every)
        yield server, chat


def write(
    folder: Path, server: RawServer, chat: WebService, *names: str, every: str = "1s", **top: Any
) -> Path:
    (folder / "targets.json").write_text(
        json.dumps({name: {"url": f"{server.url}/{name}", "stale_after": "15m"} for name in names})
    )
    # No file at a quarter of an hour: these tests count those that a change writes.
    poller = {"kind": "servers", "every": every, "write_every": "24h", "targets_file": "targets.json"}
    content = {
        "name": "ops1",
        "timezone": "UTC",
        "channels": {"chat": f"http://{chat.host}{HOOK}"},
        "alerts": {"channels": ["chat"]},
        "pollers": {"apps": poller},
    }
    return write_config(folder, {**content, **top})


def texts(chat: WebService) -> list[str]:
    return [posted.json["text"] for posted in chat.at(HOOK)]


def rounds_to_come(apps: Apps, count: int) -> None:
    """Wait for this number of rounds."""
    before = apps.asked
    wait_until(lambda: apps.asked >= before + count * len(apps.minutes), what="further rounds")


def counts(daemon: Daemon) -> list[dict[str, int]]:
    return [json.loads(path.read_text())["counts"] for path in daemon.out_files("apps")]


@pytest.mark.slow
def test_a_server_goes_stale_and_comes_back_over_a_restart_and_one_message_tells_each(tmp_path: Path) -> None:
    apps = Apps(PROD=1, TEST=1)
    config = tmp_path / "config.json"
    # In a round of a second an answer has 0.2 s, which a busy machine may need for itself.
    with site(tmp_path, apps, every="2s") as (_, chat):
        with running(config) as daemon:
            wait_until(lambda: daemon.out_files("apps"), what="the first file")
            rounds_to_come(apps, 3)
            apps.minutes["PROD"] = 20
            wait_until(lambda: texts(chat), what="the message")
            wait_until(lambda: "notice sent" in daemon.stderr.read_text(), what="the note")
            assert daemon.end() == 0
        with running(config) as daemon:
            rounds_to_come(apps, 4)
            assert len(texts(chat)) == 1
            apps.minutes["PROD"] = 1
            wait_until(lambda: len(texts(chat)) == 2, what="its end")
            wait_until(lambda: len(daemon.out_files("apps")) == 3, what="the third file")
            assert daemon.end() == 0
    begins, over = texts(chat)
    # Between the answer and the check a second may pass.
    assert re.match(r"\[ops1\] PROD: data 20 min( \d+ s)? old \(limit 15 min\), last computed ", begins), (
        begins
    )
    assert begins.endswith(f" --config {config} mute apps/PROD/stale --for 2h")
    assert over.startswith("[ops1] PROD: no longer stale since ")
    assert [(each["fresh"], each["stale"]) for each in counts(daemon)] == [(2, 0), (1, 1), (2, 0)]
    database = Database(f"sqlite:///{tmp_path / 'state' / 'records.db'}")
    ever = (datetime(2020, 1, 1, tzinfo=UTC), datetime.now(UTC) + timedelta(days=1))
    rows = database.records("apps").server_lags(["PROD"], *ever, most=1000)
    changes = [
        row.state
        for row, before in zip(rows, (None, *rows), strict=False)
        if not before or before.state != row.state
    ]
    assert changes == ["fresh", "stale", "fresh"]
    checks = sum(
        count.checks for name, _, count in database.records("apps").server_hours(*ever) if name == "PROD"
    )
    database.close()
    assert checks >= 8


def test_targets_come_and_go_by_their_file_and_an_alert_ends_with_its_target(tmp_path: Path) -> None:
    apps = Apps(PROD=None, TEST=1)
    # In a round of a second an answer has 0.2 s, which a busy machine may need for itself.
    with site(tmp_path, apps, every="4s") as (server, chat), running(tmp_path / "config.json") as daemon:
        wait_until(lambda: texts(chat), what="the message")
        assert texts(chat)[0].startswith("[ops1] PROD: unreachable: 127.0.0.1:")
        apps.minutes["NEW"] = 1
        write(tmp_path, server, chat, "TEST", "NEW", every="4s")
        wait_until(lambda: len(texts(chat)) == 2, what="its end")
        wait_until(lambda: len(daemon.out_files("apps")) == 2, what="a file with the new target")
        assert daemon.end() == 0
    assert "no longer watched: apps/PROD/unreachable, open since " in texts(chat)[1]
    ends = [line["event"] for line in daemon.log() if line.get("key") == "apps/PROD/unreachable"]
    assert ends == ["problem begins", "problem no longer watched"]
    first, last = (json.loads(path.read_text()) for path in daemon.out_files("apps"))
    assert sorted(last["targets"]) == ["NEW", "TEST"]
    assert last["targets"]["TEST"]["since"] == first["targets"]["TEST"]["since"]


def test_what_waits_for_the_database_at_the_end_is_said_to_be_lost(tmp_path: Path) -> None:
    (tmp_path / "folder").write_text("in the place of a folder")
    with site(tmp_path, Apps(PROD=1, TEST=1)) as (server, chat):
        database = {"url": f"sqlite:///{tmp_path / 'folder' / 'records.db'}"}
        config = write(tmp_path, server, chat, "PROD", "TEST", database=database)
        with running(config) as daemon:
            wait_until(lambda: daemon.out_files("apps"), what="the first file")
            assert daemon.end() == 0
        lost = [line["rows"] for line in daemon.log() if line["event"] == "checks lost"]
    assert len(lost) == 1
    assert lost[0] >= 4


def test_commands_show_all_targets_and_leave_but_the_file_of_once(tmp_path: Path) -> None:
    with site(tmp_path, Apps(PROD=1, TEST=20, GONE=None)):
        command = ("-m", "tallyd", "--config", str(tmp_path / "config.json"))
        done = warm.run(*command, "once", "apps", "--json")
        report = warm.run(*command, "report")
        online = warm.run(*command, "check", "--online")
    assert (done.returncode, report.returncode) == (0, 0), done.stderr + report.stderr
    content, summary = json.loads(done.stdout)
    assert content["origin"] == "once"
    assert {name: each["state"] for name, each in content["targets"].items()} == {
        "PROD": "fresh",
        "TEST": "stale",
        "GONE": "unreachable",
    }
    assert [row["target"] for row in summary["targets"]] == ["GONE", "TEST", "PROD"]
    (written,) = (tmp_path / "out" / "apps").glob("*/*.json")
    assert json.loads(written.read_text())["targets"].keys() == content["targets"].keys()
    assert ": no checks\nNo checks in these days. Targets are checked every 1 s.\n" in report.stdout
    assert online.returncode == 1
    assert "apps: 1 of 3 do not answer correctly" in online.stderr
    assert re.search(r"stale, 20 min( \d+ s)? old \(200, ", online.stdout)


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_process_that_dies_is_one_message_and_no_server_is_called_unreachable(tmp_path: Path) -> None:
    is_hanging = threading.Event()

    class Slow(Apps):
        def __call__(self, connection: Connection, path: str) -> None:
            if is_hanging.is_set():
                self.asked += 1
                connection.hang()
            super().__call__(connection, path)

    apps = Slow(PROD=1, TEST=1)
    with site(tmp_path, apps) as (server, chat):
        own = {"kind": "servers", "every": "20s", "executor": "processes", "processes": 1}
        config = write(
            tmp_path, server, chat, "PROD", "TEST", pollers={"apps": {**own, "targets_file": "targets.json"}}
        )
        # A new Python: those that are kept ready may have no processes of their own.
        with running(config, python=sys.executable) as daemon:
            wait_until(lambda: daemon.out_files("apps"), what="the first file", within_s=60)
            is_hanging.set()
            rounds_to_come(apps, 1)
            for child in processes_of(daemon.process.pid):
                os.kill(child, signal.SIGKILL)
            is_hanging.clear()
            wait_until(lambda: len(texts(chat)) == 2, what="a message and its end", within_s=90)
            assert "a process of this machine died while it checked" in texts(chat)[0]
            assert "2 targets were not checked" in texts(chat)[0]
            assert "workers check all targets again" in texts(chat)[1]
            assert "unreachable" not in "".join(texts(chat))


def processes_of(pid: int) -> list[int]:
    """Return the processes that check for a daemon."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    found = {int(child) for task in tasks for child in (task / "children").read_text().split()}
    return [each for each in found if "spawn_main" in Path(f"/proc/{each}/cmdline").read_text()]

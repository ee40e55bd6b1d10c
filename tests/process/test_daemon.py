"""The daemon as a process: signals, reload, what systemd hears, two of them, and `once` beside it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from support import warm
from support.daemon import LONGEST_S, every_seconds, running, wait_until, write_config
from support.long import some

USERS = json.dumps({"success": True, "data": [{"status_id": 50101}, {"status_id": 50103}, {}]}).encode()


class Source:
    """A Divera API that answers as `answer` says; counts how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.answer: Callable[[BaseHTTPRequestHandler], None] = _fine
        source = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                source.asked += 1
                source.answer(self)

            def log_message(self, *_: object) -> None:
                """Say nothing on the test's stderr."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/api/users"


def _fine(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(USERS)))
    handler.end_headers()
    handler.wfile.write(USERS)


def _unavailable(handler: BaseHTTPRequestHandler) -> None:
    handler.send_error(503)


def _dripping(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(USERS)))
    handler.end_headers()
    for byte in USERS:
        try:
            handler.wfile.write(bytes([byte]))
        except OSError:
            return  # the daemon hung up, as it should
        time.sleep(2)  # all of it takes longer than a test waits


@pytest.fixture
def source() -> Iterator[Source]:
    source = Source()
    thread = threading.Thread(target=source.server.serve_forever)
    thread.start()
    yield source
    source.server.shutdown()
    thread.join()
    source.server.server_close()


RETRIES = {"attempts": 3, "first_wait": "5m", "longest_wait": "1h", "give_up_after": "1h"}


def _content(source: Source, at: list[str], **top: Any) -> dict[str, Any]:
    poller = {"kind": "divera", "url": source.url, "accesskey": "k3y-of-this-test", "at": at}
    return {"timezone": "UTC", "pollers": {"divera": poller}, **top}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_a_signal_ends_it_cleanly_while_idle(number: signal.Signals, source: Source, tmp_path: Path) -> None:
    with running(write_config(tmp_path, _content(source, ["00:00"]))) as daemon:
        assert daemon.end(number) == 0
        assert daemon.heard("STOPPING=1")
    assert daemon.log()[-1]["event"] == "tallyd stopped"


def test_sigterm_ends_it_in_the_middle_of_a_retry_wait(source: Source, tmp_path: Path) -> None:
    source.answer = _unavailable
    content = _content(source, every_seconds(1, count=1), retry=RETRIES)
    with running(write_config(tmp_path, content)) as daemon:
        wait_until(lambda: any(line["event"] == "try failed" for line in daemon.log()))
        assert daemon.end() == 0
    assert source.asked == 1
    assert "Traceback" not in daemon.stderr.read_text()


def test_sigterm_ends_it_in_the_middle_of_a_slow_download(source: Source, tmp_path: Path) -> None:
    source.answer = _dripping
    with running(write_config(tmp_path, _content(source, every_seconds(1, count=1)))) as daemon:
        wait_until(lambda: source.asked == 1)
        time.sleep(0.3)
        assert daemon.end() == 0
    assert "Traceback" not in daemon.stderr.read_text()


def test_a_slot_that_a_stop_cut_off_is_taken_at_the_next_start(source: Source, tmp_path: Path) -> None:
    source.answer = _unavailable
    config = write_config(tmp_path, _content(source, every_seconds(1, count=1)))
    with running(config) as daemon:
        wait_until(lambda: source.asked == 1)
        assert daemon.end() == 0
    source.answer = _fine
    with running(config) as daemon:
        wait_until(lambda: len(daemon.out_files("divera")) == 1)
        assert daemon.end() == 0
    assert json.loads(daemon.out_files("divera")[0].read_text())["counts"] == {
        "50101": 1,
        "50103": 1,
        "none": 1,
    }


def test_a_second_daemon_on_the_same_state_is_refused_and_says_who_holds_it(
    source: Source, tmp_path: Path
) -> None:
    config = write_config(tmp_path, _content(source, ["00:00"]))
    with running(config) as daemon:
        second = _tallyd(config, "run")
        assert second.returncode == 1
        assert f"process {daemon.process.pid} already uses " in second.stderr
        assert daemon.end() == 0


def test_an_edited_time_is_taken_by_itself(source: Source, tmp_path: Path) -> None:
    with running(write_config(tmp_path, _content(source, ["00:00"]))) as daemon:
        write_config(tmp_path, _content(source, every_seconds(3, count=9, first_in_s=9)))
        wait_until(lambda: daemon.out_files("divera"), what="a reading at an edited time")
        assert any(line["event"] == "config loaded" for line in daemon.log())
        assert daemon.end() == 0


def test_sighup_takes_the_config_at_once_and_systemd_is_notified(source: Source, tmp_path: Path) -> None:
    with running(write_config(tmp_path, _content(source, ["00:00"]))) as daemon:
        write_config(tmp_path, _content(source, ["00:00"], log={"level": "DEBUG"}))
        daemon.process.send_signal(signal.SIGHUP)
        wait_until(lambda: daemon.heard("RELOADING=1"))
        wait_until(lambda: sum("READY=1" in notice for notice in daemon.notices) + daemon.heard("\0") >= 2)
        assert "MONOTONIC_USEC=" in "".join(daemon.notices)
        assert daemon.end() == 0


def test_a_refused_config_leaves_the_old_one_in_force_and_heads_status(
    source: Source, tmp_path: Path
) -> None:
    config = write_config(tmp_path, _content(source, every_seconds(4, count=14)))
    with running(config) as daemon:
        config.write_text('{"pollers": {"divera": {"kind": ')
        wait_until(lambda: any(line["event"] == "config rejected" for line in daemon.log()))
        files = len(daemon.out_files("divera"))
        wait_until(lambda: len(daemon.out_files("divera")) > files, what="the old times go on")
        first_line = _tallyd(config, "status").stdout.splitlines()[0]
        assert "REJECTED" in first_line
        assert "invalid JSON at line 1" in first_line
        assert daemon.end() == 0


def test_a_change_that_needs_a_restart_is_refused_and_says_so(source: Source, tmp_path: Path) -> None:
    config = write_config(tmp_path, _content(source, ["00:00"]))
    with running(config) as daemon:
        write_config(tmp_path, _content(source, ["00:00"], out={"dir": "elsewhere"}))
        daemon.process.send_signal(signal.SIGHUP)
        wait_until(lambda: any(line["event"] == "config rejected" for line in daemon.log()))
        (line,) = [line for line in daemon.log() if line["event"] == "config rejected"]
        text = "out.dir: changed; this needs a restart to apply: sudo systemctl restart tallyd (1 of"
        assert text in line["problems"][0]
        assert daemon.end() == 0


@pytest.mark.parametrize(
    ("in_a_terminal", "words"),
    some([(True, "stop tallyd with Ctrl-C and start it again"), (False, "stop tallyd and start it again")]),
)
def test_without_systemd_a_restart_is_explained_in_other_words(
    source: Source, tmp_path: Path, *, in_a_terminal: bool, words: str
) -> None:
    config = write_config(tmp_path, _content(source, ["00:00"]))
    log = tmp_path / "log" / "tallyd.log"
    ours, theirs = os.openpty() if in_a_terminal else os.pipe()
    command = [sys.executable, "-m", "tallyd", "--config", str(config), "run"]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs) as process:
        try:
            wait_until(lambda: log.exists() and "tallyd started" in log.read_text(), what="the start")
            write_config(tmp_path, _content(source, ["00:00"], out={"dir": "elsewhere"}))
            process.send_signal(signal.SIGHUP)
            wait_until(lambda: "config rejected" in log.read_text(), what="the refusal")
        finally:
            process.terminate()
            assert process.wait(LONGEST_S) == 0
            os.close(ours)
            os.close(theirs)
    assert f"out.dir: changed; this needs a restart to apply: {words} (1 of" in log.read_text()


def test_the_watchdog_is_fed(source: Source, tmp_path: Path) -> None:
    config = write_config(tmp_path, _content(source, ["00:00"]))
    with running(config, WATCHDOG_USEC="2000000") as daemon:
        wait_until(lambda: daemon.heard("WATCHDOG=1"))
        assert daemon.heard("STATUS=next: divera count ")
        assert daemon.end() == 0


def test_without_a_poller_it_runs_and_says_what_to_do(tmp_path: Path) -> None:
    with running(write_config(tmp_path, {"pollers": {}})) as daemon:
        assert daemon.heard("no poller is configured")
        assert daemon.end() == 0


def test_once_beside_the_daemon_writes_its_file_and_takes_no_slot(source: Source, tmp_path: Path) -> None:
    config = write_config(tmp_path, _content(source, every_seconds(1, count=1, first_in_s=8)))
    with running(config) as daemon:
        done = _tallyd(config, "once", "divera")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["origin"] == "once"
        wait_until(lambda: len(daemon.out_files("divera")) == 2, what="the slot is taken as well")
        assert daemon.end() == 0
    origins = {json.loads(path.read_text())["origin"] for path in daemon.out_files("divera")}
    assert origins == {"once", "live"}


def test_a_dry_run_writes_nothing_at_all(source: Source, tmp_path: Path) -> None:
    config = write_config(tmp_path, _content(source, ["00:00"]))
    done = _tallyd(config, "once", "divera", "--dry-run", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["total"] == 3
    assert sorted(tmp_path.iterdir()) == [config]


def test_once_says_in_one_line_why_there_is_no_reading(source: Source, tmp_path: Path) -> None:
    source.answer = lambda handler: handler.send_error(403)
    config = write_config(tmp_path, _content(source, ["00:00"]))
    done = _tallyd(config, "once", "divera")
    assert done.returncode == 1
    assert source.asked == 1
    assert "HTTP 403" in done.stderr
    assert "Traceback" not in done.stderr
    assert "k3y-of-this-test" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        pytest.param(
            ("once", "diversa"), 'there is no poller "diversa"; did you mean "divera"?', id="poller"
        ),
        pytest.param(
            ("once", "divera", "--job", "cnt"), 'poller "divera" has no job "cnt"; it has: count', id="job"
        ),
        pytest.param(("once",), "Missing argument", id="argument missing"),
        pytest.param(("onse",), "No such command", id="command"),
    ],
)
def test_wrong_usage_is_named_and_ends_with_2(
    arguments: tuple[str, ...], expected: str, source: Source, tmp_path: Path
) -> None:
    done = _tallyd(write_config(tmp_path, _content(source, ["00:00"])), *arguments)
    assert done.returncode == 2
    assert expected in done.stderr


def test_check_online_prints_what_the_source_has_and_writes_nothing(source: Source, tmp_path: Path) -> None:
    config = write_config(tmp_path, _content(source, ["00:00"]))
    done = _tallyd(config, "check", "--online")
    assert done.returncode == 0, done.stderr
    assert "50101" in done.stdout
    assert "Time zone: UTC" in done.stdout
    assert sorted(tmp_path.iterdir()) == [config]


def test_status_before_the_first_start_says_so_and_creates_nothing(source: Source, tmp_path: Path) -> None:
    config = write_config(tmp_path, _content(source, ["00:00"]))
    done = _tallyd(config, "status")
    assert done.returncode == 1
    assert "has not run" in done.stderr
    assert sorted(tmp_path.iterdir()) == [config]


@pytest.mark.slow
def test_a_full_log_disk_does_not_stop_the_counting(source: Source, tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "tallyd.log").mkdir()  # a folder in its place: it can't be opened, not even by root
    with running(write_config(tmp_path, _content(source, every_seconds(1, count=1)))) as daemon:
        wait_until(lambda: len(daemon.out_files("divera")) == 1)
        wait_until(lambda: "tallyd/log" in _tallyd(tmp_path / "config.json", "status").stdout)
        assert daemon.end() == 0
    assert "cannot be written" in _tallyd(tmp_path / "config.json", "status").stdout


def _tallyd(config: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return warm.run("-m", "tallyd", "--config", str(config), *arguments, NO_COLOR="1")


def test_a_config_refused_for_a_missing_key_file_is_taken_once_the_file_is_there(
    source: Source, tmp_path: Path
) -> None:
    with running(write_config(tmp_path, {"pollers": {}})) as daemon:
        content = _content(source, ["00:00"])
        content["pollers"]["divera"]["accesskey"] = "file:key"
        write_config(tmp_path, content)
        wait_until(lambda: any(line["event"] == "config rejected" for line in daemon.log()))
        (tmp_path / "key").write_text("k3y-of-this-test")
        wait_until(lambda: any(line["event"] == "config loaded" for line in daemon.log()))
        assert daemon.end() == 0


def test_the_inbox_of_a_poller_that_a_reload_brings_is_made_and_one_that_is_gone_is_not(
    tmp_path: Path,
) -> None:
    first, second = ({"kind": "visitors", "inbox": f"drop/{name}"} for name in ("first", "second"))
    content: dict[str, Any] = {"timezone": "UTC", "database": {"url": "sqlite:///db/records.db"}}
    with running(write_config(tmp_path, {**content, "pollers": {}})) as daemon:
        write_config(tmp_path, {**content, "pollers": {"first": first}})
        wait_until((tmp_path / "drop/first").is_dir)
        wait_until((tmp_path / "db/records.db").exists)
        shutil.rmtree(tmp_path / "drop/first")
        write_config(tmp_path, {**content, "pollers": {"first": first, "second": second}})
        wait_until((tmp_path / "drop/second").is_dir)
        assert daemon.end() == 0
    assert not (tmp_path / "drop/first").exists()


def test_a_deleted_state_db_ends_the_daemon_and_the_next_start_knows_its_readings(
    source: Source, tmp_path: Path
) -> None:
    config = write_config(tmp_path, _content(source, every_seconds(1, count=1)))
    with running(config) as daemon:
        wait_until(lambda: len(daemon.out_files("divera")) == 1)
        for path in (tmp_path / "state").glob("state.db*"):
            path.unlink()
        assert daemon.process.wait(LONGEST_S) == 1
    with running(config) as daemon:
        assert json.loads(_tallyd(config, "status", "--json").stdout)["jobs"][0]["last_file"]
        assert daemon.end() == 0
    assert len(daemon.out_files("divera")) == 1

"""A further kind of poller is one file and one line: the real daemon runs it, and everything shows it."""

from __future__ import annotations

import json
import re
import socket
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from support import warm
from support.chatservers import Reply, WebService, web_service
from support.daemon import Daemon, wait_until, write_config
from tallyd.core.history import reading_of_numbers
from tallyd.core.readings_board import readings_board
from tallyd.pollers.divera.board import entry_of
from tallyd.presentation.boards import Chapter, chapters_csv

ROOT = Path(__file__).parents[2]
TOY = Path(__file__).with_name("thermometer.py")
START = """
import sys

for name in [name for name in sys.modules if name.partition(".")[0] == "tallyd"]:
    del sys.modules[name]  # as in a new Python: who imports it finds the further kind

from pollers.thermometer import Thermometer
from tallyd.config.kinds import KINDS

KINDS.append(Thermometer)

from tallyd.cli.main import main

sys.exit(main())
"""
HOOK = "/hooks/5f1c0ffee5f1c0ffe/aTokenOfThisTest0987654321"


@dataclass
class Site:
    """A folder with a config, a script that starts tallyd with the further kind, and the source it asks."""

    folder: Path
    service: WebService
    page: str

    def is_now(self, degrees: float) -> None:
        """Have the source answer with a temperature."""
        self.service.replies["/room"] = Reply(body=json.dumps({"temperature": degrees}).encode())

    @property
    def messages(self) -> list[str]:
        return [posted.json["text"] for posted in self.service.at(HOOK)]

    def ask(self, path: str) -> str:
        with urllib.request.urlopen(f"http://{self.page}{path}", timeout=20) as answer:
            found: str = answer.read().decode()
        return found

    def run(self, *words: str) -> str:
        """Run a command; return its output."""
        start = str(self.folder / "start.py")
        done = warm.run(start, "--config", "config.json", *words, cwd=self.folder, COLUMNS="100")
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        page = f"127.0.0.1:{free.getsockname()[1]}"
    (tmp_path / "start.py").write_text(START)
    with web_service() as service:
        poller = {"kind": "thermometer", "url": f"http://{service.host}/room", "every": "2s", "limit": 30}
        content = {
            "timezone": "Europe/Berlin",
            "channels": {"chat": f"http://{service.host}{HOOK}"},
            "alerts": {"channels": ["chat"]},
            "web": {"listen": page},
            "pollers": {"room": poller},
        }
        write_config(tmp_path, content)
        found = Site(tmp_path, service, page)
        found.is_now(21.5)
        yield found


@pytest.fixture
def daemon(site: Site) -> Iterator[Daemon]:
    found = Daemon(site.folder / "config.json", command=(str(site.folder / "start.py"),))
    try:
        found.wait_ready()
        yield found
    finally:
        found.kill()
        found.close()


def numbers(metrics: str, name: str) -> list[tuple[str, float]]:
    """Return the samples of a metric: the labels and the value."""
    return [
        (labels, float(value)) for labels, value in re.findall(rf"^{name}\{{(.*)\}} (.*)$", metrics, re.M)
    ]


def test_the_daemon_counts_it_and_tells_when_it_is_too_hot_and_when_no_more(
    site: Site, daemon: Daemon
) -> None:
    wait_until(lambda: daemon.out_files("room"), what="an out file")
    content = json.loads(daemon.out_files("room")[0].read_text())
    assert (content["kind"], content["temperature"], content["problems"]) == ("thermometer", 21.5, [])

    site.is_now(31.25)
    # On a busy machine a slot may be missed, and people are notified of that, too.
    wait_until(lambda: "room: 31.25 °C, above 30 °C" in " ".join(site.messages), what="a message")
    assert "room/temperature/too-hot" in site.run("alerts")

    site.is_now(20)
    over = "room: not above 30 °C any more"
    wait_until(lambda: over in " ".join(site.messages), what="the message that it is over")
    assert daemon.end() == 0


def test_the_page_the_metrics_and_the_api_show_it(site: Site, daemon: Daemon) -> None:
    wait_until(lambda: daemon.out_files("room"), what="an out file")
    for path in ("/", "/poller/room"):
        page = site.ask(path)
        assert "All well" in page
        assert "<dt>temperature</dt> <dd>21.5</dd>" in page, path
        assert "Total" not in page
    (found,) = re.findall("id=\"past-readings-chart\".*data-chart='([^']*)'", site.ask("/poller/room"))
    chart = json.loads(found)
    assert [column["name"] for column in chart["columns"]] == ["temperature"]
    assert (chart["columns"][0]["values"][0], chart["is_whole"]) == (21.5, False)
    assert re.search(r'class="num">21.5 \(21.5\W21.5\)</td>', site.ask("/poller/room?by=day"))
    csv = site.ask("/poller/room/report.csv").splitlines()
    assert csv[0] == "date,time,weekday,temperature,note"
    metrics = site.ask("/metrics")
    assert numbers(metrics, "tallyd_number") == [('name="temperature",poller="room"', 21.5)]
    assert [labels for labels, _ in numbers(metrics, "tallyd_last_reading_timestamp_seconds")]
    status = json.loads(site.ask("/api/v1/status"))
    assert [(job["poller"], job["kind"], job["job"]) for job in status["jobs"]] == [
        ("room", "thermometer", "read")
    ]
    readings = json.loads(site.ask("/api/v1/readings?poller=room"))
    assert readings["readings"][0]["content"]["temperature"] == 21.5


def test_the_commands_show_it(site: Site, daemon: Daemon) -> None:
    wait_until(lambda: daemon.out_files("room"), what="an out file")
    assert "21.5 °C" in site.run("check", "--online")
    assert json.loads(site.run("once", "room"))["temperature"] == 21.5
    status = site.run("status")
    assert re.search(r"room +read ", status)
    assert re.search(r"^temperature +21.5$", status, re.M)
    status_json = json.loads(site.run("status", "--json"))
    (job,) = status_json["jobs"]
    assert (job["poller"], job["kind"]) == ("room", "thermometer")
    assert status_json["now"]["room"]["stats"] == {"temperature": 21.5}
    daemon.end()

    table = site.run("report")
    assert re.search(r"date +time +weekday +temperature +note", table)
    assert "21.5" in table
    heading, row = site.run("report", "--format", "csv").splitlines()[:2]
    assert heading == "date,time,weekday,temperature,note"
    assert row.split(",")[3] == "21.5"
    (found,) = json.loads(site.run("report", "--format", "json"))
    assert (found["kind"], found["now"]["stats"]) == ("thermometer", {"temperature": 21.5})
    assert found["past"]["tables"]["readings"]["rows"][0]["temperature"] == 21.5
    (found,) = json.loads(site.run("report", "--format", "json", "--by", "day"))
    assert found["past"]["tables"]["readings"]["rows"][0]["temperature"]["mean"] == 21.5
    html = site.run("report", "--format", "html")
    assert re.search(r"<h2[^>]*>room</h2>", html)
    assert re.search(r'class="num">\s*21.5\s*</td>', html)


def test_one_csv_of_two_kinds_keeps_the_total_of_the_one_that_has_it() -> None:
    at = datetime(2026, 11, 20, 8, tzinfo=UTC)
    entries = {
        "room": reading_of_numbers(at, taken_at=at, body={"temperature": 21.5}),
        "unit": entry_of(at, taken_at=at, body={"source": "users", "total": 7, "counts": {"50101": 7}}),
    }
    chapters = [
        Chapter(
            poller=name,
            kind="",
            zone=ZoneInfo("UTC"),
            first=at.date(),
            last=at.date(),
            board=readings_board([entry], {}, by=None, zone=UTC, next_at=None),
        )
        for name, entry in entries.items()
    ]
    assert chapters_csv(chapters, excel=False, name_pollers=True).splitlines() == [
        "poller,date,time,weekday,temperature,total,50101,note",
        "room,2026-11-20,08:00,Fri,21.5,,,",
        "unit,2026-11-20,08:00,Fri,,7,7,",
    ]


def test_a_config_to_begin_with_and_the_pages_of_the_config_have_it(site: Site) -> None:
    begun = json.loads(site.run("init", "--kind", "thermometer"))
    assert begun["pollers"]["thermometer"]["kind"] == "thermometer"
    assert "## `pollers`: kind `thermometer`" in site.run("schema", "--format", "markdown")
    assert "`<poller>/temperature/too-hot`" in site.run("schema", "--format", "alerts")
    schema: dict[str, Any] = json.loads(site.run("schema"))
    assert "Thermometer" in schema["$defs"]


def test_it_is_small_and_the_guide_shows_it_as_it_is() -> None:
    text = TOY.read_text("utf-8")
    assert len(text.splitlines()) <= 80
    assert f"```python\n{text}```" in (ROOT / "CONTRIBUTING.md").read_text("utf-8")

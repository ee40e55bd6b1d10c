"""The daemon with its page in the small world of the demo, with an invented past to show.

with small_world(folder) as site:
    site.daemon.wait_ready()
    get(site.url + "/healthz")
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from support.daemon import Daemon, running, write_config
from support.past import BERLIN, Past, minutely
from support.processes import free_port
from tallyd.adapters.records.database import Database
from tallyd.adapters.state import State
from tallyd.contract.lags import LagRow
from tallyd.contract.passages import Content, Count, ToIngest, seen_text
from tallyd.core.alerts.incidents import Delivered
from tallyd.core.alerts.rules import Observations
from tallyd.core.alerts.run_alerts import Run, failed_for_good
from tallyd.core.alerts.values import Age, Span
from tallyd.demo.folder import DemoFolder
from tallyd.demo.past.writer import write_past
from tallyd.demo.world import cameras, chat, crowd, divera, servers, upstream
from tallyd.pollers.servers.alert_kinds import TARGET_KINDS

NAMES = {
    "50101": "Einsatzbereit",
    "50102": "Bedingt bereit",
    "50103": "Nicht bereit",
    "50104": "Im Einsatz",
    "50105": "Beurlaubt",
}
WEEKS = 4
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Site:
    """A running daemon: its folder, where its page is, and where its world is."""

    folder: Path
    url: str
    world: str
    daemon: Daemon

    def set_mode(self, control: str, mode: str) -> None:
        """Play something in the world: `servers.CONTROL`, `cameras.CONTROL`, ..."""
        body = json.dumps({"mode": mode}).encode()
        request = urllib.request.Request(self.world + control, data=body, method="POST")
        with urllib.request.urlopen(request, timeout=10) as answer:
            answer.read()


@contextmanager
def world(inbox: Path) -> Iterator[str]:
    """The small world in a process of its own; its address."""
    command = [sys.executable, "-m", "tallyd.demo.world.main", "0", str(inbox), "Europe/Berlin"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait(10)
        process.stdout.close()


@contextmanager
def small_world(folder: Path, *, is_past_of_demo: bool = False, **web: Any) -> Iterator[Site]:
    """A daemon that is ready, with its page; `web` are further keys of `web` in the config.

    `is_past_of_demo`: its past is that of the demo, which is longer.
    """
    inbox, port = folder / "inbox", free_port()
    inbox.mkdir(parents=True)
    with world(inbox) as base_url:
        config = write_config(folder, _config(base_url, port, web))
        if is_past_of_demo:
            write_past(DemoFolder(folder).config_of_past(str(BERLIN)), now=datetime.now(UTC))
        else:
            make_past(folder)
        with running(config) as daemon:
            yield Site(folder, f"http://127.0.0.1:{port}", base_url, daemon)


def still_world(folder: Path) -> Path:
    """The same config and past where nothing runs; the config's path."""
    folder.mkdir()
    make_past(folder)
    return write_config(folder, _config("http://127.0.0.1:1", free_port(), {}))


def _config(base_url: str, port: int, web: dict[str, Any]) -> dict[str, Any]:
    now = datetime.now(BERLIN)
    soon = [f"{now + timedelta(seconds=step):%H:%M:%S}" for step in range(4, 64, 6)]
    return {
        "name": "small-world",
        "timezone": "Europe/Berlin",
        "web": {"listen": f"127.0.0.1:{port}", **web},
        "channels": {"chat": chat.webhook(base_url)},
        "alerts": {"channels": ["chat"]},
        "retry": {"attempts": 2, "first_wait": "1s", "longest_wait": "2s", "give_up_after": "4s"},
        "pollers": {
            "divera": {**divera.poller(base_url), "accesskey": divera.KEY, "at": ["08:00", "20:00", *soon]},
            "visitors": {
                **cameras.poller("inbox"),
                "report": upstream.report(base_url, every="10s"),
            },
            "servers": {**servers.poller(base_url), "every": "2s"},
        },
    }


def make_past(folder: Path) -> None:
    """Invent some weeks of people, a day of visitors, some hours of servers, and two incidents."""
    (folder / "state").mkdir(exist_ok=True)
    _incidents(folder / "state" / "state.db", datetime.now(UTC))
    chance, now = random.Random(4), datetime.now(UTC)
    _people(Past(folder), chance, now)
    database = Database(f"sqlite:///{folder / 'state' / 'records.db'}")
    database.prepare()
    with closing(database):
        _visitors(database, chance, now)
        _lags(database, now)


def _incidents(database: Path, now: datetime) -> None:
    run = Run(poller="divera", job="count", due_at=now - DAY, now=now - DAY, next_at=None)
    stale = TARGET_KINDS["stale"]
    problems = [
        failed_for_good(run, "timed out", attempts=3),
        stale.problem(
            "servers", "STAGE", since=now - 2 * DAY, target="STAGE", age=Age(now - 2 * DAY), limit=Span(30)
        ),
    ]
    with closing(State(database)) as state:
        state.uptime.note({now - WEEKS * 7 * DAY: now})
        for number, problem in enumerate(problems):
            raised = Observations(named=(problem,), may_resolve=lambda _key: True, now=problem.since)
            (alert,) = state.alerts.evaluate(raised).raised
            sent_at = problem.since + timedelta(seconds=2)
            delivered: Delivered = {((alert.key, problem.since), "chat", "begins"): sent_at}
            state.notifications.mark({}, delivered)
            ended = Observations(named=(), may_resolve=lambda _key: True, now=now - DAY * (0.5 + number))
            state.alerts.evaluate(ended)


def _people(past: Past, chance: random.Random, now: datetime) -> None:
    for back in range(WEEKS * 7, 0, -1):
        day = (now - timedelta(days=back)).date()
        for hour in (0, 8, 12, 16, 20):
            at = f"{day}T{hour:02}:00:00"
            if back == 9 and hour == 12:
                past.missed(at)
                continue
            ready = (14 if hour in (0, 20) else 9) - (3 if day.weekday() >= 5 else 0) + chance.randint(-2, 2)
            away, out = chance.randint(2, 4), chance.choice((0, 0, 0, 5))
            rest = max(0, 25 - ready - away - out)
            counts = {
                "50101": ready,
                "50102": rest // 2,
                "50103": rest - rest // 2,
                "50104": out,
                "50105": away,
            }
            past.taken(at, counts, names=NAMES)


def _visitors(database: Database, chance: random.Random, now: datetime) -> None:
    records = database.records("visitors")
    for back in (1, 0):
        day = (now.astimezone(BERLIN) - timedelta(days=back)).date()
        begin = datetime.combine(day, time(6), BERLIN).astimezone(UTC)
        for source in crowd.HOSTS:
            minutes: dict[str, Count] = {}
            for number in range(14 * 60):
                at = begin + timedelta(minutes=number)
                if at > now - timedelta(minutes=2):
                    break
                n_in = chance.choice((0, 0, 0, 1)) if number > 9 * 60 else chance.choice((0, 0, 1, 2))
                n_out = chance.choice((0, 0, 1, 1)) if number > 7 * 60 else chance.choice((0, 0, 0, 1))
                if n_in or n_out:
                    seen = seen_text(at)
                    minutes[seen[:16] + ":00"] = Count(n_in, n_out, 0, seen, seen)
            if minutes:
                total = sum(count.n_in + count.n_out for count in minutes.values())
                content = Content(records=total, minutes=minutes)
                file = ToIngest(
                    source=source,
                    sha256=sha256(f"{back}{source}".encode()).hexdigest(),
                    name="past.json",
                    size=1,
                    content=content,
                )
                records.ingest([file], now=now, keep_rows=False)


def _lags(database: Database, now: datetime) -> None:
    rows, hours = [], {}
    for name, every_s in (("PROD", 6), ("STAGE", 7), ("BATCH", 10)):
        at = now - timedelta(minutes=25)
        while at < now - timedelta(seconds=20):
            text = at.replace(tzinfo=None).isoformat(sep=" ", timespec="milliseconds")
            rows.append(LagRow(name, seen_text(at), text, 1.0, "fresh", float(every_s)))
            stood_still = name == "STAGE" and at.minute % 7 == 0
            at += timedelta(seconds=24 if stood_still else every_s)
        for back in range(3, 24 * 6):
            hour = seen_text(now - timedelta(hours=back))[:13] + ":00:00"
            hours[hour, name] = minutely(
                60, 60 if name == "PROD" else 20 - back % 7, 0 if name == "PROD" else 38, 640.0
            )
    kept = database.records("servers").note_checks(rows, hours)
    assert kept.trouble is None, kept.trouble

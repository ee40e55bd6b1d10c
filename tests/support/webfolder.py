"""A folder with an invented past of all three kinds, and what the web side reads of it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.routing import Route
from starlette.types import ASGIApp

from adapters.records.samples import visitor_file
from support.past import Past
from support.rows import Passage
from tallyd.adapters.records.database import Database
from tallyd.adapters.records.reader import RecordsReader
from tallyd.adapters.state import State
from tallyd.config.load import load
from tallyd.config.model import Config
from tallyd.core.alerts.mutes import Mute
from tallyd.core.alerts.rules import Alert
from tallyd.core.hosts import Host
from tallyd.pollers.servers.freshness import Known
from tallyd.pollers.servers.rounds.target_memory import TargetMemory
from tallyd.runs.stats import RunStats
from tallyd.settings.web import WebSettings
from tallyd.web.context import Context
from tallyd.web.http.server import WebServer

NOW = datetime(2026, 11, 20, 13, 0, tzinfo=UTC)
CONFIG: dict[str, Any] = {
    "name": "florian-pi",
    "timezone": "Europe/Berlin",
    "pollers": {
        "divera": {
            "kind": "divera",
            "accesskey": "canary-key-8f3a",
            "at": ["08:00", "20:00"],
            "at_least": [{"name": "Ready & able", "statuses": ["50101"], "count": 6}],
        },
        "park": {
            "kind": "visitors",
            "inbox": "inbox",
            "sources": {"12": {"label": 'Gate "12"'}, "23": {}},
            "groups": {"north": ["12"]},
        },
        "apps": {
            "kind": "servers",
            "targets": {"PROD\\": {"url": "http://127.0.0.1:9/"}, "TEST": {"url": "http://127.0.0.1:9/"}},
        },
    },
}


@dataclass
class Web:
    """A folder, and a context of it; what the daemon has in memory may be set."""

    folder: Path
    alerts: dict[str, Alert] = field(default_factory=dict)
    mutes: tuple[Mute, ...] = ()
    runs: RunStats = field(default_factory=RunStats)
    kept: dict[tuple[str, str], Mapping[str, object]] = field(default_factory=dict)
    monotonic_s: float = 1000.0
    has_past: bool = True
    """Without, no poller has read anything yet."""

    def __post_init__(self) -> None:
        path = self.folder / "config.json"
        path.write_text(json.dumps(CONFIG))
        self.config: Config = load(path, environ={})
        self.runs.tick(self.monotonic_s)
        self.hosts: tuple[Host, ...] = ()
        past = Past(self.folder)
        if not self.has_past:
            State(self.folder / "state" / "state.db").close()
            return
        self.fill_kept()
        past.taken("2026-11-19T08:00", {"50101": 7, "50103": 2})
        past.missed("2026-11-19T20:00")
        past.taken(
            "2026-11-20T08:00", {"50101": 12, "50103": None}, names={"50101": 'Ein"satz\n'}, hide_below=5
        )

    def fill_kept(self) -> None:
        """Let a round have been checked: one target is stale, the other never answered."""
        memory = TargetMemory()
        at = datetime(2026, 11, 20, 12, 50, tzinfo=UTC)
        memory.known = {
            "PROD\\": Known(state="stale", since=at, computed_at=at),
            "TEST": Known(state="unreachable", since=at),
        }
        self.kept["apps", "check"] = {"memory": memory}

    def fill_records(self) -> None:
        """Store a file of today: three came and one left."""
        with closing(Database(self.config.database_url, prepares=True)) as database:
            at = "2026-11-20 07:00:00"
            rows: list[Passage] = [
                (1, "in", at, None),
                (2, "in", at, None),
                (3, "in", at, None),
                (1, "out", at, None),
            ]
            file = visitor_file("a.json", *rows, source="12")
            database.records("park").ingest([file], now=NOW, keep_rows=True)

    @contextmanager
    def context(self) -> Iterator[Context]:
        """What the web side reads."""
        with (
            closing(State(self.folder / "state" / "state.db", reads_only=True)) as state,
            closing(RecordsReader(self.config.database_url)) as records,
        ):
            yield Context(
                state=state,
                records=records,
                config=lambda: self.config,
                alerts=lambda: self.alerts,
                mutes=lambda: self.mutes,
                kept=lambda poller, job: self.kept.get((poller, job), {}),
                runs=self.runs,
                hosts=lambda: self.hosts,
                now=lambda: NOW,
                monotonic=lambda: self.monotonic_s,
                restart="start it again",
            )


@contextmanager
def serving(routes: list[Route]) -> Iterator[str]:
    """Serve routes on loopback; yields the address."""
    with serving_app(Starlette(routes=routes)) as url:
        yield url


@contextmanager
def serving_app(app: ASGIApp) -> Iterator[str]:
    """Serve an application on loopback; yields the address."""
    server: WebServer[WebSettings] = WebServer(lambda _web: app)
    server.want(WebSettings(listen="127.0.0.1:0"))
    try:
        deadline = time.monotonic() + 10
        while server.port is None:
            assert time.monotonic() < deadline, server.trouble
            time.sleep(0.01)
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.stop()
        assert server.wait(10)

"""Application servers on loopback, and rounds of a servers poller against them.

with apps(page) as server:
    site = Rounds(server, tmp_path, targets={"PROD": {}})
    reading = site.round()
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from support.rawserver import Connection, RawServer, Script, answer
from tallyd.adapters.http.client import HttpClient
from tallyd.adapters.reads.reads import TimedReads
from tallyd.adapters.records.database import Database
from tallyd.adapters.records.poller_records import PollerRecords
from tallyd.config.secrets import SecretFiles
from tallyd.contract.toolbox import Toolbox
from tallyd.contract.workers import Workers
from tallyd.core.reading import Facts, Reading, Slot
from tallyd.pollers.servers.poller import ServersPoller

NOW = datetime(2026, 11, 20, 14, 0, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
Page = Callable[[Connection, str], None]
"""Answers one request on a connection; is handed the path."""


def app(page: Page) -> Script:
    """Return a script for `serving` that keeps connections open."""

    def script(connection: Connection) -> None:
        while head := connection.request():
            page(connection, head.split()[1].decode())

    return script


def version(at: datetime, **headers: str) -> bytes:
    """Return the answer of a server whose data was computed at an instant."""
    return answer(json.dumps({"computed_time": at.isoformat(), "version": "1.2"}).encode(), **headers)


def http_date(at: datetime) -> str:
    return format_datetime(at.astimezone(UTC), usegmt=True)


@dataclass
class Rounds:
    """A servers poller over the rounds of one process; `restart()` is a new one that remembers."""

    server: RawServer
    folder: Path
    targets: dict[str, dict[str, Any]]
    keys: dict[str, Any] = field(default_factory=dict)
    now: datetime = NOW
    passed_s: float = 0.0
    memory: Facts = field(default_factory=dict)
    kept: dict[str, object] = field(default_factory=dict)
    keep_days: int = 90
    is_stopping: bool = False
    has_records: bool = True
    client: HttpClient | None = None
    database: Database | None = None
    files: TimedReads | None = None
    workers: Workers | None = None
    environ: dict[str, str] = field(default_factory=dict)

    def poller(self) -> ServersPoller:
        named = {
            name: own if {"file", "sql"} & own.keys() else {"url": f"{self.server.url}/{name}", **own}
            for name, own in self.targets.items()
        }
        text = json.dumps({"kind": "servers", **self.keys, "targets": named})
        context = {"secrets": SecretFiles(self.folder, self.environ)} if self.environ else None
        return ServersPoller.model_validate_json(text, context=context)

    def tools(self, *, is_by_hand: bool = False) -> Toolbox:
        if self.client is None:
            self.client = HttpClient(user_agent="tallyd", timeout_s=10, now=lambda: self.now)
        return Toolbox(
            poller="apps",
            zone=BERLIN,
            now=lambda: self.now,
            monotonic=lambda: time.monotonic() + self.passed_s,
            stop=lambda: self.is_stopping,
            alive=lambda: None,
            http=self.client,
            retry=lambda attempt: attempt(),
            memory=lambda: self.memory,
            records=self.records() if self.has_records else None,
            keep_days=self.keep_days,
            is_by_hand=is_by_hand,
            kept={} if is_by_hand else self.kept,
            reads=self.reads(),
            workers=self.workers,
        )

    def reads(self) -> TimedReads:
        if self.files is None:
            self.files = TimedReads(now=lambda: self.now)
        return self.files

    def records(self) -> PollerRecords:
        if self.database is None:
            self.database = Database(f"sqlite:///{self.folder / 'records.db'}", prepares=True)
        return self.database.records("apps")

    def round(self, *, after_s: float = 0.0, is_by_hand: bool = False) -> Reading:
        """Run one round so many seconds later; remember what it wants remembered."""
        self.now += timedelta(seconds=after_s)
        (job,) = self.poller().jobs()
        (reading,) = job.run(Slot(None, self.now), self.tools(is_by_hand=is_by_hand))
        if reading.memory is not None and not is_by_hand:
            self.memory = json.loads(json.dumps(reading.memory))
        return reading

    def restart(self) -> None:
        self.kept = {}

    def close(self) -> None:
        for each in (self.client, self.database, self.files):
            if each is not None:
                each.close()

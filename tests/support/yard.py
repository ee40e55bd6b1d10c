"""Camera hosts and a centre as processes on one PostgreSQL: what was dropped, and what must be found.

with yard(root, server) as park:
    park.start()
    park.hosts["12"].drop("12", 3)
    park.settle()
    assert park.violations() == []
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from adapters.records.servers import Server
from support.chatservers import WebService, web_service
from support.daemon import Daemon, wait_until
from support.verdict import Violation
from support.visits_site import Dropped, VisitsSite, counted_wrong
from tallyd.adapters.records.database import Database

SOURCES = ("12", "23", "24", "32")
SHARED = "99"
"""A source whose files come to two hosts."""
POLLER = "park"
AHEAD_S = 630.0
"""So far ahead is the clock of a host that has a wrong one."""
WRONG_CLOCK = str(Path(__file__).parent / "wrong_clock.py")


@dataclass
class Yard:
    """Four collectors, each with a camera of its own, and a centre. `daemons` are the processes that run.

    The host of the camera `wrong_clock` has one.
    """

    root: Path
    url: str
    chat: WebService
    upstream: WebService
    after: str = "2m"
    wrong_clock: str = ""
    hosts: dict[str, VisitsSite] = field(default_factory=dict)
    daemons: dict[str, Daemon] = field(default_factory=dict)
    truth: list[Dropped] = field(default_factory=list)

    def __post_init__(self) -> None:
        for source in SOURCES:
            ahead_s = AHEAD_S if source == self.wrong_clock else 0.0
            site = VisitsSite(self.root / f"cam{source}", POLLER, self.url, ahead_s=ahead_s)
            site.inbox.mkdir(parents=True)
            site.write_config()
            self.hosts[source] = site
        self.centre.mkdir()
        poller = {
            "kind": "visitors",
            "sources": {source: {} for source in SOURCES},
            "groups": {"north": ["12", "23"]},
            "no_files": {"after": self.after},
            "report": {"every": "10s", "url": f"http://{self.upstream.host}/report", "ssid": "SS-007"},
        }
        content: dict[str, Any] = {
            "timezone": "UTC",
            "database": {"url": self.url},
            "channels": {"ops": f"json://{self.chat.host}/hook"},
            "alerts": {"channels": ["ops"]},
            "pollers": {POLLER: poller},
        }
        (self.centre / "config.json").write_text(json.dumps(content))

    @property
    def centre(self) -> Path:
        return self.root / "centre"

    @property
    def names(self) -> tuple[str, ...]:
        return (*SOURCES, "centre")

    def start(self, *names: str) -> None:
        """Start daemons, by their names; all of them by default. They need not be ready."""
        for name in names or self.names:
            config = self.centre / "config.json" if name == "centre" else self.hosts[name].config
            is_wrong = name == self.wrong_clock
            command = (WRONG_CLOCK, str(AHEAD_S)) if is_wrong else ("-m", "tallyd")
            self.daemons[name] = Daemon(config, command=command)

    def kill(self, name: str) -> None:
        daemon = self.daemons.pop(name)
        daemon.kill()
        daemon.close()

    def drop(self, source: str, records: int) -> None:
        """Let a camera drop a file on its host."""
        self.truth.append(self.hosts[source].drop(source, records))

    def drop_on_two(self, records: int) -> None:
        """Let the same file come to two hosts, under one source and other names."""
        first, second = self.hosts["24"], self.hosts["32"]
        dropped = first.drop(SHARED, records)
        self.truth.append(dropped)
        second.drop_again(dropped)

    def drop_bad(self, source: str) -> None:
        self.truth.append(self.hosts[source].drop_bad(source))

    def settle(self, *, within_s: float = 120.0) -> None:
        """Wait until every file is ingested, the upstream has the sums, and the chat knows of a wrong clock.

        All daemons must run.
        """
        wait_until(lambda: not self.waiting(), within_s=within_s, what="all inboxes are empty")
        wait_until(lambda: self.reported() == self.sums(), within_s=within_s, what="the report of all")
        if self.wrong_clock:
            wait_until(self.told_of_clock, within_s=within_s, what="the wrong clock is told")

    def waiting(self) -> list[Path]:
        """Return the files that lie in the inboxes."""
        return [path for site in self.hosts.values() for path in site.waiting()]

    def sums(self) -> dict[str, int]:
        """Return what is to be reported: all who came and left."""
        ways = [way for each in self.truth for _, way, _ in each.passages]
        n_in, n_out = ways.count("in"), ways.count("out")
        return {"Count": max(0, n_in - n_out), "CountAccuIn": n_in, "CountAccuOut": n_out}

    def reported(self) -> dict[str, int]:
        """Return what the upstream was told last."""
        posts = self.upstream.at("/report")
        return {tag["TagType"]: int(tag["TagValue"]) for tag in posts[-1].json} if posts else {}

    def violations(self) -> list[Violation]:
        """Return every promise broken, once everything was ingested."""
        return counted_wrong(VisitsSite(self.root, POLLER, self.url, dropped=self.truth))

    def told_of_clock(self) -> list[str]:
        """Return what the chat was told of the wrong clock."""
        place = f"cam{self.wrong_clock}/"
        return [text for text in self.heard() if place in text and "its clock is 10 min ahead" in text]

    def heard(self) -> list[str]:
        """Return what the chat was told."""
        return [str(post.json["message"]) for post in self.chat.at("/hook")]


@contextmanager
def yard(root: Path, server: Server, *, after: str = "2m", wrong_clock: str = "") -> Iterator[Yard]:
    """A yard with a database of its own; its processes end with it."""
    url = server.url(server.new_database())
    with closing(Database(url)) as database:
        database.prepare()
    with web_service() as chat, web_service() as upstream:
        found = Yard(root, url, chat, upstream, after=after, wrong_clock=wrong_clock)
        try:
            yield found
        finally:
            for name in list(found.daemons):
                found.kill(name)

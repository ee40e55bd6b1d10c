"""Makes backups of a daemon under load at random moments, kills it, and goes on in another folder.

    python tests/campaigns/restore.py [--rounds 10] [--workers 2] [--naive]

The daemons, the Divera server, the upstream, the chat, the cameras and the share with the inbox are real.
In the end, each slot has one reading or is missed, each passage counts once, and no notice from before the
backup comes again. `--naive` copies the folder instead, as `cp` does: that must break a promise.
Exit status 1 where a promise was broken, or where `--naive` broke none.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.chatservers import WebService, web_service
from support.daemon import Daemon, every_seconds, wait_until
from support.divera_server import Client, divera_server
from support.verdict import Violation
from support.visits_site import VisitsSite, counted_wrong
from tallyd.adapters.archive import Archive

POLLER = "park"
SLOTS = 60
SLOT_S = 2


@dataclass
class Round:
    """One daemon that moves from `old` to `new`, beside a share that both see."""

    root: Path
    number: int
    client: Client
    web: WebService
    naive: bool
    stop: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.number)
        self.old, self.new, self.share = (self.root / name for name in ("old", "new", "share"))
        for folder in (self.old, self.new, self.share):
            folder.mkdir(parents=True)
        self.chat, self.upstream = f"/chat{self.number}", f"/report{self.number}"
        self.site = VisitsSite(self.new, POLLER, f"sqlite:///{self.new / 'state' / 'records.db'}")
        self.cameras = VisitsSite(self.share, POLLER, "")

    def run(self) -> list[Violation]:
        self._write_config()
        cameras = threading.Thread(target=self._drop_files)
        cameras.start()
        try:
            return self._move()
        finally:
            self.stop.set()
            cameras.join()

    def _move(self) -> list[Violation]:
        old = Daemon(self.old / "config.json")
        old.wait_ready()
        self.stop.wait(2 + self.chance.random() * 12)
        made_at = self._save()
        self.stop.wait(self.chance.random() * 4)
        old.kill()
        old.close()
        heard_before = {text for at, text in self._sent(self.old) if at < made_at}
        before = self._out(self.old, until=made_at)
        self.stop.wait(self.chance.random() * 3)
        self._restore()
        new = Daemon(self.new / "config.json")
        new.wait_ready()
        self.stop.wait(6)
        self.stop.set()
        reported = list(self._report())
        new.end()
        new.close()
        self.site.dropped = self.cameras.dropped
        return [*reported, *counted_wrong(self.site), *self._slots(before), *self._notices(heard_before)]

    def _write_config(self) -> None:
        content = {
            "timezone": "UTC",
            "log": {"level": "DEBUG"},
            "channels": {"ops": f"json://{self.web.host}{self.chat}"},
            "alerts": {"channels": ["ops"]},
            "pollers": {
                "divera": {
                    "kind": "divera",
                    "url": self.client.url,
                    "accesskey": "canary-key-8f3a",
                    "at": every_seconds(SLOT_S, count=SLOTS),
                    "catch_up": "3s",
                    "at_least": [{"statuses": ["50101"], "count": 6}],
                },
                POLLER: {
                    "kind": "visitors",
                    "inbox": str(self.cameras.inbox),
                    "settle": "1s",
                    "sweep_every": "1s",
                    "report": {
                        "every": "10s",
                        "url": f"http://{self.web.host}{self.upstream}",
                        "ssid": "S-1",
                    },
                },
            },
        }
        (self.old / "config.json").write_text(json.dumps(content))
        self.cameras.inbox.mkdir(parents=True)

    def _drop_files(self) -> None:
        while not self.stop.wait(0.05 + self.chance.random() / 4):
            self.cameras.drop(str(self.chance.randint(1, 4)), self.chance.randint(0, 5))
            if self.chance.random() < 0.1:
                self.cameras.drop_again(self.chance.choice(self.cameras.dropped))
            if self.chance.random() < 0.1:
                self.cameras.drop_bad("5")

    def _save(self) -> datetime:
        """Return the time of the backup."""
        if self.naive:
            for name in ("state", "out"):
                shutil.copytree(self.old / name, self.new / name)
            shutil.copy(self.old / "config.json", self.new)
            return datetime.now(UTC)
        self._tallyd(self.old, "backup", "--private", str(self.root / "x.zip"))
        with (self.root / "x.zip").open("rb") as file:
            return Archive(file, "x.zip").manifest.made_at

    def _restore(self) -> None:
        if not self.naive:
            self._tallyd(self.new, "restore", str(self.root / "x.zip"))

    def _tallyd(self, folder: Path, *words: str) -> str:
        command = [sys.executable, "-m", "tallyd", "--config", str(folder / "config.json"), *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    # -- what is found -----------------------------------------------------------------------------------

    def _sums(self) -> tuple[int, int]:
        ways = Counter(way for each in self.cameras.dropped for _, way, _ in each.passages)
        return ways["in"], ways["out"]

    def _reported(self) -> tuple[int, int]:
        posts = self.web.at(self.upstream)
        tags = {tag["TagType"]: int(tag["TagValue"]) for tag in posts[-1].json} if posts else {}
        return tags.get("CountAccuIn", 0), tags.get("CountAccuOut", 0)

    def _report(self) -> Iterator[Violation]:
        """Wait until all files are ingested, and two reports could be sent."""
        wait_until(lambda: not self.cameras.waiting(), what="all files are ingested")
        until_s = time.monotonic() + 30
        while self._reported() != self._sums() and time.monotonic() < until_s:
            time.sleep(0.2)
        if self._reported() != self._sums():
            yield Violation("wrong", f"the report has {self._reported()}, not {self._sums()}")

    def _slots(self, before: dict[str, dict[str, Any]]) -> Iterator[Violation]:
        """Yield slots that have two readings, or none and nothing said, and files that have changed."""
        found = self._out(self.new)
        totals = Counter(each["total"] for each in found.values())
        if twice := [total for total, count in totals.items() if count > 1]:
            yield Violation("twice", f"answers {twice} of Divera")
        if changed := [name for name, content in before.items() if found.get(name) != content]:
            yield Violation("lost", f"out files {changed}")
        shown = self._tallyd(self.new, "report", "--poller", "divera", "--format", "json")
        rows = json.loads(shown)[0]["past"]["tables"]["readings"]["rows"]
        times = sorted(datetime.fromisoformat(row["at"]) for row in rows)
        steps = {(later - sooner).total_seconds() for sooner, later in pairwise(times)}
        if steps != {SLOT_S}:
            yield Violation("wrong", f"slots that are {sorted(steps)} s apart")

    def _out(self, folder: Path, until: datetime | None = None) -> dict[str, dict[str, Any]]:
        files = {path.name: json.loads(path.read_text()) for path in folder.glob("out/divera/*/*.json")}
        return {
            name: content
            for name, content in files.items()
            if until is None or datetime.fromisoformat(content["taken_at"]) < until
        }

    def _sent(self, folder: Path) -> Iterator[tuple[datetime, str]]:
        """Yield what a daemon has sent to the chat, and when it had noted that."""
        for line in (folder / "log" / "tallyd.log").read_text().splitlines():
            content = json.loads(line)
            if content["event"] == "notice sent":
                for text in content["text"].split("\n"):
                    yield datetime.fromisoformat(content["time"]), text

    def _notices(self, heard_before: set[str]) -> Iterator[Violation]:
        if twice := heard_before & {text for _, text in self._sent(self.new)}:
            yield Violation("twice", f"notices {sorted(twice)}")


def main() -> int:
    """Run the campaign; return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--first", type=int, default=1, help="number of the first round: its seed")
    parser.add_argument("--workers", type=int, default=2, help="rounds at the same time")
    parser.add_argument("--naive", action="store_true", help="copy the folder instead")
    options = parser.parse_args()
    numbers = range(options.first, options.first + options.rounds)
    with divera_server() as divera, web_service() as web, tempfile.TemporaryDirectory() as folder:

        def one(number: int) -> list[Violation]:
            client = divera.client(f"r{number}")
            found = Round(Path(folder) / str(number), number, client, web, options.naive).run()
            print(f"round {number}: {'; '.join(map(str, found)) or 'fine'}", flush=True)
            return found

        with ThreadPoolExecutor(options.workers) as pool:
            broken = sum(bool(found) for found in pool.map(one, numbers))
    print(f"{options.rounds} rounds, {broken} broke a promise")
    return int(bool(broken) != options.naive)


if __name__ == "__main__":
    sys.exit(main())

"""A visitors poller's sweep on a real inbox: files are dropped, runs follow each other, processes die.

park = Park(tmp_path, records)
park.drop("12/a.json", passages("125907"))
assert park.run().summary["files"]["done"] == 1
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

from adapters.inbox.dropping import NOON, Clocks
from adapters.inbox.dropping import Site as InboxSite
from support.toolbox import BERLIN, FakeHttp, once
from support.wording import text_of
from tallyd.contract.inbox import Inbox
from tallyd.contract.passages import Count
from tallyd.contract.records import Records
from tallyd.contract.toolbox import Toolbox
from tallyd.core.reading import Facts, Json, Problem, Reading, Slot
from tallyd.pollers.visitors.ingest.sweep import sweep
from tallyd.pollers.visitors.poller import VisitorsPoller

DAY = (NOON - timedelta(days=1), NOON + timedelta(days=1))


def record(**changed: Any) -> dict[str, Any]:
    """Return a record that is fine, a minute before noon UTC, with some fields changed."""
    return {"ID": 7, "inOut": 0, "time": "20261120125907", "frameNumber": 3, **changed}


def passages(*clock_times: str, way: int = 0) -> bytes:
    """Return a file with a passage at each of these times (HHMMSS in Berlin) of the day."""
    return json.dumps(
        [record(ID=number, time=f"20261120{at}", inOut=way) for number, at in enumerate(clock_times)]
    ).encode()


def settings_of(**keys: Any) -> VisitorsPoller:
    """Return settings of a poller with these keys."""
    return VisitorsPoller.model_validate({"kind": "visitors", "inbox": "inbox", **keys})


@dataclass
class Park:
    """An inbox below `path`, a database, and a sweep that remembers. Noon, by the inbox's clocks."""

    path: Path
    records: Records
    settings: VisitorsPoller = field(default_factory=settings_of)
    memory: Facts = field(default_factory=dict)
    keep_days: int = 90
    inbox: Inbox | None = None
    is_stopping: bool = False
    stops_after: int | None = None
    wakes: int = 0
    progress: list[tuple[int, int]] = field(default_factory=list)
    kept: dict[str, object] = field(default_factory=dict)
    writes: int = 0

    def __post_init__(self) -> None:
        self.site = InboxSite(self.path / "inbox")

    @property
    def clocks(self) -> Clocks:
        return self.site.clocks

    def drop(self, name: str | bytes, content: bytes = b"[]", *, age_s: float = 60.0) -> Path:
        return self.site.drop(name, content, age_s=age_s)

    def restart(self) -> None:
        """What a process that was killed leaves to the next one."""
        self.site.folder.close()
        self.site.folder = self.site.again()
        self.kept = {}

    def tools(self) -> Toolbox:
        return Toolbox(
            poller="park",
            zone=BERLIN,
            now=self.clocks.now,
            stop=self._stops,
            alive=lambda: None,
            http=FakeHttp(),
            retry=once,
            memory=lambda: self.memory,
            records=self.records,
            inbox=self.inbox or self.site.folder,
            keep_days=self.keep_days,
            wake=self._wake,
            show_progress=lambda done, of: self.progress.append((done, of)),
            kept=self.kept,
        )

    def run(self) -> Reading:
        """Run the sweep once; what it asks to remember is remembered."""
        (reading,) = sweep(self.settings, Slot(None, self.clocks.now()), self.tools())
        if reading.memory is not None:
            self.writes += 1
            self.memory = json.loads(json.dumps(reading.memory))
        return reading

    def files(self, reading: Reading) -> dict[str, Json]:
        """Return how many files became what, those that are none left out."""
        counts = cast("dict[str, int]", (reading.summary or {})["files"])
        return {name: count for name, count in counts.items() if count}

    def counted(self) -> Mapping[str, Count]:
        return self.records.counts(*DAY)

    def n_in(self) -> int:
        return sum(count.n_in for count in self.counted().values())

    def quarantined(self, *below: str) -> dict[str, bytes]:
        return self.site.quarantined(*below)

    def _wake(self) -> None:
        self.wakes += 1

    def _stops(self) -> bool:
        if self.stops_after is not None:
            self.stops_after -= 1
            return self.stops_after < 0
        return self.is_stopping


def named(reading: Reading) -> dict[str, str]:
    """Return the texts of the problems by key."""
    return {problem.key: text_of(problem, now=reading.taken_at) for problem in reading.problems}


def problem(reading: Reading, key: str) -> Problem:
    (found,) = [each for each in reading.problems if each.key == key]
    return found


def seconds(count: float) -> timedelta:
    return timedelta(seconds=count)


def at(text: str) -> datetime:
    """Return a time of 2026-11-20, UTC."""
    return datetime.fromisoformat(f"2026-11-20T{text}").replace(tzinfo=UTC)


def keys(problems: Sequence[Problem]) -> list[str]:
    return [each.key for each in problems]

"""The camera hosts: they drop files into the inbox, and know what each of them holds."""

from __future__ import annotations

import json
import os
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

from simulation.clocks import SimClock

SOURCES = ("12", "23")


@dataclass(frozen=True)
class Dropped:
    """A file. `passages`: person, direction (0 in, 1 out, 2 other), time in whole seconds.

    `is_good`: nothing is wrong with it. One that was dropped before under another name has `repeats` true.
    """

    source: str
    name: str
    content: bytes
    passages: tuple[tuple[int, int, datetime], ...]
    is_good: bool
    repeats: bool = False


@dataclass
class Cameras:
    """The files of all cameras. `is_off`: those that drop nothing now.

    `people` have passed so far: each has a number of his own.
    """

    inbox: Path
    clock: SimClock
    chance: Random
    zone: ZoneInfo
    dropped: list[Dropped] = field(default_factory=list)
    is_off: set[str] = field(default_factory=set)
    sources: tuple[str, ...] = SOURCES
    people: int = 0
    _half: tuple[Path, bytes] | None = None

    def drop(self) -> Dropped | None:
        """Drop a file: mostly a good one, now and then a bad one, an empty one or one once more."""
        chance, source = self.chance, self.chance.choice(self.sources)
        if source in self.is_off:
            return None
        kind = chance.random()
        if kind < 0.05 and self.dropped:
            one = chance.choice(self.dropped[-20:])
            if one.is_good and one.passages:
                again = f"again-{len(self.dropped)}.json"
                return self._put(Dropped(one.source, again, one.content, (), True, repeats=True))
        if kind < 0.08:
            return self._put(Dropped(source, self._name(), self._bad(), (), is_good=False))
        records = () if kind < 0.12 else self._records(chance.randint(1, 6))
        return self._put(Dropped(source, self._name(), self._written(records), records, is_good=True))

    def drop_each(self) -> None:
        """Drop a good file of each source."""
        for source in self.sources:
            records = self._records(1)
            self._put(Dropped(source, self._name(), self._written(records), records, is_good=True))

    def drop_again(self, one: Dropped) -> None:
        """Drop what came to another host, too."""
        self._put(replace(one, name=f"again-{one.name}", repeats=True))

    @property
    def is_half(self) -> bool:
        """Whether a file waits for its rest."""
        return self._half is not None

    def begin_half(self) -> None:
        """Write half a file into the inbox, as a program does that does not rename."""
        records, source = self._records(3), self.chance.choice(self.sources)
        content = self._written(records)
        one = Dropped(source, self._name(), content, records, is_good=True)
        path = self.inbox / source / one.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content[: len(content) // 2])
        self._date(path)
        self.dropped.append(one)
        self._half = (path, content)

    def finish_half(self) -> None:
        """Write the rest. A file that was given up meanwhile is gone, and this is a new one."""
        if self._half is not None:
            path, content = self._half
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            self._date(path)
            self._half = None

    def waiting(self) -> list[Path]:
        """Return the files that lie in the inbox."""
        return [path for path in self.inbox.glob("*/*.json") if path.parent.name != ".tallyd"]

    def counts(self, done: set[bytes]) -> Counter[tuple[str, str, int]]:
        """Return how many passed by source, local day and direction, in the files with these contents."""
        found: Counter[tuple[str, str, int]] = Counter()
        for one in {each.content: each for each in self.dropped if not each.repeats}.values():
            if one.content in done:
                for _, direction, at in one.passages:
                    found[one.source, at.astimezone(self.zone).date().isoformat(), direction] += 1
        return found

    def _put(self, one: Dropped) -> Dropped:
        folder = self.inbox / one.source
        folder.mkdir(parents=True, exist_ok=True)
        beside = folder / f"{one.name}.part"
        beside.write_bytes(one.content)
        self._date(beside)
        beside.rename(folder / one.name)
        self.dropped.append(one)
        return one

    def _date(self, path: Path) -> None:
        # The inbox is on this machine's disk, so its clock dates the file.
        at = self.clock.now().timestamp()
        os.utime(path, (at, at))

    def _name(self) -> str:
        return f"{self.clock.true_at:%Y%m%d%H%M%S}-{len(self.dropped)}.json"

    def _records(self, number: int) -> tuple[tuple[int, int, datetime], ...]:
        found = []
        last = self.clock.true_at.replace(microsecond=0)
        for back in range(number, 0, -1):
            self.people += 1
            direction = self.chance.choices((0, 1, 2), (5, 4, 1))[0]
            found.append((self.people, direction, last - timedelta(seconds=20 * back)))
        return tuple(found)

    def _written(self, records: tuple[tuple[int, int, datetime], ...]) -> bytes:
        return json.dumps(
            [
                {
                    "ID": person,
                    "inOut": direction,
                    "time": f"{at.astimezone(self.zone):%Y%m%d%H%M%S}",
                    "frameNumber": person,
                }
                for person, direction, at in records
            ]
        ).encode()

    def _bad(self) -> bytes:
        ahead = self.clock.true_at.astimezone(UTC) + timedelta(days=400)
        bad = [{"ID": -1, "inOut": 0, "time": f"{ahead:%Y%m%d%H%M%S}", "frameNumber": len(self.dropped)}]
        worse = [{"ID": "x", "inOut": None, "time": len(self.dropped)}]
        return json.dumps(self.chance.choice([bad, worse])).encode()

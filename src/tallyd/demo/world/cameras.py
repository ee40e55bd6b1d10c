"""The cameras of the small world: four hosts that write files about people who walk in and out into an inbox.

Pure functions decide which files there are, and their content (`drops`, `played`, `content`). The part writes
them in place and in two pieces, as real hosts do. Files are not served, so the only address of the cameras is
the one to simulate a failure.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Literal, TypeAlias

from tallyd.core.language.formats import span
from tallyd.core.language.messages import tr
from tallyd.core.reading import Json
from tallyd.demo.world.crowd import CYCLE_S, HOSTS, LABELS, QUIET_HOST, Passage, is_quiet, passages
from tallyd.demo.world.http_server import Part

CONTROL = "/world/cameras"
MODES = ("cycle", "fine", "quiet")
"""The modes: one host is silent and a file is broken from time to time; all is fine; that host is silent."""
EVERY_S = 4
"""How often each host writes a file, a second after the previous host in `HOSTS`."""
ZONE_FIVE = ("23", "24", "32")
_WRONG_AT_S, _CUT_AT_S = 21, 45
"""When in each cycle an additional broken file comes: with a wrong type, and cut short."""
_LEFT_OVER_S = -120
"""When a host was switched off in the middle of a file, long before the world started."""
_FRAMES_A_SECOND = 25
_ODD_TRACK = 4711
_CUT_OFF = 40
_LOOK_EVERY_S = 0.2
PIECES_APART_S = 0.1

Fault: TypeAlias = Literal["cut short", "wrong type"]


def poller(inbox: str) -> dict[str, Json]:
    """Return a poller for a config that ingests these files, without its report."""
    return {
        "kind": "visitors",
        "inbox": inbox,
        "sources": {host: {"label": LABELS[host]} for host in HOSTS},
        "groups": {"zone five": list(ZONE_FIVE)},
        "no_files": {"after": "15s"},
    }


@dataclass(frozen=True, kw_only=True)
class Drop:
    """A file: its host, and when it comes, in seconds since the world began. It covers `EVERY_S` before."""

    host: str
    second: int
    fault: Fault | None = None


def drops(first_s: int, end_s: int) -> Iterator[Drop]:
    """Yield the files that come from the second `first_s` until before `end_s`, the earliest first."""
    for second in range(first_s, end_s):
        for place, host in enumerate(HOSTS):
            if second > 0 and (second - place) % EVERY_S == 0:
                yield Drop(host=host, second=second)
        if second == _LEFT_OVER_S:
            yield Drop(host="23", second=second, fault="cut short")
        if second >= 0 and second % CYCLE_S == _WRONG_AT_S:
            yield Drop(host="12", second=second, fault="wrong type")
        if second >= 0 and second % CYCLE_S == _CUT_AT_S:
            yield Drop(host="32", second=second, fault="cut short")


def played(drop: Drop, mode: str) -> Drop | None:
    """Return a file as it is written in a mode; None: it is not written."""
    if mode == "quiet" and drop.host == QUIET_HOST:
        return None
    if mode == "fine" and drop.fault is not None:
        return None
    if mode == "cycle" and drop.fault is None and is_quiet(drop.host, drop.second - EVERY_S):
        return None
    return drop


@dataclass(frozen=True)
class Clock:
    """The clock of the hosts: when the world began, and the zone of the times in their files."""

    began_at: datetime
    zone: tzinfo

    def digits(self, second: int) -> str:
        """Return a second of the world as local time, in 14 digits."""
        return f"{(self.began_at + timedelta(seconds=second)).astimezone(self.zone):%Y%m%d%H%M%S}"


def name(drop: Drop, clock: Clock) -> str:
    """Return the file's name: the local time at which it comes."""
    return f"{clock.digits(drop.second)}.json"


def content(drop: Drop, clock: Clock) -> str:
    """Return the content of a file: a list of passages, often empty; for a broken file, the broken text."""
    records: list[Json] = [
        _record(passage, drop, clock) for passage in passages(drop.host, drop.second - EVERY_S, drop.second)
    ]
    if drop.fault is None:
        return json.dumps(records)
    odd = _record(Passage(drop.second, _ODD_TRACK, 0), drop, clock)
    if drop.fault == "wrong type":
        return json.dumps([*records, {**odd, "ID": str(_ODD_TRACK)}])
    return json.dumps([*records, odd])[:-_CUT_OFF]


def _record(passage: Passage, drop: Drop, clock: Clock) -> dict[str, Json]:
    return {
        "ID": passage.track,
        "inOut": passage.way,
        "time": clock.digits(passage.second),
        "frameNumber": passage.second * _FRAMES_A_SECOND,
        "outputTime": clock.digits(drop.second),
    }


class Cameras(Part):
    """The hosts. `zone` is that of the times in their files.

    `elapsed` gives the seconds since the world began, `now` an aware time.
    """

    control, modes = CONTROL, MODES

    def __init__(
        self,
        inbox: Path,
        zone: tzinfo = UTC,
        *,
        elapsed: Callable[[], float] | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        pieces_apart_s: float = PIECES_APART_S,
    ) -> None:
        super().__init__(elapsed)
        self._inbox = inbox
        self.clock = Clock(now() - timedelta(seconds=self._elapsed()), zone)
        self._pieces_apart_s = pieces_apart_s
        self._is_ending = threading.Event()
        self._next_s = _LEFT_OVER_S
        self._dropped = dict.fromkeys(HOSTS, 0)
        self._lost = 0

    def seen(self) -> Mapping[str, Json]:
        """Return how many files each host wrote, and how many could not be written."""
        return {"dropped": {**self._dropped}, "lost": self._lost}

    def about(self, base_url: str) -> tuple[str, ...]:
        """Return where the cameras write their files, and how to simulate a failure."""
        return (
            tr(
                "Cameras ({hosts}), each writing a file every {every} below {inbox}/",
                hosts=", ".join(HOSTS),
                every=span(EVERY_S),
                inbox=self._inbox,
            ),
            tr("Show what they wrote, and simulate a failure ({modes}):", modes=", ".join(MODES)),
            f"  curl {base_url}{CONTROL}",
            f"""  curl -d '{{"mode": "quiet"}}' {base_url}{CONTROL}""",
        )

    @contextmanager
    def running(self) -> Iterator[None]:
        """Write files until the block ends."""
        thread = threading.Thread(target=self._go_on, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._is_ending.set()
            thread.join()

    def drop_due(self) -> None:
        """Write the files that are due and not written yet."""
        until_s = int(self._elapsed()) + 1
        due = [drop for each in drops(self._next_s, until_s) if (drop := played(each, self.mode))]
        self._next_s = until_s
        for drop in due:
            self._drop(drop)

    def _go_on(self) -> None:
        while not self._is_ending.is_set():
            self.drop_due()
            self._is_ending.wait(_LOOK_EVERY_S)

    def _drop(self, drop: Drop) -> None:
        """Write one file. If that fails, the file is lost, as with a real host, and counted."""
        folder = self._inbox / drop.host
        path = folder / name(drop, self.clock)
        text = content(drop, self.clock)
        try:
            folder.mkdir(exist_ok=True)
            self._write(path, text)
            if drop.second < 0:
                at = (self.clock.began_at + timedelta(seconds=drop.second)).timestamp()
                os.utime(path, (at, at))
        except OSError:
            self._lost += 1
        else:
            self._dropped[drop.host] += 1

    def _write(self, path: Path, text: str) -> None:
        half = len(text) // 2
        with path.open("w", encoding="utf-8") as file:
            file.write(text[:half])
            file.flush()
            self._is_ending.wait(self._pieces_apart_s)
            file.write(text[half:])

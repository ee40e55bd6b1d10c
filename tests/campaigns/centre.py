"""Four collectors and a centre on one PostgreSQL: kills any of them and the database, and compares the sums.

    python tests/campaigns/centre.py [--minutes 30] [--after 120] [--seed 1] [--short]

Cameras drop files all the time, some of them on two hosts; the clock of one host is ten minutes ahead. In
the end every person must be counted once, the upstream must have the right sums, and the chat must have named
the host with the wrong clock. In the long form cameras fall silent and hosts go away, one at a time: the chat
must hear of each once, with the right reason, and once of its end. `--short` has no silences; it takes a
minute.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from adapters.records.conftest import running
from adapters.records.servers import PostgreSql
from support.yard import SOURCES, Yard, yard

KNOWN_S = 120.0
"""So long after `after`, an alert has been sent: by then it is certain whether the host runs."""
PAUSE_S = 120.0
"""Between two silences, in which the centre and the database may go away, too."""
SHORT_S = 20.0
WRONG = "32"
"""The camera at the host with the wrong clock."""


@dataclass
class Silence:
    """A planned silence of a source: from when to when, and what the chat must say of it."""

    source: str
    why: str
    begin_s: float
    end_s: float

    def says(self, text: str) -> bool:
        return f"{self.source}: no file for" in text and self.why in text


@dataclass
class Chaos:
    """What happens to the processes. `back` are those that were killed, with when they start again."""

    park: Yard
    server: PostgreSql
    chance: random.Random
    is_short: bool
    back: dict[str, float] = field(default_factory=dict)
    killed: Counter[str] = field(default_factory=Counter)
    outages: int = 0

    def step(self, now: float, silent: Silence | None, gone: str | None) -> None:
        """Kill one of them now and then, and start those whose time has come.

        During a silence, the centre, the database and the host of the silent camera stay; `gone` stays away.
        """
        spared = ("centre", silent.source) if silent else ()
        for name in [name for name, at in self.back.items() if at <= now and name != gone]:
            self.park.start(name)
            del self.back[name]
        if not self.chance.randrange(6 if self.is_short else 40):
            name = self.chance.choice(self.park.names)
            if name in self.park.daemons and name not in spared:
                self.kill(name, now)
        if not silent and not self.chance.randrange(25 if self.is_short else 400):
            self.server.stop()
            time.sleep(self.chance.uniform(0.5, 2.0 if self.is_short else 8.0))
            self.server.start()
            self.outages += 1

    def kill(self, name: str, now: float) -> None:
        self.park.kill(name)
        self.back[name] = now + self.chance.uniform(0.5, 3.0 if self.is_short else 20.0)
        self.killed[name] += 1

    def end(self) -> None:
        """Let all run again."""
        for name in list(self.back):
            self.park.start(name)
        self.back.clear()


def planned(seconds: float, after_s: float, chance: random.Random) -> Iterator[Silence]:
    """Yield silences, one after the other."""
    begin_s = 30.0
    while (end_s := begin_s + after_s + KNOWN_S) + 20 < seconds:
        why = chance.choice(("runs: check the camera", "has not been seen since"))
        yield Silence(chance.choice(SOURCES), why, begin_s, end_s)
        begin_s = end_s + PAUSE_S


def play(park: Yard, chaos: Chaos, silences: list[Silence], *, seconds: float) -> None:
    """Let files come for so long."""
    begun, chance = time.monotonic(), chaos.chance
    while (now := time.monotonic() - begun) < seconds:
        silent = next((each for each in silences if each.begin_s <= now < each.end_s), None)
        is_host = silent is not None and "not been seen" in silent.why
        gone = silent.source if silent and is_host else None
        if gone in park.daemons:
            chaos.kill(str(gone), now)
        for source in SOURCES:
            if silent is None or source != silent.source:
                park.drop(source, chance.choice((0, 0, 1, 2, 5)))
        if not chance.randrange(5) and gone not in ("24", "32"):
            park.drop_on_two(2)
        chaos.step(now, silent, gone)
        time.sleep(0.25)


def verdict(park: Yard, chaos: Chaos, silences: list[Silence]) -> list[str]:
    """Return what went wrong. What is told while the centre is killed may be told once more."""
    wrong = [str(each) for each in park.violations()]
    most = 1 + chaos.killed["centre"]
    if (told := len(park.told_of_clock())) > most:
        wrong.append(f"the wrong clock was told {told} times")
    texts = park.heard()
    begun = [text for text in texts if "no file for" in text and "still" not in text]
    for number, each in enumerate(silences):
        told = sum(each.says(text) for text in begun)
        print(f"  silence {number + 1} of {each.source} ({each.why}): told {told} times", flush=True)
        if not told:
            wrong.append(f"nobody heard of the silence of {each.source} ({each.why}): {begun}")
    if len(begun) != len(silences):
        wrong.append(f"{len(begun)} messages of {len(silences)} silences: {begun}")
    for source in {each.source for each in silences}:
        ends = sum(f"{source}: files arrive again" in text for text in texts)
        least = sum(each.source == source for each in silences)
        if not least <= ends < least + most:
            wrong.append(f"{ends} messages of the ends of {least} silences of {source}")
    return wrong


def campaign(
    server: PostgreSql, root: Path, *, seconds: float, after_s: int, seed: int, is_short: bool
) -> list[str]:
    """Let files come for so long. Prints what happened; returns what went wrong."""
    chance = random.Random(seed)
    silences = [] if is_short else list(planned(seconds, after_s, chance))
    with yard(root, server, after=f"{after_s}s", wrong_clock=WRONG) as park:
        chaos = Chaos(park, server, chance, is_short=is_short)
        park.start()
        play(park, chaos, silences, seconds=seconds)
        chaos.end()
        park.settle()
        wrong = verdict(park, chaos, silences)
    kills = chaos.killed.total()
    print(f"{len(park.truth)} files, {kills} kills, {chaos.outages} outages of the database: ", end="")
    print(f"{len(wrong)} broken promises")
    return wrong


def main() -> int:
    """Run the campaign; return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--after", type=int, default=120, help="no_files.after, in seconds")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--short", action="store_true", help=f"{SHORT_S:g} seconds of files, without silences"
    )
    options = parser.parse_args()
    seconds = SHORT_S if options.short else 60.0 * options.minutes
    with tempfile.TemporaryDirectory() as folder, running(PostgreSql) as server:
        assert isinstance(server, PostgreSql)
        wrong = campaign(
            server,
            Path(folder),
            seconds=seconds,
            after_s=options.after,
            seed=options.seed,
            is_short=options.short,
        )
    print(*(f"  {each}" for each in wrong), sep="\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

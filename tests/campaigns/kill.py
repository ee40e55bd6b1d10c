"""Kills the taking of visitors' files at every system call, and at random, and says what was found.

    python tests/campaigns/kill.py [--every 1] [--random 200] [--only sweep ...] [--workers 2] [--short]

The process, the inbox and the database are real; each kill has a folder of its own. After it another process
takes the rest, and rows, minute counts, ledger and stored files are compared with what was dropped. Exit
status 1 where anything was lost or doubled, where a kind of kill landed beside the work, or where a naive
loader got through.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from adapters.records.conftest import running
from adapters.records.servers import MariaDb, PostgreSql
from support.killing import TALLYD, Command, Kill
from support.visits_kills import kill_and_take_the_rest, kill_at_random, naive, take_the_rest, traced
from support.visits_site import Sites, Step, VisitsSite, fill, fill_plainly

NAIVE = {
    "move-first": "naive: moved, then stored",
    "no-ledger": "naive: stored, then moved, no ledger",
    "row-by-row": "naive: each row committed, then moved",
}
EACH_STEP = frozenset({Step.BEFORE, Step.COMMITTED, Step.MOVING, Step.IDLE})
LARGE_RECORDS = 100_001
"""One more than are held in memory: such a file is read twice."""
SHORT_EVERY, SHORT_RANDOM, SERVERS_EVERY, LARGE_EVERY = 25, 10, 4, 20
FEWEST = 25
"""Kills of each part, also where few calls are tried: fewer may miss a step."""


@dataclass(frozen=True)
class Part:
    """One part of the campaign: what is killed, in which steps it must land, whether it must break."""

    name: str
    title: str
    kills: Callable[[], Iterator[Kill]]
    lands_in: frozenset[Step] = frozenset()
    must_break: bool = False


class Campaign:
    """All parts, each kill in a site of its own below `root`."""

    def __init__(self, root: Path, *, every: int, times: int, workers: int) -> None:
        self._root = root
        self._every, self._times, self._workers = every, times, workers
        self._sites = self._below("sqlite")

    def parts(self) -> tuple[Part, ...]:
        run = partial(self._each_call, lambda: fill(self._sites.new()))
        plain = partial(self._each_call, lambda: fill_plainly(self._sites.new()))
        large = partial(self._each_call, self._large, every=LARGE_EVERY)
        during_work = frozenset({Step.BEFORE, Step.MOVING})
        return (
            Part("sweep", "each call from the opening of the inbox to the end", run, EACH_STEP),
            Part("large", "the same of a file too large for memory, behind a small one", large, during_work),
            Part("postgresql", "the same, on PostgreSQL", partial(self._served, PostgreSql), EACH_STEP),
            Part("mariadb", "the same, on MariaDB", partial(self._served, MariaDb), EACH_STEP),
            Part("random", "the daemon at any moment, while files come", self._random, during_work),
            *(
                Part(name, title, partial(plain, naive(name)), must_break=True)
                for name, title in NAIVE.items()
            ),
        )

    def _each_call(
        self, make: Callable[[], VisitsSite], command: Command = TALLYD, *, every: int = 1
    ) -> Iterator[Kill]:
        undisturbed = make()
        count = len(traced(undisturbed, command).calls)
        broken = take_the_rest(undisturbed, command)
        assert not broken, f"undisturbed it is wrong as well: {broken}"
        numbers = range(1, count + 2, max(1, min(self._every * every, count // FEWEST)))
        with ThreadPoolExecutor(self._workers) as pool:
            yield from pool.map(lambda number: kill_and_take_the_rest(make(), number, command), numbers)

    def _large(self) -> VisitsSite:
        site = self._sites.new()
        site.drop("12", 2)
        site.drop("12", LARGE_RECORDS)
        return site

    def _served(self, kind: type[PostgreSql | MariaDb]) -> Iterator[Kill]:
        with running(kind) as server:
            sites = self._below(kind.__name__, server.url(server.new_database()))
            yield from self._each_call(lambda: fill(sites.new()), every=SERVERS_EVERY)

    def _random(self) -> Iterator[Kill]:
        """Several daemons, each with its own folder, one after the other killed."""
        each = -(-self._times // self._workers)

        def life(seed: int) -> list[Kill]:
            return list(kill_at_random(self._sites.new(), each, seed=seed))

        with ThreadPoolExecutor(self._workers) as pool:
            for kills in pool.map(life, range(self._workers)):
                yield from kills

    def _below(self, name: str, url: str | None = None) -> Sites:
        (self._root / name).mkdir()
        return Sites(self._root / name, url)


def main() -> int:
    """Run the campaign; return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--every", type=int, default=1, metavar="K", help="only each K-th call")
    parser.add_argument("--random", type=int, default=200, metavar="N", help="number of kills at random")
    parser.add_argument("--only", nargs="+", metavar="PART", help="only these parts")
    parser.add_argument("--workers", type=int, default=2, help="how many processes at a time")
    parser.add_argument("--short", action="store_true", help="a few kills of each part")
    parser.add_argument("--json", action="store_true", help="print JSON")
    asked = parser.parse_args()
    every, times = (SHORT_EVERY, SHORT_RANDOM) if asked.short else (asked.every, asked.random)
    root = Path(tempfile.mkdtemp(prefix="tallyd-kill-"))
    results, as_expected = [], True
    for part in Campaign(root, every=every, times=times, workers=asked.workers).parts():
        if asked.only and part.name not in asked.only:
            continue
        result, is_as_expected = _result(part, quiet=asked.json)
        results.append(result)
        as_expected &= is_as_expected
    if asked.json:
        print(json.dumps(results, indent=1))
    if as_expected:
        shutil.rmtree(root)
    else:
        print(f"not as it must be; what was found is kept in {root}", file=sys.stderr)
    return 0 if as_expected else 1


def _result(part: Part, *, quiet: bool) -> tuple[dict[str, object], bool]:
    began_s = time.monotonic()
    steps: Counter[StrEnum] = Counter()
    kinds: Counter[str] = Counter()
    broken = 0
    for kill in part.kills():
        steps[kill.step] += 1
        kinds.update({violation.kind for violation in kill.violations})
        broken += bool(kill.violations)
        if kill.violations and not part.must_break:
            print(kill, file=sys.stderr)
    took_s = round(time.monotonic() - began_s, 1)
    missing = part.lands_in - steps.keys()
    if not quiet:
        by_step = ", ".join(f"{step}: {steps[step]}" for step in Step if steps[step])
        by_kind = ", ".join(f"{kind} {number}" for kind, number in sorted(kinds.items()))
        print(f"{part.name}: {part.title}\n  {steps.total()} kills in {took_s} s: {by_step}")
        print(f"  {broken} broke a promise{f' ({by_kind})' if by_kind else ''}", flush=True)
    for step in sorted(missing):
        print(f"{part.name}: no kill landed in the step: {step}", file=sys.stderr)
    result = {
        "part": part.name,
        "kills": steps.total(),
        "steps": dict(steps),
        "broken": broken,
        "kinds": dict(kinds),
        "took_s": took_s,
    }
    return result, bool(broken) == part.must_break and not missing


if __name__ == "__main__":
    sys.exit(main())

"""Kills the daemon at every system call of one run, starts it again, and says what was found.

    python tests/campaigns/kill_run.py [--every 1] [--only run ...] [--workers 2] [--json]

The daemon, its HTTP server, state.db and files are real. What is killed where: docs/reliability.md. Exit
status 1 where a promise was broken, or where an order that must break one did not.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.divera_server import DiveraServer, divera_server
from support.killing import (
    TALLYD,
    Command,
    Kill,
    cut_and_start_again,
    kill_and_start_again,
    kill_as_planned,
    naive,
    start_again,
    traced,
)
from support.plan import steps
from support.site import POLLER, Site, prepare
from support.syscalls import OUTWARD
from support.verdict import Step, Violation

ONCE = ("once", POLLER)
GARBAGE = b"\xde\xad\xbe\xef" * 4096


@dataclass(frozen=True)
class Part:
    """One part of the campaign: what is killed, how often, and whether it is bound to break a promise."""

    name: str
    title: str
    kills: Callable[[], Iterator[Kill]]
    must_break: bool = False


class Campaign:
    """All parts, each kill in a folder of its own below `root`."""

    def __init__(self, root: Path, server: DiveraServer, *, every: int, workers: int) -> None:
        self._root = root
        self._server = server
        self._every = every
        self._workers = workers
        self._folders = count()

    def parts(self) -> tuple[Part, ...]:
        return (
            Part("run", "each call of the run", self.run),
            Part(
                "life",
                "each call of all threads, from the opening of state.db to the end of a clean stop",
                self.life,
            ),
            *(
                Part(f"again-{step.name.lower()}", f"each call of the start after a kill ({step})", again)
                for step in (Step.CLAIMED, Step.COMMITTED, Step.FILE)
                for again in (self._again(step),)
            ),
            Part("once", "each call of `tallyd once`, the daemon started after it", self.once),
            Part("damaged", "each call of the start that finds state.db damaged", self.damaged),
            Part("power", "the power cut at each call that changes something", self.power),
            Part(
                "file-first", "naive: the file, then the database", self._naive("file-first"), must_break=True
            ),
            Part(
                "done-first",
                "naive: marked as done, then fetched",
                self._naive("done-first"),
                must_break=True,
            ),
            Part("unsynced", "naive: files without fsync, power cut", self.unsynced, must_break=True),
        )

    def run(self, command: Command = TALLYD) -> Iterator[Kill]:
        calls = traced(self._site(), command).calls
        return self._each(len(calls), lambda number: [kill_as_planned(self._site, number, calls, command)])

    def _naive(self, variant: str) -> Callable[[], Iterator[Kill]]:
        return lambda: self.run(naive(variant))

    def life(self) -> Iterator[Kill]:
        calls = traced(self._site(), whole_life=True).calls
        return self._each(
            len(calls), lambda number: [kill_and_start_again(self._site(), number, whole_life=True)]
        )

    def _again(self, step: Step) -> Callable[[], Iterator[Kill]]:
        def again() -> Iterator[Kill]:
            first = steps(traced(self._site()).calls)[step]
            killed = self._site()
            traced(killed, at=first[len(first) // 2])
            return self._lives_of(killed)

        return again

    def once(self) -> Iterator[Kill]:
        def kill(number: int) -> Iterable[Kill]:
            return [kill_and_start_again(self._site(), number, whole_life=True, words=ONCE)]

        return self._each(len(traced(self._site(), whole_life=True, words=ONCE).calls), kill)

    def damaged(self) -> Iterator[Kill]:
        site = self._site()
        start_again(site)
        site.database.write_bytes(GARBAGE)
        # What was missed stands in state.db alone, and is gone with it.
        expected = {site.past: "taken", site.due: "taken"}
        return self._lives_of(replace(site, expected=expected), also=_set_aside)

    def _lives_of(self, left: Site, also: Callable[[Site], list[Violation]] | None = None) -> Iterator[Kill]:
        """Kill the daemon at each call of a start that finds what is `left`."""

        def kill(number: int) -> Iterable[Kill]:
            site = self._copy(left)
            kill = kill_and_start_again(site, number, whole_life=True)
            return [replace(kill, violations=(*kill.violations, *(also(site) if also else ())))]

        return self._each(len(traced(self._copy(left), whole_life=True).calls), kill)

    def power(self, command: Command = TALLYD) -> Iterator[Kill]:
        calls = traced(self._site(), command, whole_life=True).calls
        changing = [n for n, (name, _about) in enumerate(calls, start=1) if name in OUTWARD]
        return self._each(changing, lambda number: cut_and_start_again(self._site(), number, command))

    def unsynced(self) -> Iterator[Kill]:
        return self.power(naive("unsynced"))

    def _each(self, numbers: int | list[int], kill: Callable[[int], Iterable[Kill]]) -> Iterator[Kill]:
        """Yield the outcome of each kill, in order; of the numbers, or of 1 to so many and one after."""
        each = numbers if isinstance(numbers, list) else [*range(1, numbers + 2)]
        with ThreadPoolExecutor(self._workers) as pool:
            for kills in pool.map(lambda number: list(kill(number)), each[:: self._every]):
                yield from kills

    def _site(self) -> Site:
        name = f"k{next(self._folders)}"
        return prepare(self._root / name, self._server.client(name))

    def _copy(self, site: Site) -> Site:
        name = f"k{next(self._folders)}"
        return site.copied(self._root / name, self._server.client(name))


def _set_aside(site: Site) -> list[Violation]:
    """The damaged file is kept as it was, and the problem is open."""
    quarantined = [path.read_bytes() for path in site.database.parent.glob("state.db.damaged-*Z")]
    with closing(sqlite3.connect(site.database)) as db:
        is_notified = db.execute("SELECT count(*) FROM alert WHERE key='tallyd/damaged'").fetchone() == (1,)
    broken = (
        [] if quarantined == [GARBAGE] else [Violation("lost", f"{len(quarantined)} damaged files are kept")]
    )
    return (
        broken
        if is_notified
        else [*broken, Violation("wrong", "nobody is notified that state.db was damaged")]
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--every", type=int, default=1, metavar="K", help="only each K-th call")
    parser.add_argument("--only", nargs="+", metavar="PART", help="only these parts")
    parser.add_argument("--workers", type=int, default=2, help="how many daemons at a time")
    parser.add_argument("--json", action="store_true", help="print JSON")
    asked = parser.parse_args()
    root = Path(tempfile.mkdtemp(prefix="tallyd-kill-"))
    results, as_expected = [], True
    with divera_server() as server:
        for part in Campaign(root, server, every=asked.every, workers=asked.workers).parts():
            if asked.only and part.name not in asked.only:
                continue
            result = _result(part, quiet=asked.json)
            results.append(result)
            as_expected &= bool(result["broken"]) == part.must_break
    if asked.json:
        print(json.dumps(results, indent=1))
    if as_expected:
        shutil.rmtree(root)
    else:
        print(f"not as it must be; what was found is kept in {root}", file=sys.stderr)
    return 0 if as_expected else 1


def _result(part: Part, *, quiet: bool) -> dict[str, object]:
    began_s = time.monotonic()
    at_step: Counter[str] = Counter()
    broken: list[Kill] = []
    kinds: Counter[str] = Counter()
    for kill in part.kills():
        at_step[kill.step] += 1
        kinds.update({violation.kind for violation in kill.violations})
        if kill.violations:
            broken.append(kill)
            if not part.must_break:
                print(kill, file=sys.stderr)
    took_s = round(time.monotonic() - began_s, 1)
    if not quiet:
        by_step = ", ".join(f"{step} {at_step[step]}" for step in Step if at_step[step])
        by_kind = ", ".join(f"{kind} {number}" for kind, number in sorted(kinds.items()))
        print(f"{part.name}: {part.title}\n  {at_step.total()} kills in {took_s} s: {by_step}")
        print(f"  {len(broken)} broke a promise{f' ({by_kind})' if by_kind else ''}", flush=True)
    return {
        "part": part.name,
        "kills": at_step.total(),
        "steps": dict(at_step),
        "broken": len(broken),
        "kinds": dict(kinds),
        "took_s": took_s,
    }


if __name__ == "__main__":
    sys.exit(main())

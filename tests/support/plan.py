"""Which system call of a run belongs to which step, read from the calls of a run that nobody disturbed."""

from __future__ import annotations

import random
from collections.abc import Sequence

from support.syscalls import OUTWARD
from support.verdict import Step

Call = tuple[str, str]


def steps(calls: Sequence[Call]) -> dict[Step, range]:
    """Return for each step the numbers of the calls before which a kill leaves the run in it.

    A commit is in the page cache, and so survives a kill, just before the fdatasync that makes it survive a
    power cut. Another thread asks the server: this one wakes it (`sendto`), and then waits for the answer.
    """
    commits = [n for n, (name, about) in _numbered(calls) if name == "fdatasync" and about.endswith("-wal")]
    claim, commit, mark = commits
    asked = next(n for n, (name, _about) in _numbered(calls) if name == "sendto")
    renamed = next(n for n, (name, about) in _numbered(calls) if name.startswith("rename"))
    return {
        Step.BEFORE: range(1, claim),
        Step.CLAIMED: range(claim, asked + 1),
        Step.FETCHED: range(asked + 1, commit),
        Step.COMMITTED: range(commit, renamed + 1),
        Step.FILE: range(renamed + 1, mark),
        Step.MARKED: range(mark, len(calls) + 2),
    }


def sample(calls: Sequence[Call], numbers: range, *, most: int, seed: int = 1) -> list[int]:
    """Return some of the numbers: the first and the last, then, by chance, calls that change something."""
    ends = [numbers[0], numbers[-1]]
    return sorted({*ends, *shuffled(calls, numbers, seed=seed)[: most - len(ends)]})


def shuffled(calls: Sequence[Call], numbers: range, *, seed: int = 1) -> list[int]:
    """Return the numbers between the ends in an order by chance, calls that change something first."""
    between = list(numbers[1:-1])
    random.Random(seed).shuffle(between)
    return sorted(between, key=lambda number: calls[number - 1][0] not in OUTWARD)


def _numbered(calls: Sequence[Call]) -> list[tuple[int, Call]]:
    return list(enumerate(calls, start=1))

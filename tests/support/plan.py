"""Which system call of a run belongs to which step, read from the calls of a run that nobody disturbed."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import pairwise

from support.syscalls import OUTWARD
from support.verdict import Step

Call = tuple[str, str]


def steps(calls: Sequence[Call]) -> dict[Step, range]:
    """Return for each step the numbers of the calls before which a kill leaves the run in it.

    A commit is in the page cache, and so survives a kill, just before the fdatasync that makes it survive a
    power cut. The calls between request and answer are left out: the server may have counted or not.
    """
    commits = [n for n, (name, about) in _numbered(calls) if name == "fdatasync" and about.endswith("-wal")]
    claim, commit, mark = commits
    asked = next(n for n, (name, _about) in _numbered(calls) if name == "sendto")
    answered = next(n for n, (name, _about) in _numbered(calls) if name == "recvfrom")
    renamed = next(n for n, (name, about) in _numbered(calls) if name.startswith("rename"))
    bounds = {
        Step.BEFORE: 1,
        Step.CLAIMED: claim,
        Step.COMMITTED: commit,
        Step.FILE: renamed + 1,
        Step.MARKED: mark,
    }
    found = {step: range(first, after) for (step, first), (_next, after) in pairwise(bounds.items())}
    found[Step.MARKED] = range(mark, len(calls) + 2)
    found[Step.CLAIMED] = range(claim, asked + 1)
    found[Step.FETCHED] = range(answered + 1, commit)
    return found


def sample(calls: Sequence[Call], numbers: range, *, most: int, seed: int) -> list[int]:
    """Return some numbers: the first and the last, then calls that change something, the rest by chance."""
    chance = random.Random(seed)
    ends = {numbers[0], numbers[-1]}
    changing = [n for n in numbers if n <= len(calls) and calls[n - 1][0] in OUTWARD and n not in ends]
    others = [n for n in numbers if n not in ends and n not in changing]
    chance.shuffle(changing)
    chance.shuffle(others)
    return sorted((*ends, *(*changing, *others)[: most - len(ends)]))


def _numbered(calls: Sequence[Call]) -> list[tuple[int, Call]]:
    return list(enumerate(calls, start=1))

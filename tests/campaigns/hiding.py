"""How often an attacker finds the small counts that `hide_below` hides, from file to file.

    python tests/campaigns/hiding.py [--units 100] [--seed 1]

Each unit has 20 invented people on five statuses, and twelve readings. The attacker has every file, knows the
rule, the statuses and how many people there are, and assumes that few change their status between two files.
Of all tables that give the files, he takes those with the fewest changes: that is his guess. He is sure of a
count if no other one is possible, should no more people have changed at once than really did. With alerts, he
also knows of each reading whether fewer than eight were on the first status. Metrics and the page show what
the files have.

`nulls` is a rule that only leaves out the small counts; `hide_below` is tallyd's.
"""

from __future__ import annotations

import argparse
import random
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import TypeAlias

from tallyd.pollers.divera.counting import hide_small

Table: TypeAlias = tuple[int, ...]
"""How many people are on each status."""
Seen: TypeAlias = tuple[object, ...]
"""What the attacker sees of a table."""

K, PEOPLE, READINGS, MINIMUM = 3, 20, 12, 8
SHARES = (0.45, 0.25, 0.15, 0.1, 0.05)
GAPS = {"an hour": 0.05, "six hours": 0.3, "a day": 0.8}
"""How likely a person has changed status since the reading before."""


def nulls(counts: Mapping[str, int], k: int) -> dict[str, int | None]:
    """Leave out the small counts, and nothing else."""
    return {status: None if 0 < count < k else count for status, count in counts.items()}


RULES = {"nulls": nulls, "hide_below": hide_small}


def tables(statuses: int, people: int) -> list[Table]:
    """Return every way in which people can be on statuses."""
    if statuses == 1:
        return [(people,)]
    return [(first, *rest) for first in range(people + 1) for rest in tables(statuses - 1, people - first)]


def seen_by(
    rule: Callable[[Mapping[str, int], int], Mapping[str, int | None]], *, alerts: bool
) -> Callable[[Table], Seen]:
    def seen(table: Table) -> Seen:
        shown = rule({str(place): count for place, count in enumerate(table)}, K)
        return (*shown.items(), alerts and table[0] < MINIMUM)

    return seen


def changes(one: Table, other: Table) -> int:
    """Return how many people have changed their status, at least."""
    return sum(abs(left - right) for left, right in zip(one, other, strict=True)) // 2


def lived(rng: random.Random, moves: float) -> list[Table]:
    """Return the tables of a unit."""
    people = rng.choices(range(len(SHARES)), SHARES, k=PEOPLE)
    found = []
    for _ in range(READINGS):
        people = [
            rng.choices(range(len(SHARES)), SHARES)[0] if rng.random() < moves else each for each in people
        ]
        found.append(tuple(people.count(status) for status in range(len(SHARES))))
    return found


def guessed(possible: Sequence[Sequence[Table]]) -> list[Table]:
    """Return the tables with the fewest changes."""
    costs = dict.fromkeys(possible[0], 0)
    before: list[dict[Table, Table]] = []
    for later in possible[1:]:
        best = {
            table: min((cost + changes(each, table), each) for each, cost in costs.items()) for table in later
        }
        costs = {table: cost for table, (cost, _) in best.items()}
        before.append({table: each for table, (_, each) in best.items()})
    found = [min(costs, key=costs.__getitem__)]
    for step in reversed(before):
        found.append(step[found[-1]])
    return found[::-1]


def left(possible: Sequence[Sequence[Table]], most: int) -> list[set[Table]]:
    """Return the tables that can be true if no more than so many people change at once."""
    found = [{*each} for each in possible]
    for order in (1, -1):
        steps = found[::order]
        for earlier, later in pairwise(steps):
            later &= {table for table in later if any(changes(each, table) <= most for each in earlier)}
    return found


def attacked(rule: str, moves: float, *, alerts: bool, units: int, seed: int) -> tuple[float, float]:
    """Return the shares of the small counts that the attacker guesses, and of those that he is sure of."""
    seen = seen_by(RULES[rule], alerts=alerts)
    by_seen: dict[Seen, list[Table]] = defaultdict(list)
    for table in tables(len(SHARES), PEOPLE):
        by_seen[seen(table)].append(table)
    small = right = sure = 0
    rng = random.Random(seed)
    for _ in range(units):
        true = lived(rng, moves)
        possible = [by_seen[seen(table)] for table in true]
        guess, last = guessed(possible), left(possible, max(changes(*pair) for pair in pairwise(true)))
        for table, guess_of, tables_left in zip(true, guess, last, strict=True):
            for status, count in enumerate(table):
                if 0 < count < K:
                    small += 1
                    right += guess_of[status] == count
                    sure += {each[status] for each in tables_left} == {count}
    return right / small, sure / small


def main() -> None:
    """Print the shares."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--units", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    print(f"{'rule':12}{'between files':16}{'he has':20}{'guessed':>8}{'sure':>8}")
    for gap, moves in GAPS.items():
        for alerts in (False, True):
            for rule in RULES:
                right, sure = attacked(rule, moves, alerts=alerts, units=asked.units, seed=asked.seed)
                has = "files and alerts" if alerts else "files"
                print(f"{rule:12}{gap:16}{has:20}{right:8.0%}{sure:8.0%}")


if __name__ == "__main__":
    main()

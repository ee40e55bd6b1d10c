"""Simulated lives of the whole daemon: a seed says everything that happens.

    python tests/simulation/run.py [--seed N] [--seeds FIRST-LAST] [--days D | --years Y] [--park | --pair]

Ends with 1 at the first promise that is broken, and prints how to live that life again: the same seed lives
the same life. `--park`: two hosts and a centre on one database. `--pair`: a leader and its standby. `--trace`
prints each event. README.md beside this file says what is simulated.
"""

from __future__ import annotations

import argparse
import gc
import os
import random
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

if __name__ == "__main__" and os.environ.get("PYTHONHASHSEED") != "0":
    # The order of sets is part of a life.
    os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, "PYTHONHASHSEED": "0"})
sys.path.insert(0, str(Path(__file__).parents[1]))

from simulation import perils
from simulation.invariants import Violation
from simulation.life import Life
from simulation.pair import Pair
from simulation.park import Park


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seeds", metavar="FIRST-LAST", help="one life after the other")
    parser.add_argument("--days", type=float, default=3.0, help="simulated days with troubles")
    parser.add_argument("--years", type=float, help="the same in years")
    parser.add_argument("--trace", action="store_true", help="print each event")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="live in this new folder, and leave it")
    parser.add_argument("--park", action="store_true", help="two hosts and a centre, instead of one machine")
    parser.add_argument("--pair", action="store_true", help="two daemons with one state, instead of one")
    asked = parser.parse_args()
    first, _, last = (asked.seeds or str(asked.seed)).partition("-")
    days = asked.days if asked.years is None else asked.years * 365
    perils.install()
    gc.freeze()
    seeds = range(int(first), int(last or first) + 1)
    kind = Park if asked.park else Pair if asked.pair else Life
    wells = (lives_well(kind, seed, days, is_traced=asked.trace, keep=asked.keep) for seed in seeds)
    return 0 if all(wells) else 1


def lives_well(
    kind: type[Life | Park], seed: int, days: float, *, is_traced: bool, keep: Path | None
) -> bool:
    """Live one life in a folder of its own; print how it ended, and return whether all promises held."""
    began_s = time.process_time()
    events: list[str] = []
    random.seed(seed)  # the daemon waits a little longer or shorter by this chance
    with ExitStack() as stack:
        if keep is None:
            shared = Path("/dev/shm")
            above = stack.enter_context(tempfile.TemporaryDirectory(dir=shared if shared.is_dir() else None))
            keep = Path(above) / "life"  # its name is part of a life
        keep.mkdir()
        life = kind(seed, keep, days=days, say=print if is_traced else events.append)
        try:
            life.live()
        except Violation as violation:
            print(*events[-15:], sep="\n")
            option = "" if kind is Life else f" --{kind.__name__.lower()}"
            print(f"VIOLATION {violation}\nAgain: run.py --seed {seed} --days {days:g}{option} --trace")
            return False
    took_s = time.process_time() - began_s
    print(
        f"seed {seed}: {days:g} days in {took_s:.1f} s, {life.starts} starts, {life.kills} kills,"
        f" {life.points} points, {life.digest.hexdigest()[:16]}",
        flush=True,
    )
    return True


if __name__ == "__main__":
    sys.exit(main())

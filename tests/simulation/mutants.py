"""Planted bugs: each patch in mutants/ is applied to a copy of src/, and the simulation must find it.

    python tests/simulation/mutants.py [--most 200] [--days D] [--jobs 2] [NAME ...]

Names that begin with `park_` are bugs of a centre or its hosts, with `pair_` of a leader or its standby.
Prints for each the first seed that finds it, and what it found. Ends with 1 if one is not found.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--most", type=int, default=200, help="seeds to try")
    parser.add_argument("--days", type=float, default=3.0)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("names", nargs="*", metavar="NAME")
    asked = parser.parse_args()
    names = asked.names or sorted(path.stem for path in (HERE / "mutants").glob("*.patch"))
    with ThreadPoolExecutor(asked.jobs) as pool:
        found = list(pool.map(partial(is_found, most=asked.most, days=asked.days), names))
    return 0 if all(found) else 1


def is_found(name: str, *, most: int, days: float) -> bool:
    """Whether one of the first `most` seeds finds a mutant. Prints which."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "src"
        shutil.copytree(ROOT / "src", source, ignore=shutil.ignore_patterns("__pycache__"))
        kind = [f"--{kind}" for kind in ("park", "pair") if name.startswith(f"{kind}_")]
        patch = HERE / "mutants" / f"{name}.patch"
        subprocess.run(["patch", "-s", "-p1", "-d", folder, "-i", str(patch)], check=True)
        done = subprocess.run(
            [sys.executable, str(HERE / "run.py"), "--seeds", f"1-{most}", "--days", f"{days:g}", *kind],
            env={**os.environ, "PYTHONPATH": str(source)},
            capture_output=True,
            text=True,
            check=False,
        )
    lived = sum(line.startswith("seed ") for line in done.stdout.splitlines())
    said = [line for line in done.stdout.splitlines() if line.startswith("VIOLATION")]
    if any("crashed" in line for line in said):
        print(f"{name}: it crashes, which is no test of the simulation: {said[0]}", flush=True)
        return False
    if done.returncode == 1 and said:
        print(f"{name}: found by seed {lived + 1}: {said[0].removeprefix('VIOLATION ')[:160]}", flush=True)
        return True
    print(f"{name}: NOT FOUND in {lived} lives; status {done.returncode}\n{done.stderr[-2000:]}", flush=True)
    return False


if __name__ == "__main__":
    sys.exit(main())

"""Every bench, one after the other, and at the end one table: what, measured, to reach, reached or not.

    python bench/all.py [--short] [BENCH ...]

It takes about an hour. `--short` only proves that each bench runs, in two minutes: its figures mean nothing,
and a limit that is not reached is no failure.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from figures import MARK

SHORT = {
    "idle": ["--seconds", "1"],
    "ingest": ["--rounds", "1", "--scale", "0.01", "--only", "small"],
    "report": ["--many", "20000", "--times", "20"],
    "latency": ["--seconds", "2"],
    "servers": ["--rounds", "1", "--targets", "50"],
    "scale": ["--targets", "100"],
    "cluster": ["--rounds", "1", "--targets", "200"],
    "web": ["--seconds", "2", "--rounds", "1"],
}
"""The benches, with what makes them short."""
LONG = {"ingest": ["--rounds", "5"], "servers": ["--large"]}
HEADINGS = ("bench", "what", "measured", "to reach", "")


def main() -> int:
    """Run them and print the table; exit status 1 if one failed, or a limit is not reached."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("benches", nargs="*", metavar="BENCH", help=f"of {', '.join(SHORT)}; default: all")
    parser.add_argument("--short", action="store_true", help="only prove that each runs")
    asked = parser.parse_args()
    unknown = {*asked.benches} - SHORT.keys()
    if unknown:
        parser.error(f"there is no bench {min(unknown)}")
    rows: list[tuple[str, ...]] = []
    is_fine = True
    for name in asked.benches or SHORT:
        options = SHORT[name] if asked.short else LONG.get(name, [])
        status, found = _run(name, options)
        rows += [(name, *row) for row in found]
        has_failed = status not in (0, 1) or not found
        if has_failed:
            rows.append((name, "", "", "", f"FAILED with exit status {status}"))
        is_fine &= not has_failed and (asked.short or status == 0)
    _print_table([HEADINGS, *rows])
    return 0 if is_fine else 1


def _run(name: str, options: list[str]) -> tuple[int, list[tuple[str, ...]]]:
    """Run a bench and pass on what it prints; return its exit status and its figures."""
    command = [sys.executable, "-u", str(Path(__file__).with_name(f"{name}.py")), *options]
    print(f"\n-- {name} {' '.join(options)}", flush=True)
    found = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout or ():
            print(line, end="", flush=True)
            if line.startswith(MARK):
                found.append(tuple(line.removeprefix(MARK).strip().split(" | ")))
    return process.returncode, found


def _print_table(rows: list[tuple[str, ...]]) -> None:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    print()
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


if __name__ == "__main__":
    sys.exit(main())

"""Changes one thing in the code at a time, and sees whether a test notices.

    nice -n 19 .venv/bin/python tests/campaigns/mutation.py [--sample 400] [--seed 1] [--of core/alerts ...]

First it runs the tests once, to know which of them reach which line, and how long each takes; `--reach FILE`
keeps that for the next time. Then it draws mutants by the seed (`--sample 0`: all). Each one is run by the
tests that reach it, the quickest first, in a fork of a process that has already imported everything. The
change is put into the function where it lies in memory: no file is touched, and a process that a test starts
does not have it.

A test that fails is tried without the change; one that fails then too counts no more. A call that lacks a
required argument is no mutant, since mypy finds it. Prints each survivor, and the score of each room;
docs/reliability.md says what they mean.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import FunctionType
from typing import Final

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.mutants import Function, Mutant, mutants_of
from support.reach import Reach, measure, read

ROOT: Final = Path(__file__).parents[2]
SOURCE: Final = ROOT / "src/tallyd"
ROOMS: Final = ("core", "runs", "storage")
TESTS: Final = (
    "adapters", "alerting", "cli", "config", "contract", "core", "daemon", "imports", "outbox", "pollers",
    "presentation", "reporting", "runs", "scheduling", "storage", "test_retry.py",
)  # fmt: skip
OPTIONS: Final = (
    "-q", "--capture=no", "--no-header", "-p", "no:cacheprovider", "-p", "no:xdist", f"--rootdir={ROOT}",
    "-k", "not postgresql and not mariadb",
)  # fmt: skip
"""A server for each fork would take longer than all else."""

NONSENSE: Final = "(a call lacks an argument)"
ENDLESS: Final = "(it did not end)"
LONGEST_CPU_S: Final = 20
CRASHED: Final = "(pytest crashed)"


# -- one mutant ------------------------------------------------------------------------------------------


class Failed:
    """Remembers the first test that fails."""

    test: str | None = None

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed and self.test is None:
            self.test = NONSENSE if "required keyword-only argument" in report.longreprtext else report.nodeid


def run(items: Sequence[pytest.Item], *, change: Callable[[], None], limit_s: float) -> str | None:
    """Run tests in a fork until one fails; return it. That a fork does not end is a failure, too."""
    with tempfile.TemporaryDirectory(prefix="mutant-", ignore_cleanup_errors=True) as folder:
        failed = Path(folder) / "failed"
        child = os.fork()
        if child == 0:
            os.setpgid(0, 0)
            try:
                failed.write_text(_in_fork(items, change, folder) or "")
            finally:
                os._exit(0)
        is_over = _is_over(child, limit_s)
        os.killpg(child, signal.SIGKILL)
        os.waitpid(child, 0)
        if not is_over or not failed.exists():
            return ENDLESS if not is_over else CRASHED
        return failed.read_text() or None


def _is_over(child: int, limit_s: float) -> bool:
    os.setpgid(child, child)
    ends_at = time.monotonic() + limit_s
    while time.monotonic() < ends_at:
        if os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
            return True
        time.sleep(0.005)
    return False


def _in_fork(items: Sequence[pytest.Item], change: Callable[[], None], folder: str) -> str | None:
    os.environ["PYTEST_DEBUG_TEMPROOT"] = os.environ["TMPDIR"] = tempfile.tempdir = folder
    resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))
    resource.setrlimit(resource.RLIMIT_CPU, (LONGEST_CPU_S, LONGEST_CPU_S))  # a loop without end
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)
    session = items[0].session
    session.config.pluginmanager.unregister(name="terminalreporter")
    failed = Failed()
    session.config.pluginmanager.register(failed)
    change()
    for item, after in zip(items, [*items[1:], None], strict=True):
        item.ihook.pytest_runtest_protocol(item=item, nextitem=after)
        if failed.test is not None:
            break
    return failed.test


# -- all of them -----------------------------------------------------------------------------------------


@dataclass
class Campaign:
    """A pytest plugin that runs mutants where others run the tests."""

    mutants: Sequence[Mutant]
    reach: Reach
    most_s: float
    verdicts: dict[Mutant, str] = field(default_factory=dict)
    killers: dict[Path, set[str]] = field(default_factory=lambda: defaultdict(set))
    trusted: set[str] = field(default_factory=lambda: {ENDLESS, CRASHED})

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        for path in {mutant.path for mutant in self.mutants}:
            importlib.import_module(".".join(path.relative_to(SOURCE.parent).with_suffix("").parts))
        items = {item.nodeid: item for item in session.items}
        functions = _functions()
        gc.collect()
        gc.freeze()
        for place, mutant in enumerate(self.mutants):
            verdict = self._verdict(mutant, items, functions)
            self.verdicts[mutant] = verdict
            if not verdict.startswith(("killed", NONSENSE)):
                print(f"{mutant}: {verdict}", flush=True)
            if place % 50 == 49:
                print(f"# {place + 1} of {len(self.mutants)}, {time.process_time():.0f} s", file=sys.stderr)
        return True

    def _verdict(
        self,
        mutant: Mutant,
        items: Mapping[str, pytest.Item],
        functions: Mapping[tuple[str, Function], Sequence[FunctionType]],
    ) -> str:
        found = functions.get((str(mutant.path), mutant.function), ())
        tests = [test for test in self.reach.tests(mutant.path, mutant.lines) if test in items]
        tests.sort(key=lambda test: test not in self.killers[mutant.path])  # it may well find this one, too
        if not tests or not found:
            return "no test reaches it"
        enough: list[str] = []
        left_s = self.most_s
        for test in tests:
            left_s -= self.reach.took_s[test]
            if enough and left_s < 0:
                break
            enough.append(test)
        change = partial(_change, mutant, found)
        limit_s = 60 + 20 * sum(self.reach.took_s[test] for test in enough)
        while enough:
            failed = run([items[test] for test in enough], change=change, limit_s=limit_s)
            if failed is None:
                return f"lives, after {len(enough)} of {len(tests)} tests"
            if failed == NONSENSE:
                return failed
            if failed in self.trusted or run([items[failed]], change=lambda: None, limit_s=60) is None:
                self.trusted.add(failed)
                self.killers[mutant.path].add(failed)
                return f"killed by {failed}"
            del self.reach.took_s[failed]
            enough.remove(failed)
        return "no test reaches it"


def _functions() -> dict[tuple[str, Function], list[FunctionType]]:
    """Return the functions of tallyd that are in memory, by their file and place."""
    found = defaultdict(list)
    for each in gc.get_objects():
        if isinstance(each, FunctionType) and "/src/tallyd/" in (code := each.__code__).co_filename:
            found[code.co_filename, (code.co_qualname, code.co_firstlineno)].append(each)
    return found


def _change(mutant: Mutant, functions: Iterable[FunctionType]) -> None:
    code = mutant.code()
    for each in functions:
        each.__code__ = code


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sample", type=int, default=400, help="how many mutants; 0: all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--of", nargs="+", default=ROOMS, help="rooms, folders or files below src/tallyd")
    parser.add_argument("--reach", type=Path, help="where to keep which tests reach what")
    parser.add_argument(
        "--most-s", type=float, default=10.0, help="run tests of so much processor time for each mutant"
    )
    parser.add_argument("tests", nargs="*", metavar="TEST", default=[f"tests/{each}" for each in TESTS])
    asked = parser.parse_args()
    os.chdir(ROOT)
    folder = tempfile.mkdtemp()
    os.environ["HYPOTHESIS_STORAGE_DIRECTORY"] = folder
    path: Path = asked.reach or Path(folder) / "reach.json"
    if not path.exists():
        child = os.fork()
        if child == 0:
            measure([*OPTIONS, *asked.tests], SOURCE, path)
            os._exit(0)
        os.waitpid(child, 0)
    every = [mutant for place in asked.of for path in modules(place) for mutant in mutants_of(path)]
    chosen = random.Random(asked.seed).sample(every, min(asked.sample or len(every), len(every)))
    chosen.sort(key=lambda mutant: (mutant.path, mutant.start, mutant.text))
    campaign = Campaign(chosen, read(path), asked.most_s)
    pytest.main([*OPTIONS, *asked.tests], plugins=[campaign])
    shutil.rmtree(folder)
    report(campaign.verdicts, len(every))
    return 0 if campaign.verdicts else 2


def modules(place: str) -> list[Path]:
    """Return the file, or the files of the folder."""
    path = SOURCE / place
    return sorted(path.rglob("*.py")) if path.is_dir() else [path]


def report(verdicts: Mapping[Mutant, str], every: int) -> None:
    """Print the score of each room."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for mutant, verdict in verdicts.items():
        room = mutant.path.relative_to(SOURCE).parts[0]
        counts[room][verdict.split()[0].strip(",")] += 1
    print(f"\n{len(verdicts)} of {every} mutants")
    for room, of in counts.items():
        total = of["killed"] + of["lives"] + of["no"]
        share = of["killed"] / max(1, total)
        print(f"{room}: {total} mutants, {of['lives']} live, {of['no']} unreached, {share:.1%} killed")


if __name__ == "__main__":
    sys.exit(main())

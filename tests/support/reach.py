"""Which test reaches which line, and how much of the processor it takes."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from coverage import Coverage


@dataclass
class Reach:
    """Which tests reach a line, by file, and how much processor time each takes; none that fails."""

    lines: dict[str, dict[int, list[str]]]
    took_s: dict[str, float]

    def tests(self, file: Path, lines: Iterable[int]) -> list[str]:
        """Return the tests that reach one of the lines, the quickest first."""
        known = self.lines.get(str(file), {})
        found = {test for line in lines for test in known.get(line, ())} & self.took_s.keys()
        return sorted(found, key=self.took_s.__getitem__)


def read(path: Path) -> Reach:
    """Read what `measure` wrote."""
    known = json.loads(path.read_text())
    names = list(known["took_s"])
    lines = {
        file: {int(line): [names[number] for number in tests] for line, tests in of.items()}
        for file, of in known["lines"].items()
    }
    return Reach(lines, known["took_s"])


def measure(arguments: Sequence[str], source: Path, path: Path) -> None:
    """Run pytest once, and write which tests reach which line of `source`. It must not be imported yet."""
    with tempfile.TemporaryDirectory() as folder:
        watch = Coverage(data_file=f"{folder}/data", source=[str(source)], config_file=False)
        watch.start()
        measuring = _Measuring(watch)
        pytest.main([*arguments], plugins=[measuring])
        watch.stop()
        data = watch.get_data()
        passed = {test: took for test, took in measuring.took_s.items() if test not in measuring.failed}
        numbers = {test: number for number, test in enumerate(passed)}
        lines = {
            file: {
                line: [numbers[test] for test in tests if test in numbers]
                for line, tests in data.contexts_by_lineno(file).items()
            }
            for file in sorted(data.measured_files())
        }
        path.write_text(json.dumps({"lines": lines, "took_s": passed}))


class _Measuring:
    """Tells coverage which test runs."""

    def __init__(self, watch: Coverage) -> None:
        self._switch = watch.switch_context
        self.took_s: dict[str, float] = {}
        self.failed: set[str] = set()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        self._switch(item.nodeid)
        began_s = time.process_time()
        try:
            return (yield)
        finally:
            self.took_s[item.nodeid] = time.process_time() - began_s
            self._switch("")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if not report.passed:
            self.failed.add(report.nodeid)

"""What today's counts cost, with ten thousand passages in the database and with ten million.

    python bench/report.py [--many 10000000] [--times 200]

Both databases have the same today: it is what was counted before that differs. They are filled through the
ingest path, file by file, with minute counts and ledger. Read is what a report reads: today's counts by
source. Prints the median and the 99th percentile of each, looked at in turns, and the ratio.
"""

from __future__ import annotations

import argparse
import hashlib
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from figures import reached
from tallyd.adapters.records.database import Database
from tallyd.adapters.records.poller_records import PollerRecords
from tallyd.contract.passages import Content, Row, Rows, ToIngest, minute_counts

FEW = 10_000
PER_FILE = 50_000
SOURCES = ("12", "23", "24", "32")
MOST_RATIO, MOST_S = 1.5, 0.010
TODAY = datetime(2026, 11, 20, tzinfo=UTC)


def main() -> int:
    """Measure and print; exit status 1 when a limit is not kept."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--many", type=int, default=10_000_000)
    parser.add_argument("--times", type=int, default=200)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tallyd-bench-") as folder:
        few = _filled(Path(folder) / "few.db", FEW)
        many = _filled(Path(folder) / "many.db", asked.many)
        taken: dict[str, list[float]] = {"few": [], "many": []}
        for _ in range(asked.times):
            for name, records in (("few", few), ("many", many)):
                began_s = time.perf_counter()
                counts = records.counts(TODAY, TODAY + timedelta(days=1))
                taken[name].append(time.perf_counter() - began_s)
                assert sum(count.n_in + count.n_out + count.n_other for count in counts.values()) == FEW
    few_s, many_s = (statistics.median(taken[name]) for name in ("few", "many"))
    for name, passages in (("few", FEW), ("many", asked.many)):
        last = statistics.quantiles(taken[name], n=100)[98]
        median = statistics.median(taken[name])
        print(f"{passages:>10,} passages: p50 {median * 1000:.2f} ms, p99 {last * 1000:.2f} ms")
    verdicts = (
        reached("today's counts, many passages to few", many_s / few_s, "x", at_most=MOST_RATIO),
        reached("today's counts", many_s * 1000, "ms", at_most=MOST_S * 1000),
    )
    return 0 if all(verdicts) else 1


def _filled(path: Path, passages: int) -> PollerRecords:
    """Return a database with `FEW` passages today, and the others on the days before."""
    database = Database(f"sqlite:///{path}")
    database.prepare()
    records = database.records("visitors")
    _ingest(records, TODAY + timedelta(hours=9), FEW, over=timedelta(hours=10))
    left, day = passages - FEW, TODAY
    while left > 0:
        day -= timedelta(days=1)
        some = min(left, 120_000)
        _ingest(records, day + timedelta(hours=9), some, over=timedelta(hours=10))
        left -= some
    return records


def _ingest(records: PollerRecords, begin: datetime, passages: int, *, over: timedelta) -> None:
    """Store a number of passages, spread evenly, a file of each source after the other."""
    step = over / passages
    for first in range(0, passages, PER_FILE):
        some = min(PER_FILE, passages - first)
        for number, source in enumerate(SOURCES):
            rows = list(_rows(begin + step * first, step, range(number, some, len(SOURCES))))
            file = ToIngest(
                source=source,
                sha256=hashlib.sha256(f"{begin:%Y%m%d}-{first}-{source}".encode()).hexdigest(),
                name=f"{source}/{begin:%Y%m%d%H%M%S}-{first}.json",
                size=100 * len(rows),
                content=_content(rows),
                reason=None,
                rows=[Rows.of(rows)],
            )
            (outcome,) = records.ingest([file], now=TODAY, keep_rows=True)
            assert outcome == "done"


def _rows(begin: datetime, step: timedelta, numbers: Sequence[int]) -> Iterator[Row]:
    for number in numbers:
        yield number, number % 3, int((begin + step * number).timestamp()), number


def _content(rows: Sequence[Row]) -> Content:
    _, ways, seen_at, _ = zip(*rows, strict=True)
    return Content(records=len(rows), minutes=minute_counts(seen_at, ways), span=(seen_at[0], seen_at[-1]))


if __name__ == "__main__":
    sys.exit(main())

"""Years of looks, 30 seconds apart, in many zones: no slot double, none lost, none late.

    PYTHONPATH=src:tests python tests/campaigns/clock.py [--first 2011] [--last 2028] [--every 30] [ZONE ...]

Where the tests look at a year at uneven distances, this looks as a daemon does whose own entries for its jobs
never came: at everything, every half minute. Prints a line for each zone and year, and ends with 1 at the
first that is wrong. A year takes two to five minutes of one core; they are shared among all cores.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import product
from zoneinfo import ZoneInfo

from support.ledger import ZONES, Ledger, expected_slots, times
from tallyd.core.schedule.timetable import At

TIMES = times("00:00", "00:30", "01:45", "02:15", "02:30", "03:00", "03:30", "08:00", "23:30")


def live(name: str, year: int, every_s: float) -> str:
    """Live through one year; return what was found. Raises AssertionError where it was wrong."""
    zone, first = ZoneInfo(name), datetime(year, 1, 1, 0, 0, 17, tzinfo=UTC)  # off the slots' seconds
    ledger = Ledger(At(TIMES), zone)
    now, last = first, datetime(year + 1, 1, 1, tzinfo=UTC)
    while now <= last:
        if slot := ledger.look(now):
            ledger.take(slot, now)
        now += timedelta(seconds=every_s)
    wanted = expected_slots(At(TIMES), zone, after=first, until=now - timedelta(seconds=every_s))
    taken = {key.split("[", maxsplit=1)[0]: found.due_at for key, found in ledger.settled.items()}
    assert taken == wanted, sorted(taken.items() ^ wanted.items())
    assert Counter(ledger.takes).most_common(1)[0][1] == 1, "a slot was taken twice"
    assert all(found.state == "taken" for found in ledger.settled.values())
    latest_s = max(found.late_s for found in ledger.settled.values())
    assert latest_s <= every_s
    return f"{name} {year}: {len(taken)} slots, each taken once, at most {latest_s:g} s late"


def lives(names: list[str], years: range, every_s: float) -> Iterator[str]:
    with ProcessPoolExecutor() as pool:
        asked = [pool.submit(live, name, year, every_s) for year, name in product(years, names)]
        for one in asked:
            yield one.result()


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--first", type=int, default=2011, help="first year")
    parser.add_argument("--last", type=int, default=2028, help="last year")
    parser.add_argument("--every", type=float, default=30.0, help="seconds between two looks")
    parser.add_argument("zones", nargs="*", default=ZONES, metavar="ZONE")
    chosen = parser.parse_args()
    began_s = time.monotonic()
    for line in lives(list(chosen.zones), range(chosen.first, chosen.last + 1), chosen.every):
        print(line, flush=True)
    print(f"all right, after {time.monotonic() - began_s:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""The daemon on a machine whose clock is wrong, and goes on from there.

    python wrong_clock.py AHEAD_S --config PATH run

Python's clocks are shifted, and nothing else: the database, the kernel and the files keep the true time. So
who makes files for such a machine dates them by its clock.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta

import time_machine

from tallyd.cli.main import main

if __name__ == "__main__":
    ahead = timedelta(seconds=float(sys.argv.pop(1)))
    time_machine.travel(datetime.now(UTC) + ahead, tick=True).start()
    sys.exit(main())

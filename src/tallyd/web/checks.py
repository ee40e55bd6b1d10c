"""The checks of servers as the page reads them: how fresh each was of late, and how its lag went.

Ten thousand targets that compute every minute are 14 million rows a day. What is asked of those takes a
second, and so it is not asked anew every second.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from tallyd.core.freshness import Known
from tallyd.core.lags import HourCount, LagRow
from tallyd.pollers.servers.lag_history import lag_points
from tallyd.web.context import Context
from tallyd.web.http.cache import Costly
from tallyd.web.svg import Line
from tallyd.web.view_lags import stood_still
from tallyd.web.view_servers import PLOTTED, SHARE_OF, small_plot

Points: TypeAlias = list[tuple[datetime, float]]

MOST_ROWS: Final = 5000
"""Of the plot of one target."""
MOST_SMALL_ROWS: Final = 300
"""Of a small plot, where all targets of the table compute that often: then it shows the newest only."""
_SHARES_FOR_S: Final = 60.0
_STILL_WRITTEN: Final = timedelta(hours=1)
"""An hour that is over so long is not written any more, but while the database was away."""


class Checks:
    """Any number of threads. Each call raises `RecordsError`."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._lock = threading.Lock()
        self._past: dict[str, tuple[datetime, Mapping[str, HourCount]]] = {}
        self._shares: dict[str, tuple[float, Mapping[str, HourCount]]] = {}
        self._small: Costly[Mapping[str, Line | None]] = Costly(context.monotonic)
        self._large: Costly[Points] = Costly(context.monotonic)

    def shares(self, poller: str) -> Mapping[str, HourCount]:
        """Return the checks of the last seven days by target, at most a minute old."""
        now_s = self._context.monotonic()
        with self._lock:
            if poller not in self._shares or now_s - self._shares[poller][0] > _SHARES_FOR_S:
                self._shares[poller] = (now_s, self._summed(poller))
            return self._shares[poller][1]

    def _summed(self, poller: str) -> Mapping[str, HourCount]:
        """Return the sums anew. Of hours that are over, which are nearly all of them, once an hour."""
        now, records = self._context.now(), self._context.records(poller)
        since = (now - _STILL_WRITTEN).replace(minute=0, second=0, microsecond=0)
        if poller not in self._past or self._past[poller][0] != since:
            self._past[poller] = (since, records.server_sums(now - SHARE_OF, since))
        found = dict(self._past[poller][1])
        for target, count in records.server_sums(since, now).items():
            found[target] = found[target] + count if target in found else count
        return found

    def small_plots(
        self, poller: str, limits_s: Mapping[str, float], known: Mapping[str, Known], *, now: datetime
    ) -> Mapping[str, Line | None]:
        """Return the small plots of the targets that `limits_s` has, all by one look at the database."""
        first = now - PLOTTED

        def draw() -> Mapping[str, Line | None]:
            rows = self._rows(poller, tuple(limits_s), first, now, most=MOST_SMALL_ROWS * len(limits_s))
            of_target: dict[str, list[LagRow]] = defaultdict(list)
            for row in rows:
                of_target[row.server].append(row)
            return {
                target: small_plot(
                    lag_points(of_target[target], first=first, last=now)
                    or stood_still(known.get(target), first=first, last=now),
                    now=now,
                    stale_after_s=limit_s,
                )
                for target, limit_s in limits_s.items()
            }

        return self._small.get((poller, *limits_s.items()), draw) if limits_s else {}

    def points(self, poller: str, target: str, known: Known | None, back: timedelta) -> Points:
        """Return a target's lag over time."""

        def read() -> Points:
            now = self._context.now()
            first = now - back
            rows = self._rows(poller, (target,), first, now, most=MOST_ROWS)
            return lag_points(rows, first=first, last=now) or stood_still(known, first=first, last=now)

        return self._large.get((poller, target, back), read)

    def _rows(
        self, poller: str, targets: Sequence[str], since: datetime, until: datetime, *, most: int
    ) -> Sequence[LagRow]:
        return self._context.records(poller).server_lags(targets, since, until, most=most)

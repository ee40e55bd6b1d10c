"""What this host has to say of its sources: when their newest files came, and what became of them.

The transaction that stores files says it too. Signs of life are noted at most every ten seconds, all at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from tallyd.contract.arrivals import ArrivalState, Came
from tallyd.contract.inbox import Look
from tallyd.pollers.visitors.alerts.shared import NOTED_EVERY, Shared
from tallyd.pollers.visitors.ingest.file_parser import Parsed

_PRECISION: Final = timedelta(seconds=1)
"""Of what is stored."""
_LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)


@dataclass
class ArrivalNotes:
    """What is still to be noted, by source, and what this process has noted last, at `noted_at`."""

    waiting: dict[str, Came] = field(default_factory=dict)
    noted: dict[str, Came] = field(default_factory=dict)
    noted_at: dict[str, datetime] = field(default_factory=dict)

    def add(self, files: Iterable[Parsed], seen: Mapping[str, datetime]) -> None:
        """Take files that are about to be stored. `seen` are the arrivals of the look (`Look.arrivals`)."""
        for parsed in files:
            source, content = parsed.waiting.source, parsed.file.content
            if source in seen:  # otherwise, a thousand other sources are newer
                state: ArrivalState = (
                    "rejected" if content is None else "done" if content.records else "empty"
                )
                last = _last_record(parsed, self.waiting.get(source))
                self.waiting[source] = Came(source, seen[source], state, parsed.file.reason, last)

    def add_seen(self, look: Look, shared: Shared, *, why_away: str | None) -> None:
        """Take files that came but are not ingested yet, and whether this host sees its inbox at all.

        `why_away`: why it has not seen it for a while; None: it sees it.
        """
        for source, at in look.arrivals.items():
            if source not in self.waiting and at > self._noted_until(source, shared):
                self.waiting[source] = Came(source, at, "seen")
        for source, arrival in shared.arrivals.items():
            if arrival.host == shared.here and source not in self.waiting:
                state = self.noted[source].state if source in self.noted else arrival.state
                if (state == "away") != (why_away is not None):
                    state = "away" if why_away else "seen"
                    self.waiting[source] = Came(source, arrival.last_file_at, state, why_away)

    def due(self, now: datetime) -> tuple[Came, ...]:
        """Return what is to be noted now. A file that was only seen will soon be ingested."""
        return tuple(
            each
            for each in self.waiting.values()
            if each.state in ("done", "rejected")
            or not (
                self._is_early(each.source, now) or (each.state == "seen" and now - each.at < NOTED_EVERY)
            )
        )

    def note(self, came: Iterable[Came], now: datetime) -> None:
        """Keep that it is noted."""
        for each in came:
            self.noted[each.source], self.noted_at[each.source] = each, now
            del self.waiting[each.source]

    def _noted_until(self, source: str, shared: Shared) -> datetime:
        """Return the time of the newest file that is noted."""
        own, stored = self.noted.get(source), shared.arrivals.get(source)
        if own and (stored is None or stored.host == shared.here):
            return own.at
        return stored.last_file_at + _PRECISION if stored else _LONG_AGO

    def _is_early(self, source: str, now: datetime) -> bool:
        at = self.noted_at.get(source)
        return at is not None and timedelta() <= now - at < NOTED_EVERY


def _last_record(parsed: Parsed, before: Came | None) -> int | None:
    """Return the time of the newest record of a file and of those `before` it."""
    content = parsed.file.content
    times = [count[-1] for count in content.minutes.values()] if content else []
    if before and before.last_record is not None:
        times.append(before.last_record)
    return max(times, default=None)

"""What the views of now are made of: today's counts, and the newest files."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import time

from tallyd.contract.arrivals import Arrival
from tallyd.contract.board import Past
from tallyd.core.schedule.days import day_of, day_span
from tallyd.pollers.visitors.alerts.shared import arrivals_of
from tallyd.pollers.visitors.inside import DayCount, Resets, read_day


def counts_of_today(past: Past, reset_at: time) -> tuple[Mapping[str, DayCount], Mapping[str, int]]:
    """Return today's counts by source, and its files. Raises `RecordsError`."""
    today, records = day_of(past.now, past.zone), past.records
    counts = read_day(records, today, at=past.now, resets=Resets(past.zone, reset_at))
    return counts, records.files_since(day_span(today, past.zone)[0])


def newest_files(past: Past) -> Mapping[str, Arrival]:
    """Return the newest file of each source, as the daemon knows it, or as noted. Raises `RecordsError`."""
    kept = (arrivals_of(past.kept(job)) for job in ("sweep", "watch"))
    known = next((found for found in kept if found is not None), None)
    return past.records.arrivals(past.now) if known is None else known

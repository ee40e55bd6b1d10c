"""What `tallyd status` says of visitors: reports and the upstream's answers, files taken and refused."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from tallyd.adapters.state import State
from tallyd.config.model import Config
from tallyd.core.errors import RecordsError
from tallyd.core.naming import local_text
from tallyd.core.reading import Json
from tallyd.core.schedule.days import day_of, day_span
from tallyd.core.stored import OutboxRow
from tallyd.core.texts import clock
from tallyd.presentation.terminal import say

PATIENCE_S = 2.0
"""A database that is away must not hold up what state.db can say."""


@dataclass(frozen=True)
class Files:
    """Files of one poller since local midnight; `trouble` is why that can't be known now."""

    poller: str
    done: int = 0
    rejected: int = 0
    trouble: str | None = None


def reports_of(state: State) -> tuple[OutboxRow, ...]:
    """Return what is not sent yet, and of each name the newest that is. Raises `StateError`."""
    found: list[OutboxRow] = []
    for poller in sorted(state.outbox.pollers()):
        named: set[str] = set()
        for row in state.outbox.all(poller):
            if row.state != "sent" or row.message.ssid not in named:
                found.append(row)
            if row.state == "sent":
                named.add(row.message.ssid)
    return tuple(found)


def files_of(config: Config | None, *, now: datetime) -> tuple[Files, ...]:
    """Return the files of today of each poller that takes some; nothing while no config on disk is active."""
    if config is None:
        return ()  # which is what `status` begins with
    takers = [name for name, poller in config.settings.pollers.items() if poller.inbox_needed(name)]
    if not takers:
        return ()
    # Imported where it is needed: SQLAlchemy costs a small machine a second.
    from tallyd.adapters.records.database import Database  # noqa: PLC0415 # see above

    found = []
    with closing(Database(config.database_url, patience_s=PATIENCE_S)) as database:
        for name in takers:
            zone = config.effective(name).zone
            since, _ = day_span(day_of(now, zone), zone)
            try:
                is_new = database.revision() is None
                counts = {} if is_new else database.records(name).files_since(since)
            except RecordsError as error:
                found.append(Files(name, trouble=error.text))
            else:
                found.append(Files(name, counts.get("done", 0), counts.get("rejected", 0)))
    return tuple(found)


def show(reports: Iterable[OutboxRow], files: Iterable[Files], zone: ZoneInfo, now: datetime) -> None:
    """Print a line for each."""
    for one in files:
        if one.trouble is not None:
            say(f"{one.poller}: files of today: {one.trouble}", style="warning")
        else:
            style = "warning" if one.rejected else None
            say(f"{one.poller}: files today: {one.done} taken, {one.rejected} refused", style=style)
    for row in reports:
        text, style = _report(row, zone, now)
        say(f"{row.poller}: {text}", style=style)


def _report(row: OutboxRow, zone: ZoneInfo, now: datetime) -> tuple[str, str]:
    what = f"report {row.message.ssid} of {row.message.day}, {clock(row.slot_at, zone, now=now)}"
    answer = f": {row.answer}" if row.answer else ""
    if row.state == "sent":
        sent = clock(row.sent_at, zone, now=now) if row.sent_at else "before"
        return f"{what}: sent {sent}{answer}", "quiet"
    if row.state == "parked":
        return f"{what}: refused for good{answer}; the next report is tried", "error"
    tries = f" ({row.tries} tries{answer})" if row.tries else ""
    return f"{what}: waits to be sent{tries}", "warning"


def as_json(reports: Iterable[OutboxRow], files: Iterable[Files], zone: ZoneInfo) -> Mapping[str, Json]:
    """Return both for `status --json`."""
    return {
        "reports": [
            {
                "poller": row.poller,
                "ssid": row.message.ssid,
                "day": row.message.day.isoformat(),
                "slot_at": local_text(row.slot_at, zone),
                "state": row.state,
                "tries": row.tries,
                "answer": row.answer,
                "sent_at": local_text(row.sent_at, zone) if row.sent_at else None,
            }
            for row in reports
        ],
        "files_today": [
            {"poller": one.poller, "done": one.done, "rejected": one.rejected, "trouble": one.trouble}
            for one in files
        ],
    }

"""What `tallyd report` shows of readings: those of the kinds that have no report of their own."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

from tallyd.adapters.state import State
from tallyd.cli.report_asked import DEFAULT_DAYS, Asked, usage
from tallyd.cli.report_shapes import Past, as_csv, as_json, show_tables
from tallyd.config.jobs import tasks_of
from tallyd.config.model import BY_KIND, Config
from tallyd.core.history import Entry, Gap, missed_slot, reading_of_numbers, statuses
from tallyd.core.periods import By
from tallyd.core.reading import Json
from tallyd.core.stored import StoredReading
from tallyd.presentation.terminal import complain
from tallyd.settings.types import did_you_mean

_DAY_LENGTH = timedelta(days=1)
_ANY_ZONE = timedelta(days=1)  # no zone is so far from UTC


@dataclass(frozen=True)
class Readings:
    """The readings of some pollers. Satisfies `report_asked.Part`."""

    pasts: tuple[Past, ...]
    by: By | None

    @property
    def pollers(self) -> tuple[str, ...]:
        return tuple(past.poller for past in self.pasts)

    def show(self) -> None:
        show_tables(self.pasts, self.by)

    def as_json(self) -> list[Json]:
        return as_json(self.pasts, self.by)

    def as_csv(self, *, excel: bool, name_pollers: bool) -> str:
        return as_csv(self.pasts, self.by, excel=excel, name_pollers=name_pollers)


def readings(config: Config, database: Path, asked: Asked, *, but: Collection[str]) -> Readings:
    """Return the readings asked for: of the configured pollers in their order, then of those that once were.

    Kinds in `but` are left out. What a reader has to know beside the numbers goes to stderr. A poller that
    never was ends the command with status 2. Raises `StateError`.
    """
    pasts = _pasts(config, database, asked, but)
    if asked.start is None and pasts:
        first, last = min(past.first for past in pasts), max(past.last for past in pasts)
        complain(f"{DEFAULT_DAYS} days, {first} to {last}; others with --from and --to", style="quiet")
    if asked.by is not None and any(map(_hides, pasts)):
        complain("Hidden counts are left out of the means, which so are too high.", style="warning")
    return Readings(pasts, asked.by)


def _hides(past: Past) -> bool:
    """Whether a count is hidden."""
    return any(entry.count(status.id) is Gap.HIDDEN for entry in past.entries for status in past.statuses)


def former_kind(state: State, poller: str, *, now: datetime) -> str | None:
    """Return the kind of a poller by its readings; None where there is none. Raises `StateError`."""
    readings = state.readings
    newest = readings.last(poller, now=now) or next(reversed(readings.history(poller=poller)), None)
    return newest.kind if newest else None


def _pasts(config: Config, database: Path, asked: Asked, but: Collection[str]) -> tuple[Past, ...]:
    with closing(State(database)) as state:
        pasts = [
            _past(config, state, name, zone, asked)
            for name, zone in _named(config, state, asked, but).items()
        ]
    return tuple(
        past for past in pasts if past.entries or past.poller in config.settings.pollers or asked.poller
    )


def _named(config: Config, state: State, asked: Asked, but: Collection[str]) -> dict[str, ZoneInfo]:
    """Return the pollers to be shown, with their zones. One that never was is wrong usage."""
    pollers = config.settings.pollers
    configured = {
        name: config.effective(name).zone
        for name, poller in pollers.items()
        if asked.poller in (None, name) and poller.kind not in but
    }
    former = [
        name
        for name in state.readings.pollers()
        if name not in pollers
        and asked.poller in (None, name)
        and former_kind(state, name, now=asked.now) not in but
    ]
    if asked.poller is not None and not configured and not former:
        known = tuple(pollers)
        has = f"; the config has: {', '.join(known)}" if known else "; the config has none"
        hint = did_you_mean(asked.poller, known) or has
        usage(f'there is no poller "{asked.poller}", and no reading of one{hint}')
    return configured | dict.fromkeys(former, config.zone)


def _past(config: Config, state: State, name: str, zone: ZoneInfo, asked: Asked) -> Past:
    today = asked.now.astimezone(zone).date()
    first, last = asked.period(today)
    stored = state.readings.history(
        poller=name,
        since=_midnight(first) - _ANY_ZONE,
        until=_midnight(last) + _DAY_LENGTH + _ANY_ZONE,
    )
    rows = [row for row in stored if _is_within(_at(row), (first, last), zone)]
    poller = config.settings.pollers.get(name)
    entries = tuple(_entry(row) for row in rows)
    return Past(
        poller=name,
        kind=poller.kind if poller else rows[-1].kind if rows else None,
        zone=zone,
        first=first,
        last=last,
        statuses=statuses(entries, poller.column_names() if poller else {}),
        entries=entries,
        next_at=_next_at(config, name, asked.now) if poller and last >= today else None,
    )


def _next_at(config: Config, name: str, now: datetime) -> datetime | None:
    coming = [task.next_at(now) for task in tasks_of(config) if task.poller == name]
    return min((at for at in coming if at is not None), default=None)


def _entry(row: StoredReading) -> Entry:
    if row.outcome == "missed":
        return missed_slot(_at(row), reason=row.reason)
    entry = BY_KIND[row.kind].entry if row.kind in BY_KIND else reading_of_numbers
    return entry(_at(row), taken_at=row.taken_at, body=row.body or {})


def _at(row: StoredReading) -> datetime:
    return row.due_at or row.taken_at


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, UTC)


def _is_within(at: datetime, period: tuple[date, date], zone: tzinfo) -> bool:
    """Whether the local date is within. Not by the midnights around it: some zones set clocks back there."""
    return period[0] <= at.astimezone(zone).date() <= period[1]

"""`tallyd report`: counts over time, on stdout. Creates nothing where tallyd never ran."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from pathlib import Path
from typing import NoReturn, cast
from zoneinfo import ZoneInfo

import typer

from tallyd.adapters.state import State, StateError, Stored
from tallyd.cli.output import complain, show_json
from tallyd.cli.report_shapes import Past, as_csv, as_json, show_tables
from tallyd.cli.shared import load_config, utc_now
from tallyd.config import Config
from tallyd.core.errors import EXIT_OK, EXIT_PROBLEM, EXIT_USAGE
from tallyd.core.history import By, Entry, Gap, missed_slot, reading, statuses
from tallyd.settings import did_you_mean

DEFAULT_DAYS = 30
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_FIRST_YEAR, _LAST_YEAR = 1970, 9998  # no reading is older, and a day may be added on either side
_DAY_LENGTH = timedelta(days=1)
_ANY_ZONE = timedelta(days=1)  # no zone is so far from UTC


def report(
    path: Path,
    *,
    start: str | None,
    end: str | None,
    poller: str | None,
    by: str | None,
    shape: str,
    excel: bool,
) -> int:
    """Print the counts of these days; return the exit status.

    Days are local dates of each poller's zone, both inclusive; without `start`, the last 30. `by` is one of
    `history.LABELS`, `shape` is `table`, `csv` or `json`; `excel` makes it `csv`. Ends the command with
    status 2 for days, pollers and shapes that make no sense.
    """
    if excel and shape == "json":
        _usage("--excel is CSV, not JSON; leave out --excel or --format json")
    config = load_config(path, lenient=True)
    days = (_day("--from", start), _day("--to", end))
    database = config.state_dir / "state.db"
    if not database.exists():
        complain(f"tallyd has not run with {path.absolute()} yet (no readings in {database})")
        return EXIT_PROBLEM
    try:
        pasts = _pasts(config, database, days, poller)
    except StateError as error:
        complain(f"tallyd: {error}")
        return EXIT_PROBLEM
    if start is None and pasts:
        first, last = min(past.first for past in pasts), max(past.last for past in pasts)
        complain(f"{DEFAULT_DAYS} days, {first} to {last}; others with --from and --to", style="quiet")
    if by is not None and any(map(_hides, pasts)):
        complain("Hidden counts are left out of the means, which so are too high.", style="warning")
    shape = "csv" if excel else shape
    _show(pasts, cast("By | None", by), shape, excel=excel, name_pollers=poller is None and len(pasts) > 1)
    return EXIT_OK


def _show(pasts: tuple[Past, ...], by: By | None, shape: str, *, excel: bool, name_pollers: bool) -> None:
    if shape == "json":
        show_json(as_json(pasts, by))
    elif shape == "csv":
        # As bytes: CSV is UTF-8 with CRLF whatever the locale says of stdout.
        sys.stdout.flush()
        text = as_csv(pasts, by, excel=excel, name_pollers=name_pollers)
        sys.stdout.buffer.write(text.encode("utf-8"))
    else:
        show_tables(pasts, by)
    sys.stdout.flush()  # so that a reader who went away (`| head`) is noticed where it is handled


def _hides(past: Past) -> bool:
    """Whether a count is hidden."""
    return any(entry.count(status.id) is Gap.HIDDEN for entry in past.entries for status in past.statuses)


# -- what is asked for --------------------------------------------------------------------------------------


def _day(option: str, written: str | None) -> date | None:
    if written is None:
        return None
    try:
        day = date.fromisoformat(written) if _DAY.fullmatch(written) else None
    except ValueError:
        day = None
    if day is None or not _FIRST_YEAR <= day.year <= _LAST_YEAR:
        _usage(f"{option} {written}: no such day; write it as YYYY-MM-DD, such as 2026-11-20")
    return day


def _period(days: tuple[date | None, date | None], today: date) -> tuple[date, date]:
    """Return the first and the last day; ends the command with status 2 where the first is later."""
    start, end = days
    last = end or today
    first = start or last - timedelta(days=DEFAULT_DAYS - 1)
    if first > last:
        _usage(f"--from {first} is after --to {last}" if end else f"--from {first} is after today, {last}")
    return first, last


def _usage(text: str) -> NoReturn:
    complain(f"tallyd: {text}")
    raise typer.Exit(EXIT_USAGE)


# -- what is stored -----------------------------------------------------------------------------------------


def _pasts(
    config: Config, database: Path, days: tuple[date | None, date | None], asked: str | None
) -> tuple[Past, ...]:
    """Return what is asked for: the configured pollers in their order, then those that once were."""
    now = utc_now()
    configured = {
        name: config.effective(name).zone for name in config.settings.pollers if asked in (None, name)
    }
    periods = {
        zone: _period(days, now.astimezone(zone).date()) for zone in (config.zone, *configured.values())
    }
    rows = _rows(config, database, asked, tuple(periods.values()))
    named = {row.poller for row in rows} | ({asked} if asked else set())
    former = dict.fromkeys(sorted(named - configured.keys()), config.zone)
    pasts = []
    for name, zone in (configured | former).items():
        own = [row for row in rows if row.poller == name and _is_within(_at(row), periods[zone], zone)]
        if own or name in configured or asked:
            pasts.append(_past(config, name, zone, periods[zone], own))
    return tuple(pasts)


def _rows(
    config: Config, database: Path, asked: str | None, periods: tuple[tuple[date, date], ...]
) -> tuple[Stored, ...]:
    """Return what is stored of these days, and a little more. A poller that never was is wrong usage."""
    first, last = min(first for first, _ in periods), max(last for _, last in periods)
    with closing(State(database)) as state:
        known = tuple(config.settings.pollers)
        if asked is not None and asked not in known and not state.readings.history(poller=asked):
            has = f"; the config has: {', '.join(known)}" if known else "; the config has none"
            _usage(f'there is no poller "{asked}", and no reading of one{did_you_mean(asked, known) or has}')
        return state.readings.history(
            poller=asked,
            since=_midnight(first) - _ANY_ZONE,
            until=_midnight(last) + _DAY_LENGTH + _ANY_ZONE,
        )


def _past(
    config: Config, name: str, zone: ZoneInfo, period: tuple[date, date], rows: Sequence[Stored]
) -> Past:
    poller = config.settings.pollers.get(name)
    entries = tuple(map(_entry, rows))
    return Past(
        poller=name,
        kind=poller.kind if poller else rows[-1].kind if rows else None,
        zone=zone,
        first=period[0],
        last=period[1],
        statuses=statuses(entries, getattr(poller, "status_names", {})),  # not every kind has statuses
        entries=entries,
    )


def _entry(row: Stored) -> Entry:
    if row.outcome == "missed":
        return missed_slot(_at(row), reason=row.reason)
    return reading(_at(row), taken_at=row.taken_at, body=row.body or {})


def _at(row: Stored) -> datetime:
    return row.due_at or row.taken_at


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, UTC)


def _is_within(at: datetime, period: tuple[date, date], zone: tzinfo) -> bool:
    """Whether the local date is within. Not by the midnights around it: some zones set clocks back there."""
    return period[0] <= at.astimezone(zone).date() <= period[1]

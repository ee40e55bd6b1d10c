"""The table of server-status-check: how far the computed time of a server was behind each check."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from tallyd.contract.imports import OldDay
from tallyd.contract.lags import HourCount, held, hour_of
from tallyd.contract.passages import instant_of, seconds_of
from tallyd.core.language.messages import tr
from tallyd.core.schedule.days import day_of, day_span
from tallyd.imports.old_days import bring_days, read_all, scratch
from tallyd.imports.old_tables import read_rows
from tallyd.imports.old_yaml import read_yaml
from tallyd.imports.server_status_check import PROGRAM, database
from tallyd.imports.values import OldDataError, Target, Totals
from tallyd.imports.wanted import Row, Wanted
from tallyd.pollers.servers.computed_time import UnreadableTimeError, read_time
from tallyd.pollers.servers.freshness import Known, Limits, check_result_of, follow
from tallyd.pollers.servers.poller import ServersPoller
from tallyd.pollers.servers.rounds.out_facts import lag_row
from tallyd.pollers.servers.settings import name_fault

_LAG: Final = re.compile(
    r"(-?)(?:([0-9]{1,6}) days?, )?([0-9]{1,4}):([0-9]{2}):([0-9]{2}(?:\.[0-9]{1,9})?)", re.ASCII
)


def bring_data(old: str, target: Target) -> Totals:
    """Import the hours and the changes that are kept. Raises `OldDataError`, `RecordsError`."""
    poller, totals = target.task.source, Totals()
    assert isinstance(poller, ServersPoller)  # noqa: S101 # `programs.py` says that it is
    if Path(old).suffix in (".yaml", ".yml"):
        path, (_, old) = Path(old), database(read_yaml(Path(old)))
        if not old:
            raise OldDataError(tr("{file} has no URL of a database", file=path))
    wanted = Wanted(
        columns={
            "server": ("server", "server_name", "servername", "name", "host", "address", "url"),
            "checked_at": ("checked_at", "timestamp", "time", "date", "datetime", "created_at", "check_time"),
            "computed_time": ("computed_time", "computed_at", "computed", "last_computed"),
            "lag_s": ("lag_s", "time_difference", "difference", "diff", "time_diff", "lag", "delta"),
        },
        needed=(("server",), ("checked_at",), ("computed_time", "lag_s")),
        only=target.table,
    )
    reader = _Reader(poller, target)
    with closing(_Checks()) as checks:
        read_all(read_rows(old, wanted), lambda row: checks.add(*reader.read(row)), totals)
        checks.flush()
        totals.known += checks.repeats
        bring_days(_days(checks, poller, target), target, totals, program=PROGRAM, zone=UTC)
    return totals


class _Reader:
    """Reads rows. A server may stand there by its address."""

    def __init__(self, poller: ServersPoller, target: Target) -> None:
        self._target = target
        self._names = {own.url: name for name, own in poller.targets.items() if own.url}

    def read(self, row: Row) -> tuple[str, int, float]:
        """Return server, second of the check, and lag. Raises `UnreadableTimeError` with what is wrong."""
        server, checked, computed, lag = row
        name = str(server if server is not None else "").strip()
        name = self._names.get(name, name)
        if name_fault(name):
            raise UnreadableTimeError(tr("the server has no name that can be used"))
        at = self._time(checked, self._target.now)
        if at > self._target.now + timedelta(minutes=5):
            raise UnreadableTimeError(tr("a time in the future"))
        lag_s = _seconds(lag) if computed is None else (at - self._time(computed, at)).total_seconds()
        return name, seconds_of(at), lag_s

    def _time(self, value: object, now: datetime) -> datetime:
        return read_time(value, "iso", zone=self._target.zone, now=now)


def _seconds(value: object) -> float:
    """Return the seconds of a difference: a number, `0:17:03`, `1 day, 0:17:03`, or a time after 1970."""
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, datetime) and value.year < 2000:  # so SQLAlchemy stores an interval in MySQL
        return (value - datetime(1970, 1, 1)).total_seconds()  # noqa: DTZ001 # neither has a zone
    text = str(value).strip()
    if found := _LAG.fullmatch(text):
        days, hours, minutes = (int(part or 0) for part in found.groups()[1:4])
        return (-1 if found[1] else 1) * (days * 86400 + hours * 3600 + minutes * 60 + float(found[5]))
    try:
        seconds = float(text)
    except ValueError:
        seconds = float("nan")
    if not abs(seconds) < 10**9:
        raise UnreadableTimeError(tr("the difference is no number of seconds"))
    return seconds


def _days(checks: _Checks, poller: ServersPoller, target: Target) -> Iterator[OldDay]:
    """Yield the days (UTC) that have checks, in order, with what tallyd would have stored of them."""
    limits = {each.name: each for each in poller.checked}
    other = poller.defaults
    default = Limits(other.late_after or other.stale_after / 2, other.stale_after)
    kept_from = target.kept_from(target.config.settings.database.keep_days)
    known: dict[str, Known] = {}
    day: OldDay | None = None
    later: dict[tuple[str, str], HourCount] = {}
    for server, second, lag_s, next_second in checks:
        at = instant_of(second)
        if day is None or at >= day.end:
            if day is not None:
                yield day
            begin, end = day_span(day_of(at, UTC), UTC)
            day, later = OldDay(begin=begin, end=end, hours=later), {}
        one = limits.get(server)
        result = check_result_of(
            at - timedelta(seconds=lag_s),
            now=at,
            skew_s=None,
            limits=one.limits_at(at, target.zone) if one else default,
        )
        step = follow(known.get(server), result)
        known[server] = step.known
        if step.is_new and (kept_from is None or at >= kept_from):
            day.rows.append(lag_row(server, step))
        day.found[server] = day.found.get(server, 0) + 1
        timeout_s = one.timeout_s if one else 0.0
        until = min(next_second or second, second + int(2 * poller.every + timeout_s))
        spans = [(hour_of(at), HourCount(1, round(lag_s, 3))), *held(result.state, at, instant_of(until))]
        for hour, count in spans:
            hours = day.hours if hour < hour_of(day.end) else later
            key = (hour, server)
            hours[key] = hours[key] + count if key in hours else count
    if day is not None:
        yield day


class _Checks:
    """Checks in order of time, on disk if they are many. `repeats` came at the same second as another one."""

    def __init__(self) -> None:
        self._connection = scratch("server TEXT, second INTEGER, lag_s REAL, PRIMARY KEY (server, second)")
        self._waiting: list[tuple[str, int, float]] = []
        self.repeats = 0

    def add(self, server: str, second: int, lag_s: float) -> None:
        """Note a check; of two at the same second, the first one."""
        self._waiting.append((server, second, lag_s))
        if len(self._waiting) >= 20_000:
            self.flush()

    def flush(self) -> None:
        """Store the checks that wait."""
        before = self._connection.total_changes
        self._connection.execute("BEGIN")
        self._connection.executemany("INSERT OR IGNORE INTO old VALUES (?, ?, ?)", self._waiting)
        self._connection.execute("COMMIT")
        self.repeats += len(self._waiting) - (self._connection.total_changes - before)
        self._waiting.clear()

    def __iter__(self) -> Iterator[tuple[str, int, float, int | None]]:
        """Yield server, second, lag, and the second of its next check."""
        yield from self._connection.execute(
            "SELECT server, second, lag_s, lead(second) OVER (PARTITION BY server ORDER BY second)"
            " FROM old ORDER BY second, server"
        )

    def close(self) -> None:
        self._connection.close()

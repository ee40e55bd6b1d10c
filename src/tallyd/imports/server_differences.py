"""The table of server-status-check: how far the computed time of a server was behind each check."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from tallyd.contract.imports import OldDay
from tallyd.contract.lags import HourCount, held, hour_of
from tallyd.contract.passages import instant_of, seconds_of
from tallyd.core.language.messages import tr
from tallyd.imports.old_days import Scratch, bring_days, by_day, read_all
from tallyd.imports.old_tables import read_rows
from tallyd.imports.old_yaml import read_yaml
from tallyd.imports.server_status_check import PROGRAM, config_of, database
from tallyd.imports.values import OldDataError, Target, Totals
from tallyd.imports.wanted import Row, Wanted
from tallyd.pollers.servers.computed_time import EARLIEST, FUTURE_AFTER_S, UnreadableTimeError, read_time
from tallyd.pollers.servers.freshness import Known, Limits, Step, check_result_of, follow
from tallyd.pollers.servers.poller import ServersPoller
from tallyd.pollers.servers.rounds.out_facts import lag_row
from tallyd.pollers.servers.settings import name_fault

_LAG: Final = re.compile(
    r"(-?)(?:([0-9]{1,6}) days?, )?([0-9]{1,4}):([0-9]{2}):([0-9]{2}(?:\.[0-9]{1,9})?)", re.ASCII
)

_IN_ORDER: Final = (
    "SELECT second, server, lag_s, lead(second) OVER (PARTITION BY server ORDER BY second)"
    " FROM old ORDER BY second, server"
)
"""The checks, each with the second of the next one of its server."""


def bring_data(old: str, target: Target) -> Totals:
    """Import the hours and the changes that are kept. Raises `OldDataError`, `RecordsError`."""
    poller, totals = target.task.source, Totals()
    assert isinstance(poller, ServersPoller)  # noqa: S101 # `programs.py` says that it is
    path = config_of(Path(old))
    if path.suffix in (".yaml", ".yml"):
        _, old = database(read_yaml(path))
        if not old:
            raise OldDataError(tr("{file} has no URL of a database", file=path))
    wanted = Wanted(
        columns={
            "server": ("server", "server_name", "name", "host", "url"),
            "checked_at": ("timestamp", "checked_at", "time", "date", "created_at"),
            "computed_time": ("computed_time", "computed_at", "computed"),
            "lag": ("time_difference", "difference", "time_diff", "diff", "lag"),
        },
        needed=(("server",), ("checked_at",), ("computed_time", "lag")),
        only=target.table,
    )
    reader = _Reader(poller, target)
    with closing(Scratch("server TEXT, second INTEGER, lag_s REAL, PRIMARY KEY (server, second)")) as checks:
        read_all(read_rows(old, wanted), lambda row: checks.add(*reader.read(row)), totals)
        rows = checks.rows(_IN_ORDER)
        totals.known += checks.repeats
        bring_days(_History(poller, target).days(rows), target, totals, program=PROGRAM, zone=UTC)
    return totals


class _Reader:
    """Reads rows. A server may stand there by its address."""

    def __init__(self, poller: ServersPoller, target: Target) -> None:
        self._target = target
        self._names = {own.url: name for name, own in poller.targets.items() if own.url}
        self._last: dict[str, datetime] = {}

    def read(self, row: Row) -> tuple[str, int, float]:
        """Return server, second of the check, and lag. Raises `UnreadableTimeError` with what is wrong."""
        server, checked, computed, lag = row
        name = str(server if server is not None else "").strip()
        name = self._names.get(name, name)
        if name_fault(name):
            raise UnreadableTimeError(tr("the server has no name that can be used"))
        at = self._checked_at(name, checked, computed)
        if at > self._target.now + timedelta(minutes=5):
            raise UnreadableTimeError(tr("a time in the future"))
        lag_s = _seconds(lag) if computed is None else (at - self._time(computed, at)).total_seconds()
        return name, seconds_of(at), lag_s

    def _checked_at(self, server: str, checked: object, computed: object) -> datetime:
        """Return when a check was. Of a local time that comes twice, it is the first one.

        But it is the second one if the check of the row before was later, or the data was computed later.
        """
        at = self._time(checked, EARLIEST)
        before = self._last.get(server, at)
        if computed is not None:
            before = max(before, self._time(computed, EARLIEST) - timedelta(seconds=FUTURE_AFTER_S))
        if at < before:
            at = self._time(checked, self._target.now)
        self._last[server] = at
        return at

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


class _History:
    """What tallyd would have stored of checks, by the limits of the config."""

    def __init__(self, poller: ServersPoller, target: Target) -> None:
        other = poller.defaults
        self._default = Limits(other.late_after or other.stale_after / 2, other.stale_after)
        self._targets = {each.name: each for each in poller.checked}
        self._longest_s = int(2 * poller.every)
        self._zone = target.zone
        self._kept_from = target.kept_from(target.config.settings.database.keep_days)
        self._known: dict[str, Known] = {}
        self._hours: dict[tuple[str, str], HourCount] = {}

    def days(self, checks: Iterable[Any]) -> Iterator[OldDay]:
        """Yield the days (UTC) that have checks, in order. `checks` are rows of `_IN_ORDER`."""
        for day, some in by_day(checks, UTC):
            for second, server, lag_s, next_second in some:
                at = instant_of(second)
                step = self._follow(server, at, lag_s)
                if step.is_new and (self._kept_from is None or at >= self._kept_from):
                    day.rows.append(lag_row(server, step))
                day.found[server] += 1
                until = min(next_second or second, second + self._longest_s)
                self._count(server, hour_of(at), HourCount(1, round(lag_s, 3)))
                for hour, count in held(step.known.state, at, instant_of(until)):
                    self._count(server, hour, count)
            # A state may hold into the next day.
            end = hour_of(day.end)
            day.hours = {key: self._hours.pop(key) for key in [*self._hours] if key[0] < end}
            yield day

    def _follow(self, server: str, at: datetime, lag_s: float) -> Step:
        target = self._targets.get(server)
        limits = target.limits_at(at, self._zone) if target else self._default
        result = check_result_of(at - timedelta(seconds=lag_s), now=at, skew_s=None, limits=limits)
        step = follow(self._known.get(server), result)
        self._known[server] = step.known
        return step

    def _count(self, server: str, hour: str, count: HourCount) -> None:
        key = (hour, server)
        self._hours[key] = self._hours[key] + count if key in self._hours else count

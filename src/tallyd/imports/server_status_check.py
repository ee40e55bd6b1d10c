"""server-status-check: `config.yaml`, and the table of the differences between a check and a computed time.

The names of its keys and columns are those that such a program may have; what is not known is named and left
out, never guessed.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from tallyd.contract.imports import OldDay
from tallyd.contract.lags import HourCount, held, hour_of
from tallyd.contract.passages import instant_of, seconds_of
from tallyd.core.language.messages import tr, translated
from tallyd.core.reading import Json
from tallyd.core.schedule.days import day_of, day_span
from tallyd.core.texts import UNPRINTABLE, listed
from tallyd.imports.old_days import bring_days
from tallyd.imports.old_tables import Row, Wanted, read_rows, tallyds_url
from tallyd.imports.old_yaml import named, read_yaml, take, take_flag, take_seconds, take_text
from tallyd.imports.values import OldConfig, OldDataError, Target, Totals
from tallyd.pollers.servers.computed_time import UnreadableTimeError, read_time
from tallyd.pollers.servers.freshness import Known, Limits, check_result_of, follow
from tallyd.pollers.servers.poller import ServersPoller
from tallyd.pollers.servers.rounds.out_facts import lag_row
from tallyd.pollers.servers.settings import LONGEST_NAME
from tallyd.settings.urls import check_keyless, parse_url

PROGRAM: Final = "server-status-check"
_THRESHOLDS: Final = ("threshold", "max_difference", "max_time_difference", "stale_after", "limit", "max_age")
_REMINDERS: Final = ("notification_interval", "notify_every", "remind_every", "message_interval")
_INTERVALS: Final = ("interval", "check_interval", "check_every", "every", "poll_interval")
_LAG: Final = re.compile(
    r"(-?)(?:([0-9]{1,6}) days?, )?([0-9]{1,4}):([0-9]{2}):([0-9]{2}(?:\.[0-9]{1,9})?)", re.ASCII
)


# -- the config ---------------------------------------------------------------------------------------------


def read_config(path: Path) -> OldConfig:
    """Return a poller with its servers. Raises `OldDataError`."""
    content = read_yaml(path)
    notes: list[str] = []
    defaults = _limits(content, notes)
    every = _duration(content, notes, _INTERVALS)
    targets: dict[str, Json] = {}
    for name, server in named(take(content, "servers", "targets", "hosts")[1]):
        if target := _target(str(name), server, notes):
            targets[str(name)] = target
    if not targets:
        raise OldDataError(tr('{file} has no "servers" with addresses', file=path))
    others, secrets = _others(content, path, notes)
    if content:
        notes.append(tr("not taken over: {keys}", keys=listed([str(key) for key in content])))
    poller: dict[str, Json] = {"kind": "servers", "targets": targets}
    return OldConfig(
        name="servers",
        poller={
            **poller,
            **({"every": every} if every else {}),
            **({"defaults": defaults} if defaults else {}),
        },
        others=others,
        secrets=secrets,
        notes=tuple(notes),
    )


def _target(name: str, server: object, notes: list[str]) -> dict[str, Json] | None:
    """Return the settings of a server; None, with a note: tallyd cannot have it."""
    own = dict(server) if isinstance(server, dict) else {"url": server}
    address = take_text(own, "url", "address", "host", "uri")
    try:
        url = check_keyless(parse_url(address if "://" in address else f"http://{address}"))
    except ValueError:
        url = ""
    if not url or _name_fault(name):
        notes.append(
            tr("{server}: left out; its name or address cannot be used, or has a password in it", server=name)
        )
        return None
    target: dict[str, Json] = {"url": url, **_limits(own, notes)}
    for key, names in {
        "record": ("record", "save", "save_to_db", "save_to_database", "database", "db"),
        "notify": ("notify", "notification", "notifications", "send_notification", "alert"),
    }.items():
        flag = take_flag(own, *names)
        if flag is not None:
            target[key] = flag
    if own:
        keys = listed([str(key) for key in own])
        notes.append(tr("{server}: not taken over: {keys}", server=name, keys=keys))
    return target


def _limits(section: dict[str, Any], notes: list[str]) -> dict[str, Json]:
    stale, remind = _duration(section, notes, _THRESHOLDS), _duration(section, notes, _REMINDERS)
    found: dict[str, Json] = {"stale_after": stale} if stale else {}
    return {**found, **({"remind_every": remind} if remind else {})}


def _duration(section: dict[str, Any], notes: list[str], names: tuple[str, ...]) -> str:
    """Return a duration as a config has it; empty: there is none."""
    key, seconds = take_seconds(section, *names)
    if seconds is None or seconds < 1:
        return ""
    text = f"{seconds / 60:.0f}m" if seconds % 60 == 0 else f"{seconds:.0f}s"
    if key:
        notes.append(tr("{key} has no unit and was read as seconds: {duration}", key=key, duration=text))
    return text


def _others(content: dict[str, Any], path: Path, notes: list[str]) -> tuple[dict[str, Json], dict[str, str]]:
    """Return the channel and the database, and where their secrets are now."""
    others: dict[str, Json] = {}
    secrets: dict[str, str] = {}
    key, chat = take(content, "rocketchat", "rocket_chat", "rocket", "webhook", "webhook_url")
    inner, url = take(chat, "webhook", "webhook_url", "url") if isinstance(chat, dict) else ("", chat)
    if isinstance(url, str):
        others |= {"channels": {"ops": "file:secrets/chat-url"}, "alerts": {"channels": ["ops"]}}
        place = ".".join(filter(None, (key, inner)))
        secrets["chat-url"] = tr('the value of "{key}" in {file}', key=place, file=path)
    headers = take(chat, "headers", "header")[1] if isinstance(chat, dict) else take(content, "headers")[1]
    if headers:
        names = listed([str(name) for name in headers])
        notes.append(tr("a webhook of Rocket.Chat needs no headers; left out: {names}", names=names))
    if isinstance(chat, dict) and chat:
        notes.append(
            tr("{server}: not taken over: {keys}", server=key, keys=listed([str(each) for each in chat]))
        )
    key, url = _database(content)
    if url:
        others["database"] = {"url": "file:secrets/database-url"}
        driver = url.partition("://")[0]
        new = tallyds_url(url).partition("://")[0]
        secrets["database-url"] = tr(
            'the value of "{key}" in {file}[, with {new}:// instead of {old}://]',
            key=key,
            file=path,
            new=new if new != driver else "",
            old=driver,
        )
    return others, secrets


def _database(content: dict[str, Any]) -> tuple[str, str]:
    """Return the key and the URL of its database; empty: it has none."""
    key, found = take(content, "database", "database_url", "db", "db_url", "sqlalchemy_database_uri")
    inner, url = take(found, "url", "uri", "connection_string") if isinstance(found, dict) else ("", found)
    is_url = isinstance(url, str) and "://" in url
    return (".".join(filter(None, (key, inner))), url.strip()) if is_url else ("", "")


def _name_fault(name: str) -> bool:
    return not name.strip() or "/" in name or len(name) > LONGEST_NAME or UNPRINTABLE.search(name) is not None


# -- the data -----------------------------------------------------------------------------------------------


def bring_data(old: str, target: Target) -> Totals:
    """Import the hours and the changes that are kept. Raises `OldDataError`, `RecordsError`."""
    poller, totals = target.task.source, Totals()
    assert isinstance(poller, ServersPoller)  # noqa: S101 # `programs.py` says that it is
    if Path(old).suffix in (".yaml", ".yml"):
        path, (_, old) = Path(old), _database(read_yaml(Path(old)))
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
        for number, row in enumerate(read_rows(old, wanted), start=1):
            try:
                checks.add(*reader.read(row))
            except UnreadableTimeError as error:
                totals.reject(tr("row {number}", number=number), translated(str(error)))
        checks.flush()
        totals.known += checks.repeats
        bring_days(_days(checks, poller, target), target, totals, program=PROGRAM, zone=UTC)
    return totals


class _Reader:
    """Reads rows. A server may stand there by its address."""

    def __init__(self, poller: ServersPoller, target: Target) -> None:
        self._target = target
        self._names = {own.url: name for name, own in poller.targets.items() if own.url}

    def read(self, row: Row | None) -> tuple[str, int, float]:
        """Return server, second of the check, and lag. Raises `UnreadableTimeError` with what is wrong."""
        if row is None:
            raise UnreadableTimeError(tr("another number of columns"))
        server, checked, computed, lag = row
        name = str(server if server is not None else "").strip()
        name = self._names.get(name, name)
        if _name_fault(name):
            raise UnreadableTimeError(tr("the server has no name that can be used"))
        at = self._time(checked)
        if at > self._target.now + timedelta(minutes=5):
            raise UnreadableTimeError(tr("a time in the future"))
        lag_s = _seconds(lag) if computed is None else (at - self._time(computed)).total_seconds()
        return name, seconds_of(at), lag_s

    def _time(self, value: object) -> datetime:
        return read_time(value, "iso", zone=self._target.zone, now=self._target.now)


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
        self._connection = sqlite3.connect("", isolation_level=None)  # SQLite deletes it by itself
        self._connection.executescript(
            "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-16000;"
            "CREATE TABLE checks (server TEXT, second INTEGER, lag_s REAL, PRIMARY KEY (server, second))"
            " WITHOUT ROWID"
        )
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
        self._connection.executemany("INSERT OR IGNORE INTO checks VALUES (?, ?, ?)", self._waiting)
        self._connection.execute("COMMIT")
        self.repeats += len(self._waiting) - (self._connection.total_changes - before)
        self._waiting.clear()

    def __iter__(self) -> Iterator[tuple[str, int, float, int | None]]:
        """Yield server, second, lag, and the second of its next check."""
        yield from self._connection.execute(
            "SELECT server, second, lag_s, lead(second) OVER (PARTITION BY server ORDER BY second)"
            " FROM checks ORDER BY second, server"
        )

    def close(self) -> None:
        self._connection.close()

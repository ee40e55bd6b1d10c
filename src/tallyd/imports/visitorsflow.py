"""VisitorsFlow: `config.py`, `callAPI.py`, and the table `PeopleFlow` with a row for each person.

Its loader writes `peopleflow`, its report reads `PeopleFlow`: on most servers two names of one table. A row
has what the camera host wrote, in local time, and the last part of the host's address in `ip`.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import tzinfo
from functools import lru_cache
from pathlib import Path
from typing import Final
from urllib.parse import quote

from tallyd.contract.imports import OldDay
from tallyd.contract.passages import IN, OTHER, OUT
from tallyd.core.language.messages import tr
from tallyd.core.reading import Json
from tallyd.imports.old_days import Scratch, bring_days, by_day, read_all
from tallyd.imports.old_tables import read_rows
from tallyd.imports.values import OldConfig, OldDataError, Target, Totals, read_text
from tallyd.imports.wanted import Row, Wanted
from tallyd.pollers.visitors.ingest.minute_counts import BadTimeError, Minutes
from tallyd.pollers.visitors.ingest.shape import Shape
from tallyd.pollers.visitors.poller import VisitorsPoller
from tallyd.pollers.visitors.settings import source_name
from tallyd.settings.urls import check_keyless, parse_url

PROGRAM: Final = "visitorsflow"
_SILENT: Final = "310s"
_EVERY: Final = "5m"
_TYPES: Final = ("Count", "CountAccuIn", "CountAccuOut")
_NUMBER: Final = re.compile(r"-?[0-9]{1,19}", re.ASCII)
_PUNCTUATION: Final = str.maketrans("", "", "-:T ")


# -- the config ---------------------------------------------------------------------------------------------


def read_config(path: Path) -> OldConfig:
    """Return a poller with its report, which sends nothing yet. Raises `OldDataError`."""
    file = _config_of(path)
    _database(file)
    report, notes = _report(file.with_name("callAPI.py"))
    chat = tr(
        "tgram://TOKEN/CHAT of a bot of Telegram; api_id, api_hash and phone_number are not needed any more"
    )
    database = tr(
        "mysql+pymysql://USER:PASSWORD@HOST/NAME with user, password, host and db of {file}; write special "
        "characters of the password as %XX",
        file=file,
    )
    return OldConfig(
        name="visitors",
        poller={
            "kind": "visitors",
            "inbox": "inbox/visitors",
            "no_files": {"after": _SILENT},
            "report": report,
        },
        others={
            "database": {"url": "file:secrets/database-url"},
            "channels": {"ops": "file:secrets/chat-url"},
            "alerts": {"channels": ["ops"]},
        },
        secrets={"database-url": database, "chat-url": chat},
        notes=tuple(notes),
    )


def _database(file: Path) -> str:
    """Return the URL of its database. Raises `OldDataError`."""
    found = dict(_literals(_parsed(file)))
    values = {name: found.get(name) for name in ("user", "password", "host", "db")}
    missing = next((name for name, value in values.items() if not isinstance(value, str)), None)
    if missing:
        raise OldDataError(tr('{file} has no text "{name}"; is that its folder?', file=file, name=missing))
    user, password, host, name = (quote(str(value), safe="") for value in values.values())
    port = found.get("port")
    return f"mysql+pymysql://{user}:{password}@{host}:{port if isinstance(port, int) else 3306}/{name}"


def _config_of(path: Path) -> Path:
    return path if path.suffix == ".py" else path / "config.py"


def _report(file: Path) -> tuple[dict[str, Json], list[str]]:
    """Return the report as `callAPI.py` makes it, and what a person must know of it."""
    report: dict[str, Json] = {
        "every": _EVERY,
        "send": False,
        "window": "interval",
        "time_format": "%Y-%m-%d %H:%M:%S",
    }
    try:
        tree = _parsed(file)
    except OldDataError as error:
        return report, [error.text]
    names = dict(_literals(tree))
    tags = [dict(_items(each)) for each in ast.walk(tree) if isinstance(each, ast.Dict)]
    ssids = dict.fromkeys(text for each in tags if isinstance(text := each.get("SSID"), str))
    numbers = {each.get("TagType"): each.get("TagID") for each in tags}
    try:
        report |= {"url": check_keyless(parse_url(names.get("url"))), "ssid": next(iter(ssids))}
    except (ValueError, StopIteration):
        return report, [
            tr(
                "{file} names no address or SSID that tallyd can use: set report.url and report.ssid",
                file=file,
            )
        ]
    report["tags"] = {kind: number for kind in _TYPES if isinstance(number := numbers.get(kind), str)}
    return report, [
        tr('"send" is false: reports go only to out/. Set it to true when callAPI.py does not run any more')
    ]


def _parsed(file: Path) -> ast.Module:
    """Return the syntax of a file of Python, of which nothing is run. Raises `OldDataError`."""
    text = read_text(file)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # they would show lines of the file
            return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise OldDataError(tr("{file} is not Python that can be read", file=file)) from None


def _literals(tree: ast.Module) -> Iterator[tuple[str, object]]:
    """Yield the names to which a text or a number is assigned, in order."""
    for each in ast.walk(tree):
        if isinstance(each, ast.Assign) and isinstance(each.value, ast.Constant):
            for name in each.targets:
                if isinstance(name, ast.Name):
                    yield name.id, each.value.value


def _items(found: ast.Dict) -> Iterator[tuple[object, object]]:
    for key, value in zip(found.keys, found.values, strict=True):
        if isinstance(key, ast.Constant) and isinstance(value, ast.Constant):
            yield key.value, value.value


# -- the data -----------------------------------------------------------------------------------------------


def bring_data(old: str, target: Target) -> Totals:
    """Import the rows as counts of minutes. Raises `OldDataError`, `RecordsError`."""
    poller, totals = target.task.source, Totals()
    assert isinstance(poller, VisitorsPoller)  # noqa: S101 # `programs.py` says that it is
    wanted = Wanted(
        columns={"state": ("state",), "time": ("time",), "ip": ("ip", "host")},
        needed=(("state",), ("time",)),
        names=frozenset({"peopleflow"}),
        only=target.table,
    )
    path = Path(old)
    is_its_own = path.is_dir() or path.suffix == ".py"
    rows = read_rows(_database(_config_of(path)) if is_its_own else old, wanted)
    ways = {str(poller.directions.way_in): IN, str(poller.directions.way_out): OUT}
    minutes = Minutes(Shape(zone=target.zone), target.now)
    own = poller.source or target.task.poller

    def add(row: Row) -> None:
        state, time, ip = row
        counts.add(_second(minutes, str(time)), _source(ip) or own, _way(ways, str(state)))

    with closing(Scratch("second INTEGER, source TEXT, way INTEGER")) as counts:
        read_all(rows, add, totals)
        bring_days(_days(counts, target.zone), target, totals, program=PROGRAM, zone=target.zone)
    return totals


def _way(ways: Mapping[str, int], state: str) -> int:
    way = ways.get(state, OTHER)
    if way == OTHER and not _NUMBER.fullmatch(state):
        raise BadTimeError(tr("state is not a number"))
    return way


def _second(minutes: Minutes, time: str) -> int:
    digits = time.translate(_PUNCTUATION)
    return minutes.instant(digits[:14] if digits[14:15] == "." else digits)


@lru_cache
def _source(ip: object) -> str:
    """Return the name of a source; empty: it has none."""
    name = ip.decode("utf-8", "surrogateescape") if isinstance(ip, bytes) else str("" if ip is None else ip)
    try:
        return source_name(name.strip()) if name.strip() else ""
    except ValueError:
        raise BadTimeError(tr("ip is not the name of a source, or not in UTF-8")) from None


def _days(counts: Scratch, zone: tzinfo) -> Iterator[OldDay]:
    """Yield the local days that have counts, in order."""
    sums = counts.rows(
        "SELECT second - second % 60 AS minute, source, sum(way = 0), sum(way = 1), sum(way = 2),"
        " min(second), max(second) FROM old GROUP BY minute, source ORDER BY minute"
    )
    for day, rows in by_day(sums, zone):
        for minute, source, n_in, n_out, n_other, first, last in rows:
            day.minutes[minute, source] = (n_in, n_out, n_other, first, last)
            day.found[source] += n_in + n_out + n_other
        yield day

"""What an older program counted is stored once, on every database, and never beside other counts."""

from __future__ import annotations

import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert

from adapters.records.samples import IN, NOW, visitor_file
from adapters.records.sites import Site
from tallyd.adapters.records.imports import Imports
from tallyd.adapters.records.tables import IMPORTED
from tallyd.contract.imports import Imported, OldDay
from tallyd.contract.lags import HourCount, LagRow
from tallyd.contract.passages import seconds_of, seen_text
from tallyd.core.errors import RecordsError

FIRST = datetime(2026, 11, 10, tzinfo=UTC)
BORDER = datetime(2026, 11, 20, tzinfo=UTC)


def old_day(number: int, *sources: str) -> OldDay:
    begin = FIRST + timedelta(days=number)
    second = seconds_of(begin)
    return OldDay(
        begin=begin,
        end=begin + timedelta(days=1),
        minutes={(second, source): (2, 1, 0, second, second + 59) for source in sources},
        found=Counter(dict.fromkeys(sources, 3)),
    )


def imports_of(site: Site) -> tuple[Imports, str]:
    poller = site.new_poller()
    return site.database.imports(poller), poller


def test_a_day_of_a_source_is_stored_once(site: Site) -> None:
    imports, poller = imports_of(site)
    imported = Imported(program="old", zone="UTC", since=FIRST, until=BORDER)
    days = [old_day(0, "12", "Gate"), old_day(1, "12")]
    everything = [frozenset({"12", "Gate"}), frozenset({"12"})]
    assert imports.bring(days, imported, writes=False) == everything
    assert imports.imported() is None
    assert imports.bring(days, imported, writes=True) == everything
    assert imports.bring([old_day(0, "12", "gate"), old_day(1, "12")], imported, writes=True) == [
        frozenset({"gate"}),
        frozenset(),
    ]
    counts = site.database.records(poller).counts(FIRST, BORDER)
    assert {source: (count.n_in, count.n_out) for source, count in counts.items()} == {
        "12": (4, 2),
        "Gate": (2, 1),
        "gate": (2, 1),
    }
    assert site.database.records(poller).imported() == imported


def test_two_imports_at_once_store_a_day_once(site: Site) -> None:
    both, poller = imports_of(site)
    imported = Imported(program="old", zone="UTC", since=FIRST, until=BORDER)
    days = [old_day(number, *map(str, range(60))) for number in range(5)]
    begin = threading.Barrier(2)

    errors: list[RecordsError] = []

    def bring() -> None:
        begin.wait()
        try:
            both.bring(days, imported, writes=True)
        except RecordsError as error:
            errors.append(error)

    threads = [threading.Thread(target=bring) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    counts = site.database.records(poller).counts(FIRST, BORDER)
    assert sum(count.n_in for count in counts.values()) == 600
    assert all("another import for this poller ran at the same time" in error.text for error in errors)


def test_an_import_that_another_one_overtook_says_what_to_do(postgresql_site: Site) -> None:
    imports, poller = imports_of(postgresql_site)
    imported = Imported(program="old", zone="UTC", since=FIRST, until=BORDER)
    with ThreadPoolExecutor(1) as threads:
        with postgresql_site.database.access.writing() as connection:
            connection.execute(
                insert(IMPORTED).values(
                    poller=poller, program="old", zone="UTC", since=seen_text(FIRST), until=seen_text(BORDER)
                )
            )
            late = threads.submit(imports.bring, [old_day(0, "12")], imported, writes=True)
            while not postgresql_site.query("SELECT 1 FROM pg_locks WHERE NOT granted"):
                time.sleep(0.02)
        with pytest.raises(RecordsError, match="Nothing is lost; run this one again"):
            late.result()
    assert imports.bring([old_day(0, "12")], imported, writes=True) == [frozenset({"12"})]


def test_what_tallyd_has_counted_begins_where_the_import_ends(site: Site) -> None:
    imports, poller = imports_of(site)
    assert imports.own_since() is None
    imports.bring(
        [old_day(0, "12")], Imported(program="old", zone="UTC", since=FIRST, until=BORDER), writes=True
    )
    assert imports.own_since() is None
    site.database.records(poller).ingest([visitor_file("a", IN)], now=NOW, keep_rows=True)
    assert imports.own_since() == datetime(2026, 11, 20, 8, 15, tzinfo=UTC)
    earlier = Imported(
        program="old", zone="UTC", since=FIRST - timedelta(days=1), until=BORDER - timedelta(days=1)
    )
    imports.bring([old_day(-1, "12")], earlier, writes=True)
    assert imports.imported() == Imported(program="old", zone="UTC", since=earlier.since, until=BORDER)


def test_a_day_of_a_server_is_its_hours_and_changes(site: Site) -> None:
    imports, poller = imports_of(site)
    row = LagRow("PROD", "2026-11-10 08:00:00", "2026-11-10 07:59:00.250", 59.75, "fresh", None)
    other = LagRow("TEST", "2026-11-10 08:00:00", None, None, "invalid", None)
    hours = {("2026-11-10 08:00:00", name): HourCount(2, 59.75, fresh_s=60.0) for name in ("PROD", "TEST")}
    day = OldDay(begin=FIRST, end=FIRST + timedelta(days=1), hours=hours, rows=[row, other])
    imported = Imported(program="old", zone="UTC", since=FIRST, until=BORDER)
    day.found = Counter({"PROD": 2})
    assert imports.bring([day], imported, writes=True) == [frozenset({"PROD"})]
    day.found = Counter({"PROD": 2, "TEST": 2})
    assert imports.bring([day], imported, writes=True) == [frozenset({"TEST"})]
    records = site.database.records(poller)
    assert records.server_hours(FIRST, BORDER) == tuple(
        (name, "2026-11-10 08:00:00", HourCount(2, 59.75, fresh_s=60.0)) for name in ("PROD", "TEST")
    )
    assert set(records.server_lags(("PROD", "TEST"), FIRST, BORDER, most=9)) == {row, other}

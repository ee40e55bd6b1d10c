"""When the newest file of each source came, by the database's own time, whoever notes or reads it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from adapters.records.samples import NOW, rejected_file, visitor_file
from adapters.records.sites import Site
from tallyd.adapters.records.database import Database
from tallyd.adapters.records.poller_records import PollerRecords
from tallyd.contract.arrivals import Arrival, ArrivalState, Came
from tallyd.contract.passages import Rows, read_seen, seconds_of
from tallyd.core.errors import RecordsError

SECOND = timedelta(seconds=1)
SEEN = "2026-11-20 11:58:30"


def came(
    source: str,
    ago_s: float = 5,
    state: ArrivalState = "done",
    reason: str | None = None,
    last_record: int | None = None,
) -> Came:
    return Came(source, NOW - ago_s * SECOND, state, reason, last_record)


def note(records: PollerRecords, *arrived: Came, now: datetime = NOW) -> None:
    records.ingest((), now=now, keep_rows=True, came=arrived)


def only(records: PollerRecords, now: datetime = NOW) -> Arrival:
    (found,) = records.arrivals(now).values()
    return found


def is_about(found: datetime, wanted: datetime) -> bool:
    """Whether an instant is the one that was stored: cut to the second, and the test takes time."""
    return wanted - 2 * SECOND <= found <= wanted + 5 * SECOND


def test_what_was_noted_is_read_again(site: Site) -> None:
    poller = site.new_poller()
    with closing(Database(site.url, here="pi2 (/srv/Zustände)")) as database:
        last_record = seconds_of(read_seen(SEEN))
        note(database.records(poller), came("12", last_record=last_record))
    found = only(site.database.records(poller))
    assert is_about(found.last_file_at, NOW - 5 * SECOND)
    assert is_about(found.seen_at, NOW)
    assert replace(found, last_file_at=NOW, seen_at=NOW) == Arrival(
        last_file_at=NOW,
        last_record_at=read_seen(SEEN),
        state="done",
        reason=None,
        host="pi2 (/srv/Zustände)",
        seen_at=NOW,
    )


def test_it_is_in_the_transaction_of_the_file(records: PollerRecords) -> None:
    def broken() -> Iterator[Rows]:
        yield from ()
        raise RuntimeError("read again, and it is another file")

    good = visitor_file("a.json", (1, "in", SEEN, None), source="12")
    bad = visitor_file("b.json", (2, "in", SEEN, None), source="12")._replace(rows=broken())
    assert records.ingest([good], now=NOW, keep_rows=True, came=[came("12", 60)]) == ("done",)
    with pytest.raises(RuntimeError):
        records.ingest([bad], now=NOW, keep_rows=True, came=[came("12", 1)])
    assert is_about(only(records).last_file_at, NOW - 60 * SECOND)


def test_rejected_files_and_signs_of_life_are_noted_too(records: PollerRecords) -> None:
    assert records.ingest((), now=NOW, keep_rows=True) == ()
    note(records, came("12", 9, "empty"))
    file = rejected_file("bad.json", source="12")
    reason = 'record 1: "inOut" is missing'
    records.ingest([file], now=NOW, keep_rows=True, came=[came("12", 3, "rejected", reason=reason)])
    found = only(records)
    assert (found.state, found.reason, found.last_record_at) == ("rejected", reason, None)
    assert is_about(found.last_file_at, NOW - 3 * SECOND)


@pytest.mark.parametrize("by", [timedelta(0), timedelta(days=-4000), timedelta(minutes=27)])
def test_hosts_whose_clocks_differ_agree_on_how_long_ago_a_file_came(site: Site, by: timedelta) -> None:
    if site.kind == "sqlite":
        pytest.skip("the hosts of a file have one clock")
    records = site.records()
    wrong = NOW + by
    records.ingest((), now=wrong, keep_rows=True, came=[Came("12", wrong - 40 * SECOND, "empty")])
    assert is_about(only(records).last_file_at, NOW - 40 * SECOND)
    assert is_about(only(records, wrong).last_file_at, wrong - 40 * SECOND)


def test_the_newest_file_and_the_newest_record_stay_whatever_comes_later(records: PollerRecords) -> None:
    newest = seconds_of(read_seen(SEEN))
    note(records, came("12", 10, last_record=newest))
    note(records, came("12", 600, "empty"), came("23", 600))
    note(records, came("12", 600, last_record=newest - 86400))
    found = records.arrivals(NOW)
    assert is_about(found["12"].last_file_at, NOW - 10 * SECOND)
    assert found["12"].last_record_at == read_seen(SEEN)
    assert is_about(found["23"].last_file_at, NOW - 600 * SECOND)


def test_names_are_compared_by_their_bytes_and_pollers_do_not_meet(site: Site) -> None:
    records, others = site.records(), site.records()
    names = ("Gate", "gate", "Gate ", "🚪")
    note(records, *(came(name) for name in names))
    note(others, came("Gate"))
    assert sorted(records.arrivals(NOW)) == sorted(names)
    assert list(others.arrivals(NOW)) == ["Gate"]


def test_what_is_ahead_of_now_counts_as_now_and_silence_begins_once_it_is_set_back(site: Site) -> None:
    """The clock of the database was years ahead when the last file of a camera came."""
    records, poller = site.records(), ""
    note(records, came("12"), came("23"))
    poller = records.poller
    site.run(f"UPDATE arrival SET last_file_at='2099-01-01 00:00:00' WHERE poller='{poller}' AND source='12'")
    found = records.arrivals(NOW)
    assert (found["12"].last_file_at, found["12"].is_ahead, found["23"].is_ahead) == (NOW, True, False)
    records.set_back_arrivals(NOW)
    later = records.arrivals(NOW + timedelta(minutes=5))
    if site.kind == "sqlite":
        assert is_about(later["12"].last_file_at, NOW)
    assert not later["12"].is_ahead
    site.run(f"UPDATE arrival SET last_file_at='2099-01-01 00:00:00' WHERE poller='{poller}'")
    note(records, came("12", 30))
    assert not records.arrivals(NOW)["12"].is_ahead, "the next file sets it back as well"


def test_two_hosts_that_note_the_same_sources_at_once_do_not_lock_each_other_out(site: Site) -> None:
    records = site.records()
    sources = [came(f"cam {number}", number) for number in range(40)]

    def host(number: int) -> None:
        own = sources if number % 2 else sources[::-1]
        for _ in range(5):
            note(records, *own)

    with ThreadPoolExecutor(4) as executor:
        list(executor.map(host, range(4)))
    assert len(records.arrivals(NOW)) == 40


def test_old_arrivals_are_deleted_with_the_other_rows(site: Site) -> None:
    records = site.records()
    note(records, came("12"), came("23"))
    old = "UPDATE arrival SET last_file_at='2020-01-01 00:00:00' WHERE source='23' AND poller="
    site.run(f"{old}'{records.poller}'")
    assert records.prune(NOW - timedelta(days=3650), most=100) == 0
    before = (
        NOW - timedelta(days=90) if site.kind == "sqlite" else datetime.now(NOW.tzinfo) - timedelta(days=90)
    )
    assert records.prune(before, most=100) == 1
    assert list(records.arrivals(NOW)) == ["12"]


def test_without_the_database_there_is_an_error_and_no_answer(tmp_path: object) -> None:
    with closing(Database(f"sqlite:///{tmp_path}/none/records.db")) as database, pytest.raises(RecordsError):
        database.records("park").arrivals(NOW)

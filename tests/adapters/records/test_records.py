"""The behaviour that all databases share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from adapters.records.samples import DAY, IN, NOW, OTHER, OUT, many, rejected_file, sha256, visitor_file
from adapters.records.sites import Site, passages
from support.rows import Passage
from tallyd.adapters.records.poller_records import PollerRecords
from tallyd.contract.corrections import Correction
from tallyd.contract.passages import Content, Count, ToIngest
from tallyd.contract.records import Records

ODD_SOURCES = (
    "Gate",
    "gate",
    "Gate ",
    " Gate",
    "GATE",
    "Tür",
    "Tu\u0308r",
    "tür",
    "门口",
    "🚪🚶",
    "🚪🚶\u200d♀️",
    "ß",
    "ss",
    "'; DROP TABLE passage; --",
    "a\\b",
    "a\\",
    'a"b',
    "a%sb",
    "a:b",
    "{x}",
    "Z" * 200,
    "ü" * 100,
    "🚪" * 50,
)


def ingest(records: PollerRecords, *files: ToIngest, keep_rows: bool = True) -> tuple[str, ...]:
    return records.ingest(files, now=NOW, keep_rows=keep_rows)


def test_it_implements_the_contract_of_pollers(records: PollerRecords) -> None:
    port: Records = records

    assert port.known([]) == frozenset()
    assert port.ingest([], now=NOW, keep_rows=True) == ()


def test_a_file_is_stored_with_its_rows_its_counts_and_its_ledger_row(
    site: Site, records: PollerRecords
) -> None:
    assert ingest(records, visitor_file("a", IN, OUT, OTHER)) == ("done",)

    assert [(row[0], row[1], row[2], str(row[3]), row[4]) for row in passages(site, records)] == [
        ("12", *IN),
        ("12", *OUT),
        ("12", *OTHER),
    ]
    assert records.counts(*DAY) == {"12": Count(1, 1, 1, IN[2], OTHER[2])}
    assert records.minutes(*DAY) == [
        ("2026-11-20 08:15:00", Count(1, 1, 0, IN[2], OUT[2])),
        ("2026-11-20 08:16:00", Count(0, 0, 1, OTHER[2], OTHER[2])),
    ]
    (row,) = records.ledger(rejected=False, most=10)
    assert (row.source, row.sha256, row.name, row.size) == ("12", sha256("a"), "a.json", 300)
    assert (row.records, row.state, row.reason, row.ingested_at) == (3, "done", None, NOW)


def test_a_correction_is_kept_beside_the_counts_and_the_last_one_of_a_minute_holds(
    site: Site, records: PollerRecords
) -> None:
    ingest(records, visitor_file("a", IN))
    at = NOW.replace(hour=10)
    first = Correction(source="Gate", at=at, inside=7, why="ein Zähler 🚪", by="anna", noted_at=NOW)
    other = replace(first, source="gate", inside=2)
    again = replace(first, inside=8, noted_at=NOW + timedelta(minutes=1))
    for each in (first, other, again):
        records.correct(each)
    assert records.corrections(*DAY) == [again, other]
    assert records.corrections(at, at + timedelta(minutes=1)) == [again, other]
    assert records.corrections(DAY[0], at) == []
    assert set(records.counts(*DAY)) == {"12"}
    assert PollerRecords(site.database.access, "another").corrections(*DAY) == []
    records.prune(DAY[1], most=100)
    assert records.corrections(*DAY) == [again, other]


def test_a_file_is_counted_once_however_often_it_comes(site: Site, records: PollerRecords) -> None:
    first, other = visitor_file("a", IN), visitor_file("b", OUT)

    assert ingest(records, first, first, other) == ("done", "repeat", "done")
    assert ingest(records, other, visitor_file("c", OTHER), first) == ("repeat", "done", "repeat")

    assert records.counts(*DAY) == {"12": Count(1, 1, 1, IN[2], OTHER[2])}
    assert len(passages(site, records)) == 3
    assert len(records.ledger(rejected=False, most=10)) == 3


def test_the_same_content_of_another_source_is_another_file(records: PollerRecords) -> None:
    assert ingest(records, visitor_file("a", IN), visitor_file("a", IN, source="23")) == ("done", "done")

    assert set(records.counts(*DAY)) == {"12", "23"}


def test_pollers_do_not_see_each_other(site: Site) -> None:
    one, other = site.records(), site.records()
    file = visitor_file("a", IN)

    assert ingest(one, file) == ("done",)

    assert other.known([file.fingerprint]) == frozenset()
    assert other.counts(*DAY) == {}
    assert other.minutes(*DAY) == []
    assert other.ledger(rejected=False, most=9) == ()
    assert other.prune(NOW + timedelta(days=9), most=9) == 0
    assert ingest(other, file) == ("done",)
    assert one.prune(NOW + timedelta(days=9), most=9) == 2
    assert len(passages(site, other)) == 1


def test_only_what_is_done_is_known(records: PollerRecords) -> None:
    done, refused, new = visitor_file("a", IN), rejected_file("b"), visitor_file("c", OUT)
    ingest(records, done, refused)

    asked = [done.fingerprint, refused.fingerprint, new.fingerprint, ("23", done.sha256)]

    assert records.known(asked) == {done.fingerprint}


def test_thousands_of_files_can_be_asked_for_at_once(records: PollerRecords) -> None:
    files = [visitor_file(f"file {number}", IN) for number in range(1200)]
    assert set(ingest(records, *files[:600])) == {"done"}

    assert records.known([file.fingerprint for file in files]) == {file.fingerprint for file in files[:600]}
    assert ingest(records, *files) == ("repeat",) * 600 + ("done",) * 600


def test_a_rejection_is_noted_and_replaced_by_the_next(site: Site, records: PollerRecords) -> None:
    assert ingest(records, rejected_file("a", reason="not JSON")) == ("rejected",)
    assert ingest(records, rejected_file("a", reason="too old"), rejected_file("b")) == (
        "rejected",
        "rejected",
    )

    rows = records.ledger(rejected=True, most=10)
    assert {(row.name, row.reason, row.records, row.state) for row in rows} == {
        ("a.json", "too old", None, "rejected"),
        ("b.json", "not JSON", None, "rejected"),
    }
    assert records.counts(*DAY) == {}
    assert passages(site, records) == []


def test_content_that_was_rejected_is_stored_when_it_comes_again(site: Site, records: PollerRecords) -> None:
    ingest(records, rejected_file("a"))

    assert ingest(records, visitor_file("a", IN, OUT)) == ("done",)

    assert records.ledger(rejected=True, most=10) == ()
    (row,) = records.ledger(rejected=False, most=10)
    assert (row.state, row.records, row.reason) == ("done", 2, None)
    assert len(passages(site, records)) == 2


def test_what_is_done_is_never_rejected_later(records: PollerRecords) -> None:
    ingest(records, visitor_file("a", IN))

    assert ingest(records, rejected_file("a")) == ("repeat",)
    assert ingest(records, rejected_file("b"), visitor_file("b", OUT), rejected_file("b")) == (
        "rejected",
        "done",
        "repeat",
    )

    assert records.ledger(rejected=True, most=10) == ()
    assert records.counts(*DAY) == {"12": Count(1, 1, 0, IN[2], OUT[2])}


def test_a_file_without_records_leaves_no_trace(site: Site, records: PollerRecords) -> None:
    ingest(records, rejected_file("a"))

    assert ingest(records, visitor_file("a"), visitor_file("a"), visitor_file("b")) == ("done",) * 3
    assert ingest(records, visitor_file("b")) == ("done",)

    assert records.ledger(rejected=False, most=10) == ()
    assert records.known([visitor_file("b").fingerprint]) == frozenset()
    assert passages(site, records) == []


def test_without_rows_the_counts_are_kept_and_nothing_is_read(site: Site, records: PollerRecords) -> None:
    def never() -> Iterator[Sequence[Passage]]:
        raise AssertionError("read")

    assert ingest(records, visitor_file("a", IN, OUT, read=never), keep_rows=False) == ("done",)

    assert passages(site, records) == []
    assert records.counts(*DAY) == {"12": Count(1, 1, 0, IN[2], OUT[2])}
    assert ingest(records, visitor_file("a", IN, OUT)) == ("repeat",)


def test_rows_that_fail_half_way_leave_nothing(site: Site, records: PollerRecords) -> None:
    rows = many(3000)

    def broken() -> Iterator[Sequence[Passage]]:
        yield rows[:1000]
        yield rows[1000:2000]
        raise ValueError("the file was changed meanwhile")

    ingest(records, rejected_file("c"))
    with pytest.raises(ValueError, match="meanwhile"):
        ingest(records, visitor_file("a", IN), visitor_file("b", *rows, read=broken), rejected_file("d"))

    assert passages(site, records) == []
    assert records.counts(*DAY) == {}
    assert [row.name for row in records.ledger(rejected=False, most=10)] == ["c.json"]
    assert ingest(records, visitor_file("a", IN), visitor_file("b", *rows)) == ("done", "done")
    assert len(passages(site, records)) == 3001


def test_rows_are_read_once_and_only_of_new_files(records: PollerRecords) -> None:
    read: list[str] = []

    def noted(name: str) -> ToIngest:
        return visitor_file(name, IN, read=lambda: read.append(name) or [[IN]])  # type: ignore[func-returns-value] # for its effect

    ingest(records, noted("a"), noted("a"), noted("b"))
    ingest(records, noted("a"), noted("c"))

    assert sorted(read) == ["a", "b", "c"]


@pytest.mark.parametrize("batch", [1, 999, 1000, 1001, 7000])
def test_batches_of_any_size_are_stored_whole(site: Site, records: PollerRecords, batch: int) -> None:
    rows = many(2500)

    ingest(records, visitor_file("a", *rows, batch=batch))

    assert [row[1] for row in passages(site, records)] == [row[0] for row in rows]


@pytest.mark.parametrize("person", [0, 1, 2**31, 2**53 + 1, 2**63 - 1])
def test_ids_and_frames_are_exact(site: Site, records: PollerRecords, person: int) -> None:
    ingest(records, visitor_file("a", (person, "in", IN[2], person)))

    (row,) = passages(site, records)
    assert (row[1], row[4]) == (person, person)


def test_source_names_differ_by_their_bytes(site: Site, records: PollerRecords) -> None:
    for source in ODD_SOURCES:
        assert ingest(records, visitor_file("a", IN, OUT, source=source)) == ("done",)
        assert ingest(records, visitor_file("a", IN, OUT, source=source)) == ("repeat",)

    once = Count(1, 1, 0, IN[2], OUT[2])
    assert records.counts(*DAY) == dict.fromkeys(ODD_SOURCES, once)
    for source in ODD_SOURCES:
        assert records.minutes(*DAY, sources=[source]) == [("2026-11-20 08:15:00", once)]
    assert [count.n_in for _, count in records.minutes(*DAY)] == [len(ODD_SOURCES)]
    assert {row.source for row in records.ledger(rejected=False, most=99)} == set(ODD_SOURCES)
    assert {row[0] for row in passages(site, records)} == set(ODD_SOURCES)


def test_a_name_that_is_not_text_is_shown_as_far_as_possible(records: PollerRecords) -> None:
    file = ToIngest(
        source="12",
        sha256=sha256("x"),
        name="caf\udce9 🚪" + "x" * 300,
        size=1,
        content=None,
        reason="\udce9",
    )

    assert ingest(records, file) == ("rejected",)

    (row,) = records.ledger(rejected=True, most=1)
    assert row.name == ("caf? 🚪" + "x" * 300)[:255]
    assert row.reason == "?"


def test_spans_of_time_are_half_open_and_exact(records: PollerRecords) -> None:
    ingest(records, visitor_file("a", IN, OTHER))
    at = datetime(2026, 11, 20, 8, 15, tzinfo=UTC)
    minute = timedelta(minutes=1)
    shift = timedelta(microseconds=1)

    assert [row[0][11:16] for row in records.minutes(at, at + minute)] == ["08:15"]
    assert [row[0][11:16] for row in records.minutes(at, at + minute + shift)] == ["08:15", "08:16"]
    assert [row[0][11:16] for row in records.minutes(at + shift, at + 2 * minute)] == ["08:16"]
    assert records.counts(at + shift, at + minute) == {}
    assert records.counts(at, at) == {}


def test_instants_of_another_zone_are_the_same_instants(records: PollerRecords) -> None:
    from zoneinfo import ZoneInfo

    zone = ZoneInfo("Europe/Berlin")
    records.ingest([visitor_file("a", IN)], now=NOW.astimezone(zone), keep_rows=True)

    since, until = (at.astimezone(zone) for at in DAY)
    assert set(records.counts(since, until)) == {"12"}
    assert records.ledger(rejected=False, most=1)[0].ingested_at == NOW


def test_a_person_reads_utc_with_sql(site: Site, records: PollerRecords) -> None:
    ingest(records, visitor_file("a", IN))

    shown = "CAST(seen_at AS CHAR(19))"
    (row,) = site.query(f"SELECT {shown} FROM passage_readable WHERE poller=:p", p=records.poller)
    assert row == ("2026-11-20 08:15:07",)
    (row,) = site.query(
        "SELECT count(*) FROM passage_minute WHERE poller=:p AND minute='2026-11-20 08:15:00'",
        p=records.poller,
    )
    assert row == (1,)


def test_the_ledger_shows_the_newest_first(records: PollerRecords) -> None:
    for number in range(6):
        file = rejected_file(f"bad {number}") if number % 2 else visitor_file(f"good {number}", IN)
        records.ingest([file], now=NOW + timedelta(seconds=number // 2), keep_rows=True)

    names = [row.name for row in records.ledger(rejected=False, most=5)]
    assert names == ["bad 5.json", "good 4.json", "bad 3.json", "good 2.json", "bad 1.json"]
    assert [row.name for row in records.ledger(rejected=True, most=2)] == ["bad 5.json", "bad 3.json"]


def test_content_without_minutes_is_fine(records: PollerRecords) -> None:
    file = ToIngest(
        source="12",
        sha256=sha256("x"),
        name="x",
        size=1,
        content=Content(records=1, minutes={}),
    )

    assert ingest(records, file) == ("done",)
    assert records.counts(*DAY) == {}

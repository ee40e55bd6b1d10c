"""Deleting old rows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from adapters.records.samples import DAY, IN, NOW, many, rejected_file, visitor_file
from adapters.records.sites import Site, passages
from support.rows import Passage
from tallyd.adapters.records.poller_records import PollerRecords
from tallyd.contract.passages import Count, ToIngest


def ingest(records: PollerRecords, *files: ToIngest) -> tuple[str, ...]:
    return records.ingest(files, now=NOW, keep_rows=True)


def test_pruning_forgets_what_was_seen_before_and_keeps_the_counts(
    site: Site, records: PollerRecords
) -> None:
    old, young = many(1500, day="2026-11-18"), many(700, day="2026-11-19")
    mixed = [row for pair in zip(young, old, strict=False) for row in pair] + old[700:]
    ingest(records, visitor_file("a", *mixed), visitor_file("b", *many(5)))
    before = records.counts(DAY[0] - timedelta(days=9), DAY[1])

    assert records.prune(datetime(2026, 11, 19, tzinfo=UTC), most=10_000) == 1500

    assert {str(row[3])[:10] for row in passages(site, records)} == {"2026-11-19", "2026-11-20"}
    assert records.prune(datetime(2026, 11, 19, tzinfo=UTC), most=10_000) == 0
    assert records.prune(datetime(2026, 11, 20, tzinfo=UTC), most=10_000) == 700
    assert records.prune(NOW, most=10_000) == 5  # the ledger rows were written at just that time
    assert records.prune(NOW + timedelta(microseconds=1), most=10_000) == 2
    assert records.counts(DAY[0] - timedelta(days=9), DAY[1]) == before
    assert site.query("SELECT count(*) FROM ingested_file WHERE poller=:p", p=records.poller) == [(0,)]


def test_pruning_does_no_more_than_it_may(site: Site, records: PollerRecords) -> None:
    files = [visitor_file(f"file {number}", *many(30)) for number in range(50)]
    refused = [rejected_file(f"bad {number}") for number in range(50)]
    ingest(records, *files, *refused)
    later = NOW + timedelta(days=1)

    assert records.prune(later, most=0) == 0
    assert records.prune(later, most=7) == 14
    assert len(passages(site, records)) == 1493
    # The other rejected files, and the two files that have no passages any more.
    assert records.prune(later, most=80) == 80 + 43 + 2
    assert records.prune(later, most=1400) == 1400 + 47
    assert records.prune(later, most=1400) == 13 + 1
    assert passages(site, records) == []


def test_an_instant_within_a_second_prunes_what_was_seen_before_it(records: PollerRecords) -> None:
    ingest(records, visitor_file("a", IN))
    seen = datetime(2026, 11, 20, 8, 15, 7, tzinfo=UTC)

    assert records.prune(seen, most=9) == 0
    assert records.prune(seen + timedelta(milliseconds=1), most=9) == 1


def test_a_forgotten_file_counts_again(records: PollerRecords) -> None:
    """That is why the poller rejects a file that is older than the ledger."""
    ingest(records, visitor_file("a", IN))
    records.prune(NOW + timedelta(days=1), most=9)

    assert ingest(records, visitor_file("a", IN)) == ("done",)
    assert records.counts(*DAY) == {"12": Count(2, 0, 0, IN[2], IN[2])}


def test_a_ledger_row_stays_as_long_as_its_passages(site: Site, records: PollerRecords) -> None:
    """A camera's clock may run ahead."""
    ahead: Passage = (1, "in", "2026-12-24 18:00:00", None)
    ingest(records, visitor_file("a", ahead))

    assert records.prune(NOW + timedelta(days=1), most=9) == 0
    assert len(passages(site, records)) == 1
    assert records.prune(NOW + timedelta(days=99), most=9) == 2
    assert passages(site, records) == []


def test_numbers_of_passages_that_are_used_again_confuse_no_file(site: Site, records: PollerRecords) -> None:
    """The newest file has lost its last rows; SQLite gives their numbers to the next file."""
    young, old = many(3), many(3, day="2026-11-18")
    ingest(records, visitor_file("a", *young, *old))
    assert records.prune(datetime(2026, 11, 19, tzinfo=UTC), most=9) == 3
    other = PollerRecords(site.database.access, site.new_poller())
    ingest(other, visitor_file("b", *many(3, day="2026-11-19")))

    assert len(passages(site, records)) == 3
    assert {str(row[3])[:10] for row in passages(site, other)} == {"2026-11-19"}
    assert records.prune(DAY[0], most=9) == 0
    assert other.prune(DAY[0], most=9) == 3
    assert len(passages(site, records)) == 3

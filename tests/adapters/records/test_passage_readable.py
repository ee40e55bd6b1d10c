"""What a person with SQL sees of passages."""

from __future__ import annotations

from adapters.records.samples import IN, NOW, OTHER, OUT, many, visitor_file
from adapters.records.sites import Site
from tallyd.adapters.records.poller_records import PollerRecords

DAY = """
SELECT source, direction, count(*) FROM passage_readable
WHERE file_id IN (SELECT id FROM ingested_file WHERE poller = '{poller}'
                  AND first_at < {end} AND last_at >= {begin})
  AND seen_at >= '2026-11-20' AND seen_at < '2026-11-21'
GROUP BY source, direction
"""


def of_day(site: Site, poller: str) -> str:
    """Return the example of docs/visitors.md."""
    begin, end = ("unixepoch('{}')" if site.server is None else "'{}'",) * 2
    return DAY.format(poller=poller, begin=begin.format("2026-11-20"), end=end.format("2026-11-21"))


def test_the_view_has_poller_source_direction_and_time_in_words(site: Site, records: PollerRecords) -> None:
    records.ingest([visitor_file("a", IN, OUT, OTHER)], now=NOW, keep_rows=True)

    found = site.query(
        "SELECT poller, source, person_id, direction, seen_at, frame FROM passage_readable"
        " WHERE poller=:p ORDER BY person_id",
        p=records.poller,
    )

    assert [(*row[:4], str(row[4]), row[5]) for row in found] == [
        (records.poller, "12", *IN),
        (records.poller, "12", *OUT),
        (records.poller, "12", *OTHER),
    ]


def test_a_passage_itself_has_numbers(site: Site, records: PollerRecords) -> None:
    records.ingest([visitor_file("a", IN, OUT, OTHER)], now=NOW, keep_rows=True)

    found = site.query(
        "SELECT p.person_id, p.direction, p.frame FROM passage p JOIN ingested_file f ON f.id = p.file_id"
        " WHERE f.poller=:p ORDER BY p.person_id",
        p=records.poller,
    )

    assert found == [(IN[0], 0, 1), (OUT[0], 1, None), (OTHER[0], 2, 3)]


def test_the_passages_of_a_day_are_found_by_their_files(site: Site, records: PollerRecords) -> None:
    days = [visitor_file(day, *many(30, day=day)) for day in ("2026-11-19", "2026-11-20", "2026-11-21")]
    both = visitor_file("both", *many(3, day="2026-11-19"), *many(3))
    other = visitor_file("other", *many(6), source="23")
    records.ingest([*days, both, other], now=NOW, keep_rows=True)

    found = site.query(of_day(site, records.poller))

    of_12, of_23 = {"in": 11, "out": 11, "other": 11}, {"in": 2, "out": 2, "other": 2}
    assert {(source, way): n for source, way, n in found} == {
        **{("12", way): n for way, n in of_12.items()},
        **{("23", way): n for way, n in of_23.items()},
    }

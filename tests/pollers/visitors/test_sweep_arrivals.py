"""What a sweep notes of the files that come, and what it says of those that come to other hosts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from adapters.records.samples import rejected_file
from adapters.records.sites import Site
from support.sweeping import Park, keys, named, passages, settings_of
from tallyd.adapters.records.database import Database
from tallyd.contract.arrivals import Arrival, Came
from tallyd.contract.passages import read_seen
from tallyd.core.errors import RecordsError

HERE = "gate (/state)"
FOUR: dict[str, dict[str, str]] = {"12": {}, "23": {}, "24": {}, "32": {}}


@pytest.fixture
def park(tmp_path: Path, sqlite_site: Site) -> Iterator[Park]:
    with closing(Database(sqlite_site.url, here=HERE)) as database:
        yield Park(tmp_path, database.records(sqlite_site.new_poller()))


def other(park: Park, *came: Came, files: Any = ()) -> None:
    """Let another host note something."""
    records: Any = park.records
    records.here = "other (/state)"
    records.ingest(files, now=park.clocks.at, keep_rows=True, came=came)
    records.here = HERE


def noted(park: Park) -> dict[str, Arrival]:
    return dict(park.records.arrivals(park.clocks.at))


def only(park: Park) -> Arrival:
    (found,) = noted(park).values()
    return found


def test_each_kind_of_file_is_noted_with_what_became_of_it(park: Park) -> None:
    park.drop("12/a.json", passages("125907"), age_s=9)
    park.drop("23/a.json", age_s=8)
    park.drop("24/a.json", b"[7]", age_s=7)
    park.run()
    found = noted(park)
    assert [(source, each.state) for source, each in sorted(found.items())] == [
        ("12", "done"),
        ("23", "empty"),
        ("24", "rejected"),
    ]
    assert found["12"].last_record_at == read_seen("2026-11-20 11:59:07")
    assert "record 1" in (found["24"].reason or "")
    assert {each.host for each in found.values()} == {HERE}
    for source, age_s in (("12", 9), ("23", 8), ("24", 7)):
        assert found[source].last_file_at == park.clocks.at - timedelta(seconds=age_s)


def test_signs_of_life_are_noted_at_most_every_ten_seconds_and_the_last_one_always(park: Park) -> None:
    times = []
    for number in range(12):
        park.drop(f"12/{number}.json", age_s=3)
        park.run()
        times.append(only(park).seen_at)
        park.clocks.forward(2)
    assert len(set(times)) == 3, "of 24 seconds"
    last = park.clocks.at - timedelta(seconds=5)
    for _ in range(8):
        park.run()
        park.clocks.forward(2)
    assert only(park).last_file_at == last
    seen_at = only(park).seen_at
    for _ in range(60):
        park.run()
        park.clocks.forward(2)
    assert only(park).seen_at == seen_at, "an idle pass writes nothing"


def test_files_with_passages_are_noted_with_each_transaction(park: Park) -> None:
    for number in range(3):
        park.drop(f"12/{number}.json", passages(f"12590{number}"), age_s=3)
        park.run()
        assert only(park).seen_at == park.clocks.at
        park.clocks.forward(2)


def test_a_file_that_is_cut_short_is_a_sign_of_life_once_it_has_been_there_for_a_while(park: Park) -> None:
    park.drop("12/a.json", b"[", age_s=5)
    park.run()
    assert noted(park) == {}, "it will soon be complete"
    park.clocks.forward(11)
    park.run()
    assert only(park).state == "seen"


def test_an_inbox_that_this_host_does_not_see_is_noted_and_that_it_is_back(park: Park) -> None:
    park.drop("12/a.json", passages("125907"))
    park.run()
    away = park.path / "away"
    (park.path / "inbox").rename(away)
    park.run()
    assert only(park).state == "done", "not at once: it may be mounted again"
    park.clocks.forward(11)
    park.run()
    park.clocks.forward(2)
    park.run()
    assert (only(park).state, only(park).reason) == ("away", "the inbox is missing")
    came_at = only(park).last_file_at
    away.rename(park.path / "inbox")
    park.clocks.forward(12)
    park.run()
    assert (only(park).state, only(park).reason) == ("seen", None)
    assert only(park).last_file_at == came_at


class Failing:
    """A database that takes nothing while it is away."""

    def __init__(self, real: Any) -> None:
        self.real, self.is_away = real, True

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)

    def ingest(self, *args: Any, **more: Any) -> Any:
        if self.is_away:
            raise RecordsError("away")
        return self.real.ingest(*args, **more)


def test_what_a_lost_transaction_was_to_note_is_noted_with_the_next(park: Park) -> None:
    failing: Any = Failing(park.records)
    park.records = failing
    park.drop("12/a.json", passages("125907"))
    park.run()
    assert noted(park) == {}
    failing.is_away = False
    park.run()
    assert (only(park).state, park.n_in()) == ("done", 1)


def test_after_a_restart_the_database_knows_when_files_came(park: Park) -> None:
    park.settings = settings_of(sources={"12": {}}, no_files={"after": "5m"})
    park.drop("12/a.json", passages("125907"), age_s=5)
    park.run()
    park.restart()
    park.clocks.forward(304)
    assert park.run().problems == (), "it may have come up to ten seconds later than was noted"
    park.clocks.forward(2)
    text = named(park.run())["park/12/no-files"]
    assert "last 12:59:55. Check host 12 and the network." in text


# -- other hosts ---------------------------------------------------------------------------------------------


def test_a_machine_with_an_inbox_and_the_report_is_also_the_centre_of_others(park: Park) -> None:
    park.settings = settings_of(sources=FOUR, no_files={"after": "5m"}, report={})
    for _ in range(40):
        for source in ("12", "23"):
            park.drop(f"{source}/{park.clocks.at:%H%M%S}.json", age_s=3)
        other(park, *(Came(source, park.clocks.at, "empty") for source in ("24", "32")))
        assert park.run().problems == ()
        park.clocks.forward(10)
    for _ in range(32):
        park.drop(f"12/{park.clocks.at:%H%M%S}.json", age_s=3)
        reading = park.run()
        park.clocks.forward(10)
    assert sorted(keys(reading.problems)) == ["park/23/no-files", "park/24/no-files", "park/32/no-files"]
    assert "look at host 23" in named(reading)["park/23/no-files"]
    assert "tallyd does not run on host other" in named(reading)["park/24/no-files"]


def test_rejections_of_another_host_are_told_by_who_leads_and_not_by_another_collector(park: Park) -> None:
    reason = 'record 1: "inOut" is missing'
    file = rejected_file("bad.json", source="32")._replace(reason=reason)
    park.drop("12/a.json", b"[7]")
    other(park, Came("32", park.clocks.at, "rejected", reason), files=[file])
    reading = park.run()
    assert keys(reading.problems) == ["park/12/rejected"], "a collector: only its own"
    park.settings = settings_of(report={})
    park.restart()
    reading = park.run()
    assert sorted(keys(reading.problems)) == ["park/12/rejected", "park/32/rejected"]
    assert "then on host other: tallyd replay" in named(reading)["park/32/rejected"]
    assert ", then: tallyd replay" in named(reading)["park/12/rejected"]


def test_a_source_that_moves_to_another_host_belongs_to_that_one(park: Park) -> None:
    park.drop("12/a.json", passages("125907"), age_s=20)
    park.run()
    other(park, Came("12", park.clocks.at, "done"))
    park.clocks.forward(11)
    park.run()
    assert only(park).host == "other (/state)"
    park.drop("12/b.json", passages("125908"), age_s=3)
    park.run()
    assert only(park).host == HERE

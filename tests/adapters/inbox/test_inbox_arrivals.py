"""The arrival time of each source's newest file over all looks: when it was written or moved in."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from adapters.inbox.dropping import NOON, Site
from tallyd.adapters.inbox.tracking import MOST_SOURCES, Arrivals

SECOND = timedelta(seconds=1)


def test_an_arrival_is_known_after_its_file_is_gone(site: Site) -> None:
    site.drop("12/a.json", age_s=30)
    site.folder.done(site.only())
    site.clocks.forward(10)
    assert site.folder.look().arrivals == {"12": NOON - 30 * SECOND}
    site.path.rename(site.path.with_name("away"))
    assert site.folder.look().arrivals == {"12": NOON - 30 * SECOND}


def test_an_older_file_changes_nothing_and_a_newer_one_does(site: Site) -> None:
    site.drop("12/a.json", age_s=30)
    site.folder.look()
    site.drop("12/b.json", age_s=40)
    site.drop("23/c.json", age_s=5)
    assert site.folder.look().arrivals == {"12": NOON - 30 * SECOND, "23": NOON - 5 * SECOND}
    site.drop("12/d.json", age_s=20)
    assert site.folder.look().arrivals["12"] == NOON - 20 * SECOND


def test_a_file_moved_in_with_an_old_time_has_come_now(tmp_path: Path) -> None:
    site = Site(tmp_path / "inbox")
    before = datetime.now(UTC)
    written = tmp_path / "a.json"
    written.write_text("[]")
    os.utime(written, (946684800, 946684800))  # 2000
    (site.path / "12").mkdir()
    written.rename(site.path / "12" / "a.json")
    site.clocks.at = datetime.now(UTC) + 30 * SECOND
    look = site.folder.look()
    assert [one.modified_at.year for one in look.waiting] == [2000]
    assert before - SECOND <= look.arrivals["12"] <= before + 10 * SECOND


def test_a_clock_that_is_set_back_makes_an_arrival_one_of_this_moment_and_no_later(site: Site) -> None:
    site.drop("12/a.json", age_s=30)
    site.folder.look()
    site.clocks.at -= timedelta(days=900)
    set_back_at = site.clocks.at
    assert site.folder.look().arrivals["12"] == set_back_at
    site.clocks.forward(3600)
    (site.path / "12/a.json").unlink()
    assert site.folder.look().arrivals["12"] == set_back_at


def test_what_is_remembered_is_bounded_and_the_newest_stay() -> None:
    arrivals = Arrivals(now=lambda: NOON)
    for second in range(MOST_SOURCES + 7):
        found = arrivals.seen({str(second): NOON.timestamp() - 5000 + second})
    assert len(found) == MOST_SOURCES
    assert {"0", "6"} & found.keys() == set()
    assert {"7", str(MOST_SOURCES + 6)} <= found.keys()
    assert arrivals.known() == found

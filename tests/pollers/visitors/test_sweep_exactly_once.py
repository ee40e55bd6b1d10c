"""Nothing that was dropped is lost or counted twice: on SQLite, PostgreSQL and MariaDB, and when it dies."""

from __future__ import annotations

import json
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.records.sites import Site
from support.long import tries
from support.sweeping import Park, passages, record, settings_of
from support.wording import text_of
from tallyd.contract.inbox import Inbox, Look, Waiting
from tallyd.core.reading import Json
from tallyd.pollers.visitors.ingest.file_parser import MOST_WEIGHT


class KilledError(Exception):
    """The process died here."""


class DyingInbox:
    """An inbox whose process dies at the `n`-th move, before it or (`after`) just after it."""

    def __init__(self, inbox: Inbox, n: int, *, after: bool = False) -> None:
        self._inbox, self._left, self._after = inbox, n, after

    def look(self) -> Look:
        return self._inbox.look()

    def chunks(self, waiting: Waiting) -> Iterator[bytes]:
        return self._inbox.chunks(waiting)

    def is_unchanged(self, waiting: Waiting) -> bool:
        return self._inbox.is_unchanged(waiting)

    def held(self) -> AbstractContextManager[None]:
        return self._inbox.held()

    def done(self, waiting: Waiting, *, delete: bool = False) -> None:
        self._dying(lambda: self._inbox.done(waiting, delete=delete))

    def rejected(self, waiting: Waiting, reason: Mapping[str, Json]) -> None:
        self._dying(lambda: self._inbox.rejected(waiting, reason))

    def _dying(self, move: Callable[[], None]) -> None:
        self._left -= 1
        if self._left < 0 and not self._after:
            raise KilledError
        move()
        if self._left < 0:
            raise KilledError


@pytest.fixture
def park(tmp_path: Path, site: Site) -> Park:
    return Park(tmp_path, site.records())


@pytest.mark.parametrize("after", [False, True], ids=["before the move", "after it"])
def test_a_process_that_dies_between_the_commit_and_the_move_counts_once(park: Park, after: bool) -> None:
    for number in range(4):
        park.drop(f"12/{number}.json", passages(f"12590{number}"), age_s=90 - number)
    park.drop("12/bad.json", b"[7]", age_s=80)
    park.inbox = DyingInbox(park.site.folder, 2, after=after)
    with pytest.raises(KilledError):
        park.run()
    assert park.n_in() == 4, "committed"
    park.inbox = None
    park.restart()
    found = park.files(park.run())
    assert found == ({"repeat": 1, "rejected": 1} if after else {"repeat": 2, "rejected": 1})
    assert park.n_in() == 4
    assert park.site.folder.look().waiting == ()
    assert len(park.quarantined("done")) == 4
    assert [row.state for row in park.records.ledger(rejected=True, most=9)] == ["rejected"]


def test_a_refusal_whose_process_died_is_found_by_the_next(park: Park) -> None:
    park.drop("12/a.json", b"[7]")
    park.inbox = DyingInbox(park.site.folder, 0, after=True)
    with pytest.raises(KilledError):
        park.run()
    park.inbox = None
    park.restart()
    park.clocks.forward(5)
    (found,) = park.run().problems
    assert found.key == "park/12/rejected"
    assert "1 file since 13:00 rejected: record 1: is not an object" in text_of(found)


def test_one_content_under_two_names_and_two_sources(park: Park) -> None:
    for name in ("12/a.json", "12/b.json", "23/a.json"):
        park.drop(name, passages("125907", "125908"))
    assert park.files(park.run()) == {"done": 2, "repeat": 1}
    assert {source: count.n_in for source, count in park.counted().items()} == {"12": 2, "23": 2}


def test_two_sweeps_at_once_on_one_inbox_count_each_file_once(park: Park, tmp_path: Path) -> None:
    for number in range(60):
        name = f"12/{number}.json"
        park.drop(name, passages(f"12{number:02}00", f"12{number:02}01"), age_s=100 - number)
    other = Park(tmp_path, park.records)
    both, failures = threading.Barrier(2), list[BaseException]()

    def work(one: Park) -> None:
        try:
            both.wait()
            for _ in range(3):
                one.run()
        except BaseException as error:  # the test raises it
            failures.append(error)

    threads = [threading.Thread(target=work, args=(one,)) for one in (park, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    park.clocks.forward(61)
    park.run()
    assert park.n_in() == 120
    assert park.site.folder.look().waiting == ()
    assert len(park.quarantined("done")) == 60


def test_refused_files_are_counted_once_the_config_is_mended_and_they_are_replayed(park: Park) -> None:
    for number in range(3):
        changed = record(ID=number, time=f"2026-11-20 12:59:0{number}")
        park.drop(f"12/{number}.json", json.dumps([changed]).encode())
    assert park.files(park.run()) == {"rejected": 3}
    park.settings = settings_of(time_format="%Y-%m-%d %H:%M:%S")
    assert len(park.site.folder.replay("all", source="12")) == 3
    park.clocks.forward(5)
    reading = park.run()
    assert park.files(reading) == {"done": 3}
    assert (park.n_in(), park.records.ledger(rejected=True, most=9)) == (3, ())
    assert park.quarantined("rejected") == {}
    assert reading.problems == (), "those that were refused are taken"


def test_a_file_of_many_rows_dies_in_the_middle_and_is_stored_whole_by_the_next(park: Park) -> None:
    rows = ",".join([json.dumps(record(ID=number)) for number in range(MOST_WEIGHT + 1)])
    park.site.folder = park.site.again(max_bytes=1 << 30)
    park.drop("12/a.json", f"[{rows}]".encode())
    first_pass = 2 + len(rows) // (256 * 1024)
    park.stops_after = 1 + first_pass + 3
    assert park.files(park.run()) == {"waiting": 1}, "stopped in the transaction"
    assert park.n_in() == 0
    park.stops_after = None
    assert park.files(park.run()) == {"done": 1}
    assert park.n_in() == MOST_WEIGHT + 1


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("drop"), st.integers(0, 5), st.sampled_from(["12", "23"])),
        st.tuples(st.just("run"), st.just(0), st.just("")),
        st.tuples(st.just("die"), st.integers(0, 3), st.sampled_from(["before", "after"])),
        st.tuples(st.just("restart"), st.just(0), st.just("")),
        st.tuples(st.just("replay"), st.just(0), st.just("")),
    ),
    max_size=25,
)


@given(steps=STEPS)
@settings(max_examples=tries(60), suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_happens_when_each_content_counts_once_a_source(
    sqlite_site: Site, steps: list[tuple[str, int, Any]]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        park = Park(Path(folder), sqlite_site.records())
        dropped: set[tuple[str, int]] = set()
        for number, (step, which, how) in enumerate(steps):
            park.clocks.forward(70)
            if step == "drop":
                content = b"[7]" if which == 5 else passages(*[f"12590{n}" for n in range(which)])
                park.drop(f"{how}/{number}.json", content, age_s=61)
                dropped |= {(how, which)} if which < 5 else set()
            elif step == "run":
                park.run()
            elif step == "die":
                park.inbox = DyingInbox(park.site.folder, which, after=how == "after")
                try:
                    park.run()
                except KilledError:
                    park.restart()
                park.inbox = None
            elif step == "restart":
                park.restart()
            else:
                park.site.folder.replay("all")
        park.clocks.forward(70)
        park.run()
        expected = {source: sum(which for of, which in dropped if of == source) for source in ("12", "23")}
        found = {source: count.n_in for source, count in park.counted().items()}
        assert {source: n for source, n in expected.items() if n} == found
        assert park.site.folder.look().waiting == ()
        park.site.folder.close()

"""Rounds whose targets are asked by workers: what they find, and what is not checked if they fail."""

from __future__ import annotations

import contextlib
import pickle
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from support.apps import NOW, Rounds, app, http_date, version
from support.pools import FakePool, workers_of
from support.rawserver import Connection, answer, serving
from support.wording import text_of
from tallyd.core.errors import SourceError, Stopped
from tallyd.core.reading import Problem, Reading
from tallyd.pollers.servers.rounds import checking
from tallyd.pollers.servers.rounds.asking import Ask
from tallyd.pollers.servers.rounds.elsewhere import LEAST_TOGETHER, MOST_TOGETHER, chunked

OTHER_MACHINE = "127.1"
"""This machine by a name that nothing here knows as such."""
NAMES = tuple(f"S{number}" for number in range(30))
"""Three chunks."""


@contextlib.contextmanager
def site(folder: Path, pool: FakePool, *names: str, page: Any = None, **keys: Any) -> Iterator[Rounds]:
    """Yield rounds against a server that counts as another machine; `keys` are those of the poller."""

    def fresh(connection: Connection, path: str) -> None:
        connection.send(version(rounds.now - timedelta(minutes=1)))

    with serving(app(page or fresh)) as server:
        dask = {"executor": "dask", "scheduler": "tcp://dask.example:8786"}
        address = server.url.replace("127.0.0.1", OTHER_MACHINE)
        targets: dict[str, dict[str, Any]] = {name: {"url": f"{address}/{name}"} for name in names}
        rounds = Rounds(server, folder, targets, {"every": "20s", **dask, **keys}, has_records=False)
        rounds.workers = workers_of(pool, lambda: rounds.now)
        try:
            yield rounds
        finally:
            rounds.close()
            pool.close()


def states(reading: Reading) -> dict[str, str]:
    targets = cast("Any", reading.facts or {"targets": {}})["targets"]
    return {name: each["state"] for name, each in targets.items()}


def trouble(reading: Reading) -> Problem | None:
    assert reading.executor is not None
    return next(iter(reading.executor), None)


def names_in(given: bytes) -> set[str]:
    """Return the names of the targets in a chunk that was sent."""
    _options, _work, chunk = pickle.loads(pickle.loads(given)[1])
    return {ask.name for ask in chunk.asks}


def said(reading: Reading) -> str:
    problem = trouble(reading)
    assert problem is not None
    assert problem.key == "tallyd/executor"
    return text_of(problem)


def test_workers_find_what_this_process_would_find(tmp_path: Path) -> None:
    pool = FakePool()

    def page(connection: Connection, path: str) -> None:
        pages = {
            "/LATE": version(NOW - timedelta(minutes=10)),
            "/WORD": answer(b'{"computed_time": "yesterday"}'),
            "/DOWN": answer(status="500 Internal Server Error"),
            "/JOBS": answer(b'{"jobs": {"a": "2026-11-20T13:59:00Z", "b": 1}}'),
        }
        connection.send(pages[path])

    with site(tmp_path, pool, "LATE", "WORD", "DOWN", "JOBS", page=page) as rounds:
        rounds.targets["JOBS"]["each"] = {"items": "jobs", "time": "@"}
        theirs = rounds.round()
        assert pool.given, "nobody asked the workers"
        assert trouble(theirs) is None
        rounds.kept, rounds.memory, rounds.workers = {}, {}, None
        ours = rounds.round()
        assert states(theirs) == states(ours)
        assert set(states(ours).values()) == {"late", "invalid", "unreachable", "fresh"}
        assert [each.key for each in theirs.problems] == [each.key for each in ours.problems]
        reasons = [
            [each.get("reason") for each in cast("Any", r.facts)["targets"].values()] for r in (theirs, ours)
        ]
        assert reasons[0] == reasons[1]


def test_a_worker_that_dies_leaves_its_targets_as_they_were_and_they_come_first(tmp_path: Path) -> None:
    pool = FakePool(places_there=3)
    with site(tmp_path, pool, *NAMES) as rounds:
        assert set(states(rounds.round()).values()) == {"fresh"}
        pool.dying = frozenset({4})  # the second chunk of the second round
        rounds.now += timedelta(seconds=20)
        reading = rounds.round()
        assert said(reading).endswith(
            "10 targets were not checked in the last round; what is known of them stays."
        )
        assert "it died" in said(reading)
        assert reading.problems == (), "nobody knows whether they are unreachable"
        left = names_in(pool.given[4])
        pool.dying = frozenset()
        assert trouble(rounds.round(after_s=20)) is None
        assert names_in(pool.given[6]) == left, "those that were left come first"


@pytest.mark.parametrize("has_fallback", [False, True])
def test_without_a_scheduler_nothing_is_known_or_this_process_asks(
    tmp_path: Path, has_fallback: bool
) -> None:
    pool = FakePool(away="tcp://dask.example:8786: no connection")
    keys = {"fallback": "threads"} if has_fallback else {}
    with site(tmp_path, pool, *NAMES, **keys) as rounds:
        reading = rounds.round()
        problem = trouble(reading)
        assert problem is not None
        assert "dask.example:8786: no connection" in said(reading)
        if has_fallback:
            assert states(reading) == dict.fromkeys(NAMES, "fresh")
            assert "tallyd itself checked 30 targets instead." in said(reading)
            assert problem.severity == "warning"
        else:
            assert states(reading) == {}
            assert problem.severity == "error"


def test_workers_that_do_not_answer_in_time_are_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checking, "SHORTEST_LIMIT_S", 0.2)
    pool = FakePool(places_there=3, hanging=frozenset({1}))
    with site(tmp_path, pool, *NAMES, every="1s") as rounds:
        reading = rounds.round()
        assert set(states(reading)) == set(NAMES) - names_in(pool.given[1])
        assert "the workers did not answer in time" in said(reading)
        assert pool.given_up == 1


def test_what_is_on_this_machine_is_asked_by_this_process(tmp_path: Path) -> None:
    """A worker would ask its own machine."""
    pool = FakePool()
    (tmp_path / "a.csv").write_text("")
    with site(tmp_path, pool, "THERE") as rounds:
        rounds.targets |= {"HERE": {}, "FILE": {"file": f"{tmp_path}/*.csv"}}
        pool.away = "away"
        assert set(states(rounds.round())) == {"HERE", "FILE"}
        pool.away, pool.is_elsewhere = "", False
        pool.given.clear()
        rounds.round(after_s=20)
        assert names_in(pool.given[0]) == {"THERE", "HERE", "FILE"}, "this machine's process asks all of them"


def test_a_worker_with_another_version_is_said_and_its_findings_count(tmp_path: Path) -> None:
    def older(answered: bytes) -> bytes:
        worker, _version, *rest = pickle.loads(answered)
        return pickle.dumps((worker, "0.0.9", *rest))

    with site(tmp_path, FakePool(answers=older), "PROD") as rounds:
        reading = rounds.round()
        assert states(reading) == {"PROD": "fresh"}
        assert " has tallyd 0.0.9, and this is " in said(reading)


def test_a_secret_that_a_worker_lacks_is_no_fault_of_the_target(tmp_path: Path) -> None:
    with site(tmp_path, FakePool(), "A", "B") as rounds:
        rounds.targets["A"] = {"sql": {"url": "env:TALLYD_NOT_THERE", "query": "SELECT 1"}}
        # As `tallyd check` saw it: the daemon has the variable, the worker does not.
        rounds.environ = {"TALLYD_NOT_THERE": "postgresql+psycopg://db.example/shop"}
        reading = rounds.round()
        assert states(reading) == {"B": "fresh"}
        assert "environment variable TALLYD_NOT_THERE is not set" in said(reading)


def test_a_worker_whose_clock_is_wrong_finds_no_wrong_ages(tmp_path: Path) -> None:
    """Workers have the time of this machine; the daemon of this test believes that it is NOW."""

    def page(connection: Connection, path: str) -> None:
        date = {"Date": http_date(NOW)} if path == "/DATED" else {}
        connection.send(version(NOW - timedelta(minutes=1), **date))

    with site(tmp_path, FakePool(), "DATED", "PLAIN", page=page) as rounds:
        found = cast("Any", rounds.round().facts)["targets"]
        for each in found.values():
            assert each["state"] == "fresh"
            assert each["lag_s"] == pytest.approx(60, abs=3)
        assert found["DATED"]["skew_s"] == pytest.approx(0, abs=3)


def test_a_person_who_waits_is_told_what_was_not_checked(tmp_path: Path) -> None:
    with site(tmp_path, FakePool(away="away"), *NAMES) as rounds:
        with pytest.raises(SourceError, match="30 targets were not checked: away"):
            rounds.round(is_by_hand=True)
        with pytest.raises(SourceError, match="30 targets were not checked"):
            rounds.poller().probe(rounds.tools(is_by_hand=True))


def test_a_shutdown_does_not_wait_for_workers(tmp_path: Path) -> None:
    pool = FakePool(hanging=frozenset({0}))
    with site(tmp_path, pool, "PROD") as rounds:
        rounds.is_stopping = True
        with pytest.raises(Stopped):
            rounds.round()
        assert pool.given_up == 1


@pytest.mark.parametrize(
    ("count", "places", "sizes"),
    [
        pytest.param(0, 4, [], id="nothing to ask"),
        pytest.param(9, 64, [9], id="a few stay together"),
        pytest.param(100, 4, [25] * 4, id="one for each place"),
        pytest.param(1001, 2, [250] * 4 + [1], id="some hundred, so that little is lost"),
    ],
)
def test_chunks_fill_the_places_and_stay_small(count: int, places: int, sizes: list[int]) -> None:
    asks = cast("list[Ask]", list(range(count)))
    found = chunked(asks, places, most=MOST_TOGETHER)
    assert [len(each) for each in found] == sizes
    assert [each for chunk in found for each in chunk] == asks
    assert LEAST_TOGETHER < MOST_TOGETHER

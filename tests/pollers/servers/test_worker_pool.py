"""Many checks at the same time: spread, bounded, none held up by another, ended at once."""

from __future__ import annotations

import heapq
import itertools
import resource
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from queue import Empty

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallyd.core.errors import Stopped
from tallyd.pollers.servers.rounds.worker_pool import PATIENCE_S, TICK_S, Ended, Pace, checked


@dataclass
class Site:
    """Targets that answer so many seconds after they were asked, and a clock that runs only in waits."""

    answers_after_s: Callable[[int], float] = lambda _target: 0.0
    at: float = 1000.0
    begun: dict[int, float] = field(default_factory=dict)
    waits: list[float] = field(default_factory=list)
    most: int = 0
    _asked: list[tuple[float, int, Future[int]]] = field(default_factory=list)

    def begin(self, target: int) -> Future[int]:
        check: Future[int] = Future()
        self.begun[target] = self.at - 1000.0
        heapq.heappush(self._asked, (self.at + self.answers_after_s(target), target, check))
        self.most = max(self.most, len(self._asked))
        return check

    def wait(self, ended: Ended[int], seconds: float) -> tuple[int, Future[int]]:
        if not ended.empty():
            return ended.get_nowait()
        until = self.at + seconds
        if self._asked and self._asked[0][0] <= until:
            at, target, check = heapq.heappop(self._asked)
            self.at = max(self.at, at)
            check.set_result(2 * target)
            return ended.get_nowait()
        self.at = until
        self.waits.append(seconds)
        raise Empty

    def run(
        self,
        count: int,
        *,
        workers: int = 4,
        look: Callable[[], None] = lambda: None,
        **pace: float,
    ) -> dict[int, float]:
        """Return when each check ended, in seconds after the round began."""
        found = {}
        for target, check in checked(
            range(count),
            self.begin,
            Pace(workers, **pace),
            look=look,
            monotonic=lambda: self.at,
            next_ended=self.wait,
        ):
            assert check.result() == 2 * target
            assert target not in found
            found[target] = self.at - 1000.0
        return found


@given(
    count=st.integers(0, 60),
    workers=st.integers(1, 20),
    seconds=st.lists(st.sampled_from([0.0, 0.01, 0.2, 7.0]), min_size=60, max_size=60),
)
def test_each_target_is_checked_once(count: int, workers: int, seconds: list[float]) -> None:
    site = Site(lambda target: seconds[target])
    assert sorted(site.run(count, workers=workers)) == list(range(count))


def test_checks_are_begun_evenly_over_the_spread() -> None:
    site = Site()
    site.run(96, spread_s=48.0)
    assert all(target * 0.5 <= begun <= target * 0.5 + 0.02 for target, begun in site.begun.items())
    assert max(site.waits) <= TICK_S


def test_many_that_are_due_together_are_begun_together() -> None:
    site = Site()
    site.run(10_000, workers=256, spread_s=4.0)
    assert len(site.waits) <= 4.0 / 0.02 + 1


def test_without_a_spread_all_are_begun_at_once() -> None:
    site = Site()
    site.run(1000)
    assert site.at == 1000.0


def test_no_more_are_checked_at_a_time_than_there_are_workers() -> None:
    site = Site(lambda _target: PATIENCE_S / 2)
    site.run(40, workers=3)
    assert site.most == 3


def test_those_that_hang_hold_up_no_other() -> None:
    """Half of ten thousand never answer, and nobody knew: the others are as often checked as ever."""
    site = Site(lambda target: 10.0 if target % 2 else 0.02)
    ended = site.run(10_000, workers=16, spread_s=42.0)
    assert all(ended[target] <= target * 42.0 / 10_000 + 1.0 for target in range(0, 10_000, 2))
    assert max(ended.values()) <= 42.0 + 10.0 + 1.0


def test_where_all_hang_they_are_begun_as_fast_as_workers_allow() -> None:
    site = Site(lambda _target: 10.0)
    site.run(1000, workers=10)
    assert max(site.begun.values()) == pytest.approx(1000 / 10 * PATIENCE_S, rel=0.2)


def test_no_more_are_open_than_files_allow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _what: (64, 64))
    site = Site(lambda _target: 10.0)
    assert len(site.run(100)) == 100
    assert site.most == 32


def test_none_begins_after_the_limit_and_those_that_have_begun_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _what: (2, 2))
    site = Site(lambda _target: 7.0)
    ended = site.run(100, limit_s=60.0)
    assert sorted(ended) == list(range(9))
    assert max(site.begun.values()) < 60.0 < max(ended.values())


def test_what_a_look_raises_ends_the_round() -> None:
    site, looks = Site(lambda _target: 100.0), 0

    def look() -> None:
        nonlocal looks
        looks += 1
        if looks > 3:
            raise Stopped

    with pytest.raises(Stopped):
        site.run(100, workers=1, look=look)
    assert len(site.begun) <= 3


def test_there_is_a_look_in_every_half_second() -> None:
    site, looks = Site(lambda _target: 10.0), list[float]()
    site.run(3, look=lambda: looks.append(site.at))
    assert all(after - before <= TICK_S for before, after in itertools.pairwise(looks))


def test_what_ends_a_check_is_raised_where_its_result_is_asked_for() -> None:
    broken: Future[int] = Future()
    broken.set_exception(ZeroDivisionError())
    for _, check in checked([1], lambda _target: broken, Pace(1), look=lambda: None, monotonic=lambda: 0.0):
        with pytest.raises(ZeroDivisionError):
            check.result()

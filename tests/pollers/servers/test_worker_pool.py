"""Many checks at the same time: spread, bounded, none held up by another, ended at once."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallyd.core.errors import Stopped
from tallyd.pollers.servers.worker_pool import TICK_S, WorkerPool


@dataclass
class Clock:
    """Seconds that pass only where somebody pauses."""

    at: float = 1000.0
    pauses: list[float] = field(default_factory=list)

    def monotonic(self) -> float:
        return self.at

    def pause(self, seconds: float) -> None:
        time.sleep(0.001)  # lets the workers in
        self.pauses.append(seconds)
        self.at += seconds


def pool(
    check: Callable[[int], int],
    clock: Clock,
    *,
    workers: int = 4,
    spread_s: float = 0.0,
    suspects: range = range(0),
    pause: Callable[[float], None] | None = None,
    limit_s: float = math.inf,
) -> WorkerPool[int, int]:
    return WorkerPool(
        check,
        workers=workers,
        spread_s=spread_s,
        is_suspect=lambda target: target in suspects,
        pause=pause or clock.pause,
        limit_s=limit_s,
        monotonic=clock.monotonic,
    )


def double(target: int) -> int:
    return 2 * target


@given(count=st.integers(1, 60), workers=st.integers(1, 20), suspects=st.integers(0, 60))
def test_each_target_is_checked_once(count: int, workers: int, suspects: int) -> None:
    found = pool(double, Clock(), workers=workers, suspects=range(suspects)).run(range(count))
    assert sorted(found) == [(target, 2 * target) for target in range(count)]


def test_checks_are_begun_evenly_over_the_spread() -> None:
    clock, begun = Clock(), dict[int, float]()

    def check(target: int) -> int:
        begun[target] = clock.at - 1000
        return target

    pool(check, clock, spread_s=48.0).run(range(96))

    assert all(begun[target] >= target * 0.5 for target in range(96))
    assert 47.5 <= clock.at - 1000 <= 48.0
    assert max(clock.pauses) <= TICK_S


def test_many_that_are_due_together_are_begun_together() -> None:
    clock = Clock()
    pool(double, clock, spread_s=4.0).run(range(10_000))
    assert len([seconds for seconds in clock.pauses if seconds]) <= 4.0 / 0.02 + 1


def test_without_a_spread_all_are_begun_at_once() -> None:
    clock = Clock()
    pool(double, clock).run(range(1000))
    assert clock.at == 1000.0


def test_no_more_are_checked_at_a_time_than_there_are_workers() -> None:
    lock, running, most = threading.Lock(), 0, 0

    def check(target: int) -> int:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.002)
        with lock:
            running -= 1
        return target

    pool(check, Clock(), workers=3, suspects=range(10)).run(range(40))
    assert most == 3


@pytest.mark.parametrize(
    ("hanging", "suspects"),
    [
        pytest.param(range(1), range(0), id="one that hangs"),
        pytest.param(range(3), range(0), id="all workers but one are held up"),
        pytest.param(range(10), range(10), id="many that hung the last time, too"),
    ],
)
def test_those_that_hang_hold_up_no_other(hanging: range, suspects: range) -> None:
    others_done, left = threading.Event(), set(range(50)) - set(hanging)

    def check(target: int) -> int:
        if target in hanging:
            assert others_done.wait(20), "the others had to wait"
        else:
            left.discard(target)
            if not left:
                others_done.set()
        return target

    found = pool(check, Clock(), workers=4, suspects=suspects).run(range(50))
    assert len(found) == 50


@pytest.mark.parametrize(
    "suspects",
    [
        pytest.param(range(0), id="nobody knew"),
        pytest.param(range(100), id="they hung the last time, too"),
    ],
)
def test_where_all_hang_the_round_ends_in_time_and_the_first_were_checked(
    suspects: range,
) -> None:
    clock = Clock()

    def check(target: int) -> int:
        clock.at += 7.0
        return target

    found = pool(check, clock, workers=1, suspects=suspects, limit_s=60.0, pause=lambda _: None)
    assert {target for target, _ in found.run(range(100))} == set(range(9))


@pytest.mark.parametrize(("workers", "most"), [(1, 0), (2, 1), (4, 1), (16, 4)])
def test_those_that_hung_the_last_time_have_a_quarter_of_the_workers(workers: int, most: int) -> None:
    others_done, left, hanging = threading.Event(), set(range(100, 150)), list[int]()

    def check(target: int) -> int:
        if target < 100:
            if len(left) > workers:  # some are not begun yet
                hanging.append(target)
            assert others_done.wait(20)
        else:
            left.discard(target)
            if not left:
                others_done.set()
        return target

    pool(check, Clock(), workers=workers, suspects=range(100)).run(range(150))
    assert len(hanging) <= most


def test_what_ends_the_pause_ends_the_round() -> None:
    checked: list[int] = []

    def check(target: int) -> int:
        checked.append(target)
        return target

    def stop(_seconds: float) -> None:
        raise Stopped

    clock = Clock()
    with pytest.raises(Stopped):
        pool(check, clock, spread_s=10.0, pause=stop).run(range(100))
    assert checked in ([], [0])


def test_an_error_in_a_check_ends_the_round_and_is_raised() -> None:
    checked: list[int] = []

    def check(target: int) -> int:
        checked.append(target)
        if target == 7:
            raise ZeroDivisionError
        time.sleep(0.001)
        return target

    with pytest.raises(ZeroDivisionError):
        pool(check, Clock(), spread_s=1000.0).run(range(10_000))
    assert len(checked) < 1000

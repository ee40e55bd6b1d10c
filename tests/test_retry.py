"""The one retry helper: how often, how long, and what is never tried again. Nothing here really sleeps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallyd.core.errors import SourceError, Stopped
from tallyd.retry import Policy, Retrying

DOWN = SourceError("example.org timed out", transient=True)
REFUSED = SourceError("access refused (HTTP 403)", transient=False)


def busy(retry_after_s: float) -> SourceError:
    return SourceError("too many requests", transient=True, retry_after_s=retry_after_s)


@dataclass
class Tries:
    """A source that meets each try with the next of these (the last one for ever), and a clock that waits.

    `try_s` is how long a try takes. `stop_after` is the number of waits after which the shutdown begins.
    """

    meets: list[Exception | str]
    try_s: float = 0.0
    stop_after: int | None = None
    clock_s: float = 1000.0
    tries: int = 0
    waits: list[float] = field(default_factory=list)
    heard: list[tuple[int, str, float]] = field(default_factory=list)

    def __call__(self) -> str:
        self.tries += 1
        self.clock_s += self.try_s
        met = self.meets.pop(0) if len(self.meets) > 1 else self.meets[0]
        if isinstance(met, Exception):
            raise met
        return met

    def wait(self, seconds: float) -> bool:
        self.waits.append(seconds)
        if self.stop_after is not None and len(self.waits) > self.stop_after:
            return True
        self.clock_s += seconds
        return False

    def on_wait(self, tries: int, failure: SourceError, wait_s: float) -> None:
        self.heard.append((tries, failure.text, wait_s))

    def retrying(
        self, policy: Policy | None = None, *, jitter: Callable[[], float] = lambda: 0.0
    ) -> Retrying:
        return Retrying(
            policy=policy or Policy(),
            wait=self.wait,
            on_wait=self.on_wait,
            monotonic=lambda: self.clock_s,
            jitter=jitter,
        )


def test_what_works_at_once_is_not_waited_for() -> None:
    tries = Tries(["an answer"])
    assert tries.retrying()(tries) == "an answer"
    assert (tries.tries, tries.waits) == (1, [])


def test_a_transient_failure_is_tried_again_until_it_works() -> None:
    tries = Tries([DOWN, DOWN, "an answer"])
    assert tries.retrying()(tries) == "an answer"
    assert tries.waits == [15.0, 30.0]
    assert tries.heard == [(1, DOWN.text, 15.0), (2, DOWN.text, 30.0)]


@pytest.mark.parametrize(
    ("attempts", "waits"),
    [
        pytest.param(1, [], id="one"),
        pytest.param(2, [15.0], id="two"),
        pytest.param(5, [15.0, 30.0, 60.0, 120.0], id="five"),
        pytest.param(
            7, [15.0, 30.0, 60.0, 120.0, 180.0, 180.0], id="seven-no-wait-is-longer-than-the-longest"
        ),
    ],
)
def test_after_the_last_attempt_its_failure_is_raised(attempts: int, waits: list[float]) -> None:
    tries = Tries([DOWN])
    with pytest.raises(SourceError) as raised:
        tries.retrying(Policy(attempts=attempts))(tries)
    assert raised.value is DOWN
    assert tries.tries == attempts
    assert tries.waits == waits


def test_the_failure_that_is_raised_is_the_last_one() -> None:
    last = SourceError("connection reset", transient=True)
    tries = Tries([DOWN, last])
    with pytest.raises(SourceError, match="connection reset"):
        tries.retrying(Policy(attempts=2))(tries)


@pytest.mark.parametrize(
    "failure",
    [
        pytest.param(REFUSED, id="refused"),
        pytest.param(
            SourceError("access refused", transient=False, retry_after_s=1.0), id="refused-with-retry-after"
        ),
        pytest.param(ZeroDivisionError(), id="a-bug"),
        pytest.param(Stopped(), id="the-shutdown"),
        pytest.param(TimeoutError(), id="an-error-that-no-adapter-translated"),
    ],
)
def test_what_another_try_would_not_mend_is_never_tried_again(failure: Exception) -> None:
    tries = Tries([failure])
    with pytest.raises(type(failure)) as raised:
        tries.retrying()(tries)
    assert raised.value is failure
    assert (tries.tries, tries.waits) == (1, [])


def test_a_refusal_after_a_transient_failure_ends_it() -> None:
    tries = Tries([DOWN, REFUSED])
    with pytest.raises(SourceError, match="403"):
        tries.retrying()(tries)
    assert tries.tries == 2


TRIES = {
    "quick-failures": (Policy(attempts=99, give_up_after_s=600.0), 0.0, 7, 585.0),
    "each-try-takes-time": (Policy(attempts=99, give_up_after_s=600.0), 30.0, 6, 585.0),
    "shorter-than-the-first-wait": (Policy(attempts=99, give_up_after_s=10.0), 0.0, 1, 0.0),
    "as-long-as-the-first-wait": (Policy(attempts=99, give_up_after_s=15.0), 0.0, 2, 15.0),
    "the-first-try-took-too-long": (Policy(attempts=99, give_up_after_s=60.0), 300.0, 1, 300.0),
}


@pytest.mark.parametrize(("policy", "try_s", "tried", "ends_s"), TRIES.values(), ids=TRIES)
def test_no_try_begins_after_the_total_limit_and_no_wait_is_begun_for_it(
    policy: Policy, try_s: float, tried: int, ends_s: float
) -> None:
    tries = Tries([DOWN], try_s=try_s)
    with pytest.raises(SourceError):
        tries.retrying(policy)(tries)
    assert (tries.tries, tries.clock_s - 1000.0) == (tried, ends_s)


@pytest.mark.parametrize(
    ("asked_s", "wait_s"),
    [
        pytest.param(40.0, 40.0, id="honoured"),
        pytest.param(180.0, 180.0, id="the-longest-wait"),
        pytest.param(5.0, 15.0, id="never-sooner-than-our-own-wait"),
        pytest.param(0.0, 15.0, id="zero"),
        pytest.param(-30.0, 15.0, id="negative"),
    ],
)
def test_retry_after_is_honoured_up_to_the_longest_wait(asked_s: float, wait_s: float) -> None:
    tries = Tries([busy(asked_s), "an answer"])
    assert tries.retrying()(tries) == "an answer"
    assert tries.waits == [wait_s]


@pytest.mark.parametrize(
    "asked_s",
    [
        pytest.param(180.1, id="a-little-more-than-the-longest-wait"),
        pytest.param(3600.0, id="an-hour"),
        pytest.param(366 * 86400.0, id="a-year"),
    ],
)
@pytest.mark.parametrize("before", [[], [DOWN, DOWN]], ids=["first-try", "third-try"])
def test_a_source_that_asks_for_more_than_the_longest_wait_is_not_tried_again(
    asked_s: float, before: list[Exception | str]
) -> None:
    tries = Tries([*before, busy(asked_s), "an answer"])
    with pytest.raises(SourceError, match="too many requests") as raised:
        tries.retrying(Policy(attempts=99, give_up_after_s=1e12))(tries)
    assert raised.value.retry_after_s == asked_s
    assert tries.tries == len(tries.waits) + 1 == len(before) + 1


def test_the_jitter_never_makes_a_wait_shorter_than_the_source_asked_for() -> None:
    tries = Tries([busy(14.0), "an answer"])
    tries.retrying(jitter=lambda: 0.999)(tries)
    assert tries.waits == [14.0]


def test_a_retry_after_past_the_total_limit_gives_up_at_once() -> None:
    tries = Tries([busy(100.0)])
    with pytest.raises(SourceError):
        tries.retrying(Policy(give_up_after_s=60.0))(tries)
    assert (tries.tries, tries.waits) == (1, [])


@given(
    st.integers(1, 100),
    st.floats(0.001, 86400.0),
    st.floats(0.001, 86400.0),
    st.lists(st.floats(0.0, 1.0, exclude_max=True), min_size=100, max_size=100),
)
def test_a_wait_is_the_doubled_one_less_up_to_a_quarter(
    attempts: int, first_s: float, longest_s: float, dice: list[float]
) -> None:
    policy = Policy(attempts=attempts, first_wait_s=first_s, longest_wait_s=longest_s, give_up_after_s=1e12)
    tries, rolls = Tries([DOWN]), iter(dice)
    with pytest.raises(SourceError):
        tries.retrying(policy, jitter=lambda: next(rolls))(tries)
    assert len(tries.waits) == attempts - 1
    for number, wait_s in enumerate(tries.waits):
        full_s = min(first_s * 2**number, longest_s)
        assert 0.75 * full_s <= wait_s <= full_s
    assert all(later >= 0.75 * earlier for earlier, later in pairwise(tries.waits))


def test_even_the_thousandth_wait_can_be_computed() -> None:
    tries = Tries([DOWN])
    with pytest.raises(SourceError):
        tries.retrying(Policy(attempts=1200, give_up_after_s=1e12))(tries)
    assert tries.waits[-1] == 180.0


@pytest.mark.parametrize("stop_after", [0, 1, 3])
def test_a_shutdown_ends_the_wait_and_nothing_is_tried_any_more(stop_after: int) -> None:
    tries = Tries([DOWN], stop_after=stop_after)
    with pytest.raises(Stopped):
        tries.retrying()(tries)
    assert tries.tries == stop_after + 1
    assert len(tries.waits) == stop_after + 1


def test_each_call_has_its_own_attempts_and_its_own_total_limit() -> None:
    tries = Tries([DOWN])
    retrying = tries.retrying(Policy(attempts=3))
    for _ in range(2):
        with pytest.raises(SourceError):
            retrying(tries)
    assert tries.tries == 6
    assert [heard[0] for heard in tries.heard] == [1, 2, 1, 2]

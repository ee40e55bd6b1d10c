"""When tallyd was on: what is a break, and how spans of time are put together."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallyd.core.uptime import is_unbroken, merged

AT = datetime(2026, 11, 20, 7, 0, tzinfo=UTC)
LATER = AT + timedelta(days=1)


def minute(number: int) -> datetime:
    return AT + timedelta(minutes=number)


@pytest.mark.parametrize(
    ("later_s", "expected"),
    [
        pytest.param(60, True, id="the-next-beat"),
        pytest.param(0, True, id="at-once"),
        pytest.param(180, True, id="two-beats-left-out"),
        pytest.param(181, False, id="a-suspend"),
        pytest.param(-1, False, id="the-clock-was-set-back"),
    ],
)
def test_a_long_silence_and_a_step_back_are_breaks(later_s: float, expected: bool) -> None:
    assert is_unbroken(AT, AT + timedelta(seconds=later_s)) == expected


spans = st.tuples(st.integers(-5, 30), st.integers(-5, 30)).map(
    lambda pair: (minute(pair[0]), minute(pair[1]))
)


@given(spans=st.lists(spans), since=st.integers(-5, 30), until=st.integers(-5, 30))
def test_merged_spans_hold_the_same_minutes_in_order_each_once(
    spans: list[tuple[datetime, datetime]], since: int, until: int
) -> None:
    found = merged(spans, minute(since), minute(until), now=LATER)
    ends = [at for span in found for at in span]
    assert ends == sorted(set(ends)), "none is empty, and none touches the next"

    def covers(those: list[tuple[datetime, datetime]], at: datetime) -> bool:
        return any(begin <= at < end for begin, end in those)

    for number in range(-6, 32):
        at = minute(number)
        assert covers(list(found), at) == (since <= number < until and covers(spans, at))


@pytest.mark.parametrize(
    ("now", "since", "until", "expected"),
    [
        pytest.param(12, 0, 60, (0, 12), id="it-goes-on"),
        pytest.param(12, 11, 60, (11, 12), id="a-view-that-begins-after-the-last-beat"),
        pytest.param(12, 0, 11, (0, 11), id="a-view-that-ends-before-now"),
        pytest.param(14, 0, 60, (0, 10), id="it-ended-some-minutes-ago"),
        pytest.param(9, 0, 60, (0, 10), id="the-clock-was-set-back"),
    ],
)
def test_the_time_that_goes_on_reaches_until_now(
    now: int, since: int, until: int, expected: tuple[int, int]
) -> None:
    found = merged([(minute(0), minute(10))], minute(since), minute(until), now=minute(now))
    assert found == ((minute(expected[0]), minute(expected[1])),)

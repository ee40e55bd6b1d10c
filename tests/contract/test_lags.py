"""For how long a state of a server held, split at the hours."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from tallyd.contract.lags import TARGET_STATES, HourCount, held
from tallyd.pollers.servers.freshness import STATES

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def test_hours_have_seconds_of_every_state() -> None:
    assert set(TARGET_STATES) == set(STATES)
    count = HourCount(1, None, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0)
    assert count.seconds == dict(zip(TARGET_STATES, (1.0, 2.0, 3.0, 4.0, 5.0, 6.0), strict=True))
    assert (count.known_s, count.within_limit_s) == (21.0, 3.0)
    assert count + count == HourCount(2, None, 2.0, 4.0, 6.0, 8.0, 10.0, 12.0)


def test_a_state_is_split_where_an_hour_begins() -> None:
    assert list(held("stale", at(50.5), at(125))) == [
        ("2026-11-20 12:00:00", HourCount(0, None, stale_s=570.0)),
        ("2026-11-20 13:00:00", HourCount(0, None, stale_s=3600.0)),
        ("2026-11-20 14:00:00", HourCount(0, None, stale_s=300.0)),
    ]


@given(first=st.integers(0, 10**8), length=st.integers(-(10**6), 10**9), state=st.sampled_from(TARGET_STATES))
def test_nothing_is_lost_and_no_hour_is_longer_than_it_is(first: int, length: int, state: str) -> None:
    since = NOON + timedelta(milliseconds=first)
    found = list(held(state, since, since + timedelta(milliseconds=length)))
    assert abs(sum(count.seconds[state] for _, count in found) - max(0, length) / 1000) < 1e-3
    assert all(0 < count.known_s <= 3600 for _, count in found)
    assert [hour for hour, _ in found] == sorted({hour for hour, _ in found})

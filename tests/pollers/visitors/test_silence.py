"""When a source has gone quiet: from when on its silence counts."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallyd.core.schedule.calendar import Calendar, DateRange
from tallyd.core.schedule.hours import Hours, any_hold
from tallyd.core.schedule.timetable import EVERY_DAY
from tallyd.pollers.visitors.alerts.silence import active_since, silent_since

NOW = datetime(2026, 11, 20, 14, 0, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
FIVE_MIN_S = 300.0


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("last_s", "watched_s", "is_silent"),
    [
        pytest.param(299, 9999, False, id="a file just in time"),
        pytest.param(300, 9999, True, id="exactly as long is too long"),
        pytest.param(9000, 299, False, id="watched for less than that"),
        pytest.param(9000, 300, True, id="watched for as long"),
        pytest.param(None, 299, False, id="never a file, watched for less"),
        pytest.param(None, 300, True, id="never a file"),
        pytest.param(-9000, 9999, False, id="a file of a clock that runs ahead"),
    ],
)
def test_silence_counts_from_the_last_file_but_not_from_before_it_was_watched(
    last_s: float | None, watched_s: float, is_silent: bool
) -> None:
    last_at = None if last_s is None else ago(last_s)
    since = silent_since(last_at, now=NOW, watched_since=ago(watched_s), after_s=FIVE_MIN_S)
    assert since == (ago(min(watched_s, last_s or watched_s)) if is_silent else None)


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN).astimezone(UTC)


DAY = Hours(EVERY_DAY, time(9), time(18))
NIGHT = Hours(EVERY_DAY, time(20), time(4))
WEEKDAYS = Hours(frozenset(range(5)), time(9), time(18))
WORKS = Calendar("works", frozenset(range(5)), closed=(DateRange(date(2026, 11, 23), date(2026, 11, 24)),))
ALWAYS = Hours(EVERY_DAY, time(0), time(0))


@pytest.mark.parametrize(
    ("hours", "now", "since"),
    [
        pytest.param([DAY], "2026-11-20 08:59:59", None, id="not yet"),
        pytest.param([DAY], "2026-11-20 09:00", "2026-11-20 09:00", id="from now on"),
        pytest.param([DAY], "2026-11-20 17:59", "2026-11-20 09:00", id="to the end"),
        pytest.param([DAY], "2026-11-20 18:00", None, id="over"),
        pytest.param([NIGHT], "2026-11-20 03:59", "2026-11-19 20:00", id="over midnight"),
        pytest.param([NIGHT], "2026-11-20 04:00", None, id="over in the morning"),
        pytest.param([WEEKDAYS], "2026-11-21 12:00", None, id="a Saturday"),
        pytest.param(
            [replace(NIGHT, calendar=WORKS)], "2026-11-21 03:00", "2026-11-20 20:00", id="into a day off"
        ),
        pytest.param([replace(DAY, calendar=WORKS)], "2026-11-23 12:00", None, id="a day off"),
        pytest.param([DAY, NIGHT], "2026-11-20 19:00", None, id="between two"),
        pytest.param(
            [Hours(EVERY_DAY, time(9), time(12)), Hours(EVERY_DAY, time(12), time(18))],
            "2026-11-20 13:00",
            "2026-11-20 09:00",
            id="two that touch are one",
        ),
        pytest.param([DAY], "2026-03-29 10:00", "2026-03-29 09:00", id="after clocks were put forward"),
        pytest.param([NIGHT], "2026-10-25 03:30", "2026-10-24 20:00", id="after clocks were put back"),
    ],
)
def test_the_active_hours_have_begun(hours: list[Hours], now: str, since: str | None) -> None:
    assert active_since(hours, local(now), BERLIN) == (None if since is None else local(since))


@pytest.mark.parametrize("hours", [[], [ALWAYS]], ids=["none", "all day long"])
def test_hours_that_never_end_have_begun_long_ago(hours: list[Hours]) -> None:
    since = active_since(hours, NOW, BERLIN)
    assert since is not None
    assert NOW - since > timedelta(days=7)


@given(
    hours=st.lists(
        st.builds(
            Hours,
            st.frozensets(st.integers(0, 6), min_size=1),
            st.times(timezones=st.none()).map(lambda at: at.replace(second=0, microsecond=0)),
            st.times(timezones=st.none()).map(lambda at: at.replace(second=0, microsecond=0)),
            st.sampled_from([None, WORKS]),
        ),
        min_size=1,
        max_size=3,
    ),
    minutes=st.integers(0, 14 * 24 * 60),
)
def test_they_have_begun_whenever_they_hold(hours: list[Hours], minutes: int) -> None:
    now = NOW + timedelta(minutes=minutes)  # in November: no clock is put anywhere
    since = active_since(hours, now, BERLIN)
    assert (since is not None) == any_hold(hours, now.astimezone(BERLIN))
    if since is not None and now - since < timedelta(days=7):
        assert any_hold(hours, since.astimezone(BERLIN))
        assert not any_hold(hours, (since - timedelta(minutes=1)).astimezone(BERLIN))

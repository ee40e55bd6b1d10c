"""Who is inside: from reset to reset, in every zone, and never fewer than nobody."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from operator import itemgetter
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.past import FakeRecords
from tallyd.contract.passages import Count, read_seen, seen_text
from tallyd.core.schedule.days import day_of, day_span
from tallyd.pollers.visitors.inside import MIDNIGHT, NOBODY, DayCount, Level, Resets, read_day, together
from tallyd.pollers.visitors.report.daily_report import visits_json

BERLIN = ZoneInfo("Europe/Berlin")
ZONES = st.sampled_from(
    [BERLIN, *map(ZoneInfo, ("Australia/Lord_Howe", "America/Havana", "Asia/Kathmandu", "Pacific/Apia"))]
)
TIMES = st.sampled_from([MIDNIGHT, time(0, 30), time(2, 30), time(4), time(23, 59)])


def _seen_within(start: datetime) -> st.SearchStrategy[str]:
    return st.integers(0, 10**7).map(lambda seconds: seen_text(start + timedelta(seconds=seconds)))


EARLY, LATE = _seen_within(datetime(2026, 1, 1, tzinfo=UTC)), _seen_within(datetime(2026, 7, 1, tzinfo=UTC))
COUNTS = st.builds(Count, *[st.integers(0, 1000)] * 3, EARLY, LATE)


@given(counts=st.lists(COUNTS, max_size=6))
def test_sums_do_not_depend_on_the_order(counts: list[Count]) -> None:
    days = [DayCount(count, count.n_in - count.n_out) for count in counts]
    total = together(days)
    assert total == together(reversed([DayCount(), *days]))
    assert total.count.n_in == sum(count.n_in for count in counts)
    assert total.count.first_at == min((count.first_at for count in counts), default="")
    assert total.balance == sum(count.n_in - count.n_out for count in counts)


def test_if_more_leave_than_came_nobody_is_inside_and_the_balance_is_negative() -> None:
    shown = visits_json(DayCount(Count(3, 5, 2, "", ""), balance=-2))
    assert shown == {"in": 3, "out": 5, "inside": 0, "other": 2, "balance": -2}


@pytest.mark.parametrize(
    ("zone", "at", "now", "last", "following"),
    [
        pytest.param(
            "Europe/Berlin", "04:00", "2026-11-20T03:59", "2026-11-19T04:00", "2026-11-20T04:00", id="before"
        ),
        pytest.param(
            "Europe/Berlin", "04:00", "2026-11-20T04:00", "2026-11-20T04:00", "2026-11-21T04:00", id="exactly"
        ),
        pytest.param(
            "Europe/Berlin",
            "02:30",
            "2026-03-29T12:00",
            "2026-03-29T03:30",
            "2026-03-30T02:30",
            id="left out",
        ),
        pytest.param(
            "Europe/Berlin",
            "02:30",
            "2026-10-25T02:45+01:00",
            "2026-10-25T02:30+02:00",
            "2026-10-26T02:30",
            id="comes twice",
        ),
        pytest.param(
            "Pacific/Apia", "04:00", "2011-12-31T12:00", "2011-12-31T04:00", "2012-01-01T04:00", id="no day"
        ),
    ],
)
def test_a_reset_is_the_local_time_of_each_day(
    zone: str, at: str, now: str, last: str, following: str
) -> None:
    local = ZoneInfo(zone)

    def instant(text: str) -> datetime:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=local)).astimezone(UTC)

    resets = Resets(local, time.fromisoformat(at))
    assert (resets.until(instant(now)), resets.after(instant(now))) == (instant(last), instant(following))


@given(
    day=st.dates(date(2011, 12, 20), date(2012, 4, 10)), zone=ZONES, at=TIMES, minutes=st.integers(0, 24 * 60)
)
def test_the_span_holds_its_instant_and_no_reset(day: date, zone: ZoneInfo, at: time, minutes: int) -> None:
    begin, end = day_span(day, zone)
    now = min(begin + timedelta(minutes=minutes), end)
    resets = Resets(zone, at)
    since, until = resets.span(day, now)
    assert since == resets.until(since) < until <= resets.after(since)
    assert until == end or since <= now < until
    if at == MIDNIGHT and begin < end:
        assert (since, until) == (begin, end)


START = datetime(2026, 10, 20, tzinfo=UTC)
PASSED = st.dictionaries(
    st.integers(0, 60 * 24 * 9), st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=30
)


@given(passed=PASSED, zone=ZONES, at=TIMES)
def test_minute_by_minute_it_is_what_is_read_at_once(
    passed: Mapping[int, tuple[int, int]], zone: ZoneInfo, at: time
) -> None:
    rows = [
        ("12", seen := seen_text(START + timedelta(minutes=number)), Count(*ways, 0, seen, seen))
        for number, ways in passed.items()
    ]
    level, resets = Level(Resets(zone, at)), Resets(zone, at)
    for place, (_, minute, count) in enumerate(ordered := sorted(rows, key=itemgetter(1))):
        level.add(minute, count.n_in, count.n_out)
        now = read_seen(minute)
        so_far = FakeRecords(rows=ordered[: place + 1])
        found = together(read_day(so_far, day_of(now, zone), at=now, resets=resets).values())
        assert level.inside == found.inside
        assert found.count != NOBODY

"""Who is inside: from reset to reset, in every zone, and never fewer than nobody."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.past import FakeRecords
from tallyd.contract.corrections import Correction
from tallyd.contract.passages import Count, seen_text
from tallyd.core.schedule.days import day_of, day_span
from tallyd.pollers.visitors.inside import MIDNIGHT, DayCount, Level, Resets, adjustments, read_day, together
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
    assert shown == {"in": 3, "out": 5, "inside": 0, "other": 2, "balance": -2, "corrected": 0}


RESETS = {
    "before": ("Europe/Berlin", "04:00", "2026-11-20T03:59", "2026-11-19T04:00", "2026-11-20T04:00"),
    "exactly": ("Europe/Berlin", "04:00", "2026-11-20T04:00", "2026-11-20T04:00", "2026-11-21T04:00"),
    "left out": ("Europe/Berlin", "02:30", "2026-03-29T12:00", "2026-03-29T03:30", "2026-03-30T02:30"),
    "comes twice": (
        "Europe/Berlin",
        "02:30",
        "2026-10-25T02:45+01:00",
        "2026-10-25T02:30+02:00",
        "2026-10-26T02:30",
    ),
    "no day": ("Pacific/Apia", "04:00", "2011-12-31T12:00", "2011-12-31T04:00", "2012-01-01T04:00"),
}


@pytest.mark.parametrize(("zone", "at", "now", "last", "following"), RESETS.values(), ids=RESETS)
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


CORRECTED = st.dictionaries(st.integers(0, 60 * 24 * 9), st.integers(0, 99), max_size=6)


@given(passed=PASSED, corrected=CORRECTED, zone=ZONES, at=TIMES)
def test_minute_by_minute_it_is_what_is_read_at_once(
    passed: Mapping[int, tuple[int, int]], corrected: Mapping[int, int], zone: ZoneInfo, at: time
) -> None:
    resets = Resets(zone, at)
    instants = [START + timedelta(minutes=number) for number in sorted({*passed, *corrected})]
    rows = [
        (source, seen_text(seen), Count(*ways, 0, seen_text(seen), seen_text(seen)))
        for number, ways in passed.items()
        for source, seen in [("12" if number % 3 else "23", START + timedelta(minutes=number))]
    ]
    said = [correction(START + timedelta(minutes=number), inside) for number, inside in corrected.items()]
    whole = FakeRecords(rows=rows, corrected=said)
    end = START + timedelta(days=10)
    level = Level(resets, [*adjustments(whole, START, end, resets=resets)])
    for now in instants:
        minute = seen_text(now)
        level.go_to(minute)
        for _, _, count in (row for row in rows if row[1] == minute):
            level.add(minute, count.n_in, count.n_out)
        so_far = FakeRecords(
            rows=[row for row in rows if row[1] <= minute],
            corrected=[each for each in said if each.at <= now],
        )
        found = together(read_day(so_far, day_of(now, zone), at=now, resets=resets).values())
        assert level.inside == found.inside


def correction(at: datetime, inside: int, source: str = "12") -> Correction:
    return Correction(source=source, at=at, inside=inside, why="counted", by="anna", noted_at=at)


@given(before=st.integers(0, 50), left=st.integers(0, 60), said=st.integers(0, 50), after=st.integers(0, 9))
def test_after_a_correction_that_many_are_inside_whatever_was_counted_until_then(
    before: int, left: int, said: int, after: int
) -> None:
    def row(at: int, n_in: int, n_out: int) -> tuple[str, str, Count]:
        seen = seen_text(START + timedelta(minutes=at))
        return "12", seen, Count(n_in, n_out, 0, seen, seen)

    rows = [row(0, before, left), row(9, 0, 0), row(10, after, 0)]
    newest = correction(START + timedelta(minutes=10), said)
    first = correction(START + timedelta(minutes=5), 3)
    for corrected in ([newest], [first, newest]):
        records = FakeRecords(rows=rows, corrected=corrected)
        (day,) = read_day(
            records, START.date(), at=START + timedelta(minutes=11), resets=Resets(UTC)
        ).values()
        assert day.inside == said + after
        assert day.corrected == said - (before - left)
        assert (day.count.n_in, day.count.n_out) == (before + after, left)
        assert day.balance == before - left + after


def test_a_correction_ends_with_the_reset() -> None:
    records = FakeRecords(corrected=[correction(datetime(2026, 11, 20, 22, tzinfo=UTC), 40)])
    resets = Resets(UTC, time(4))
    night, morning = datetime(2026, 11, 21, 3, tzinfo=UTC), datetime(2026, 11, 21, 4, tzinfo=UTC)
    assert read_day(records, night.date(), at=night, resets=resets)["12"].inside == 40
    assert read_day(records, night.date(), at=morning, resets=resets) == {}

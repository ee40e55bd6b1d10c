"""States over time, cut into spans: nothing is lost, nothing counts twice, and a gap stays a gap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallyd.core.alerts.incident_states import incident_timeline
from tallyd.core.states import NO_DATA, Level, State, StateSpan, Timeline
from tallyd.core.timeline import (
    Interval,
    Range,
    Trouble,
    borders_between,
    borders_of,
    cut,
    gathered,
    states_of,
)

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 20, 13, 20, tzinfo=UTC)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
FINE, LATE, STALE = State("fine", "fresh"), State("warning", "late"), State("error", "stale")
GONE = State("error", "unreachable")
STATES: Mapping[Level, State] = {"fine": FINE, "warning": LATE, "error": STALE}


def at(minute: float) -> datetime:
    return datetime(2026, 11, 20, tzinfo=UTC) + minute * MINUTE


def span(seconds: Mapping[State, float], length: timedelta = HOUR) -> StateSpan:
    return StateSpan(begin=NOW, end=NOW + length, seconds=seconds)


# -- a span -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "worst", "worst_s", "no_data_s"),
    [
        pytest.param({}, NO_DATA, 3600.0, 3600.0, id="nothing is known"),
        pytest.param({FINE: 3600.0}, FINE, 3600.0, 0.0, id="fine all the time"),
        pytest.param({FINE: 3000.0, LATE: 60.0}, LATE, 60.0, 540.0, id="a warning is worse"),
        pytest.param({LATE: 3000.0, STALE: 1.0}, STALE, 1.0, 599.0, id="an error is worse"),
        pytest.param({STALE: 60.0, GONE: 120.0}, GONE, 120.0, 3420.0, id="of two errors the longer one"),
        pytest.param({STALE: 0.0, FINE: 60.0}, FINE, 60.0, 3540.0, id="a state that did not hold"),
        pytest.param({FINE: 3600.1}, FINE, 3600.1, 0.0, id="no gap is shorter than none"),
    ],
)
def test_a_span_knows_its_worst_state(
    seconds: Mapping[State, float], worst: State, worst_s: float, no_data_s: float
) -> None:
    found = span(seconds)
    assert (found.worst, found.worst_s, found.no_data_s) == (worst, worst_s, no_data_s)


def test_a_timeline_adds_up_its_spans_the_worst_first_and_says_how_much_is_missing() -> None:
    timeline = Timeline((span({FINE: 3600.0}), span({FINE: 1000.0, STALE: 600.0}), span({})))
    assert timeline.amounts == ((STALE, 600.0), (FINE, 4600.0), (NO_DATA, 2000.0 + 3600.0))
    assert timeline.length_s == 3 * 3600.0


# -- borders ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "now", "count", "first"),
    [
        pytest.param("24h", NOW, 24, datetime(2026, 11, 19, 14, tzinfo=UTC), id="a day by the hour"),
        pytest.param("24h", at(780), 24, datetime(2026, 11, 19, 13, tzinfo=UTC), id="at a full hour"),
        pytest.param("7d", NOW, 159, datetime(2026, 11, 13, 23, tzinfo=UTC), id="a week by the hour"),
        pytest.param(
            "30d", NOW, 30, datetime(2026, 10, 21, 22, tzinfo=UTC), id="a month over a clock change"
        ),
        pytest.param("90d", NOW, 90, datetime(2026, 8, 22, 22, tzinfo=UTC), id="a quarter"),
        pytest.param("365d", NOW, 365, datetime(2025, 11, 20, 23, tzinfo=UTC), id="a year"),
    ],
)
def test_a_range_ends_now_and_begins_so_many_hours_or_days_before(
    wanted: Range, now: datetime, count: int, first: datetime
) -> None:
    borders = borders_of(wanted, now=now, zone=BERLIN)
    assert (borders[0], borders[-1], len(borders)) == (first, now, count + 1)
    assert list(borders) == sorted(set(borders))


def test_the_day_on_which_clocks_go_back_has_25_hours() -> None:
    borders = borders_of("30d", now=datetime(2026, 10, 26, 12, tzinfo=UTC), zone=BERLIN)
    lengths = [(end - begin) // HOUR for begin, end in pairwise(borders)]
    assert lengths == [24] * 28 + [25, 13]


def test_midnight_is_the_end_of_the_day_before() -> None:
    borders = borders_of("30d", now=datetime(2026, 11, 19, 23, tzinfo=UTC), zone=BERLIN)
    assert (borders[-2], borders[-1]) == (
        datetime(2026, 11, 18, 23, tzinfo=UTC),
        datetime(2026, 11, 19, 23, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    ("days", "count"),
    [(1, 24), (7, 168), (8, 8), (400, 400), (401, 14), (3660, 121)],
)
def test_other_spans_are_cut_by_hour_by_day_or_by_month(days: int, count: int) -> None:
    since = datetime(2021, 11, 1, tzinfo=UTC)
    borders = borders_between(since, since + timedelta(days=days), UTC)
    assert (borders[0], borders[-1], len(borders) - 1) == (since, since + timedelta(days=days), count)


def test_a_span_that_has_not_begun_has_no_borders() -> None:
    assert borders_between(NOW, NOW, UTC) == borders_between(NOW, NOW - HOUR, UTC) == ()
    assert cut([(NOW, NOW + HOUR, FINE)], ()) == incident_timeline((), (), ()) == Timeline(())


# -- what goes into the spans -------------------------------------------------------------------------------


def test_an_interval_is_cut_at_the_borders_and_beyond_them() -> None:
    timeline = cut([(at(-30), at(70), FINE), (at(110), at(500), STALE)], [at(0), at(60), at(120)])
    assert [each.seconds for each in timeline.spans] == [{FINE: 3600.0}, {FINE: 600.0, STALE: 600.0}]


def test_amounts_count_in_the_span_in_which_they_begin() -> None:
    amounts = [(at(59), {FINE: 60.0}), (at(60), {FINE: 5.0, LATE: 1.0}), (at(61), {FINE: 1.0})]
    timeline = gathered([(at(-1), {FINE: 9.0}), *amounts, (at(120), {FINE: 9.0})], [at(0), at(60), at(120)])
    assert [each.seconds for each in timeline.spans] == [{FINE: 60.0}, {FINE: 6.0, LATE: 1.0}]


@pytest.mark.parametrize(
    ("uptime", "troubles", "found"),
    [
        pytest.param([], [(at(0), at(9), "error")], [], id="off: nobody knows"),
        pytest.param([(at(0), at(9))], [], [(at(0), at(9), FINE)], id="on and no trouble"),
        pytest.param(
            [(at(0), at(9))],
            [(at(2), at(4), "error"), (at(3), at(6), "warning")],
            [
                (at(0), at(2), FINE),
                (at(2), at(3), STALE),
                (at(3), at(4), STALE),
                (at(4), at(6), LATE),
                (at(6), at(9), FINE),
            ],
            id="of two troubles the worse one",
        ),
        pytest.param(
            [(at(0), at(2)), (at(5), at(9))],
            [(at(1), at(6), "warning")],
            [(at(0), at(1), FINE), (at(1), at(2), LATE), (at(5), at(6), LATE), (at(6), at(9), FINE)],
            id="a trouble over a gap",
        ),
        pytest.param([(at(0), at(9))], [(at(5), at(5), "error")], [(at(0), at(9), FINE)], id="of no length"),
    ],
)
def test_the_state_is_that_of_the_worst_trouble_while_tallyd_is_on(
    uptime: Sequence[tuple[datetime, datetime]], troubles: Sequence[Trouble], found: Sequence[Interval]
) -> None:
    assert list(states_of(uptime, troubles, STATES)) == found


minutes = st.integers(0, 400)
pairs = st.tuples(minutes, minutes).map(sorted)


@given(
    on=st.lists(minutes, max_size=8, unique=True),
    troubles=st.lists(st.tuples(pairs, st.sampled_from(["warning", "error"])), max_size=6),
)
def test_minute_by_minute_the_timeline_says_the_same(
    on: list[int], troubles: list[tuple[list[int], Level]]
) -> None:
    ends = sorted(on)[: len(on) // 2 * 2]
    uptime = [(at(begin), at(end)) for begin, end in zip(ends[::2], ends[1::2], strict=True)]
    found = states_of(uptime, [(at(low), at(high), level) for (low, high), level in troubles], STATES)
    borders = [at(30 * number) for number in range(12)]
    timeline = cut(found, borders)
    for place, each in enumerate(timeline.spans):
        wanted: dict[State, float] = {}
        for minute in range(30 * place, 30 * place + 30):
            if not any(begin <= at(minute) < end for begin, end in uptime):
                continue
            levels = {level for (low, high), level in troubles if low <= minute < high}
            state = STALE if "error" in levels else LATE if levels else FINE
            wanted[state] = wanted.get(state, 0.0) + 60.0
        assert each.seconds == wanted

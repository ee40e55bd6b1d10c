"""From the time that a server tells to a state: one table of cases for each step."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallyd.pollers.servers.computed_time import EARLIEST, UnreadableTimeError, has_offset, read_time
from tallyd.pollers.servers.freshness import (
    BY_SERIOUSNESS,
    STATES,
    Limits,
    State,
    check_result_of,
    lag_of,
    state_of,
)

NOW = datetime(2026, 11, 20, 14, 0, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
LIMITS = Limits(450.0, 900.0)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("lag_s", "state"),
    [
        pytest.param(-60.001, "future", id="just too far ahead"),
        pytest.param(-60, "fresh", id="a minute ahead"),
        pytest.param(0, "fresh", id="computed now"),
        pytest.param(450, "fresh", id="exactly late_after"),
        pytest.param(450.001, "late", id="just late"),
        pytest.param(900, "late", id="exactly stale_after"),
        pytest.param(900.001, "stale", id="just stale"),
        pytest.param(1e9, "stale", id="decades old"),
        pytest.param(-1e9, "future", id="decades ahead"),
    ],
)
def test_exactly_at_a_limit_the_better_state_still_holds(lag_s: float, state: State) -> None:
    assert state_of(lag_s, LIMITS) == state


def test_where_both_limits_are_the_same_nothing_is_ever_late() -> None:
    assert [state_of(lag_s, Limits(900, 900)) for lag_s in (900, 901)] == ["fresh", "stale"]


@pytest.mark.parametrize(
    ("skew_s", "lag_s", "state"),
    [
        pytest.param(None, 300, "fresh", id="no Date header"),
        pytest.param(0.9, 300, "fresh", id="clocks agree: Date has whole seconds"),
        pytest.param(-2, 300, "fresh", id="still agree"),
        pytest.param(600, -300, "future", id="our clock is ten minutes ahead: it is computed ahead there"),
        pytest.param(-600, 900, "late", id="our clock is ten minutes behind"),
        pytest.param(-601, 901, "stale", id="a second more"),
        pytest.param(360, -60, "fresh", id="a minute ahead of the clock there"),
        pytest.param(361, -61, "future", id="more than a minute ahead of the clock there"),
    ],
)
def test_the_age_is_by_the_clock_of_the_server(skew_s: float | None, lag_s: float, state: State) -> None:
    result = check_result_of(NOW - timedelta(minutes=5), now=NOW, skew_s=skew_s, limits=LIMITS)
    assert (result.lag_s, result.state, result.skew_s) == (lag_s, state, skew_s)


def test_the_states_are_known_in_two_orders() -> None:
    assert set(STATES) == set(BY_SERIOUSNESS)


# -- reading -------------------------------------------------------------------------------------------------


TIMES = {
    "an offset": ("2026-11-20T14:03:12+01:00", "iso", "2026-11-20T13:03:12"),
    "Z": ("2026-11-20T14:03:12Z", "iso", "2026-11-20T14:03:12"),
    "spaces and small letters": (" 2026-11-20 14:03:12z ", "iso", "2026-11-20T14:03:12"),
    "a fraction": ("2026-11-20T14:03:12.5Z", "iso", "2026-11-20T14:03:12.5"),
    "nanoseconds": ("2026-11-20T14:03:12,123456789Z", "iso", "2026-11-20T14:03:12.123456"),
    "without dashes": ("20261120T140312Z", "iso", "2026-11-20T14:03:12"),
    "UTC": ("2026-11-20 14:03:12 UTC", "iso", "2026-11-20T14:03:12"),
    "GMT": ("2026-11-20T14:03:12 GMT", "iso", "2026-11-20T14:03:12"),
    "offset and zone": ("2026-11-20T14:03:12+01:00[Europe/Berlin]", "iso", "2026-11-20T13:03:12"),
    "Z and its zone": ("2026-11-20T14:03:12Z[UTC]", "iso", "2026-11-20T14:03:12"),
    "a date of HTTP": ("Fri, 20 Nov 2026 14:03:12 GMT", "iso", "2026-11-20T14:03:12"),
    "a date of mail": ("20 Nov 2026 22:03:12 +0800", "iso", "2026-11-20T14:03:12"),
    "a space, an offset": ("2026-11-20 22:03:12 +0800", "iso", "2026-11-20T14:03:12"),
    "an offset, no colon": ("2026-11-20T22:03:12+0800", "iso", "2026-11-20T14:03:12"),
    "a space, Z": ("2026-11-20 14:03:12 Z", "iso", "2026-11-20T14:03:12"),
    "a date of e-mail": ("Fri, 20 Nov 2026 14:03:12 +0100", "iso", "2026-11-20T13:03:12"),
    "offset unknown": ("Fri, 20 Nov 2026 14:03:12 -0000", "iso", "2026-11-20T14:03:12"),
    "the end of a day": ("2026-11-19T24:00:00Z", "iso", "2026-11-20T00:00:00"),
    "the end of a day, short": ("20261119T2400+0100", "iso", "2026-11-19T23:00:00"),
    "the end of a day, local": ("2026-11-20 24:00:00.000", "iso", "2026-11-20T23:00:00"),
    "by weeks": ("2026-W47-5T14:03Z", "iso", "2026-11-20T14:03:00"),
    "none: of the zone, winter": ("2026-11-20T14:03:12", "iso", "2026-11-20T13:03:12"),
    "none: of the zone, summer": ("2026-07-20T14:03:12", "iso", "2026-07-20T12:03:12"),
    "ten years ahead": ("2036-11-20T14:03:12Z", "iso", "2036-11-20T14:03:12"),
    "seconds": (1795183392, "epoch", "2026-11-20T14:03:12"),
    "seconds with a fraction": (1795183392.25, "epoch", "2026-11-20T14:03:12.25"),
    "seconds as text": ("1795183392", "epoch", "2026-11-20T14:03:12"),
    "milliseconds": (1795183392250, "epoch_ms", "2026-11-20T14:03:12.25"),
    "milliseconds as text": ("1795183392250", "epoch_ms", "2026-11-20T14:03:12.25"),
    "a form of strptime": ("20.11.2026 14:03", "%d.%m.%Y %H:%M", "2026-11-20T13:03"),
    "digits as a number": (20261120140312, "%Y%m%d%H%M%S", "2026-11-20T13:03:12"),
    "%z": ("20/Nov/2026:14:03:12 +0200", "%d/%b/%Y:%H:%M:%S %z", "2026-11-20T12:03:12"),
}


@pytest.mark.parametrize(("value", "form", "at"), TIMES.values(), ids=TIMES)
def test_a_time_is_read(value: object, form: str, at: str) -> None:
    assert read_time(value, form, zone=BERLIN, now=NOW) == utc(at)


NO_TIMES: dict[str, tuple[object, str, str]] = {
    "null": (None, "iso", "null"),
    "a boolean": (True, "iso", "true or false"),
    "a number where text is expected": (1795183392, "iso", "a number; set `format`"),
    "a list": ([], "iso", "a list"),
    "an object": ({}, "iso", "an object"),
    "an empty text": ("", "iso", "no time of ISO 8601"),
    "a date alone": ("2026-11-21", "iso", "no time of ISO 8601"),
    "an epoch as text": ("1795183392", "iso", "no time of ISO 8601"),
    "digits": ("20261120140312", "iso", "no time of ISO 8601"),
    "a day there is not": ("2026-02-30T00:00:00Z", "iso", "no time of ISO 8601"),
    "an hour there is not": ("2026-11-20T24:00:01Z", "iso", "no time of ISO 8601"),
    "past the end of a day": ("2026-11-20T24:01:00Z", "iso", "no time of ISO 8601"),
    "the name of a zone": ("2026-11-20T14:03:12 CET", "iso", "no time of ISO 8601"),
    "a zone, no offset": ("2026-11-20T14:03:12[Europe/Berlin]", "iso", "no time"),
    "no such day": ("Fri, 32 Nov 2026 14:03:12 GMT", "iso", "no time of"),
    "a German day": ("Fr, 20 Nov 2026 14:03:12 GMT", "iso", "no time of"),
    "the end of the last day": ("9999-12-31T24:00:00Z", "iso", "of no year"),
    "an absurd offset": ("2026-11-20T14:03:12+25:00", "iso", "no time of ISO 8601"),
    "the first year": ("0001-01-01T00:00:00", "iso", "before the year 2000; perhaps never"),
    "before the first year": ("0001-01-01T00:00:00+14:00", "iso", "before the year 2000"),
    "after the last year": ("9999-12-31T23:59:59-14:00", "iso", "of no year"),
    "last century": ("1999-12-31T23:59:59Z", "iso", "before the year 2000"),
    "never": (0, "epoch", "before the year 2000; perhaps never computed; its"),
    "the last second": ("9999-12-31T23:59:59Z", "iso", "of the year 9999; perhaps never"),
    "below zero": (-1, "epoch", "a negative number"),
    "digits without an end": (10**20, "%Y%m%d%H%M%S", "a number that is too long"),
    "a broken number": (20261120.5, "%Y%m%d", "a number that is too long or broken"),
    "a boolean as a number": (True, "epoch", "true or false"),
    "a word": ("soon", "epoch", "a text"),
    "a number in another form": ("1e9", "epoch", "a text"),
    "a negative text": ("-5", "epoch", "a text"),
    "ms": (1795183392250, "epoch", "of no year that there is; its `format` may be epoch_ms"),
    "seconds as milliseconds": (1795183392, "epoch_ms", "its `format` may be epoch"),
    "a number of 400 digits": (10**400, "epoch", "of no year"),
    "infinite": (float("inf"), "epoch", "of no year"),
    "not a number": (float("nan"), "epoch", "no number of seconds"),
    "another form": ("2026-11-21", "%d.%m.%Y %H:%M", "in the form of `format`"),
    "a fraction as digits": (20.5, "%Y%m%d%H%M%S", "no time in the form of"),
    "negative digits": (-20261120140312, "%Y%m%d%H%M%S", "no time in the form of"),
}


@pytest.mark.parametrize(("value", "form", "fault"), NO_TIMES.values(), ids=NO_TIMES)
def test_what_is_no_time_says_why_and_not_what_it_is(value: object, form: str, fault: str) -> None:
    with pytest.raises(UnreadableTimeError) as caught:
        read_time(value, form, zone=BERLIN, now=NOW)
    assert fault in str(caught.value)
    assert not isinstance(value, str) or len(value) < 3 or value not in str(caught.value)


@pytest.mark.parametrize(
    ("value", "form", "is_said"),
    [
        ("2026-11-20T14:03:12", "iso", False),
        ("2026-11-20T14:03:12Z", "iso", True),
        (1795183392, "epoch", True),
        ("20261120140312", "%Y%m%d%H%M%S", False),
        ("20261120140312+0100", "%Y%m%d%H%M%S%z", True),
    ],
)
def test_whether_a_time_names_its_zone_is_known(value: object, form: str, *, is_said: bool) -> None:
    assert has_offset(value, form) is is_said


# In Berlin clocks are set back on 2026-10-25, 03:00 to 02:00 (01:00 UTC), and forward on 2026-03-29.
FIRST, SECOND = "2026-10-25T00:30:00", "2026-10-25T01:30:00"


@pytest.mark.parametrize(
    ("now", "known", "at"),
    [
        pytest.param("2026-10-25T00:31", None, FIRST, id="the second one is still to come"),
        pytest.param("2026-10-25T01:28:59", None, FIRST, id="more than a minute to come"),
        pytest.param("2026-10-25T01:29", None, SECOND, id="a minute to come: clocks differ"),
        pytest.param("2026-10-25T01:31", None, SECOND, id="both are past: the later"),
        pytest.param("2026-10-27T00:00", None, SECOND, id="both are long past: the later"),
        pytest.param("2026-10-24T12:00", None, FIRST, id="both are to come: the earlier"),
        pytest.param("2026-10-25T01:31", FIRST, FIRST, id="it has been stale since the first"),
        pytest.param("2026-10-25T01:31", SECOND, SECOND, id="it has been stale since the second"),
        pytest.param("2026-10-25T01:31", "2026-10-25T00:29:00", SECOND, id="it is another one than before"),
    ],
)
def test_a_local_time_that_comes_twice_is_read_so_that_it_is_not_ahead(
    now: str, known: str | None, at: str
) -> None:
    before = utc(known) if known else None
    assert read_time("2026-10-25T02:30:00", "iso", zone=BERLIN, now=utc(now), stale_at=before) == utc(at)


@pytest.mark.parametrize(
    ("now", "at"),
    [
        pytest.param("2026-03-29T01:31", "2026-03-29T01:30:00", id="the clock there was not put forward"),
        pytest.param("2026-03-29T00:31", "2026-03-29T00:30:00", id="it was put forward too early"),
    ],
)
def test_a_local_time_that_does_not_exist_is_read_so_that_it_is_not_ahead(now: str, at: str) -> None:
    assert read_time("2026-03-29T02:30:00", "iso", zone=BERLIN, now=utc(now)) == utc(at)


@pytest.mark.parametrize("day", ["2026-10-25", "2026-03-29"])
@pytest.mark.parametrize("lag_min", [0, 5, 20])
def test_over_a_change_of_clocks_a_server_that_goes_on_is_as_old_as_ever(day: str, lag_min: int) -> None:
    """As long as its data is less than an hour old, a local time without a zone is no worse than UTC."""
    at, lag = utc(f"{day}T00:00"), timedelta(minutes=lag_min)
    for now in (at - timedelta(hours=2) + timedelta(minutes=minute) for minute in range(300)):
        written = (now - lag).astimezone(BERLIN).replace(tzinfo=None).isoformat()
        assert lag_of(read_time(written, "iso", zone=BERLIN, now=now), now=now, skew_s=None) == lag_min * 60


def test_over_a_change_of_clocks_stale_data_only_gets_older() -> None:
    stopped, known, ages = "2026-10-25T02:30:00", None, []
    for minute in range(180):
        now = utc(FIRST) + timedelta(minutes=minute)
        known = read_time(stopped, "iso", zone=BERLIN, now=now, stale_at=known)
        ages.append(lag_of(known, now=now, skew_s=None))
    assert ages == [60.0 * minute for minute in range(180)]


instants = st.datetimes(datetime(2000, 1, 2), datetime(2100, 1, 1)).map(lambda at: at.replace(tzinfo=UTC))  # noqa: DTZ001 # the next step makes it aware
SEVERITY: dict[State, int] = {"future": 0, "fresh": 1, "late": 2, "stale": 3}


@given(computed_at=instants, later_s=st.floats(0, 1e9), now=instants, skew_s=st.none() | st.floats(-1e6, 1e6))
def test_newer_data_is_never_in_a_worse_state(
    computed_at: datetime, later_s: float, now: datetime, skew_s: float | None
) -> None:
    older = check_result_of(computed_at, now=now, skew_s=skew_s, limits=LIMITS)
    newer = check_result_of(computed_at + timedelta(seconds=later_s), now=now, skew_s=skew_s, limits=LIMITS)
    assert SEVERITY[newer.state] <= SEVERITY[older.state]


@given(lag_s=st.floats(-1e6, 1e6), limits=st.tuples(st.floats(1, 1e5), st.floats(1, 1e5)))
def test_wider_limits_never_make_a_state_worse(lag_s: float, limits: tuple[float, float]) -> None:
    narrow, wide = sorted(limits)
    before = state_of(lag_s, Limits(narrow / 2, narrow))
    assert SEVERITY[state_of(lag_s, Limits(wide / 2, wide))] <= SEVERITY[before]


@given(at=instants, zone=st.sampled_from(["Europe/Berlin", "America/St_Johns", "Asia/Kolkata", "UTC"]))
def test_every_form_reads_back_what_it_wrote(at: datetime, zone: str) -> None:
    at = at.replace(microsecond=at.microsecond // 1000 * 1000)
    there = ZoneInfo(zone)
    local = at.astimezone(there)
    written: list[tuple[object, str]] = [
        (local.isoformat(), "iso"),
        (at.isoformat().replace("+00:00", "Z"), "iso"),
        (round(at.timestamp() * 1000), "epoch_ms"),
        (f"{at.timestamp():.3f}", "epoch"),
        (local.strftime("%d.%m.%Y %H:%M:%S.%f %z"), "%d.%m.%Y %H:%M:%S.%f %z"),
    ]
    for value, form in written:
        assert abs(read_time(value, form, zone=there, now=NOW) - at) < timedelta(milliseconds=1)


@given(value=st.recursive(st.none() | st.booleans() | st.floats() | st.integers() | st.text(), st.lists))
@pytest.mark.parametrize("form", ["iso", "epoch", "epoch_ms", "%Y%m%d%H%M%S"])
def test_any_value_is_a_time_or_is_refused(value: object, form: str) -> None:
    found, fault = NOW, ""
    try:
        found = read_time(value, form, zone=BERLIN, now=NOW)
    except UnreadableTimeError as error:
        fault = str(error)
    assert fault == "" or fault.startswith(("a ", "an ", "before ", "no ", "null", "of ", "true "))
    assert found >= EARLIEST
    assert found.tzinfo is UTC

"""Names can be read back, sort as they should, and are never mistaken for others."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from fnmatch import fnmatchcase
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallyd.core.naming import (
    instant_text,
    is_out_name,
    key_segments,
    key_to_copy,
    local_text,
    numbered,
    out_stem,
    pasted_key,
    problem_key,
    read_instant,
)

BERLIN = ZoneInfo("Europe/Berlin")
SEGMENTS = st.lists(st.text(st.characters()), min_size=1, max_size=4)
FROM, TO = datetime(2, 1, 1), datetime(9999, 12, 30)  # noqa: DTZ001 # bounds for zones yet to be drawn
INSTANTS = st.datetimes(FROM, TO, timezones=st.just(UTC) | st.just(BERLIN))
LATELY, LATER = datetime(1971, 1, 1), datetime(2200, 1, 1)  # noqa: DTZ001 # as above
RECENT = st.datetimes(LATELY, LATER, timezones=st.just(UTC))
ZONES = st.sampled_from(["Europe/Berlin", "America/St_Johns", "Asia/Kathmandu", "Pacific/Apia", "UTC"])


@pytest.mark.parametrize(
    ("segments", "key"),
    [
        pytest.param(("divera", "count", "failed"), "divera/count/failed", id="plain"),
        pytest.param(("apps", "PROD / main", "stale"), "apps/PROD %2F main/stale", id="separator"),
        pytest.param(("apps", "100%", "stale"), "apps/100%25/stale", id="the escape itself"),
        pytest.param(("apps", "%2F", "stale"), "apps/%252F/stale", id="what looks escaped"),
        pytest.param(("apps", "a*b?[c]", "stale"), "apps/a%2Ab%3F%5Bc%5D/stale", id="signs of a pattern"),
        pytest.param(("apps", "a\nb", "stale"), "apps/a%0Ab/stale", id="control character"),
        pytest.param(("apps", "Tür 成功", "stale"), "apps/Tür 成功/stale", id="other letters"),
    ],
)
def test_a_segment_of_a_key_keeps_everything_but_what_has_a_meaning(
    segments: tuple[str, ...], key: str
) -> None:
    assert problem_key(*segments) == key
    assert key_segments(key) == segments


@given(segments=SEGMENTS)
def test_a_key_gives_its_segments_back(segments: list[str]) -> None:
    assert key_segments(problem_key(*segments)) == tuple(segments)


@given(segments=SEGMENTS)
def test_a_key_that_was_copied_from_a_message_is_that_key(segments: list[str]) -> None:
    key = problem_key(*segments)
    assert not set(key_to_copy(key)) & set("@#<|\\")
    assert pasted_key(key_to_copy(key)) == pasted_key(key) == key


def test_a_pattern_stays_one() -> None:
    assert pasted_key("apps/%40a*/%2A?/100%/%2fx") == "apps/@a*/%2A?/100%/%2Fx"


@given(one=SEGMENTS, other=SEGMENTS)
def test_two_problems_never_share_a_key(one: list[str], other: list[str]) -> None:
    assert (problem_key(*one) == problem_key(*other)) == (one == other)


@given(segments=SEGMENTS)
def test_a_key_is_a_pattern_that_matches_itself_alone(segments: list[str]) -> None:
    key = problem_key(*segments)
    assert fnmatchcase(key, key)
    assert not fnmatchcase(key + "x", key)


def test_an_out_file_is_named_by_local_time_and_offset() -> None:
    at = datetime(2026, 11, 20, 7, 0, 0, 412000, tzinfo=UTC)
    assert out_stem(at, BERLIN) == "2026-11/2026-11-20T080000+0100"
    assert out_stem(at, timezone(timedelta(hours=-3, minutes=-30))) == "2026-11/2026-11-20T033000-0330"


def test_the_month_of_an_out_file_is_the_local_one() -> None:
    assert out_stem(datetime(2026, 10, 31, 23, 0, tzinfo=UTC), BERLIN) == "2026-11/2026-11-01T000000+0100"


def test_the_two_runs_of_a_repeated_hour_have_two_names() -> None:
    first, second = (datetime(2026, 10, 25, hour, 30, tzinfo=UTC) for hour in (0, 1))
    assert out_stem(first, BERLIN) == "2026-10/2026-10-25T023000+0200"
    assert out_stem(second, BERLIN) == "2026-10/2026-10-25T023000+0100"


@given(at=RECENT, zone=ZONES.map(ZoneInfo), number=st.integers(1, 200))
def test_every_name_that_tallyd_gives_is_known_as_its_own(at: datetime, zone: ZoneInfo, number: int) -> None:
    month, name = numbered(out_stem(at, zone), number).split("/")
    assert is_out_name(month, name)


@given(at=RECENT, zone=ZONES.map(ZoneInfo))
def test_an_out_file_name_can_be_read_back_as_the_instant(at: datetime, zone: ZoneInfo) -> None:
    _month, name = out_stem(at, zone).split("/")
    assert datetime.strptime(name, "%Y-%m-%dT%H%M%S%z") == at.replace(microsecond=0)


@pytest.mark.parametrize(
    ("month", "name"),
    [
        pytest.param("2026-11", "latest.json", id="latest"),
        pytest.param("2026-11", "2026-11-20T080000+0100.json.tmp", id="temporary file"),
        pytest.param("2026-11", "2026-11-20T080000+0100.json\n", id="line break at the end"),
        pytest.param("2026-10", "2026-11-20T080000+0100.json", id="another month"),
        pytest.param("2026-1", "2026-11-20T080000+0100.json", id="no month"),
        pytest.param("notes", "2026-11-20T080000+0100.json", id="a folder of somebody's"),
        pytest.param("2026-11", "2026-11-20T080000.json", id="no offset"),
        pytest.param("2026-11", "2026-11-20T080000+0100-1.json", id="number one is never written"),
        pytest.param("2026-11", "2026-11-20T080000+0100-02.json", id="padded number"),
        pytest.param("2026-11", "2026-11-20T080000+0100 (copy).json", id="a copy"),
        pytest.param(
            "2\u0660\u0662\u0666-11", "2\u0660\u0662\u0666-11-20T080000+0100.json", id="other digits"
        ),
    ],
)
def test_a_file_of_another_name_is_not_tallyds(month: str, name: str) -> None:
    assert not is_out_name(month, name)


@pytest.mark.parametrize(("number", "name"), [(1, "X.json"), (2, "X-2.json"), (10, "X-10.json")])
def test_further_readings_of_one_second_are_numbered(number: int, name: str) -> None:
    assert numbered("X", number) == name


def test_an_instant_is_stored_as_utc_with_microseconds() -> None:
    at = datetime(2026, 11, 20, 8, 0, 0, 412000, tzinfo=BERLIN)
    assert instant_text(at) == "2026-11-20T07:00:00.412000Z"


@given(at=INSTANTS)
def test_a_stored_instant_can_be_read_back(at: datetime) -> None:
    found = read_instant(instant_text(at))
    assert found == at.astimezone(UTC)
    assert found.tzinfo is UTC


@given(one=INSTANTS, other=INSTANTS)
def test_stored_instants_sort_as_instants_do(one: datetime, other: datetime) -> None:
    # In UTC: Python compares two datetimes of one zone by what their clocks show.
    in_order = one.astimezone(UTC) < other.astimezone(UTC)
    assert (instant_text(one) < instant_text(other)) == in_order


@pytest.mark.parametrize(
    "text",
    ["", "2026-11-20", "2026-11-20T07:00:00Z", "2026-11-20T07:00:00.412000", "2026-13-20T07:00:00.412000Z"],
)
def test_another_shape_of_an_instant_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"not an instant|month must be"):
        read_instant(text)


@pytest.mark.parametrize(
    ("microsecond", "text"),
    [
        pytest.param(0, "2026-11-20T08:00:00+01:00", id="whole second"),
        pytest.param(412000, "2026-11-20T08:00:00.412+01:00", id="milliseconds"),
        pytest.param(412999, "2026-11-20T08:00:00.412+01:00", id="cut, not rounded"),
    ],
)
def test_local_time_is_written_with_its_offset(microsecond: int, text: str) -> None:
    assert local_text(datetime(2026, 11, 20, 7, 0, 0, microsecond, tzinfo=UTC), BERLIN) == text

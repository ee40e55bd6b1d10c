"""Times, durations and foreign text as a person reads them."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallyd.core.language.formats import (
    clock,
    comes_twice,
    dated,
    number_text,
    offset_text,
    rounded_share,
    share_text,
    span,
)
from tallyd.core.language.languages import reading_in
from tallyd.core.language.messages import translated
from tallyd.core.texts import first_reasons, listed, shortened, visible

BERLIN = ZoneInfo("Europe/Berlin")
ANY_TEXT = st.text(st.characters())  # lone surrogates as well
SECONDS_OF = {"d": 86400.0, "h": 3600.0, "min": 60.0, "s": 1.0}


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN)


def seconds_in(shown: str) -> float:
    parts = shown.removeprefix("-").split(" ")
    return sum(float(amount) * SECONDS_OF[unit] for amount, unit in zip(parts[::2], parts[1::2], strict=True))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("a\nb\r\tc", r"a\nb\r\tc", id="line breaks"),
        pytest.param("\x1b[31mred", r"\x1b[31mred", id="terminal escape"),
        pytest.param("a\x00b\x7f\x85", r"a\x00b\x7f\x85", id="C0, DEL and C1"),
        pytest.param("a\u2028b\u2029", r"a\u2028b\u2029", id="line and paragraph separator"),
        pytest.param("user\u202etxt.exe", r"user\u202etxt.exe", id="right-to-left override"),
        pytest.param("\u2066x\u2069\u061c\u200f", r"\u2066x\u2069\u061c\u200f", id="bidirectional controls"),
        pytest.param("ad\u200bmin\u00ad\ufeff", r"ad\u200bmin\xad\ufeff", id="zero width"),
        pytest.param("x\U000e0041\U000e007f", r"x\U000e0041\U000e007f", id="tags"),
        pytest.param("\ud83d", r"\ud83d", id="lone surrogate"),
        pytest.param("Grüße, 成功 😀 \\n", "Grüße, 成功 😀 \\n", id="ordinary text"),
    ],
)
def test_what_could_break_a_line_or_disguise_it_is_shown_as_an_escape(text: str, shown: str) -> None:
    assert visible(text) == shown


@given(text=ANY_TEXT)
def test_visible_text_is_one_encodable_line_without_controls(text: str) -> None:
    shown = visible(text)
    shown.encode("utf-8")
    assert len(shown.splitlines()) <= 1
    assert not {unicodedata.category(char) for char in shown} & {"Cc", "Cs", "Zl", "Zp"}
    assert not {unicodedata.bidirectional(char) for char in shown} & {"LRE", "RLE", "LRO", "RLO", "PDF"}
    assert not {unicodedata.bidirectional(char) for char in shown} & {"LRI", "RLI", "FSI", "PDI", "BN"}


@given(text=ANY_TEXT)
def test_visible_text_stays_as_it_is(text: str) -> None:
    assert visible(visible(text)) == visible(text)


@given(text=ANY_TEXT, most=st.integers(1, 50))
def test_shortened_text_is_never_longer_than_asked_for(text: str, most: int) -> None:
    shown = shortened(text, most)
    assert len(shown) <= most
    assert shown == visible(text) or (shown.endswith("…") and visible(text).startswith(shown[:-1]))


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0 s"),
        (0.04, "0 s"),
        (0.4, "0.4 s"),
        (0.96, "0.9 s"),
        (3.0, "3 s"),
        (3.04, "3 s"),
        (9.99, "9.9 s"),
        (10, "10 s"),
        (59.99, "59 s"),
        (60, "1 min"),
        (119, "1 min 59 s"),
        (1020, "17 min"),
        (3600.5, "1 h"),
        (4 * 3600, "4 h"),
        (90061, "1 d 1 h"),
        (86400 * 400, "400 d"),
        (-0.01, "0 s"),
        (-0.5, "-0.5 s"),
        (-61, "-1 min 1 s"),
    ],
)
def test_a_duration_is_shown_in_at_most_two_units(seconds: float, shown: str) -> None:
    assert span(seconds) == shown


@given(seconds=st.floats(0, 1e9))
def test_a_duration_is_cut_and_never_rounded_up(seconds: float) -> None:
    shown = span(seconds)
    assert len(shown.split(" ")) <= 4
    assert seconds_in(shown) <= seconds + 1e-9


@given(tenths=st.integers(0, 99))
def test_tenths_of_a_second_survive(tenths: int) -> None:
    assert seconds_in(span(tenths / 10)) == tenths / 10


@given(seconds=st.integers(1, 10**9))
def test_a_negative_duration_is_shown_like_the_positive_one(seconds: int) -> None:
    assert span(-seconds) == f"-{span(seconds)}"


@pytest.mark.parametrize(
    ("at", "shown"),
    [
        pytest.param("2026-11-20T08:00:00", "08:00", id="today"),
        pytest.param("2026-11-20T08:00:07", "08:00:07", id="today with seconds"),
        pytest.param("2026-11-20T08:00:00.900000", "08:00", id="fractions are left out"),
        pytest.param("2026-11-20T00:00:00", "00:00", id="midnight is today"),
        pytest.param("2026-11-19T23:59:00", "Thu 23:59", id="yesterday"),
        pytest.param("2026-11-14T08:00:00", "Sat 08:00", id="six days ago"),
        pytest.param("2026-11-13T08:00:00", "2026-11-13 08:00", id="a week ago"),
        pytest.param("2026-11-21T08:00:00", "Sat 08:00", id="tomorrow"),
        pytest.param("2026-11-27T08:00:00", "2026-11-27 08:00", id="in a week"),
        pytest.param("2025-11-20T08:00:05", "2025-11-20 08:00:05", id="a year ago"),
    ],
)
def test_an_instant_is_shown_as_short_as_it_is_clear(at: str, shown: str) -> None:
    assert clock(local(at), BERLIN, now=local("2026-11-20T12:00:00")) == shown


@pytest.mark.parametrize(
    ("time", "is_twice", "offset"),
    [
        ("2026-10-25T02:30+02:00", True, "UTC+02:00"),
        ("2026-10-25T02:30+01:00", True, "UTC+01:00"),
        ("2026-10-25T03:30+01:00", False, "UTC+01:00"),
        ("2026-03-29T01:30+01:00", False, "UTC+01:00"),
    ],
)
def test_a_time_that_comes_twice_is_distinguished_by_its_offset(
    time: str, is_twice: bool, offset: str
) -> None:
    at = datetime.fromisoformat(time).astimezone(BERLIN)
    assert (comes_twice(at), offset_text(at)) == (is_twice, offset)
    assert clock(at, BERLIN, now=at) == f"{at:%H:%M}{f' {offset}' if is_twice else ''}"
    assert clock(at, BERLIN, now=at + timedelta(days=20)).endswith(f" {offset}") == is_twice
    assert dated(at, BERLIN) == f"{at:%Y-%m-%d %H:%M}{f' {offset}' if is_twice else ''}"


def test_a_time_that_does_not_exist_does_not_come_twice() -> None:
    assert not comes_twice(local("2026-03-29T02:30"))


def test_today_is_the_day_of_the_zone_not_of_utc() -> None:
    now = datetime(2026, 11, 19, 23, 30, tzinfo=UTC)  # 00:30 of the 20th in Berlin
    assert clock(now - timedelta(minutes=45), BERLIN, now=now) == "Thu 23:45"
    assert clock(now - timedelta(minutes=45), UTC, now=now) == "22:45"


def test_a_weekday_and_time_are_shown_in_the_zone() -> None:
    friday, late = datetime(2026, 11, 20, 7, 0, tzinfo=UTC), datetime(2026, 11, 20, 23, 0, 9, tzinfo=UTC)
    assert clock(friday, BERLIN, now=friday, has_day=True) == "Fri 08:00"
    assert clock(late, BERLIN, now=friday, has_day=True) == "Sat 00:00:09"


@pytest.mark.parametrize(
    ("items", "shown"),
    [
        pytest.param([], "", id="none"),
        pytest.param(["a"], "a", id="one"),
        pytest.param(["a", "b"], "a and b", id="two"),
        pytest.param(["a", "b", "c"], "a, b and c", id="three"),
        pytest.param(list("abcde"), "a, b, c, d and e", id="as many as are shown"),
        pytest.param(list("abcdefg"), "a, b, c, d, e and 2 more", id="too many"),
    ],
)
def test_a_list_reads_as_a_sentence_does(items: list[str], shown: str) -> None:
    assert listed(items) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (12, "12"),
        (12_345_678_901_234, "12345678901234"),
        (12.0, "12"),
        (0.1 + 0.2, "0.3"),
        (1_234_567.5, "1234567.5"),
        (-0.000_031, "-3.1e-05"),
    ],
)
def test_a_number_is_shown_without_the_noise_of_its_last_digits(value: float, shown: str) -> None:
    assert number_text(value) == shown


@pytest.mark.parametrize(
    ("share", "shown"),
    [
        pytest.param(0, "0.00%", id="nothing"),
        pytest.param(0.000_04, "0.01%", id="hardly anything"),
        (0.98057, "98.06%"),
        (2 / 3, "66.67%"),
        (0.29, "29.00%"),
        pytest.param(0.99996, "99.99%", id="nearly all"),
        pytest.param(1, "100.00%", id="all"),
        pytest.param(1 - sum([0.1] * 10), "0.00%", id="nothing, but for what floats lose"),
        pytest.param(sum([0.1] * 10), "100.00%", id="all, but for what floats lose"),
        pytest.param(float("inf"), "inf%", id="what is no share"),
    ],
)
def test_only_all_reads_as_all_and_only_nothing_as_nothing(share: float, shown: str) -> None:
    assert share_text(share) == shown
    assert rounded_share(share) == pytest.approx(float(shown.rstrip("%")) / 100)


@pytest.mark.parametrize(
    ("reasons", "shown"),
    [
        pytest.param("is empty", "ist leer", id="one"),
        pytest.param("is empty; is not UTF-8", "ist leer; ist nicht in UTF-8", id="all fit"),
        pytest.param(
            "is empty; is not UTF-8; is invalid JSON",
            "ist leer; ist nicht in UTF-8; 1 weiterer Grund",
            id="one more",
        ),
        pytest.param(
            "is empty; " + "is not UTF-8; " * 5 + "is empty",
            "ist leer; ist nicht in UTF-8; 5 weitere Gründe",
            id="five more",
        ),
        pytest.param("x" * 40, "x" * 29 + "…", id="one alone is too long"),
    ],
)
def test_what_is_left_of_many_reasons_can_be_translated(reasons: str, shown: str) -> None:
    kept = first_reasons(reasons, 30)
    with reading_in("de"):
        assert translated(kept) == shown

"""Dates, times and numbers in each language. Those in English are in test_texts.py."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from tallyd.core.language.formats import (
    clock,
    dated,
    day_text,
    month_text,
    number_text,
    percent,
    share_text,
    size_text,
    span,
    span_of,
    weekday_text,
)
from tallyd.core.language.languages import Language, reading_in
from tallyd.core.language.messages import tr
from tallyd.core.texts import listed

NOW = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)  # a Friday
EARLIER = datetime(2026, 11, 17, 23, 5, 30, tzinfo=UTC)
LONG_AGO = datetime(2026, 1, 2, 8, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("language", "texts"),
    [
        ("en", ("08:00", "Tue 23:05:30", "2026-01-02 08:00", "2026-11", "Fri")),
        ("de", ("08:00", "Di 23:05:30", "02.01.2026 08:00", "November 2026", "Fr")),
        ("zh-TW", ("08:00", "週二 23:05:30", "2026/1/2 08:00", "2026年11月", "週五")),
    ],
)
def test_instants(language: Language, texts: tuple[str, ...]) -> None:
    with reading_in(language):
        shown = tuple(clock(at, UTC, now=NOW) for at in (NOW, EARLIER, LONG_AGO))
        assert (*shown, month_text(NOW), weekday_text(NOW)) == texts
        assert dated(LONG_AGO, UTC) == texts[2]
        assert day_text(date(2026, 1, 2)) == texts[2].removesuffix(" 08:00")


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "1 d 2 h; 17 min; 0.4 s; 1234567; 1234.5; 98.06%; 83%; 1.5 MB; a, b and c"),
        ("de", "1 Tg. 2 Std.; 17 Min.; 0,4 Sek.; 1.234.567; 1.234,5; 98,06 %; 83 %; 1,5 MB; a, b und c"),
        ("zh-TW", "1 天 2 小時; 17 分鐘; 0.4 秒; 1,234,567; 1,234.5; 98.06%; 83%; 1.5 MB; a、b 和 c"),
    ],
)
def test_amounts(language: Language, text: str) -> None:
    with reading_in(language):
        durations = [span(seconds) for seconds in (26 * 3600, 17 * 60, 0.4)]
        numbers = [number_text(1_234_567), number_text(1234.5), share_text(0.98061), percent(0.83, digits=0)]
        shown = (*durations, *numbers, size_text(1_500_000), listed(["a", "b", "c"]))
        assert "; ".join(shown).replace("\N{NO-BREAK SPACE}", " ") == text


def test_the_full_stop_of_an_abbreviation_ends_the_sentence() -> None:
    with reading_in("de"):
        assert (
            tr("after {lasted}. Then ... {lasted}...", lasted=span(60)) == "after 1 Min. Then ... 1 Min...."
        )
        assert tr("after {lasted}[ ({tries})]. Then", lasted=span(60)) == "after 1 Min. Then"


@pytest.mark.parametrize("seconds", [0, 0.4, 9.9, 10, 59, 61, 3600, 3660, 86400, 90000, -5, -3660])
def test_a_duration_can_be_read_again(seconds: float) -> None:
    assert span_of(span(seconds)) == seconds


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(9.99, "9.9 s"), (10.9, "10 s"), (119.9, "1 min 59 s"), (3605, "1 h"), (-10.9, "-10 s")],
)
def test_a_duration_is_cut_and_has_tenths_only_below_ten_seconds(seconds: float, text: str) -> None:
    assert span(seconds) == text


@pytest.mark.parametrize("text", ["", "4", "s", "4 s later", "host 4 h", "4 h 5"])
def test_other_texts_are_no_duration(text: str) -> None:
    assert span_of(text) is None

"""Values in texts: how each is worded, and that an age is right when it is read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from tallyd.core.alerts.values import Age, At, Several, Span, Value, Wording, several

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 20, 7, 0, tzinfo=UTC)  # a Friday, 08:00 in Berlin
BEFORE = NOW - timedelta(minutes=17)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param("PROD", "PROD", id="name"),
        pytest.param("a\nb", "a\\nb", id="name with a line"),
        pytest.param(0, "0", id="zero"),
        pytest.param(12345, "12,345", id="number"),
        pytest.param(At(NOW), "08:00", id="instant of today"),
        pytest.param(At(NOW - timedelta(days=1)), "Thu 08:00", id="instant of yesterday"),
        pytest.param(At(NOW - timedelta(days=40)), "2026-10-11 09:00", id="instant of long ago"),
        pytest.param(At(NOW, has_day=True), "Fri 08:00", id="instant with its day"),
        pytest.param(At(NOW - timedelta(days=40), has_day=True), "2026-10-11 09:00", id="day of long ago"),
        pytest.param(Age(BEFORE), "17 min", id="age"),
        pytest.param(Age(NOW + timedelta(hours=1)), "0 s", id="age of what is still to come"),
        pytest.param(Span(7200), "2 h", id="duration"),
        pytest.param(Several(("a", "b", At(NOW))), "a, b and 08:00", id="list"),
        pytest.param(Several(("a", "b"), more=3), "a, b and 3 more", id="list with more"),
        pytest.param(Several(()), "", id="empty list"),
    ],
)
def test_each_value_has_its_words(value: Value, text: str) -> None:
    assert Wording(now=NOW, zone=BERLIN).shown(value) == text


def test_an_age_grows_until_it_is_over() -> None:
    later = NOW + timedelta(hours=1)
    assert Wording(now=later, zone=BERLIN).shown(Age(BEFORE)) == "1 h 17 min"
    assert Wording(now=later, zone=BERLIN, ended_at=NOW).shown(Age(BEFORE)) == "17 min"


def test_a_list_is_cut_and_knows_how_many_there_are() -> None:
    assert several("abcdefg") == Several(("a", "b", "c", "d", "e"), more=2)
    assert several("ab") == Several(("a", "b"))
    assert (len(several("abcdefg")), len(several("ab")), len(several(""))) == (7, 2, 0)

"""Calendars: which days are open, in which order their parts count, and what the library does not know."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallyd.core.language.languages import LANGUAGES, reading_in
from tallyd.core.schedule.calendar import Calendar, DateRange, Holidays

WORKDAYS = frozenset(range(5))


def day(text: str) -> date:
    return date.fromisoformat(text)


def only(text: str) -> DateRange:
    return DateRange(day(text), day(text))


WORKS = Calendar(
    "works",
    WORKDAYS,
    Holidays("DE", "BW"),
    closed=(only("2026-12-24"), DateRange(day("2026-12-27"), day("2027-01-01"))),
    open=(only("2026-12-13"), only("2026-12-28"), only("2027-01-06")),
)


@pytest.mark.parametrize(
    ("on", "why"),
    [
        pytest.param("2026-12-11", None, id="a Friday"),
        pytest.param("2026-12-12", "Saturday", id="a Saturday"),
        pytest.param("2026-12-13", None, id="open on a Sunday"),
        pytest.param("2026-12-24", "closed", id="closed"),
        pytest.param("2026-12-25", "Christmas Day", id="a holiday"),
        pytest.param("2026-12-26", "Second Day of Christmas", id="a holiday on a Saturday"),
        pytest.param("2026-12-27", "closed", id="the first day of a range"),
        pytest.param("2026-12-28", None, id="open and closed"),
        pytest.param("2027-01-01", "closed", id="the last day of a range, and a holiday"),
        pytest.param("2027-01-02", "Saturday", id="after a range"),
        pytest.param("2027-01-06", None, id="open on a holiday of the subdivision"),
        pytest.param("2028-01-06", "Epiphany", id="a holiday of the subdivision"),
    ],
)
def test_exceptions_come_before_holidays_and_holidays_before_weekdays(on: str, why: str | None) -> None:
    assert WORKS.why_off(day(on)) == why
    assert WORKS.is_open(day(on)) is (why is None)


def test_a_country_has_only_the_holidays_of_all_its_parts() -> None:
    assert Calendar("all", holidays=Holidays("DE")).is_open(day("2028-01-06"))


def test_names_of_holidays_are_english_in_any_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANGUAGE", "de")
    # A year that no other test asks for, since each year is computed once.
    assert Holidays("DE").on(day("2043-12-25")) == "Christmas Day"


@pytest.mark.parametrize(
    ("country", "on", "names"),
    [
        pytest.param("DE", "2026-12-25", ("Christmas Day", "Erster Weihnachtstag", "Christmas Day"), id="DE"),
        pytest.param("TW", "2026-02-28", ("Peace Memorial Day", "Peace Memorial Day", "和平紀念日"), id="TW"),
    ],
)
def test_a_holiday_has_its_name_in_the_language_of_the_reader_if_the_library_knows_it(
    country: str, on: str, names: tuple[str, str, str]
) -> None:
    shown = []
    for language in LANGUAGES:
        with reading_in(language):
            shown.append(Holidays(country).on(day(on)))
    assert tuple(shown) == names


def test_a_year_that_the_library_does_not_cover_has_no_holidays() -> None:
    sri_lanka = Holidays("LK")
    assert sri_lanka.on(date(sri_lanka.last_year(), 12, 25)) == "Christmas Day"
    assert sri_lanka.on(date(sri_lanka.last_year() + 1, 12, 25)) is None
    assert Holidays("DE").on(date(9999, 12, 25)) is None


def test_exceptions_are_the_days_that_are_not_as_the_weekdays_say() -> None:
    assert list(islice(WORKS.exceptions(day("2026-12-10")), 4)) == [
        (day("2026-12-13"), None),
        (day("2026-12-24"), "closed"),
        (day("2026-12-25"), "Christmas Day"),
        (day("2026-12-29"), "closed"),
    ]
    assert not list(Calendar("weekly", WORKDAYS).exceptions(day("2026-12-10")))


dates = st.dates(date(2026, 1, 1), date(2026, 3, 1))
ranges = st.lists(st.builds(lambda a, b: DateRange(min(a, b), max(a, b)), dates, dates), max_size=3).map(
    tuple
)


@given(days=st.frozensets(st.integers(0, 6)), closed=ranges, opened=ranges, on=dates)
def test_any_day_is_as_counting_single_days_says(
    days: frozenset[int], closed: tuple[DateRange, ...], opened: tuple[DateRange, ...], on: date
) -> None:
    def single(spans: tuple[DateRange, ...]) -> set[date]:
        return {each.first + timedelta(n) for each in spans for n in range((each.last - each.first).days + 1)}

    weekly = {date(2026, 1, 1) + timedelta(n) for n in range(60)}
    weekly = {each for each in weekly if each.weekday() in days}
    expected = on in single(opened) or (on in weekly and on not in single(closed))
    assert Calendar("any", days, None, closed, opened).is_open(on) is expected

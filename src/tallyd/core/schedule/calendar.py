"""Calendars: which days are open, and why the others are off."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache

from tallyd.core.language.languages import Language, language
from tallyd.core.language.messages import mark, tr, translation
from tallyd.core.schedule.timetable import EVERY_DAY

_WEEKDAYS = (
    *(mark("Monday"), mark("Tuesday"), mark("Wednesday"), mark("Thursday")),
    *(mark("Friday"), mark("Saturday"), mark("Sunday")),
)
_DAYS_AHEAD = 2 * 366
NEAR_DAYS = 400
"""A day so far ahead is never looked for: a calendar may have no open day for months, or none at all."""


@dataclass(frozen=True)
class Holidays:
    """The public holidays of a country, or of one of its subdivisions, by their codes in ISO 3166.

    The library `holidays` knows them. Years that it does not cover have none.
    """

    country: str
    subdivision: str | None = None

    def on(self, day: date) -> str | None:
        """Return the name of the holiday; None: the day is none.

        It is English where the library has no name in the reader's language.
        """
        return _of_year(self.country, self.subdivision, day.year, language()).get(day)

    def last_year(self) -> int:
        """Return the last year that the library covers."""
        from holidays import country_holidays  # noqa: PLC0415 # takes 0.2 s, and few configs need it

        return country_holidays(self.country).end_year


@lru_cache(maxsize=256)
def _of_year(country: str, subdivision: str | None, year: int, wanted: Language) -> Mapping[date, str]:
    from holidays import country_holidays  # noqa: PLC0415 # takes 0.2 s, and few configs need it

    # Without a language, the library would use that of the environment.
    spelled = wanted.replace("-", "_")
    known = spelled if spelled in country_holidays(country).supported_languages else "en_US"
    return dict(country_holidays(country, subdivision, years=year, expand=False, language=known))


def days_from(first: date) -> Iterator[date]:
    """Yield `NEAR_DAYS` days."""
    return (first + timedelta(days=ahead) for ahead in range(NEAR_DAYS))


@dataclass(frozen=True)
class DateRange:
    """Days from `first` to `last`, both included."""

    first: date
    last: date

    def __contains__(self, day: date) -> bool:
        return self.first <= day <= self.last


@dataclass(frozen=True)
class Calendar:
    """Days that are open: those of `days` (0 is Monday) that are no holidays.

    `closed` and `open` are exceptions to both. A day in both is open.
    """

    name: str
    days: frozenset[int] = EVERY_DAY
    holidays: Holidays | None = None
    closed: tuple[DateRange, ...] = ()
    open: tuple[DateRange, ...] = ()

    def is_open(self, day: date) -> bool:
        """Whether a local day is open."""
        return self.why_off(day) is None

    def why_off(self, day: date) -> str | None:
        """Return why a day is off, for people: `closed`, its holiday, or its weekday; None: it is open."""
        if any(day in days for days in self.open):
            return None
        if any(day in days for days in self.closed):
            return tr("closed")
        holiday = self.holidays.on(day) if self.holidays else None
        return holiday or (None if day.weekday() in self.days else translation(_WEEKDAYS[day.weekday()]))

    def ever_opens(self, first: date) -> bool:
        """Whether a day is open within `NEAR_DAYS`."""
        return any(map(self.is_open, days_from(first)))

    def exceptions(self, first: date) -> Iterator[tuple[date, str | None]]:
        """Yield each exception to `days` in the next two years, and why it is off; None: it is open."""
        for ahead in range(_DAYS_AHEAD):
            day = first + timedelta(days=ahead)
            why = self.why_off(day)
            if (why is None) != (day.weekday() in self.days):
                yield day, why

"""Settings of calendars: weekdays, public holidays, and single days that are closed or open."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import date
from difflib import get_close_matches
from typing import Annotated

from pydantic import (
    BeforeValidator,
    Field,
    PlainSerializer,
    ValidationError,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)

from tallyd.core.schedule.calendar import Calendar, DateRange, Holidays
from tallyd.core.schedule.timetable import EVERY_DAY
from tallyd.core.texts import shortened
from tallyd.settings.types import Days, Strict, as_tuple, not_at_top, wrong

CALENDAR_NAME = r"^[a-z0-9][a-z0-9_-]*$"
_LONGEST_CODE = 3
_OTHER_NAMES = {"UK": "GB", "Deutschland": "DE", "Österreich": "AT", "Schweiz": "CH"}
"""What people write for a country that the library knows by another name."""
_DATES = re.compile(r"(\d{4}-\d{2}-\d{2})(?:\.\.(\d{4}-\d{2}-\d{2}))?", re.ASCII)


def parse_dates(written: object) -> DateRange:
    """Return the days of `"2026-12-24"` or `"2026-12-27..2027-01-01"`."""
    if isinstance(written, DateRange):
        return written
    if not isinstance(written, str) or not (found := _DATES.fullmatch(written)):
        raise wrong('must be a date such as "2026-12-24", or a range such as "2026-12-27..2027-01-01"')
    first, last = _date(found[1]), _date(found[2] or found[1])
    if last < first:
        raise wrong(f'ends before it begins; write "{last}..{first}"')
    return DateRange(first, last)


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise wrong(f"there is no day {text}") from None


DateRanges = Annotated[
    tuple[
        Annotated[
            DateRange,
            BeforeValidator(parse_dates),
            WithJsonSchema(
                {
                    "type": "string",
                    "pattern": r"^\d{4}-\d{2}-\d{2}(\.\.\d{4}-\d{2}-\d{2})?$",
                    "examples": ["2026-12-24", "2026-12-27..2027-01-01"],
                }
            ),
        ],
        ...,
    ],
    BeforeValidator(as_tuple),
]


class HolidaysSettings(Strict):
    """Public holidays of a country, as the library `holidays` knows them."""

    country: str = Field(description="Code of the country in ISO 3166, such as `DE`.")
    subdivision: str | None = Field(
        None,
        description="Code of the state, province or canton, such as `BW`. Default: only the holidays of the "
        "whole country.",
    )

    @field_validator("country")
    @classmethod
    def _is_country(cls, country: str) -> str:
        from holidays import list_supported_countries  # noqa: PLC0415 # see `Holidays`
        from holidays.registry import COUNTRIES  # noqa: PLC0415 # takes 0.2 s, and few configs need it

        if country not in list_supported_countries(include_aliases=False):
            words = _OTHER_NAMES | {
                word: code
                for name, (_, code, long_code, *_) in COUNTRIES.items()
                for word in (code, long_code, name.replace("_", " ").title())
            }
            first, _, rest = country.partition("-")
            if rest and words.get(first) == first:
                raise wrong(f'has a subdivision in it; write "country": "{first}", "subdivision": "{rest}"')
            raise wrong(f"unknown country; write its code in ISO 3166, such as DE{_near(country, words)}")
        return country

    @field_validator("subdivision")
    @classmethod
    def _is_subdivision(cls, subdivision: str | None, info: ValidationInfo) -> str | None:
        from holidays import country_holidays  # noqa: PLC0415 # see `Holidays`

        country = info.data.get("country")
        if subdivision is None or country is None:
            return subdivision
        known = country_holidays(country)
        if not known.subdivisions:
            raise wrong(f"{country} has no subdivisions with holidays of their own; remove it")
        if subdivision not in known.subdivisions:
            words = {code: code for code in known.subdivisions} | known.subdivisions_aliases
            listed = shortened(", ".join(known.subdivisions), 120)
            raise wrong(
                f"unknown subdivision of {country}{_near(subdivision, words) or f'; it has: {listed}'}"
            )
        return subdivision


def _near(written: str, words: Mapping[str, str]) -> str:
    """Return the codes that somebody may have meant, as the end of a sentence.

    `words` are codes and names, each with its code; the last name of a code is shown beside it. A short word
    is a code: it is only near to itself in other letters.
    """
    codes = {word.casefold(): code for word, code in words.items()}
    names = {code: f" ({word})" for word, code in words.items() if len(word) > _LONGEST_CODE}
    key, cutoff = written.casefold(), 0.75 if len(written) > _LONGEST_CODE else 1.0
    found = [key] if key in codes else get_close_matches(key, codes, cutoff=cutoff)
    near = dict.fromkeys(codes[each] for each in found)
    shown = " or ".join(f'"{code}"{names.get(code, "")}' for code in near)
    return f"; did you mean {shown}?" if shown else ""


class CalendarSettings(Strict):
    """Days that are open. All others are days off."""

    days: Days = Field(EVERY_DAY, description="Weekdays that are open. Default: every day.")
    holidays: HolidaysSettings | None = Field(None, description="Public holidays, which are days off.")
    closed: DateRanges = Field((), description="Further days off: dates, and ranges `FIRST..LAST`.")
    open: DateRanges = Field(
        (),
        description="Days that are open although they are not in `days`, are holidays, or are `closed`: "
        "dates, and ranges `FIRST..LAST`.",
    )

    def named(self, name: str) -> Calendar:
        """Return the calendar."""
        of = self.holidays
        holidays = Holidays(of.country, of.subdivision) if of else None
        return Calendar(name, self.days, holidays, self.closed, self.open)


def calendars_in(written: object) -> dict[str, Calendar]:
    """Return the calendars of `calendars` in a config, by name.

    One that is not valid is open every day. The config is rejected for it, but not for its name as well.
    """
    calendars = written if isinstance(written, dict) else {}
    return {name: _calendar(name, each) for name, each in calendars.items()}


def _calendar(name: str, written: object) -> Calendar:
    try:
        return CalendarSettings.model_validate_json(json.dumps(written)).named(name)
    except ValidationError:
        return Calendar(name)


def _known(written: object, info: ValidationInfo) -> Calendar:
    """Return the calendar of a name. The validation context holds the calendars."""
    if isinstance(written, Calendar):
        return written
    if not isinstance(written, str):
        raise wrong("must be text: the name of a calendar")
    calendars: dict[str, Calendar] = (info.context or {}).get("calendars", {})
    if written not in calendars:
        raise not_at_top("calendar", written, tuple(calendars))
    return calendars[written]


CalendarByName = Annotated[
    Calendar,
    BeforeValidator(_known),
    PlainSerializer(lambda calendar: calendar.name, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": CALENDAR_NAME}),
]
"""A calendar. A config gives its name."""

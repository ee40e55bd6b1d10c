"""Dates, times, numbers, durations and percent as CLDR writes them, for readers of other languages.

English texts do not come here: they are those of the log and of the docs, with ISO 8601 dates and the symbols
of units (`4 h`). So a daemon that speaks English alone never imports Babel, which takes 40 ms and 6 MiB.
"""

from __future__ import annotations

from datetime import date
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from tallyd.core.language.languages import Language

if TYPE_CHECKING:
    from babel import Locale

_UNITS: Final = {"d": "duration-day", "h": "duration-hour", "min": "duration-minute", "s": "duration-second"}

_kept = lru_cache(maxsize=1000)
"""Babel is slow: the ages of 10,000 targets took it seconds, and they are only some hundred amounts."""


@lru_cache
def locale_of(language: Language) -> Locale:
    """Return what CLDR knows of a language."""
    from babel import Locale  # noqa: PLC0415 # see above

    return Locale.parse(language, sep="-")


@_kept
def number(value: float, language: Language, digits: str = "##########") -> str:
    """Return `1.234,5` (German). `digits` follow the decimal mark: `0` always, `#` only if it is needed."""
    from babel.numbers import format_decimal  # noqa: PLC0415 # see above

    return format_decimal(value, format=f"#,##0.{digits}", locale=locale_of(language))


@_kept
def percent(share: float, language: Language, *, digits: int) -> str:
    """Return a share from 0 to 1 as `98,06 %` (German)."""
    from babel.numbers import format_percent  # noqa: PLC0415 # see above

    # Only the separators and the place of the sign differ between languages.
    whole = locale_of(language).percent_formats[None].pattern
    pattern = whole.replace("#,##0", "#,##0." + "0" * digits) if digits else whole
    return format_percent(share, format=pattern, locale=locale_of(language))


@_kept
def amount(value: float, unit: str, language: Language) -> str:
    """Return a number of days (`d`), hours (`h`), minutes (`min`) or seconds (`s`): `17 Min.` (German)."""
    from babel.units import format_unit  # noqa: PLC0415 # see above

    return format_unit(value, _UNITS[unit], length="short", locale=locale_of(language))


@_kept
def day(value: date, language: Language) -> str:
    """Return `20.11.2026` (German), `2026/11/20` (Traditional Chinese)."""
    from babel.dates import format_skeleton  # noqa: PLC0415 # see above

    return format_skeleton("yMMdd", value, locale=locale_of(language))


def month(value: date, language: Language) -> str:
    """Return `November 2026` (German)."""
    from babel.dates import format_skeleton  # noqa: PLC0415 # see above

    return format_skeleton("yMMMM", value, locale=locale_of(language))


def weekday(number: int, language: Language) -> str:
    """Return the short name of a weekday, 0 is Monday: `Fr` (German)."""
    names: str = locale_of(language).days["stand-alone"]["abbreviated"][number]
    return names.removesuffix(".")

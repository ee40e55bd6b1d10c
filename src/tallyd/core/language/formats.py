"""Times, durations and numbers as the reader's language writes them."""

from __future__ import annotations

import math
import re
from datetime import date, datetime, tzinfo

from tallyd.core.language import cldr
from tallyd.core.language.languages import Language, language

_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_NOISE = 1e-9
"""What sums of floats lose: a hundredth of a second in 90 days."""
_UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))
_SPAN_PART = re.compile(r"(\d+(?:\.\d)?) (d|h|min|s)\b")
_SPAN = re.compile(rf"-?{_SPAN_PART.pattern}(?: {_SPAN_PART.pattern})?")


def span(seconds: float, wanted: Language | None = None) -> str:
    """Return a duration with one unit or two neighbouring ones: `4 h`, `1 d 2 h`, `17 min`, `0.4 s`.

    Durations are cut, not rounded: 119 s is `1 min 59 s`, and 3,605 s is `1 h`. Below ten seconds it has
    tenths. `wanted` None: in the reader's language.
    """
    wanted = wanted or language()
    if seconds <= -0.1:
        return "-" + span(-seconds, wanted)
    if seconds < 10:
        return _amount(int(seconds * 10) / 10, "s", wanted)
    rest = int(seconds)
    amounts = []
    for size, unit in _UNITS:
        amount, rest = divmod(rest, size)
        amounts.append((amount, unit))
    first = next(number for number, (amount, _) in enumerate(amounts) if amount)
    return " ".join(_amount(amount, unit, wanted) for amount, unit in amounts[first : first + 2] if amount)


def _amount(value: float, unit: str, wanted: Language) -> str:
    return f"{value:g} {unit}" if wanted == "en" else cldr.amount(value, unit, wanted)


def span_of(text: str) -> float | None:
    """Return the seconds of a duration that `span` wrote in English; None: it is something else."""
    found = _SPAN.fullmatch(text)
    if found is None:
        return None
    sizes = {unit: size for size, unit in _UNITS}
    seconds = sum(float(value) * sizes[unit] for value, unit in _SPAN_PART.findall(text))
    return -seconds if text.startswith("-") else seconds


def size_text(size_bytes: float) -> str:
    """Return a size in bytes as people read it: `812 B`, `1.5 MB` (thousands, one decimal below ten)."""
    size, units = float(size_bytes), iter(("B", "kB", "MB", "GB", "TB"))
    unit = next(units)
    while size >= 1000 and (larger := next(units, None)):
        size, unit = size / 1000, larger
    shown = f"{size:.1f}" if size < 10 and unit != "B" else f"{size:.0f}"
    return f"{shown if language() == 'en' else cldr.number(float(shown), language())} {unit}"


def comes_twice(local: datetime) -> bool:
    """Whether a local time occurs twice, because clocks go back over it (PEP 495)."""
    first, second = (local.replace(fold=fold).utcoffset() for fold in (0, 1))
    return first is not None and second is not None and first > second


def offset_text(local: datetime) -> str:
    """Return `UTC+02:00`."""
    return "UTC" + local.isoformat(timespec="seconds")[len("2026-11-20T08:00:00") :]


def offset_if_twice(local: datetime) -> str:
    """Return ` UTC+02:00` if a local time occurs twice, else nothing."""
    return f" {offset_text(local)}" if comes_twice(local) else ""


def clock(at: datetime, zone: tzinfo, *, now: datetime, has_day: bool = False) -> str:
    """Return an instant as people write it: `08:00` today, `Fri 08:00` this week, else `2026-11-20 08:00`.

    It has seconds if they are not zero, and its offset if it comes twice: `02:30 UTC+02:00`. `has_day`: today
    also has its weekday.
    """
    local, today = at.astimezone(zone), now.astimezone(zone).date()
    if local.date() == today and not has_day:
        return _time(local)
    if abs((local.date() - today).days) < 7:
        return f"{weekday_text(local)} {_time(local)}"
    return dated(at, zone)


def dated(at: datetime, zone: tzinfo) -> str:
    """Return an instant with its date, for who reads it later: `2026-11-20 08:00`. Otherwise as `clock`."""
    local = at.astimezone(zone)
    return f"{day_text(local)} {_time(local)}"


def day_text(day: date) -> str:
    """Return a local date as the reader's language writes it: `2026-11-20`, `20.11.2026`."""
    return f"{day:%Y-%m-%d}" if language() == "en" else cldr.day(day, language())


def month_text(day: date) -> str:
    """Return the month of a date: `2026-11`, `November 2026`."""
    return f"{day:%Y-%m}" if language() == "en" else cldr.month(day, language())


def weekday_text(day: date) -> str:
    """Return the short name of a weekday: `Fri`."""
    # Not strftime: it depends on the locale of the process.
    return _WEEKDAYS[day.weekday()] if language() == "en" else cldr.weekday(day.weekday(), language())


def _time(local: datetime) -> str:
    # 24 hours in every language, as on German and Taiwanese timetables; CLDR has 12 for Taiwan.
    return (f"{local:%H:%M:%S}" if local.second else f"{local:%H:%M}") + offset_if_twice(local)


def number_text(value: float) -> str:
    """Return a number as people read it: a whole one as it is, another with ten digits at most."""
    if language() != "en":
        return cldr.number(value, language())
    return str(value) if isinstance(value, int) else f"{value:.10g}"


def tenths_text(value: float) -> str:
    """Return a number with one digit after the decimal mark: `3.0`, `3,0`."""
    return f"{value:.1f}" if language() == "en" else cldr.number(value, language(), digits="0")


def grouped(count: int) -> str:
    """Return a count with its thousands apart: `1,204`, `1.204`."""
    return f"{count:,}" if language() == "en" else cldr.number(count, language())


def rounded_share(share: float) -> float:
    """Return a share from 0 to 1 with four digits. Only nothing is 0, and only all of it is 1."""
    nearest = round(share, 4)
    return min(max(nearest, 0.0001), 0.9999) if _NOISE < share < 1 - _NOISE else nearest


def share_text(share: float) -> str:
    """Return a share in percent: `98.06%`. Only nothing is `0.00%`, and only all of it is `100.00%`."""
    return percent(rounded_share(share), digits=2)


def percent(share: float, *, digits: int) -> str:
    """Return a number from 0 to 1 in percent, as it is: `98.06%`, `98,06 %`."""
    return f"{share:.{digits}%}" if language() == "en" else cldr.percent(share, language(), digits=digits)


def rounded_bounds(low: float, high: float) -> tuple[float, float]:
    """Return the bounds of a share with four digits, never narrower; those of an exact share stay equal."""
    if low == high:
        return rounded_share(low), rounded_share(high)
    return math.floor(low * 1e4 + _NOISE) / 1e4, math.ceil(high * 1e4 - _NOISE) / 1e4

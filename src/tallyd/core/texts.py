"""Times, durations and foreign text in the form that people read."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from datetime import datetime, tzinfo

# Everything that could break a line, hide text or turn it around: C0, DEL, C1, soft hyphen, line and
# paragraph separators, bidirectional controls, zero-width characters, lone surrogates, the byte order mark,
# tags (a whole invisible alphabet).
UNPRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)
_NOISE = 1e-9
"""What sums of floats lose: a hundredth of a second in 90 days."""
_UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def visible(text: str) -> str:
    r"""Return foreign text on one line, control characters shown as escapes.

    >>> visible("a\nb\x1b[31m")
    'a\\nb\\x1b[31m'
    """
    if text.isascii() and text.isprintable():  # as most texts are; a page has thousands
        return text
    return UNPRINTABLE.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


def shortened(text: str, most: int) -> str:
    """Return visible `text` with at most `most` (1 or more) characters. An ellipsis replaces what was cut."""
    shown = visible(text)
    return shown if len(shown) <= most else shown[: most - 1] + "…"


def span(seconds: float) -> str:
    """Return a duration with one unit or two neighbouring ones: `4 h`, `1 d 2 h`, `17 min`, `0.4 s`.

    Durations are cut, not rounded: 119 s is `1 min 59 s`, and 3,605 s is `1 h`. Below ten seconds it has
    tenths.
    """
    if seconds <= -0.1:
        return "-" + span(-seconds)
    if seconds < 10:
        return f"{int(seconds * 10) / 10:g} s"
    rest = int(seconds)
    amounts = []
    for size, unit in _UNITS:
        amount, rest = divmod(rest, size)
        amounts.append((amount, unit))
    first = next(number for number, (amount, _) in enumerate(amounts) if amount)
    return " ".join(f"{amount} {unit}" for amount, unit in amounts[first : first + 2] if amount)


def size_text(size_bytes: float) -> str:
    """Return a size in bytes as people read it: `812 B`, `1.5 MB` (thousands, one decimal below ten)."""
    size, units = float(size_bytes), iter(("B", "kB", "MB", "GB", "TB"))
    unit = next(units)
    while size >= 1000 and (larger := next(units, None)):
        size, unit = size / 1000, larger
    return f"{size:.1f} {unit}" if size < 10 and unit != "B" else f"{size:.0f} {unit}"


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
        return f"{local:%a} {_time(local)}"
    return dated(at, zone)


def dated(at: datetime, zone: tzinfo) -> str:
    """Return an instant with its date, for who reads it later: `2026-11-20 08:00`. Otherwise as `clock`."""
    local = at.astimezone(zone)
    return f"{local:%Y-%m-%d} {_time(local)}"


def _time(local: datetime) -> str:
    return (f"{local:%H:%M:%S}" if local.second else f"{local:%H:%M}") + offset_if_twice(local)


def listed(items: Sequence[str], *, most: int = 5, more: int = 0) -> str:
    """Return `a, b and c`; after `most` items, how many more there are, including `more` unlisted ones."""
    left = more + max(0, len(items) - most)
    if left:
        return f"{', '.join(items[:most])} and {left} more"
    return f"{', '.join(items[:-1])} and {items[-1]}" if len(items) > 1 else "".join(items)


def number_text(value: float) -> str:
    """Return a number as people read it: a whole one as it is, another with ten digits at most."""
    return str(value) if isinstance(value, int) else f"{value:.10g}"


def rounded_share(share: float) -> float:
    """Return a share from 0 to 1 with four digits. Only nothing is 0, and only all of it is 1."""
    nearest = round(share, 4)
    return min(max(nearest, 0.0001), 0.9999) if _NOISE < share < 1 - _NOISE else nearest


def share_text(share: float) -> str:
    """Return a share in percent: `98.06%`. Only nothing is `0.00%`, and only all of it is `100.00%`."""
    return f"{rounded_share(share):.2%}"


def rounded_bounds(low: float, high: float) -> tuple[float, float]:
    """Return the bounds of a share with four digits, never narrower; those of an exact share stay equal."""
    if low == high:
        return rounded_share(low), rounded_share(high)
    return math.floor(low * 1e4 + _NOISE) / 1e4, math.ceil(high * 1e4 - _NOISE) / 1e4


def bounds_text(low: float, high: float) -> str:
    """Return the bounds of a share in percent: `between 50.63% and 58.80%`, or `98.06%` if it is exact."""
    if low == high:
        return share_text(low)
    return "between {:.2%} and {:.2%}".format(*rounded_bounds(low, high))

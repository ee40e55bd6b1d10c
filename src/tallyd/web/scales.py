"""Where things lie on an axis, and what is written beside it. Places are from 0 to 1."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

MOST_TICKS = 10
_MOST_NARROW = 36
"""So many characters of ticks fit side by side on a phone."""
_SECONDS = (1, 5, 10, 30, 60, 300, 600, 1800, 3600, 10800, 21600, 43200, 86400, 172800, 604800, 1209600)
_MONTHS = (1, 2, 3, 6, 12, 24, 60, 120)
_NAMES = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_EPOCH = datetime.min  # noqa: DTZ901 # local times as they stand on the clock; it is a Monday, as weeks begin


@dataclass(frozen=True)
class Tick:
    """A mark of an axis, from 0 to 1. `is_minor`: where there is little room, it is left out."""

    place: float
    text: str
    is_minor: bool = False


@dataclass(frozen=True)
class Amounts:
    """An axis of numbers that holds 0 and all of them."""

    low: float
    high: float
    step: float

    def place(self, value: float) -> float:
        """Return where a value lies: 0 is the bottom."""
        return (value - self.low) / (self.high - self.low)

    def ticks(self) -> tuple[Tick, ...]:
        count = round((self.high - self.low) / self.step)
        values = [self.low + number * self.step for number in range(count + 1)]
        return tuple(Tick(self.place(value), _number(value, self.step)) for value in values)


def amounts(values: Sequence[float], *, whole: bool, at_most: float | None = None) -> Amounts:
    """Return the axis of values; `whole`: only whole numbers stand beside it. `at_most`: its upper end."""
    high = max([*values, 0.0]) if at_most is None else at_most
    low = min([*values, 0.0])
    rough = max((high - low) / 5, 1e-9)
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(size * factor for factor in (1, 2, 5, 10) if size * factor >= rough * 0.999)
    step = max(step, 1.0) if whole or high == low else step
    return Amounts(math.floor(low / step) * step, max(math.ceil(high / step - 1e-9), 1) * step, step)


def _number(value: float, step: float) -> str:
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    return f"{value:,.{digits}f}"


def category_ticks(names: Sequence[str]) -> tuple[Tick, ...]:
    """Return the ticks of names that lie side by side; of many, every other, third, ..."""
    step = max(1, -(-len(names) // (MOST_TICKS + 2)))
    found = [((number + 0.5) / len(names), name) for number, name in enumerate(names) if number % step == 0]
    return _thinned(found)


def date_ticks(first: datetime, last: datetime, *, least_s: int = 1) -> tuple[Tick, ...]:
    """Return the ticks of a stretch of local time, at round times and `least_s` apart or more."""
    length_s = (last - first).total_seconds()
    steps = (step for step in _SECONDS if step >= least_s and length_s / step <= MOST_TICKS)
    step_s = next(steps, None)
    if step_s is not None:
        moments, text = [*_by_seconds(first, last, step_s)], _clock if step_s < 86400 else _day
        seconds = step_s < 60
        return _thinned(
            [
                ((at - first).total_seconds() / length_s, _seconds(at) if seconds else text(at))
                for at in moments
            ]
        )
    months = next((step for step in _MONTHS if length_s / (step * 2_630_000) <= MOST_TICKS), _MONTHS[-1])
    return _thinned(
        [
            ((at - first).total_seconds() / length_s, f"{at:%Y}" if months >= 12 else f"{at:%Y-%m}")
            for at in _by_months(first, last, months)
        ]
    )


def _by_seconds(first: datetime, last: datetime, step_s: int) -> Iterator[datetime]:
    step = timedelta(seconds=step_s)
    at = _EPOCH + -(-(first - _EPOCH) // step) * step
    while at <= last:
        yield at
        at += step


def _by_months(first: datetime, last: datetime, step: int) -> Iterator[datetime]:
    number = -(-(first.year * 12 + first.month - 1) // step) * step
    while (at := datetime(number // 12, number % 12 + 1, 1)) <= last:  # noqa: DTZ001 # local, as above
        if at >= first:
            yield at
        number += step


def _clock(at: datetime) -> str:
    return f"{at:%H:%M}" if at.hour or at.minute else _day(at)


def _day(at: datetime) -> str:
    return f"{at.day} {_NAMES[at.month - 1]}"


def _seconds(at: datetime) -> str:
    return f"{at:%H:%M:%S}"


def _thinned(found: Sequence[tuple[float, str]]) -> tuple[Tick, ...]:
    step = max(1, -(-sum(len(text) + 1 for _, text in found) // _MOST_NARROW))
    return tuple(Tick(place, text, number % step != 0) for number, (place, text) in enumerate(found))

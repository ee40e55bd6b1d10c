"""Counting people by status: sums, minimum strengths, and counts that are too small to be shown.

`hide_small` and `hide_qualifications` make a reading safe to publish where a count of one or two would
tell who it is. What they promise: for every hidden number from 1 to k-1, at least two are possible, even
for somebody who

- knows this rule, k, and which statuses there are (two or more), and
- holds any number of files, and takes it that between them nobody joined or left and nobody gained or lost
  a qualification, so that all of them add up to the same sums.

Knowing the exact number of all people does not help either, nor does knowing how many have a qualification,
as long as two statuses with people are shown (otherwise that number itself is the count).

What they do not promise: anything against somebody who knows more than sums, such as who changed status
between two readings, or who takes it that few people did: where readings are close in time, most small counts
can be guessed then, and some be known for sure. Nor anything against whoever has the same counts from
elsewhere, from a second poller or from before they were hidden. Which counts are hidden can be seen, and says
that they are small or stand in for a small one. And `shortages` looks at the true numbers: its one bit for
each minimum, next to counts that are shown, can narrow a hidden one down to a single number. Whoever
configures both wants that bit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

NO_STATUS = "none"
"""The key under which people without a status are counted."""


@dataclass(frozen=True)
class Minimum:
    """At least `count` people are wanted on `statuses` together."""

    statuses: tuple[str, ...]
    count: int


@dataclass(frozen=True)
class Shortage:
    """Only `found` people where `minimum` wants more."""

    minimum: Minimum
    found: int


def count_statuses(ids: Iterable[str]) -> dict[str, int]:
    """Return how often each status id occurs, ordered as `in_order` does. Rows are never merged."""
    return in_order(Counter(ids))


def in_order(counts: Mapping[str, int]) -> dict[str, int]:
    """Return the counts by ascending id, `none` last. The order never depends on the counts."""
    return dict(sorted(counts.items(), key=lambda item: _place(item[0])))


def shortages(counts: Mapping[str, int], at_least: Iterable[Minimum]) -> tuple[Shortage, ...]:
    """Return the minimums that are not reached, in the order given. A status without a count is nobody."""
    sums = ((minimum, sum(counts.get(status, 0) for status in minimum.statuses)) for minimum in at_least)
    return tuple(Shortage(minimum, found) for minimum, found in sums if found < minimum.count)


def hide_small(counts: Mapping[str, int], k: int) -> dict[str, int | None]:
    """Return the counts with 1 to k-1 as None, and further ones where those could be worked out. k >= 3.

    1. Where nothing is small, everything is shown.
    2. Where all small counts are the same number (one alone is the usual case), the next larger number is
       hidden too, wherever it stands.
    3. Where only zeros would then be left to see, nothing is shown at all: the result is empty. So is what
       `count_statuses` made of nobody.

    Why this holds: which counts are hidden depends on the numbers alone, and among the hidden ones there
    are at least two different numbers. Exchanging those two gives another table with the same sum and the
    very same result. For an empty result, another table with the same sum is empty too: one person more
    here and one less there. (Hiding only one more status whenever a single one is hidden is not enough:
    three ones are found out by whoever knows that they make three. Nor may an empty result still list its
    statuses: where only statuses with people are listed, their number is a lower limit of the sum.)
    """
    if k < 3:
        raise ValueError("below 3, a hidden count could only be 1")
    hidden = {count for count in counts.values() if 0 < count < k}
    if not hidden:
        return dict(counts)
    if len(hidden) == 1:
        hidden.add(min((count for count in counts.values() if count >= k), default=0))
    if all(count in hidden or count == 0 for count in counts.values()):
        return {}
    return {status: None if count in hidden else count for status, count in counts.items()}


def hide_qualifications(
    qualifications: Mapping[str, Mapping[str, int]], *, shown: Mapping[str, int | None], k: int
) -> dict[str, dict[str, int | None] | None]:
    """Return qualification counts by status id that are safe beside `shown`, the result of `hide_small`.

    A hidden status is None as a whole. A qualification is None at every status that is shown with people
    as soon as, at one of them, 1 to k-1 people have it, or 1 to k-1 have not. Hiding the small number
    alone is not enough: how many have a qualification hardly ever changes, so the others would tell it;
    nor is exchanging two numbers as in `hide_small`, since nowhere can more people have a qualification
    than there are. Where statuses are hidden and only one with people is shown, all are None.
    """
    peopled = {status: count for status, count in shown.items() if count}
    hidden = {status for status, count in shown.items() if count is None}
    if hidden and len(peopled) < 2:
        return {status: None for status, count in shown.items() if count != 0}
    rows = {status: qualifications.get(status, {}) for status in peopled}
    secret = {
        qualification
        for qualification in {listed for row in rows.values() for listed in row}
        if any(_tells(row.get(qualification, 0), peopled[status], k) for status, row in rows.items())
    }
    safe: dict[str, dict[str, int | None] | None] = dict.fromkeys(hidden)
    for status, row in rows.items():
        listed = sorted(secret | set(row), key=_place)
        if listed:
            safe[status] = {each: None if each in secret else row[each] for each in listed}
    return dict(sorted(safe.items(), key=lambda item: _place(item[0])))


def _tells(qualified: int, people: int, k: int) -> bool:
    """Whether so few have a qualification, or so few of the `people` there have it not, that it tells who."""
    return 0 < qualified < k or (people != qualified and people - qualified < k)


def _place(name: str) -> tuple[bool, int, str]:
    """Return what sorts ids: by number, `none` last."""
    return name == NO_STATUS, len(name), name

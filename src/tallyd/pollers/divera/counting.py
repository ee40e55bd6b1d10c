"""Counting people by status, and counts that are too small to show.

`hide_small` and `hide_qualifications` make a reading safe to publish when a count of one or two would show
who it is. Their promise: for every hidden number from 1 to k-1, at least two values remain possible, even for
somebody who

- knows this rule, k, and which statuses exist (two or more), and
- has any number of files, and assumes that between them nobody joined or left and nobody gained or lost a
  qualification, so that all files have the same sums.

The exact number of all people does not help either. Nor does the number of people with a qualification, if
two statuses with people are shown (otherwise that number itself is the count).

They promise nothing against somebody who knows more than sums, such as who changed status between two
readings. They promise nothing against somebody who assumes that few people changed: if readings are close in
time, that person can guess most small counts and knows some for sure. They promise nothing against somebody
who has the same counts from a second poller, or from before they were hidden. Readers can see which counts
are hidden, so they know that these are small or stand in for a small one. And a warning of `at_least` uses
the true numbers, those of qualifications too: one bit for each requirement. Beside visible counts, that bit
can leave only one value for a hidden count. A config with both wants that bit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from tallyd.core.history import in_order


def count_statuses(ids: Iterable[str]) -> dict[str, int]:
    """Return how often each status id occurs, in the order of `in_order`. Rows are never merged."""
    return in_order(Counter(ids))


def hide_small(counts: Mapping[str, int], k: int) -> dict[str, int | None]:
    """Return the counts with 1 to k-1 as None, and others that would reveal those as None, too. k >= 3.

    1. If nothing is small, everything is shown.
    2. If all hidden counts are equal (usually there is just one), the next larger number is hidden too,
       everywhere.
    3. If only zeros would remain visible, nothing is shown: the result is empty. It is also empty for the
       counts of nobody.

    Why this works: only the numbers decide which counts are hidden, and the hidden ones have at least two
    different values. Exchange those two: the other table has the same sum and exactly the same result. For an
    empty result, another table with the same sum is also empty: one person more here and one less there.
    (It is not enough to hide one more status when a single one is hidden: somebody who knows that three
    hidden counts make three knows them all. And an empty result may not list its statuses: if only statuses
    with people are listed, their number is a lower limit of the sum.)
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

    A hidden status is None as a whole. If at one visible status with people 1 to k-1 people have a
    qualification, or 1 to k-1 do not have it, that qualification is None at every such status. It is not
    enough to hide only the small number: the total with a qualification hardly ever changes, so the other
    numbers would reveal it. The exchange of `hide_small` does not work either: a status cannot have more
    qualified people than people. If statuses are hidden and only one with people is visible, all are None.
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
        if listed := {**row, **dict.fromkeys(secret)}:
            safe[status] = in_order(listed)
    return in_order(safe)


def _tells(qualified: int, people: int, k: int) -> bool:
    """Whether so few of `people` have a qualification, or lack it, that the count shows who they are."""
    return 0 < qualified < k or (people != qualified and people - qualified < k)

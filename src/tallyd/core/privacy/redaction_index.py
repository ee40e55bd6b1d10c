"""Which of many texts may stand in another one, in whatever spelling: found at once, whatever their number.

Every way to escape a text leaves its letters and digits as they are. So a run of them, the text's anchor,
stands in every spelling of it; where no anchor stands, nothing else has to be looked for.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

UNRESERVED: Final = re.compile(r"[A-Za-z0-9_.~-]")
"""A character that no escaping changes: what it is in a URL."""
LENGTHS: Final = (8, 4)
"""Of an anchor, in characters. Four stand in other words by chance; they are for what has no more."""

_FEW: Final = 150
"""So many are faster looked for one by one, about a dozen for each secret."""
_AT_A_TIME: Final = 10_000
"""So many characters are looked at together: their pieces need a hundred times their room."""

_RUN: Final = re.compile(rf"{UNRESERVED.pattern}+")


class Anchors:
    """Finds those of a number of things, each of several texts, of which one may stand in a text."""

    __slots__ = ("_by_length", "_without")

    def __init__(self, things: Iterable[Iterable[str]]) -> None:
        self._by_length: dict[int, dict[str, list[int]]] = {length: defaultdict(list) for length in LENGTHS}
        self._without: set[int] = set()
        for number, texts in enumerate(things):
            for text in texts:
                self._add(number, text)

    def _add(self, number: int, text: str) -> None:
        longest = max(_RUN.findall(text), key=len, default="")
        length = next((length for length in LENGTHS if length <= len(longest)), None)
        if length is None:
            self._without.add(number)
            return
        bucket = self._bucket(longest, length)
        if number not in bucket:
            bucket.append(number)

    def _bucket(self, run: str, length: int) -> list[int]:
        """Return the numbers at that piece of a run which the fewest others have: many begin alike."""
        buckets = self._by_length[length]
        pieces = [run[at : at + length] for at in range(len(run) - length + 1)]
        rarest = next((piece for piece in pieces if piece not in buckets), None)
        return buckets[rarest or min(pieces, key=lambda piece: len(buckets[piece]))]

    def found_in(self, text: str) -> list[int]:
        """Return the numbers of the things that may stand in `text`, in order; all others do not."""
        found = set(self._without)
        for length, buckets in self._by_length.items():
            for piece in _standing(buckets, text, length):
                found.update(buckets[piece])
        return sorted(found)


def _standing(buckets: Mapping[str, object], text: str, length: int) -> Iterator[str]:
    """Yield those of the pieces, all of one length, that stand in a text; some perhaps twice."""
    if len(buckets) <= _FEW:
        yield from (piece for piece in buckets if piece in text)
        return
    for begin in range(0, len(text) - length + 1, _AT_A_TIME):
        part = text[begin : begin + _AT_A_TIME + length - 1]
        yield from {part[at : at + length] for at in range(len(part) - length + 1)} & buckets.keys()

"""Finds quickly which of many texts may occur in another text, in any spelling.

Every way to escape a text leaves its letters and digits unchanged. So a run of them, the anchor of the text,
occurs in every spelling. If the anchor does not occur, there is no need to search for the text.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

UNRESERVED: Final = re.compile(r"[A-Za-z0-9_.~-]")
"""A character that no escaping changes, as in a URL."""
LENGTHS: Final = (8, 4)
"""Lengths of an anchor in characters. Four may occur in other words by chance; they are for short texts."""

_FEW: Final = 150
"""Up to this many anchors, about a dozen for each secret, a search one by one is faster."""
_AT_A_TIME: Final = 10_000
"""This many characters are searched together; their pieces need a hundred times as much memory."""

_RUN: Final = re.compile(rf"{UNRESERVED.pattern}+")


class Anchors:
    """Holds things, each with several texts. Finds the things of which a text may occur in another text."""

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
        """Return the numbers for the rarest piece of a run, because many texts have the same beginning."""
        buckets = self._by_length[length]
        pieces = [run[at : at + length] for at in range(len(run) - length + 1)]
        rarest = next((piece for piece in pieces if piece not in buckets), None)
        return buckets[rarest or min(pieces, key=lambda piece: len(buckets[piece]))]

    def found_in(self, text: str) -> list[int]:
        """Return the numbers of the things that may occur in `text`, in order; all others do not."""
        found = set(self._without)
        for length, buckets in self._by_length.items():
            for piece in _standing(buckets, text, length):
                found.update(buckets[piece])
        return sorted(found)


def _standing(buckets: Mapping[str, object], text: str, length: int) -> Iterator[str]:
    """Yield the pieces, all of one length, that occur in a text; some perhaps twice."""
    if len(buckets) <= _FEW:
        yield from (piece for piece in buckets if piece in text)
        return
    for begin in range(0, len(text) - length + 1, _AT_A_TIME):
        part = text[begin : begin + _AT_A_TIME + length - 1]
        yield from {part[at : at + length] for at in range(len(part) - length + 1)} & buckets.keys()

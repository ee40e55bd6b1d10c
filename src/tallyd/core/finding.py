r"""Finding personal texts in whatever was written, however it was spelled there.

A text counts as found where it stands as whole words, upper and lower case as in the reply, in any mixture
of plain, JSON-escaped (`\u00fc`, also inside of JSON inside of JSON) and percent-encoded (`%C3%BC`). A
long one counts as found by its first LONGEST characters: what writes texts often cuts them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from unicodedata import normalize

SHORTEST = 4
"""A shorter text is found by chance, anywhere."""
SHORTEST_NUMBER = 6
"""So is a shorter run of digits: a postcode is also a process id, an extension also a year."""
LONGEST = 60

_MOST_BACKSLASHES = 8
_REACH = LONGEST * 2 * (_MOST_BACKSLASHES + len("u00fc"))  # characters of the longest spelling
_BEFORE = 8  # characters before a match that say whether a word begins there
_LETTER = r"[^\W_]"
# What may stand before the first character `.` of a word: no letter, or an escape that only ends in one.
_BEGINS_WORD = (
    rf"(?:(?<!{_LETTER}.)|(?<=%[0-9A-Fa-f]{{2}}.)|(?<=\\[bfnrt].)|(?<=\\u[0-9A-Fa-f]{{4}}.))"
)
_ENDS_WORD = rf"(?!{_LETTER})"
_JSON_SHORT = {"\n": "n", "\r": "r", "\t": "t", "\b": "b", "\f": "f", '"': '"', "/": "/", "\\": "\\"}
_NEVER_ESCAPED = re.compile(r"[A-Za-z0-9._~-]")


@dataclass(frozen=True)
class Personal:
    """A text of the reply and the field it stood in. The text is never shown."""

    field: str
    value: str = field(repr=False)


@dataclass(frozen=True)
class Hit:
    """Where a text was found: line (from 1) and byte (from 0; of UTF-8, surrogates as `surrogateescape`)."""

    personal: Personal
    line: int
    byte: int


def is_searchable(value: str) -> bool:
    """Whether finding a text means anything: long enough, and more than a few digits."""
    return len(value) >= (SHORTEST_NUMBER if value.isdecimal() else SHORTEST)

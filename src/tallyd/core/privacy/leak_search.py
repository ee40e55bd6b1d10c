r"""Finds personal texts in everything that was written, in any spelling.

A text is found as whole words, with upper and lower case as in the reply, in any mixture of plain,
JSON-escaped (`\u00fc`, also inside nested JSON) and percent-encoded (`%C3%BC`) characters. For a long text,
the first LONGEST characters are enough, because programs that write texts often cut them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from unicodedata import normalize

SHORTEST = 4
"""A shorter text occurs by chance anywhere."""
SHORTEST_NUMBER = 6
"""So does a shorter run of digits: a postcode may equal a process id, an extension a year."""
LONGEST = 60

_MOST_BACKSLASHES = 8
_REACH = LONGEST * 2 * (_MOST_BACKSLASHES + len("u00fc"))  # characters of the longest spelling
_BEFORE = 8  # characters to check before a match
_LETTER = r"[^\W_]"
# What may come before the first character `.` of a word: no letter, or an escape that ends in a letter.
_BEGINS_WORD = rf"(?:(?<!{_LETTER}.)|(?<=%[0-9A-Fa-f]{{2}}.)|(?<=\\[bfnrt].)|(?<=\\u[0-9A-Fa-f]{{4}}.))"
_ENDS_WORD = rf"(?!{_LETTER})"
_SHORT_ESCAPES = {"\n": "n", "\r": "r", "\t": "t", "\b": "b", "\f": "f", '"': '"', "/": "/"}
_NEVER_ESCAPED = re.compile(r"[A-Za-z0-9._~-]")


@dataclass(frozen=True)
class Personal:
    """A text about a person, and the field of the reply that contains it. The text is never shown."""

    name: str
    value: str = field(repr=False)


@dataclass(frozen=True)
class Hit:
    """What was found, its line (from 1) and its byte (from 0, in UTF-8)."""

    personal: Personal
    line: int
    byte: int


def is_searchable(value: str) -> bool:
    """Whether it makes sense to search for a text: it is long enough, and more than a few digits."""
    return len(value) >= (SHORTEST_NUMBER if value.isdecimal() else SHORTEST)


class Finder:
    """Finds many texts at once with one regular expression.

    The expression is a tree of the beginnings of the texts, so each character of a log is compared with the
    possible next characters, not with thousands of names. Texts that are not searchable are left out. If two
    texts are equal, the first counts.
    """

    def __init__(self, personal: Iterable[Personal]) -> None:
        each = {one.value: one for one in reversed(tuple(personal)) if is_searchable(one.value)}
        self.personal = tuple(reversed(each.values()))
        self._pattern = _compiled(one.value for one in self.personal)
        self._owners: dict[str, Personal] = {}

    def scan(self, chunks: Iterable[str]) -> Iterator[Hit]:
        """Yield what is found in a text that comes in pieces, wherever it is cut. Keeps one piece in memory.

        Bytes that are not UTF-8 must be decoded with `surrogateescape`.
        """
        if self._pattern is None:
            return
        window = _Window()
        for chunk in chain(chunks, [None]):
            window.text += chunk or ""
            # A match that begins later may be incomplete. The next piece finds it again.
            until = len(window.text) if chunk is None else len(window.text) - _REACH
            for match in self._pattern.finditer(window.text, window.searched):
                if match.start() >= until:
                    break
                window.count_to(match.start())
                yield Hit(self._owner(match), window.line, window.byte)
                window.searched = match.end()
            window.move(max(window.searched, until, 0))

    def masked(self, text: str) -> str:
        """Return a short text in which every find is replaced by `***`."""
        return self._pattern.sub("***", text) if self._pattern else text

    def _owner(self, match: re.Match[str]) -> Personal:
        """Return the text whose spelling was matched; the expression itself does not say."""
        if match[0] not in self._owners:
            self._owners[match[0]] = next(one for one in self.personal if _is_spelled(one.value, match))
        return self._owners[match[0]]


@dataclass
class _Window:
    """The current piece of a text, and how far it was searched and counted.

    `line` and `byte` are those of the character `counted`.
    """

    text: str = ""
    searched: int = 0
    counted: int = 0
    line: int = 1
    byte: int = 0

    def count_to(self, place: int) -> None:
        if place > self.counted:
            passed = self.text[self.counted : place]
            self.line += passed.count("\n")
            self.byte += len(passed.encode("utf-8", "surrogateescape"))
            self.counted = place

    def move(self, searched: int) -> None:
        """Drop what was searched, except the characters to check before a match."""
        cut = max(0, searched - _BEFORE)
        self.count_to(cut)
        self.text = self.text[cut:]
        self.searched, self.counted = searched - cut, self.counted - cut


def excused(personal: Iterable[Personal], own_texts: Iterable[str]) -> frozenset[Personal]:
    """Return the texts that also occur in tallyd's own texts: names of statuses, the config.

    Such a text in a log proves nothing; an example is a town in the name of the time zone.
    """
    own, left = tuple(dict.fromkeys(own_texts)), tuple(personal)
    found: set[Personal] = set()
    while True:
        # Again without what was found: it may contain "Nord", and a scan reports only the longest text.
        finder = Finder(one for one in left if one not in found)
        more = {hit.personal for text in own for hit in finder.scan([text])}
        if not more:
            return frozenset(found)
        found |= more


# -- the expression -----------------------------------------------------------------------------------------

Tree = dict[str, "Tree"]


def _compiled(values: Iterable[str]) -> re.Pattern[str] | None:
    tree: Tree = {}
    for value in values:
        for tokens in _spellings(value):
            node = tree
            for token in tokens:
                node = node.setdefault(token, {})
    return re.compile(_expression(tree), re.DOTALL) if tree else None


def _is_spelled(value: str, match: re.Match[str]) -> bool:
    own = _compiled([value])
    found = own.match(match.string, match.start()) if own else None
    return found is not None and found.end() == match.end()


def _expression(tree: Tree) -> str:
    # The end of a text comes last, so that the longer of two texts with the same beginning is found.
    tokens = sorted(tree, key=lambda token: token in ("", _ENDS_WORD))
    branches = [token + _expression(tree[token]) for token in tokens]
    return branches[0] if len(branches) == 1 else f"(?:{'|'.join(branches)})" if branches else ""


def _spellings(value: str) -> Iterator[list[str]]:
    """Yield the parts of a text as expressions, in order, for each way to spell its beginning.

    The first part is always a single plain character, so that `re` can skip quickly to it.
    """
    for form in dict.fromkeys([value, normalize("NFC", value), normalize("NFD", value)]):
        is_cut = len(form) > LONGEST
        shown = form[:LONGEST]
        begins = _BEGINS_WORD if shown[0].isalnum() else ""
        ends = _ENDS_WORD if shown[-1].isalnum() and not is_cut else ""
        tail = [_any_of(_ways(char)) for char in shown[1:]]
        yield from ([first, begins + rest, *tail, ends] for first, rest in _ways(shown[0]))


def _any_of(ways: list[tuple[str, str]]) -> str:
    if len(ways) == 1:
        return "".join(ways[0])
    return f"(?:{'|'.join(first + rest for first, rest in ways)})"


def _ways(char: str) -> list[tuple[str, str]]:
    """Return the ways to write one character, each as its first character and the rest."""
    ways = [(re.escape(char), "")]
    if _NEVER_ESCAPED.fullmatch(char):
        return ways
    escaped = ["".join(f"u{_hex(unit)}" + _BACKSLASHES for unit in _utf16(char)).removesuffix(_BACKSLASHES)]
    if char in _SHORT_ESCAPES:
        escaped.append(re.escape(_SHORT_ESCAPES[char]))
    if char == "\\":
        escaped.append("")  # each backslash is doubled, once or more
    ways += [(r"\\", rf"\\{{0,{_MOST_BACKSLASHES - 1}}}{way}") for way in escaped]
    percent = "".join(f"%{_hex(f'{byte:02x}')}" for byte in char.encode("utf-8", "surrogatepass"))
    ways.append(("%", percent[1:]))
    if char == " ":
        ways.append((r"\+", ""))
    return ways


_BACKSLASHES = rf"\\{{1,{_MOST_BACKSLASHES}}}"


def _utf16(char: str) -> list[str]:
    digits = char.encode("utf-16-be", "surrogatepass").hex()
    return [digits[place : place + 4] for place in range(0, len(digits), 4)]


def _hex(digits: str) -> str:
    """Return hexadecimal digits, upper or lower case."""
    return "".join(f"[{digit}{digit.upper()}]" if digit.isalpha() else digit for digit in digits)

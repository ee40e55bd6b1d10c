"""The elements of a JSON list that comes in pieces: strict, one after the other, with the reason for a fault.

`typed_records.py` is quicker, and reads most files. Only what it is not sure about comes here. A streaming
parser (ijson with yajl) was tried: it turns a lone surrogate into a question mark, accepts a second key, and
crashes with a hundred thousand opening brackets.
"""

from __future__ import annotations

import codecs
import json
import math
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NoReturn

from tallyd.core.language.messages import english

MOST_CHARS = 1024 * 1024
"""Longest element. A record has about a hundred characters; a longer element would only need memory."""

_Utf8 = codecs.getincrementaldecoder("utf-8")
_SPACE = re.compile("[ \t\r\n]*")
_WORD_AT_END = re.compile(r"[-+.\w]*[ \t\r\n]*\Z")
_NUMBER_AT_END = re.compile(r"[-+.0-9eE]*\Z")
_OPEN_TEXT = "Unterminated string"
_IN_RECORD = english("ends in the middle of a record")
_ODD = re.compile("[\0\ud800-\udfff]")
_ODD_ESCAPE = re.compile(r"\\u(?:[dD][89a-fA-F]|0000)")

# What the text may go on with.
_LIST, _FIRST_OR_END, _ELEMENT, _COMMA_OR_END, _NOTHING = range(5)


class RejectedError(Exception):
    """A file that cannot be ingested. The text is the reason in English, without any value of the file."""


class CutShortError(RejectedError):
    """A file that ends too early. Perhaps its writer has not finished yet."""


def pieces(chunks: Iterable[bytes]) -> Iterator[tuple[bytes, bool]]:
    """Yield a file in pieces, and whether each is the last. Most end after a record.

    A file of one chunk is one piece. A byte order mark is left out. Raises `RejectedError` for UTF-16,
    and for zero bytes, which a machine leaves that loses power.
    """
    left, held = iter(chunks), b""
    while len(held) < 4 and (chunk := next(left, b"")):
        held += chunk  # a mark may come in pieces
    if held.startswith(b"\0\0\0\0"):
        raise RejectedError(english("begins with zero bytes: its content was never written"))
    if held.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in held[:4]:
        raise RejectedError(english("is UTF-16 or UTF-32; it must be UTF-8"))
    held = held.removeprefix(codecs.BOM_UTF8)
    for chunk in left:
        cut = held.rfind(b"},") + 1 or len(held)
        yield held[:cut], False
        held = held[cut:] + chunk
    yield held, True


class Elements:
    """The elements of one list. Give it all pieces, in order.

    Raises `RejectedError` with the reason: another root, invalid JSON, NaN, a key that occurs twice in one
    object, a number with thousands of digits, very deep nesting, a lone surrogate or a NUL in a text, bytes
    that are not UTF-8. Raises `CutShortError` if the list has no end.
    """

    def __init__(self) -> None:
        self._decode = _Utf8().decode
        self._text = ""
        self._next = _LIST

    def as_list(self, piece: bytes, *, is_last: bool) -> bytes:
        """Return the next piece as a list of its own, which is valid only if the piece is whole elements.

        It is empty if an earlier piece ended within an element.
        """
        if self._text or self._next not in (_LIST, _COMMA_OR_END):
            return b""
        if self._next == _COMMA_OR_END:
            if not piece.startswith(b","):
                return b""
            piece = b"[" + piece[1:]
        return piece if is_last else piece + b"]"

    def skip(self) -> None:
        """Note that somebody else has read the next piece, which was whole elements."""
        self._next = _COMMA_OR_END

    def read(self, piece: bytes, *, is_last: bool) -> list[Any]:
        """Return the elements that end in the next piece."""
        try:
            self._text += self._decode(piece, final=is_last)
        except UnicodeDecodeError:
            raise RejectedError(english("is not UTF-8")) from None
        found, at = [], self._skip_space(0)
        while at < len(self._text):
            char = self._text[at]
            if self._next == _ELEMENT or (self._next == _FIRST_OR_END and char != "]"):
                scanned = self._scan(at, is_last=is_last)
                if scanned is None:
                    break
                element, at = scanned
                found.append(element)
                self._next = _COMMA_OR_END
            else:
                self._next = self._after(char)
                at += 1
            at = self._skip_space(at)
        self._text = self._text[at:]
        if is_last and self._next != _NOTHING:
            raise CutShortError(
                english("is empty") if self._next == _LIST else english("ends in the middle of its list")
            )
        return found

    def _after(self, char: str) -> int:
        """Return what may follow a bracket or a comma."""
        if self._next == _LIST:
            if char != "[":
                raise RejectedError(english("is not a JSON list"))
            return _FIRST_OR_END
        if self._next == _NOTHING:
            raise RejectedError(english("continues after the end of its list"))
        if char not in ",]":
            raise RejectedError(english("is invalid JSON: a comma between two records is missing"))
        return _ELEMENT if char == "," else _NOTHING

    def _scan(self, at: int, *, is_last: bool) -> tuple[Any, int] | None:
        """Return the element at a place and where it ends; None: perhaps only its end is missing."""
        text = self._text
        try:
            found, end = _scan(text, at)
        except (StopIteration, json.JSONDecodeError) as error:
            if len(text) - at > MOST_CHARS:
                raise RejectedError(
                    english("is invalid JSON, or contains a record of more than a million characters")
                ) from None
            if is_last:
                raise _at_the_end(text, error) from None
            return None
        except RecursionError:
            raise RejectedError(english("is nested too deeply")) from None
        except ValueError:
            # From int(), for thousands of digits.
            raise RejectedError(english("contains a number that is too long")) from None
        if text[end - 1] not in '}]"' and _NUMBER_AT_END.match(text, end):
            # A number may continue.
            if not is_last:
                return None
            if end < len(text):
                raise CutShortError(_IN_RECORD)
        if _ODD_ESCAPE.search(text, at, end):
            _check_texts(found)
        return found, end

    def _skip_space(self, at: int) -> int:
        found = _SPACE.match(self._text, at)
        return found.end() if found else at


def _at_the_end(text: str, error: StopIteration | json.JSONDecodeError) -> RejectedError:
    # If the scanner stops before the end, the end is not missing, except for a text or a word such as `tru`.
    if isinstance(error, StopIteration):
        is_cut = _WORD_AT_END.match(text, error.value) is not None
    else:
        is_cut = error.msg.startswith(_OPEN_TEXT) or _WORD_AT_END.match(text, error.pos) is not None
    return CutShortError(_IN_RECORD) if is_cut else RejectedError(english("is invalid JSON"))


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise RejectedError(english("contains an object in which a key occurs twice"))
    return found


def _no_constant(_name: str) -> NoReturn:
    raise RejectedError(english("contains NaN or Infinity, which are not JSON"))


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise RejectedError(english("contains a number that is too large"))
    return number


_decoder: Any = json.JSONDecoder(  # Any: typeshed does not know its scan_once
    object_pairs_hook=_once, parse_constant=_no_constant, parse_float=_finite
)
_scan: Callable[[str, int], tuple[Any, int]] = _decoder.scan_once


def _check_texts(element: Any) -> None:
    """Reject what no database accepts: half a character, and NUL."""
    left = [element]
    while left:
        part = left.pop()
        if isinstance(part, dict):
            left += [*part.keys(), *part.values()]
        elif isinstance(part, list):
            left += part
        elif isinstance(part, str) and (found := _ODD.search(part)):
            nul = english("contains a NUL character in a text")
            half = english("contains half a character (a lone surrogate) in a text")
            raise RejectedError(nul if found[0] == "\0" else half)

"""The elements of a JSON list, from a stream of bytes: strict, with only a few thousand in memory at a time.

It uses the scanner of the standard library. The scanner gets as many whole objects at once as were read,
which needs a third of the time. If that fails, or if they are not objects, it gets one element after the
other. A streaming parser (ijson with yajl) was tried: it turns a lone surrogate into a question mark, accepts
a second key, and crashes with a hundred thousand opening brackets.
"""

from __future__ import annotations

import codecs
import json
import math
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NoReturn

MOST_CHARS = 1024 * 1024
"""Longest element. A record has about a hundred characters; a longer element would only need memory."""

_SMALL_CHARS = 64 * 1024
_SPACES = " \t\r\n"
_SPACE = re.compile(f"[{_SPACES}]*")
_WORD_AT_END = re.compile(r"[-+.\w]*[ \t\r\n]*\Z")
_NUMBER_AT_END = re.compile(r"[-+.0-9eE]*\Z")
_OPEN_TEXT = "Unterminated string"
_ODD = re.compile("[\0\ud800-\udfff]")
_ODD_ESCAPE = re.compile(r"\\u(?:[dD][89a-fA-F]|0000)")


class RejectedError(Exception):
    """A file that cannot be ingested. The text is the reason for people, without any value of the file."""


class CutShortError(RejectedError):
    """A file that ends too early. Perhaps its writer has not finished yet."""


def elements(chunks: Iterable[bytes]) -> Iterator[list[Any]]:
    """Yield the elements of a JSON list that comes in chunks of UTF-8, some at a time.

    A byte order mark is allowed. Raises `RejectedError` with the reason: another root, invalid JSON, NaN, a
    key that occurs twice in one object, a number with thousands of digits, very deep nesting, a lone
    surrogate or a NUL in a text, bytes that are not UTF-8. Raises `CutShortError` if the list has no end.
    """
    text = _Text(chunks)
    if whole := text.whole():
        yield whole
        return
    if text.next_char() != "[":
        raise CutShortError("is empty") if text.is_at_end() else RejectedError("is not a JSON list")
    text.skip(1)
    if text.next_char() == "]":
        text.skip(1)
    else:
        yield from _until_bracket(text)
    if text.next_char():
        raise RejectedError("continues after the end of its list")


def _until_bracket(text: _Text) -> Iterator[list[Any]]:
    while True:
        yield [*text.objects(), text.element()]
        char = text.next_char()
        if not char:
            raise CutShortError("ends in the middle of its list")
        if char not in ",]":
            raise RejectedError("is invalid JSON: a comma between two records is missing")
        text.skip(1)
        if char == "]":
            return


class _Text:
    """The text that was read and not used yet."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._decode = codecs.getincrementaldecoder("utf-8")("strict").decode
        self._text = ""
        self._at = 0
        self._has_ended = False
        self._is_begun = False
        self._is_new = False

    def next_char(self) -> str:
        """Return the next character that is not white space, without using it; empty at the end."""
        while True:
            found = _SPACE.match(self._text, self._at)
            self._at = found.end() if found else self._at
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._read():
                return ""

    def is_at_end(self) -> bool:
        return self._has_ended and self._at >= len(self._text)

    def skip(self, chars: int) -> None:
        self._at += chars

    def whole(self) -> list[Any]:
        """Return the objects of a whole list; none if the text is something else, or if that is not certain.

        If it returns none, it has used no text. Most files are small and have only such a list.
        """
        while len(self._text) < _SMALL_CHARS and self._read():
            pass
        text = self._text.strip(_SPACES)
        return _read_objects(text) if self._has_ended and text.startswith("[") else []

    def objects(self) -> list[Any]:
        """Use as many whole objects as were read, each with the comma after it, and return them.

        It returns none if it is not certain that they are valid; then `element` must check each of them.
        """
        if not self._is_new:
            return []  # tried already
        self._is_new = False
        end = self._text.rfind("},", self._at) + 1
        # The cut may be in the middle of a text. The part is valid JSON only if the cut is between two
        # elements.
        found = _read_objects(f"[{self._text[self._at : end]}]") if end else []
        if found:
            self._at = end + 1
        return found

    def element(self) -> Any:
        """Use one element and return it."""
        if not self.next_char():
            raise CutShortError("ends in the middle of its list")
        while True:
            try:
                found, end = _scan(self._text, self._at)
            except (StopIteration, json.JSONDecodeError) as error:
                # Perhaps only its end is missing. For a whole element, the scanner needs no more text.
                position = error.pos if isinstance(error, json.JSONDecodeError) else error.value
                is_open_text = isinstance(error, json.JSONDecodeError) and error.msg.startswith(_OPEN_TEXT)
                where = position - self._at  # relative, because reading on drops the text before it
                if len(self._text) - self._at > MOST_CHARS:
                    raise RejectedError(
                        "is invalid JSON, or contains a record of more than a million characters"
                    ) from None
                if not self._read():
                    raise self._at_the_end(where, is_open_text=is_open_text) from None
            except RecursionError:
                raise RejectedError("is nested too deeply") from None
            except ValueError:
                # From int(), for thousands of digits.
                raise RejectedError("contains a number that is too long") from None
            else:
                is_whole = self._text[end - 1] in '}]"'
                if not is_whole and _NUMBER_AT_END.match(self._text, end):
                    # A number may continue.
                    if not self._has_ended:
                        self._read()
                        continue
                    if end < len(self._text):
                        raise CutShortError("ends in the middle of a record")
                if _ODD_ESCAPE.search(self._text, self._at, end):
                    _check_texts(found)
                self._at = end
                return found

    def _at_the_end(self, position: int, *, is_open_text: bool) -> RejectedError:
        # If the scanner stops before the end, the end is not missing, except for a text or a word such as
        # `tru`.
        if is_open_text or _WORD_AT_END.match(self._text, self._at + position):
            return CutShortError("ends in the middle of a record")
        return RejectedError("is invalid JSON")

    def _read(self) -> bool:
        """Read the next chunk; false at the end."""
        if self._has_ended:
            return False
        chunk = next(self._chunks, b"")
        if not self._is_begun:
            self._is_begun = True
            while chunk and len(chunk) < 4 and (more_bytes := next(self._chunks, b"")):
                chunk += more_bytes  # a mark may come in pieces
            chunk = _without_mark(chunk)
        try:
            more = self._decode(chunk, final=not chunk)
        except UnicodeDecodeError:
            raise RejectedError("is not UTF-8") from None
        self._has_ended = not chunk
        self._text, self._at = self._text[self._at :] + more, 0
        self._is_new = True
        return bool(chunk)


def _without_mark(first: bytes) -> bytes:
    if first.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in first[:4]:
        raise RejectedError("is UTF-16 or UTF-32; it must be UTF-8")
    return first.removeprefix(b"\xef\xbb\xbf")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise RejectedError("contains an object in which a key occurs twice")
    return found


def _no_constant(_name: str) -> NoReturn:
    raise RejectedError("contains NaN or Infinity, which are not JSON")


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise RejectedError("contains a number that is too large")
    return number


_decoder: Any = json.JSONDecoder(  # Any: typeshed does not know its scan_once
    object_pairs_hook=_once, parse_constant=_no_constant, parse_float=_finite
)
_scan: Callable[[str, int], tuple[Any, int]] = _decoder.scan_once
_plain_decoder: Any = json.JSONDecoder(parse_constant=_no_constant, parse_float=_finite)
_plain_scan: Callable[[str, int], tuple[Any, int]] = _plain_decoder.scan_once


def _read_objects(text: str) -> list[Any]:
    """Return the elements of a list of objects; none if there are other ones, or if one may be invalid."""
    if _ODD_ESCAPE.search(text):
        return []
    found: list[Any]
    try:
        found, end = _plain_scan(text, 0)
        if end != len(text) or set(map(type, found)) != {dict}:
            return []
        # Each pair has a colon. If there are as many keys as colons, no key occurred twice.
        if text.count(":") != sum(map(len, found)):
            found, _ = _scan(text, 0)
    except (StopIteration, ValueError, RecursionError, RejectedError):
        return []
    return found


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
            what = "a NUL character" if found[0] == "\0" else "half a character (a lone surrogate)"
            raise RejectedError(f"contains {what} in a text")

"""A file in a form (multipart/form-data, RFC 7578), piece by piece: it may be larger than the memory."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Final

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

FORM: Final = b"multipart/form-data"

# What a client sends is not logged.
logging.getLogger("python_multipart").setLevel(logging.CRITICAL)


class FormError(Exception):
    """The form cannot be used; the text says why."""


def boundary_of(content_type: str) -> bytes | None:
    """Return the boundary of a form; None: it is none. Raises `FormError`."""
    kind, options = parse_options_header(content_type)
    if kind != FORM:
        return None
    boundary = options.get(b"boundary")
    if not boundary:
        raise FormError("the form has no boundary")
    return boundary


async def file_in(form: AsyncIterator[bytes], boundary: bytes) -> AsyncIterator[bytes]:
    """Yield the content of the only file of a form. Raises `FormError`."""
    reading = _Reading()
    try:
        parser = MultipartParser(boundary, reading.callbacks())
        async for piece in form:
            parser.write(piece)
            for found in reading.taken():
                yield found
        parser.finalize()
    except FormParserError:
        raise FormError("the form is broken") from None
    if not reading.has_ended:
        raise FormError("the form is cut off")
    if reading.files != 1:
        raise FormError(f"the form has {reading.files} files; send one file in a request")


class _Reading:
    """Notes what the parser finds: only the content of files is of use."""

    def __init__(self) -> None:
        self.files = 0
        self.has_ended = False
        self._name, self._value = b"", b""
        self._is_file = False
        self._found: list[bytes] = []

    def taken(self) -> list[bytes]:
        found, self._found = self._found, []
        return found

    def callbacks(self) -> MultipartCallbacks:
        return {
            "on_part_begin": self._part_begins,
            "on_header_field": self._header_name,
            "on_header_value": self._header_value,
            "on_header_end": self._header_ends,
            "on_part_data": self._data,
            "on_end": self._ends,
        }

    def _part_begins(self) -> None:
        self._is_file = False

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_ends(self) -> None:
        if (
            self._name.lower() == b"content-disposition"
            and b"filename" in parse_options_header(self._value)[1]
        ):
            self._is_file = True
            self.files += 1
        self._name, self._value = b"", b""

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._is_file:
            self._found.append(data[start:end])

    def _ends(self) -> None:
        self.has_ended = True

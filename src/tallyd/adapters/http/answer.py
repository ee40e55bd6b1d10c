"""Reads an answer by HTTP/1.1 (RFC 9112): its status, its headers, and its body in pieces.

It is strict where an incomplete answer could look like a whole one. `http.client` is not: it takes the end of
a connection for the end of the headers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from tallyd.adapters.http.connection import Connection
from tallyd.adapters.http.errors import BROKEN_OFF, BadAnswer

_MOST_HEADERS: Final = 100
_STATUS: Final = re.compile(rb"HTTP/(\d+)\.(\d+)[ \t]+([1-9]\d\d)(?:[ \t].*)?", re.DOTALL)
_CHUNK: Final = re.compile(rb"[ \t]*([0-9A-Fa-f]{1,16})[ \t]*(?:;.*)?", re.DOTALL)
_DIGITS: Final = re.compile(r"[0-9]{1,18}")
_SWITCHING, _NO_CONTENT, _NOT_MODIFIED = 101, 204, 304


class Headers(Mapping[str, str]):
    """Headers by name, in any case. Those that stand more than once are joined by commas."""

    def __init__(self, named: Mapping[str, str]) -> None:
        self._named = named

    def __getitem__(self, name: str) -> str:
        return self._named[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._named)

    def __len__(self) -> int:
        return len(self._named)


class Answer:
    """An answer whose head is read. `version`: the minor one of HTTP/1."""

    def __init__(self, connection: Connection, version: int, status: int, headers: Headers) -> None:
        self.status = status
        self.headers = headers
        self._connection = connection
        options = {option.strip().lower() for option in headers.get("Connection", "").split(",")}
        self._is_kept = "close" not in options and (version > 0 or "keep-alive" in options)
        coding = headers.get("Transfer-Encoding", "")
        self._is_chunked = coding.rpartition(",")[2].strip().lower() == "chunked"
        # Of the body, or of the current chunk; None: all until the connection ends.
        self._left_bytes = None if coding else _length(status, headers)
        self._is_over = self._left_bytes == 0

    @property
    def is_reusable(self) -> bool:
        """Whether the connection can carry another request now: everything of this one was read."""
        return self._is_kept and self._is_over

    async def piece(self) -> bytes:
        """Return what has arrived of the body; b"" at its end. Raises `OSError`, `BadAnswer`."""
        if self._is_over:
            return b""
        if self._is_chunked and not self._left_bytes:
            await self._begin_chunk()
        if self._left_bytes is None:
            return await self._connection.piece()
        if self._left_bytes:
            found = await self._connection.piece(self._left_bytes)
            if not found:
                raise BadAnswer(BROKEN_OFF)
            self._left_bytes -= len(found)
            self._is_over = not self._left_bytes and not self._is_chunked
            return found
        self._is_over = True
        return b""

    async def _begin_chunk(self) -> None:
        """Read the size of the next chunk. The last one has none, and headers behind it."""
        if self._left_bytes == 0 and await self._connection.line():
            raise BadAnswer(BROKEN_OFF)  # this line ends the chunk before
        size = _CHUNK.fullmatch(await self._connection.line())
        if size is None:
            raise BadAnswer(BROKEN_OFF)
        self._left_bytes = int(size[1], 16)
        if not self._left_bytes:
            await _headers(self._connection)


async def read_answer(connection: Connection) -> Answer:
    """Return the next answer, without those that only announce it (1xx). Raises `OSError`, `BadAnswer`."""
    while True:
        version, status = _status(await connection.line())
        headers = await _headers(connection)
        if status >= 200 or status == _SWITCHING:
            return Answer(connection, version, status, headers)


def _status(line: bytes) -> tuple[int, int]:
    """Return the minor version and the status."""
    found = _STATUS.fullmatch(line)
    if found is None:
        raise BadAnswer(" answered with something that is not HTTP")
    if int(found[1]) != 1:
        raise BadAnswer(" answered in an unknown version of HTTP")
    return int(found[2]), int(found[3])


async def _headers(connection: Connection) -> Headers:
    named: dict[str, str] = {}
    count, last = 0, ""
    while line := await connection.line():
        count += 1
        if count > _MOST_HEADERS:
            raise BadAnswer(" sent too many headers")
        text = line.decode("latin-1")
        if text[0] in " \t" and last:  # the rest of the line before, as it was once allowed
            named[last] += f" {text.strip()}"
            continue
        name, colon, value = text.partition(":")
        last, value = name.strip().lower(), value.strip()
        if not colon or not last:
            raise BadAnswer(" sent headers that can't be read")
        named[last] = f"{named[last]}, {value}" if last in named else value
    return Headers(named)


def _length(status: int, headers: Headers) -> int | None:
    """Return the length of the body; None if the answer does not say it."""
    if status in (_NO_CONTENT, _NOT_MODIFIED):
        return 0
    written = {each.strip() for each in headers.get("Content-Length", "").split(",")}
    if len(written) > 1:
        raise BadAnswer(" contradicts itself about the length of its answer")
    (length,) = written
    return int(length) if _DIGITS.fullmatch(length) else None

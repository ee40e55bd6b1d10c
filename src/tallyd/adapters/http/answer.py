"""An answer as it arrives: its status, its headers, and its body in pieces. httptools parses it."""

from __future__ import annotations

from typing import Final

from httptools import HttpParserCallbackError, HttpParserError, HttpResponseParser

from tallyd.adapters.http.connection import Connection
from tallyd.adapters.http.errors import BadAnswer, NoAnswer
from tallyd.core.language.messages import mark_english

_MOST_HEADERS: Final = 100
_MOST_BESIDES_BYTES: Final = 65536
"""Of a head, and of what is no body between two pieces of one and after the last."""
_SWITCHING = 101


class Answer:
    """The next answer over a connection, without those that only announce it (1xx).

    `status` is 0 until the head has arrived. `headers`: by name in lower case; those that stand more than
    once are joined by commas. `has_body` is false for the answer to HEAD, whose headers are those of GET.
    `is_reusable`: nothing of the answer is left on the connection, nothing else came, and the server keeps it
    open. `has_more`: something arrived behind the head. The parser calls the `on_` methods.
    """

    def __init__(self, connection: Connection, *, has_body: bool = True) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.is_reusable = False
        self.has_more = False
        self._connection = connection
        self._has_body = has_body
        self._lines: list[tuple[bytes, bytes]] = []
        self._body = bytearray()
        self._besides_bytes = 0
        connection.parser = HttpResponseParser(self)
        # What real servers send and browsers accept: control characters, folded headers, lines without CR,
        # padded chunk sizes. None of it can make a part look whole.
        connection.parser.set_dangerous_leniencies(
            lenient_headers=True, lenient_optional_cr_before_lf=True, lenient_spaces_after_chunk_size=True
        )

    async def read_head(self) -> None:
        """Wait for status and headers. Raises `OSError`, `BadAnswer`."""
        while not self.status and (parser := self._connection.parser):
            await self._receive(parser)

    async def piece(self) -> bytes:
        """Return what has arrived of the body; b"" at its end. Raises `OSError`, `BadAnswer`."""
        while not self._body and (parser := self._connection.parser):
            await self._receive(parser)
        found = bytes(self._body)
        self._body.clear()
        return found

    async def _receive(self, parser: HttpResponseParser) -> None:
        received = await self._connection.receive()
        if not received:
            self._end()
            return
        try:
            parser.feed_data(received)
        except HttpParserError as error:
            if self._connection.parser is not None:
                if isinstance(error, HttpParserCallbackError):
                    raise  # a bug in one of the `on_` methods
                if not parser.get_status_code():
                    message = mark_english("{host} answered with something that is not HTTP")
                    raise BadAnswer(message) from error
                message = mark_english("{host} sent an answer that can't be read ({flaw})")
                raise BadAnswer(message, flaw=str(error)) from error  # its words quote nothing of the answer
        if len(self._lines) > _MOST_HEADERS:
            raise BadAnswer(mark_english("{host} sent too many headers"))
        self._besides_bytes = 0 if self._body else self._besides_bytes + len(received)
        if self._besides_bytes > _MOST_BESIDES_BYTES:
            raise BadAnswer(mark_english("{host} sent headers that are too long"))

    def _end(self) -> None:
        """Take the end of the connection for that of the body, if the headers do not tell where that is."""
        if not self._connection.has_answered:
            raise NoAnswer
        if not self.status or {"content-length", "transfer-encoding"} & self.headers.keys():
            raise BadAnswer(mark_english("{host} ended in the middle of its answer"))
        self._connection.parser = None

    def on_message_begin(self) -> None:
        """Begin an answer, or stop: nobody has asked for another one."""
        if self.status:
            self.is_reusable, self.has_more = False, True
            raise BadAnswer("")
        self._lines.clear()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Note a header, or one more than may be. Those behind the body count, too."""
        if len(self._lines) <= _MOST_HEADERS:
            self._lines.append((name, value))

    def on_headers_complete(self) -> None:
        """Note the head, unless it only announces the answer."""
        parser = self._connection.parser
        status = parser.get_status_code() if parser else 0
        if 100 <= status < 200 and status != _SWITCHING:
            return
        self.status = status
        for line in self._lines:
            name, value = (part.decode("latin-1").strip() for part in line)
            before = self.headers.get(name.lower())
            self.headers[name.lower()] = value if before is None else f"{before}, {value}"
        if parser and not self._has_body:
            self.is_reusable = parser.should_keep_alive()
            self._connection.parser = None

    def on_body(self, piece: bytes) -> None:
        """Note a piece of the body."""
        if self._has_body:
            self._body += piece
        else:
            self.is_reusable = False
        self.has_more = True

    def on_message_complete(self) -> None:
        """Let the parser go, unless it only read what announces the answer."""
        parser = self._connection.parser
        if self.status and parser:
            self.is_reusable = parser.should_keep_alive()
            self._connection.parser = None

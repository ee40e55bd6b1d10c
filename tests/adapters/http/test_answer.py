"""How bytes are read as an answer: what is whole, what is not, and what is left on the connection."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass

import pytest

from support.rawserver import answer
from tallyd.adapters.http.answer import Answer
from tallyd.adapters.http.connection import Connection
from tallyd.adapters.http.errors import BadAnswer


@dataclass(frozen=True)
class Read:
    status: int
    headers: dict[str, str]
    body: bytes
    is_reusable: bool


def read(*pieces: bytes, closes: bool = True) -> Read:
    """Return what is read where these pieces arrive one after the other; then the connection ends."""

    async def run() -> Read:
        near, far = socket.socketpair()
        with near, far:
            near.setblocking(False)
            connection = Connection(near)
            sending = asyncio.create_task(send(far))
            found = Answer(connection)
            await found.read_head()
            body = b""
            while piece := await found.piece():
                body += piece
            await sending
            return Read(found.status, found.headers, body, found.is_reusable)

    async def send(far: socket.socket) -> None:
        for piece in pieces:
            far.send(piece)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        if closes:
            far.close()

    return asyncio.run(run())


CHUNKED = answer(b"3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\nX-After: 1\r\n\r\n", Transfer_Encoding="chunked")
WHOLE = {
    "a length": answer(b"hello", X="1", Y=""),
    "chunks": CHUNKED,
    "announced": b"HTTP/1.1 103 Early Hints\r\nContent-Length: 1\r\n\r\n" + answer(b"hello"),
    "a folded length": b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length:\r\n 5\r\n\r\nhello",
    "a space behind a name": b"HTTP/1.1 200 OK\r\nContent-Length : 5\r\n\r\nhello",
    "lines without CR": b"HTTP/1.1 200 OK\nX: 1\nContent-Length: 5\n\nhello",
    "chunk sizes with spaces": answer(b"5  \r\nhello\r\n0  \r\n\r\n", Transfer_Encoding="chunked"),
    "control characters": answer(b"hello", X="\x1b\x01"),
    "no length": b"HTTP/1.0 200 OK\r\n\r\nhello",
}
ENDS_BY_CLOSING = {"no length"}


@pytest.mark.parametrize("name", WHOLE)
def test_a_whole_answer_is_the_same_in_one_piece_and_in_single_bytes(name: str) -> None:
    found = read(WHOLE[name])
    assert (found.status, found.body) == (200, b"hello")
    assert read(*(bytes([byte]) for byte in WHOLE[name])) == found


@pytest.mark.parametrize("name", sorted(WHOLE.keys() - ENDS_BY_CLOSING))
def test_whatever_is_cut_off_a_part_never_looks_whole(name: str) -> None:
    for end in range(len(WHOLE[name])):
        with pytest.raises(BadAnswer):
            read(WHOLE[name][:end])


@pytest.mark.parametrize("name", sorted(WHOLE.keys() - ENDS_BY_CLOSING))
def test_a_whole_answer_is_over_before_the_connection_ends(name: str) -> None:
    assert read(WHOLE[name], closes=False).is_reusable


def test_headers_have_names_in_lower_case_and_those_of_one_name_are_joined() -> None:
    raw = b"HTTP/1.1 200 OK\r\nX-Key:  a \r\nx-kEY:\r\nX-KEY: \xfc\r\nContent-Length: 0\r\n\r\n"
    assert read(raw).headers == {"x-key": "a, , ü", "content-length": "0"}


def test_headers_behind_the_chunks_are_none_of_the_answer() -> None:
    assert read(CHUNKED).headers == {"transfer-encoding": "chunked"}


LEFT_OVER = {
    "kept": (answer(b"x"), True),
    "kept, not found": (answer(b"x", status="404 Not Found"), True),
    "closed by its word": (answer(b"x", Connection="close"), False),
    "HTTP/1.0": (answer(b"x").replace(b"1.1", b"1.0"), False),
    "HTTP/1.0, kept by its word": (answer(b"x", Connection="keep-alive").replace(b"1.1", b"1.0"), True),
    "something behind it": (answer(b"x") + b"y", False),
    "an answer behind it": (answer(b"x") + answer(b"y"), False),
    "closed, something behind it": (answer(b"x", Connection="close") + b"y", False),
}


@pytest.mark.parametrize(("raw", "is_reusable"), LEFT_OVER.values(), ids=LEFT_OVER)
def test_a_connection_is_used_again_if_it_is_kept_and_nothing_is_left_on_it(
    raw: bytes, is_reusable: bool
) -> None:
    found = read(raw)
    assert (found.body, found.is_reusable) == (b"x", is_reusable)


BODILESS = {
    "no content, with a length": (answer(status="204 No Content", Content_Length="5"), 204),
    "not modified, with a length": (answer(status="304 Not Modified", Content_Length="5"), 304),
    "another protocol": (answer(status="101 Switching Protocols"), 101),
}


@pytest.mark.parametrize(("raw", "status"), BODILESS.values(), ids=BODILESS)
def test_some_answers_have_no_body_whatever_their_headers_say(raw: bytes, status: int) -> None:
    found = read(raw, closes=False)
    assert (found.status, found.body) == (status, b"")


UNTRUSTED = {
    "a length twice": answer(b"hello", Content_Length="5, 5"),
    "an empty length": answer(b"hello", Content_Length=""),
    "a length below 0": answer(b"hello", Content_Length="-5"),
    "a length of 65 bits": answer(b"hello", Content_Length=str(2**64 + 5)),
    "chunks that end with no chunk": answer(b"hello", Transfer_Encoding="chunked, identity"),
    "an empty coding": answer(b"hello", Transfer_Encoding=""),
    "a chunk longer than its size": answer(b"5\r\nhelloX0\r\n\r\n", Transfer_Encoding="chunked"),
    "a chunk size of 65 bits": answer(b"1" + 16 * b"0" + b"\r\nhello", Transfer_Encoding="chunked"),
}


@pytest.mark.parametrize("raw", UNTRUSTED.values(), ids=UNTRUSTED)
def test_a_length_that_can_not_be_trusted_is_refused(raw: bytes) -> None:
    with pytest.raises(BadAnswer):
        read(raw)


def test_a_hundred_headers_are_read_and_one_more_is_not() -> None:
    def with_headers(count: int) -> bytes:
        lines = b"".join(b"X-%d: y\r\n" % number for number in range(count))
        return b"HTTP/1.1 204 No Content\r\n" + lines + b"\r\n"

    assert len(read(with_headers(100)).headers) == 100
    with pytest.raises(BadAnswer, match="too many headers"):
        read(with_headers(101))

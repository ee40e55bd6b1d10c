"""Reads an answer's body within a deadline and a size limit."""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable, Iterator

import requests

_PIECE_BYTES = 65536
_PLAIN = ("", "identity")
_GZIP = ("gzip", "x-gzip")


class TooLarge(Exception):  # noqa: N818 # this and the next two are named after the finding
    """The body, unpacked, is larger than `most_bytes`."""

    def __init__(self, most_bytes: int) -> None:
        super().__init__()
        self.most_bytes = most_bytes


class Garbled(Exception):  # noqa: N818 # see above
    """The body is not valid gzip, or incomplete."""


class UnknownEncoding(Exception):  # noqa: N818 # see above
    """The body has a `Content-Encoding` that the request did not ask for."""


UNUSABLE: tuple[type[Exception], ...] = (TooLarge, Garbled, UnknownEncoding)
"""Errors of a body that arrived. If it does not arrive, `read_body` raises other exceptions."""


def read_body(answer: requests.Response, *, most_bytes: int, check: Callable[[], None]) -> bytes:
    """Return the whole body, unpacked. `check` is called for each piece; it may raise to stop.

    Holds at most `most_bytes` and one piece, even for a gzip bomb. urllib3 could unpack gzip too, but it
    accepts an incomplete one.
    """
    encoding = answer.headers.get("Content-Encoding", "").strip().lower()
    if encoding not in _PLAIN + _GZIP:
        raise UnknownEncoding
    pieces = _pieces(answer, check)
    whole = io.BytesIO()
    for piece in _unpacked(pieces, check) if encoding in _GZIP else pieces:
        if whole.tell() + len(piece) > most_bytes:
            raise TooLarge(most_bytes)
        whole.write(piece)
    return whole.getvalue()


def _pieces(answer: requests.Response, check: Callable[[], None]) -> Iterator[bytes]:
    # read1 returns what has arrived; read would wait until the piece is full.
    while piece := answer.raw.read1(_PIECE_BYTES, decode_content=False):
        check()
        yield piece


def _unpacked(pieces: Iterator[bytes], check: Callable[[], None]) -> Iterator[bytes]:
    """Yield the content of all gzip members in turn. Raises `Garbled`. An empty body is allowed."""
    member, begun = _new_member(), False
    for piece in pieces:
        rest, begun = piece, True
        while rest:
            if member.eof:
                member = _new_member()
            yield from _inflated(member, rest, check)
            rest = member.unused_data
    if begun and not member.eof:
        raise Garbled


def _inflated(member: zlib._Decompress, packed: bytes, check: Callable[[], None]) -> Iterator[bytes]:
    while packed:
        try:
            piece = member.decompress(packed, _PIECE_BYTES)
        except zlib.error as error:
            raise Garbled from error
        check()
        yield piece
        packed = member.unconsumed_tail


def _new_member() -> zlib._Decompress:
    return zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)

"""Reading an answer's body: against the clock, and no further than its limit."""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable, Iterator

import requests

_PIECE_BYTES = 65536
_PLAIN = ("", "identity")
_GZIP = ("gzip", "x-gzip")


class TooLarge(Exception):  # noqa: N818 # this and the next two are named after what happened
    """The body, unpacked, is larger than `most_bytes`."""

    def __init__(self, most_bytes: int) -> None:
        super().__init__()
        self.most_bytes = most_bytes


class Garbled(Exception):  # noqa: N818 # reads as what it is where it is caught
    """The body is no gzip, or ends in the middle of it."""


class UnknownEncoding(Exception):  # noqa: N818 # the same
    """The body is packed in a way that was not asked for."""


UNUSABLE: tuple[type[Exception], ...] = (TooLarge, Garbled, UnknownEncoding)
"""What is wrong with a body that came; `read_body` raises other things where it did not."""


def read_body(answer: requests.Response, *, most_bytes: int, check: Callable[[], None]) -> bytes:
    """Return the whole body, unpacked. `check` is called for each piece and raises to break off.

    Never holds more than `most_bytes` and one piece, whatever a small gzip would grow to. urllib3 could
    unpack by itself, but takes a gzip that ends too early for a whole one.
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
    # read1 returns what has come; read would wait until the piece is full.
    while piece := answer.raw.read1(_PIECE_BYTES, decode_content=False):
        check()
        yield piece


def _unpacked(pieces: Iterator[bytes], check: Callable[[], None]) -> Iterator[bytes]:
    """Yield what gzip members, one after the other, hold. Raises `Garbled`. No byte at all is no member."""
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

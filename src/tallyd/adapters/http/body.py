"""Reads an answer's body within a size limit."""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator

from tallyd.adapters.http.answer import Answer
from tallyd.adapters.http.connection import PIECE_BYTES
from tallyd.adapters.http.errors import BadAnswer
from tallyd.core.language.messages import mark_english

_PLAIN = ("", "identity")
_GZIP = ("gzip", "x-gzip")
_GARBLED = mark_english("{host} sent a body that can't be unpacked")


class Unusable(BadAnswer):
    """The body arrived, but nothing can be done with it."""

    def __init__(self, message: str, *, transient: bool, **values: str) -> None:
        super().__init__(message, **values)
        self.transient = transient


async def read_body(answer: Answer, *, most_bytes: int) -> bytes:
    """Return the whole body, unpacked. Raises `Unusable`, and like `Answer.piece`.

    Holds at most `most_bytes` and one piece, even for a gzip bomb.
    """
    encoding = answer.headers.get("content-encoding", "").lower()
    if encoding not in _PLAIN + _GZIP:
        message = mark_english("{host} sent a body with an encoding that tallyd did not ask for")
        raise Unusable(message, transient=False)
    whole, packed = io.BytesIO(), _Gzip() if encoding in _GZIP else None
    while arrived := await answer.piece():
        for piece in packed.unpacked(arrived) if packed else (arrived,):
            if whole.tell() + len(piece) > most_bytes:
                message = mark_english("{host} sent more than {size} MiB")
                raise Unusable(message, transient=True, size=f"{most_bytes / 1024 / 1024:g}")
            whole.write(piece)
    if packed and not packed.is_whole:
        raise Unusable(_GARBLED, transient=True)
    return whole.getvalue()


class _Gzip:
    """Unpacks all gzip members in turn. `is_whole`: nothing of the last one is missing; none is whole too."""

    def __init__(self) -> None:
        self._member = _new_member()
        self.is_whole = True

    def unpacked(self, packed: bytes) -> Iterator[bytes]:
        """Yield the content. Raises `Unusable`."""
        while packed:
            if self._member.eof:
                self._member = _new_member()
            try:
                yield self._member.decompress(packed, PIECE_BYTES)
            except zlib.error as error:
                raise Unusable(_GARBLED, transient=True) from error
            self.is_whole = self._member.eof
            packed = self._member.unconsumed_tail or self._member.unused_data


def _new_member() -> zlib._Decompress:
    return zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)

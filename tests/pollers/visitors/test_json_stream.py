"""The elements of a JSON list: what is taken, what is refused and why, however the bytes come in."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallyd.pollers.visitors.ingest.json_stream import (
    MOST_CHARS,
    CutShortError,
    Elements,
    RejectedError,
    pieces,
)

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text('abc"\\é', max_size=4), inner),
    max_leaves=12,
)


def _chunks(data: bytes, size: int) -> Iterator[bytes]:
    for at in range(0, len(data), size):
        yield data[at : at + size]


def _read(data: bytes, size: int = 65536) -> list[Any]:
    return _elements(_chunks(data, size))


def _elements(chunks: Iterator[bytes]) -> list[Any]:
    elements = Elements()
    return [one for piece, is_last in pieces(chunks) for one in elements.read(piece, is_last=is_last)]


@given(
    written=st.lists(VALUES, max_size=6),
    size=st.integers(1, 40),
    indent=st.sampled_from([None, 0, 3]),
    ascii_only=st.booleans(),
    mark=st.booleans(),
)
def test_what_was_written_is_read_whatever_the_pieces(
    written: list[Any], size: int, indent: int | None, ascii_only: bool, mark: bool
) -> None:
    text = json.dumps(written, indent=indent, ensure_ascii=ascii_only)
    data = (b"\xef\xbb\xbf" if mark else b"") + text.encode() + b" \n"
    assert _read(data, size) == json.loads(text)


@given(data=st.binary(max_size=60) | st.text('[]{}",:\\ue0dD 1-.tfn', max_size=60).map(str.encode))
def test_anything_is_taken_as_json_takes_it_or_refused(data: bytes) -> None:
    outcomes = []
    for size in (1, 5, 4096):
        try:
            outcomes.append(_read(data, size))
        except RejectedError as error:
            outcomes.append([type(error)])  # of two faults either may be found first
    assert outcomes[0] == outcomes[1] == outcomes[2], "the pieces make no difference"
    try:
        json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError):
        with pytest.raises(RejectedError):
            _read(data)


@pytest.mark.parametrize("size", [1, 4, 4096])
@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(b'{"a": 1}', "is not a JSON list", id="an object"),
        pytest.param(b'"[]"', "is not a JSON list", id="a text"),
        pytest.param(b'[{"a": 1}] []', "continues after the end", id="more behind it"),
        pytest.param(b"[1 2]", "a comma between two records is missing", id="no comma"),
        pytest.param(b"[1,]", "is invalid JSON", id="a comma too many"),
        pytest.param(b'[{"a": 01}]', "is invalid JSON", id="a zero in front"),
        pytest.param(b"[{a: 1}]", "is invalid JSON", id="a key without quotes"),
        pytest.param(b'[{"a": tru}]', "is invalid JSON", id="half a word"),
        pytest.param(b'[{"a": "x\ny"}]', "is invalid JSON", id="a line break in a text"),
        pytest.param(b'[{"a": 1, "a": 2}]', "a key occurs twice", id="a key twice"),
        pytest.param(b'[{"a": 1, "\\u0061": 2}]', "a key occurs twice", id="a key twice, once escaped"),
        pytest.param(b'[{"b": {"a": 1, "a": 1}}]', "a key occurs twice", id="twice, inside"),
        pytest.param(b"[NaN]", "NaN or Infinity", id="NaN"),
        pytest.param(b'[{"a": -Infinity}]', "NaN or Infinity", id="-Infinity"),
        pytest.param(b'[{"a": 1e999}]', "a number that is too large", id="1e999"),
        pytest.param(b'[{"a": ' + b"9" * 5000 + b"}]", "a number that is too long", id="5,000 digits"),
        pytest.param(b"[" * 100_000, "is nested too deeply", id="100,000 brackets"),
        pytest.param(b'[{"a":' * 50_000, "is nested too deeply", id="50,000 objects"),
        pytest.param(b'[{"a": "\\ud800"}]', "half a character", id="a lone surrogate"),
        pytest.param(b'[{"\\uDFFF": 1}]', "half a character", id="a lone surrogate as key"),
        pytest.param(b'[{"a": "x\\u0000y"}]', "a NUL character", id="NUL, escaped"),
        pytest.param(b'[{"a": "\xff"}]', "is not UTF-8", id="latin-1"),
        pytest.param('[{"a": "ä"}]'.encode("utf-16"), "is UTF-16", id="UTF-16"),
        pytest.param('[{"a": "ä"}]'.encode("utf-16-be"), "is UTF-16", id="UTF-16 without a mark"),
        pytest.param(bytes(8), "begins with zero bytes", id="never written"),
        pytest.param('[{"a": "ä"}]'.encode("utf-32"), "is UTF-16 or UTF-32", id="UTF-32"),
    ],
)
def test_what_is_rejected_says_why(data: bytes, reason: str, size: int) -> None:
    size = max(size, len(data) // 1000)  # each piece is one more try
    with pytest.raises(RejectedError, match=reason) as caught:
        _read(data, size)
    assert not isinstance(caught.value, CutShortError)


@given(written=st.lists(VALUES, min_size=1, max_size=4), share=st.floats(0, 0.999), size=st.integers(1, 40))
def test_a_file_that_ends_too_early_is_cut_short_and_not_broken(
    written: list[Any], share: float, size: int
) -> None:
    # Whole characters: half of one is no UTF-8, and what a writer flushes may end there, too.
    text = json.dumps(written)
    cut = text[: int(len(text) * share)]
    with pytest.raises(CutShortError):
        _read(cut.encode(), size)


def test_a_record_without_end_is_rejected_before_it_fills_the_memory() -> None:
    def endless() -> Iterator[bytes]:
        yield b'[{"a": "'
        for _ in range(100):
            yield b"x" * (MOST_CHARS // 10)
        raise AssertionError("read on for ever")

    with pytest.raises(RejectedError, match="more than a million characters"):
        _elements(endless())


def test_pairs_that_are_one_character_are_fine() -> None:
    assert _read(b'[{"a": "\\ud83d\\ude00"}]') == [{"a": "\U0001f600"}]


@given(data=st.binary(max_size=40), size=st.integers(1, 40))
def test_the_pieces_are_the_file_and_only_one_is_the_last(data: bytes, size: int) -> None:
    try:
        found = list(pieces(_chunks(data, size)))
    except RejectedError:
        assert b"\0" in data[:4] or data.startswith((b"\xff\xfe", b"\xfe\xff"))
    else:
        assert b"".join(piece for piece, _ in found) == data.removeprefix(b"\xef\xbb\xbf")
        assert [is_last for _, is_last in found] == [False] * (len(found) - 1) + [True]


def test_a_large_file_is_cut_between_records() -> None:
    data = json.dumps([{"a": number} for number in range(100)]).encode()
    found = [piece for piece, _ in pieces(_chunks(data, 50))]
    assert len(found) > 10
    assert all(piece.startswith((b"[{", b", {")) and piece.endswith((b"}", b"}]")) for piece in found)

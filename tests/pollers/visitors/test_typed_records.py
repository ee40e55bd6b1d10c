"""The quick way to read records says what the strict one says, or leaves them to it.

Whatever it vouches for is read a second time by the strict reader alone, and everything is compared: rows,
minute counts, what was skipped, the reason and the records that it names.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallyd.contract.passages import Row
from tallyd.pollers.visitors.ingest.bad_records import BadRecordsError
from tallyd.pollers.visitors.ingest.json_stream import RejectedError
from tallyd.pollers.visitors.ingest.record_parser import Reading
from tallyd.pollers.visitors.ingest.shape import Shape
from tallyd.pollers.visitors.ingest.typed_records import RecordDecoder

COLUMNS = RecordDecoder.columns
NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
SHAPE = Shape(zone=ZoneInfo("Europe/Berlin"))
WORDS = Shape(zone=UTC, way_in="in", way_out="out", frame=None)
SHAPES = [
    SHAPE,
    WORDS,
    Shape(zone=UTC, frame="ID"),
    Shape(zone=UTC, time_format="%Y%m%d%H%M%S "),
]
GOOD = b'{"ID": 7, "inOut": 0, "time": "20261120125907", "frameNumber": 3, "outputTime": "x"}'


class Both:
    """Reads a file twice: as always, and with the strict reader alone."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._patch = monkeypatch
        self._decoders: dict[Shape, RecordDecoder] = {}
        self.together = 0

    def __call__(self, data: bytes, shape: Shape = SHAPE, size: int = 1 << 18, **options: Any) -> object:
        """Return what both found; fails where they differ."""
        found = []
        # It remembers the fields of the file before.
        decoder = self._decoders.setdefault(shape, RecordDecoder(shape))
        for way in (self._counted(COLUMNS), lambda *_: None):
            self._patch.setattr(RecordDecoder, "columns", way)
            found.append(_outcome(Reading(decoder, NOW, **options), data, size))
        assert found[0] == found[1], data
        return found[0]

    def _counted(self, way: Callable[[RecordDecoder, bytes], Any]) -> Callable[[RecordDecoder, bytes], Any]:
        def counted(decoder: RecordDecoder, data: bytes) -> Any:
            read = way(decoder, data)
            self.together += read is not None
            return read

        return counted


def _outcome(reading: Reading, data: bytes, size: int) -> object:
    rows: list[Row] = []
    try:
        for batch in reading.rows(_chunks(data, size)):
            rows += batch
    except BadRecordsError as error:
        return (str(error), error.ahead, error.broken)
    except RejectedError as error:
        return (type(error), str(error))
    return (rows, reading.content, reading.broken)


def _chunks(data: bytes, size: int) -> Iterator[bytes]:
    for at in range(0, len(data), size):
        yield data[at : at + size]


@pytest.fixture
def both(monkeypatch: pytest.MonkeyPatch) -> Both:
    return Both(monkeypatch)


@pytest.mark.parametrize(
    ("data", "shape"),
    [
        pytest.param(b"[" + GOOD + b", " + GOOD + b"]\n", SHAPE, id="the usual"),
        pytest.param(b"\xef\xbb\xbf[" + GOOD + b"]", SHAPE, id="with a mark"),
        pytest.param(b"[" + GOOD.replace(b"3,", b"null,") + b"]", SHAPE, id="no frame"),
        pytest.param(b"[" + GOOD.replace(b'"x"', rb'"T\u00fcr\/\"\n"') + b"]", SHAPE, id="escapes"),
        pytest.param(b"[" + GOOD.replace(b'"ID"', rb'"I\u0044"') + b"]", SHAPE, id="an escaped key"),
        pytest.param(b"[" + GOOD.replace(b'"x"', '[0.5, true, "ß"]'.encode()) + b"]", SHAPE, id="more"),
        pytest.param(b'[{"ID":1,"inOut":"in","time":"20261120110000"}]', WORDS, id="words"),
    ],
)
def test_records_of_the_usual_form_are_read_together(both: Both, data: bytes, shape: Shape) -> None:
    both(data, shape)
    assert both.together == 1


FAULTS: dict[str, bytes] = {
    "a key twice": GOOD.replace(b'"ID": 7', b'"ID": 7, "ID": 7'),
    "a skipped key twice": GOOD.replace(b'"frameNumber": 3', b'"outputTime": 3'),
    "a key twice, once escaped": GOOD.replace(b'"outputTime"', b'"I\\u0044"'),
    "a key twice, inside": GOOD.replace(b'"x"', b'{"a": 1, "a": 1}'),
    "a pair, escaped": GOOD.replace(b'"x"', b'"\\ud83d\\ude00"'),
    "no escape": GOOD.replace(b'"x"', b'"\\x41"'),
    "half an escape": GOOD.replace(b'"x"', b'"\\u00e"'),
    "a backslash before a NUL that is none": GOOD.replace(b'"x"', b'"\\\\u0000"'),
    "a backslash at the end": GOOD.replace(b'"x"', b'"x\\"'),
    "NUL, escaped": GOOD.replace(b'"x"', b'"\\u0000"'),
    "half a character": GOOD.replace(b'"x"', b'"\\ud800"'),
    "half a character as bytes": GOOD.replace(b'"x"', b'"\xed\xa0\x80"'),
    "latin-1 in another field": GOOD.replace(b'"x"', b'"\xff"'),
    "latin-1 in another key": GOOD.replace(b'"outputTime"', b'"\xff"'),
    "-1": GOOD.replace(b"7,", b"-1,"),
    "2^63": GOOD.replace(b"7,", b"9223372036854775808,"),
    "2^64": GOOD.replace(b"7,", b"18446744073709551616,"),
    "a frame of 2^63": GOOD.replace(b"3,", b"9223372036854775808,"),
    "a frame of -2^63": GOOD.replace(b"3,", b"-9223372036854775808,"),
    "a direction of 2^64": GOOD.replace(b"0,", b"18446744073709551616,"),
    "4,301 digits elsewhere": GOOD.replace(b'"x"', b"9" * 4301),
    "4,300 digits elsewhere": GOOD.replace(b'"x"', b"9" * 4300),
    "nested a hundred thousand times": GOOD.replace(b'"x"', b"[" * 100_000 + b"]" * 100_000),
    "nested a little": GOOD.replace(b'"x"', b"[[[]]]"),
    "true for 1": GOOD.replace(b"7,", b"true,"),
    "false for 0": GOOD.replace(b"0,", b"false,"),
    "1.0": GOOD.replace(b"7,", b"1.0,"),
    "1e0": GOOD.replace(b"0,", b"1e0,"),
    "minus zero": GOOD.replace(b"0,", b"-0,"),
    "NaN": GOOD.replace(b'"x"', b"NaN"),
    "Infinity": GOOD.replace(b'"x"', b"-Infinity"),
    "1e999": GOOD.replace(b'"x"', b"1e999"),
    "just finite": GOOD.replace(b'"x"', b"1.797693134862315807e308"),
    "just infinite": GOOD.replace(b'"x"', b"1.797693134862315808e308"),
    "a zero in front": GOOD.replace(b"7,", b"07,"),
    "a trailing comma": GOOD.replace(b'"x"}', b'"x",}'),
    "two trailing commas": GOOD + b",,",
    "no comma": GOOD + GOOD,
    "a control character": GOOD.replace(b'"x"', b'"\x01"'),
    "NUL": GOOD.replace(b'"x"', b'"\0"'),
    "a line break in a text": GOOD.replace(b'"x"', b'"\n"'),
    "a colon in a text": GOOD.replace(b'"x"', b'"a:b"'),
    "brackets in a text": GOOD.replace(b'"x"', b'"}, {"'),
    "another field": GOOD.replace(b"}", b', "y": 1}'),
    "a field less": GOOD.replace(b', "outputTime": "x"', b""),
    "no frame": GOOD.replace(b', "frameNumber": 3', b""),
    "no time": GOOD.replace(b', "time": "20261120125907"', b""),
    "a time that is none": GOOD.replace(b"125907", b"126007"),
    "a time ahead": GOOD.replace(b"125907", b"235907"),
    "digits of another script": GOOD.replace(b"907", "90\u0667".encode()),
    "a second root": b"]" + b"[" + GOOD,
    "a mark in the middle": b"\xef\xbb\xbf" + GOOD,
    "another space": b"\xc2\xa0" + GOOD,
    "a vertical tab": b"\x0b" + GOOD,
    "no object": b"7",
    "an empty object": b"{}",
    "nothing": b"",
    "cut short": GOOD[:-10],
}  # fmt: skip


@pytest.mark.parametrize("size", [1 << 18, 100, 7])
@pytest.mark.parametrize("skips_bad", [False, True])
@pytest.mark.parametrize("name", FAULTS)
def test_what_is_odd_is_read_as_the_strict_reader_reads_it(
    both: Both, name: str, size: int, *, skips_bad: bool
) -> None:
    size = max(size, len(FAULTS[name]) // 100)
    around = [[], [GOOD], [GOOD, GOOD]]
    for before in around:
        for after in around:
            both(b"[" + b",".join([*before, FAULTS[name], *after]) + b"]", size=size, skips_bad=skips_bad)


TOKENS = [
    *(b'"ID"', b'"time"', b'"outputTime"', b'"x":1,', b"\\", b"\\u0000", b"\\u0041", b"\\n", b"\\uDBff"),
    *(b"\xff", b"\x00", b"\t"),
    *(b"true", b"null", b"1.0", b"NaN", b"-0", b"01", b"1e999", b"9223372036854775808", b"[", b"]", b"{"),
    *(b"}", b",", b":", b'"', b"},", b"},{", b" ", b"[[[", b"60", b"20261120130600", b"\xed\xa0\x80"),
]


def _mutated(chance: Random) -> bytes:
    """Return a file in which a few bytes are others."""
    some = [
        {
            "ID": chance.randrange(99),
            "inOut": chance.randrange(3),
            "time": f"202611201{chance.randrange(300):03}{chance.randrange(60):02}",
            "frameNumber": chance.choice([None, 5]),
            "outputTime": chance.choice(["Süd", 0.5, [1], True]),
        }
        for _ in range(chance.randrange(1, 6))
    ]
    data = json.dumps(some, ensure_ascii=False).encode()
    for _ in range(chance.randrange(4)):
        begin = chance.randrange(len(data) + 1)
        data = data[:begin] + chance.choice([*TOKENS, b""]) + data[begin + chance.randrange(4) :]
    return data


def test_mutated_files_are_read_as_the_strict_reader_reads_them(both: Both) -> None:
    chance = Random(20)
    for _ in range(3000):
        size = chance.choice([1 << 18, 1 << 18, 60])
        both(_mutated(chance), chance.choice(SHAPES), size, skips_bad=chance.random() < 0.5)
    assert both.together > 300


VALUES: Any = st.one_of(
    st.sampled_from([0, 1, 2, True, None, "in", -1, 2**63, 2**63 - 1, 7.0, 1e300, [], [1], {}, {"ID": 1}]),
    st.sampled_from(["20261120125907", "20261120125960", "20261120130600", "20260329023000", "", ":", "é\\"]),
)
FIELDS = ("ID", "inOut", "time", "frameNumber", "other", "")
RECORDS = st.lists(
    st.one_of(
        st.fixed_dictionaries({}, optional=dict.fromkeys(FIELDS, VALUES)),
        st.fixed_dictionaries(
            {
                "ID": st.integers(0, 2**63),
                "inOut": st.integers(0, 3),
                "time": st.integers(0, 5999).map(
                    lambda n: f"202611{n % 20 + 1:02}12{n // 100:02}{n % 60:02}"
                ),
            }
        ),
        VALUES,
    ),
    max_size=8,
)


@given(records=RECORDS, shape=st.sampled_from(SHAPES), size=st.integers(20, 2000), skips_bad=st.booleans())
def test_any_records_are_read_as_the_strict_reader_reads_them(
    records: list[Any], shape: Shape, size: int, *, skips_bad: bool
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        both = Both(patch)
        for ascii_only in (True, False):
            both(json.dumps(records, ensure_ascii=ascii_only).encode(), shape, size, skips_bad=skips_bad)

"""Whatever is logged, the line is one line, and JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum, IntEnum
from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallyd.core.log_lines import MOST_CHARS, MOST_DEPTH, MOST_ITEMS, cut, json_line, plain, text_pairs
from tallyd.core.privacy.redaction import Redactor
from tallyd.core.reading import Json
from tallyd.core.texts import UNPRINTABLE

ANY_TEXT = st.text(st.characters(), max_size=30)
ANY_JSON: st.SearchStrategy[Json] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63) + 1, 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3),
    max_leaves=8,
)


def as_it_is(text: str) -> str:
    return text


class Colour(Enum):
    RED = 1


class Size(IntEnum):
    BIG = 3


class Hidden:
    def __repr__(self) -> str:
        return "Secret(***)"


class Broken:
    def __repr__(self) -> str:
        raise RuntimeError("no name")


@pytest.mark.parametrize(
    ("value", "written"),
    [
        pytest.param(None, None, id="nothing"),
        pytest.param(True, True, id="truth"),
        pytest.param(12, 12, id="number"),
        pytest.param(0.5, 0.5, id="fraction"),
        pytest.param(float("nan"), "nan", id="NaN"),
        pytest.param(float("-inf"), "-inf", id="infinity"),
        pytest.param(2**63, str(2**63), id="more than 63 bits"),
        pytest.param("ä", "ä", id="text"),
        pytest.param(b"key=\xff\xc3\xa4", "key=\\xffä", id="bytes as text"),
        pytest.param(bytearray(b"k"), "k", id="bytearray"),
        pytest.param(Size.BIG, 3, id="enumerated number"),
        pytest.param(Colour.RED, "Colour.RED", id="enumerated"),
        pytest.param(datetime(2026, 11, 20, 7, tzinfo=UTC), "2026-11-20T07:00:00+00:00", id="instant"),
        pytest.param(date(2026, 11, 20), "2026-11-20", id="day"),
        pytest.param(PurePosixPath("/a"), "/a", id="path"),
        pytest.param(Decimal("1.5"), "1.5", id="decimal"),
        pytest.param((1, [2]), [1, [2]], id="tuple"),
        pytest.param(frozenset({"a"}), ["a"], id="set"),
        pytest.param({1: {"a": None}}, {"1": {"a": None}}, id="mapping"),
        pytest.param(ValueError("why"), "ValueError: why", id="exception"),
        pytest.param(Hidden(), "Secret(***)", id="an object shows itself as it wants to"),
        pytest.param(Broken(), "<Broken: str() raised RuntimeError>", id="an object that can't be shown"),
    ],
)
def test_any_value_has_a_json_form(value: object, written: Json) -> None:
    assert plain(value, as_it_is) == written


def test_a_number_too_long_to_print_does_not_break_the_line() -> None:
    assert plain(10**5000, as_it_is) == "<int: str() raised ValueError>"


def test_a_value_that_holds_itself_ends() -> None:
    endless: list[object] = []
    endless.append(endless)
    shown = plain(endless, as_it_is)
    for _ in range(MOST_DEPTH):
        assert isinstance(shown, list)
        (shown,) = shown
    assert shown == "[[...]]"


def test_what_is_too_many_says_how_many_more() -> None:
    many = plain(list(range(MOST_ITEMS + 7)), as_it_is)
    assert isinstance(many, list)
    assert many[MOST_ITEMS:] == ["7 more"]
    mapped = plain({str(number): number for number in range(MOST_ITEMS + 1)}, as_it_is)
    assert isinstance(mapped, dict)
    assert mapped["…"] == "1 more"


def test_a_long_text_loses_its_middle() -> None:
    text = cut("a" * MOST_CHARS + "the end", as_it_is)
    assert text.startswith("aaa")
    assert text.endswith("the end")
    assert " … 7 characters … " in text


def test_a_secret_at_the_cut_does_not_leave_its_half() -> None:
    secret = "Zk4Yq8W2LmP0"
    for before in range(MOST_CHARS // 4 - 12, MOST_CHARS // 4 + 1):
        text = cut("-" * before + secret + "-" * MOST_CHARS, Redactor([secret]).redact)
        assert not [at for at in range(len(secret) - 1) if secret[at : at + 2] in text]


@given(fields=st.dictionaries(ANY_TEXT, ANY_JSON, max_size=5))
def test_a_json_line_is_one_line_that_reads_back(fields: Mapping[str, Json]) -> None:
    line = json_line(fields, as_it_is)
    assert not UNPRINTABLE.search(line)
    # Through json: a pair of escaped surrogates reads back as the one character that it means.
    assert json.loads(line) == json.loads(json.dumps(fields))


@given(fields=st.dictionaries(ANY_TEXT, ANY_JSON, max_size=5))
def test_text_pairs_are_one_line(fields: Mapping[str, Json]) -> None:
    assert not UNPRINTABLE.search(" ".join(text_pairs(fields)))


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        pytest.param("word", "k=word", id="word"),
        pytest.param("two words", 'k="two words"', id="space"),
        pytest.param("", 'k=""', id="empty"),
        pytest.param("a=b", 'k="a=b"', id="looks like a pair"),
        pytest.param('say "x"', r'k="say \"x\""', id="quotes"),
        pytest.param("a\nb", r'k="a\nb"', id="line break"),
        pytest.param("x\u202ey", r"k=x\u202ey", id="turned around"),
        pytest.param(None, "k=null", id="nothing"),
        pytest.param({"a": [1]}, 'k={"a": [1]}', id="nested"),
    ],
)
def test_a_pair_is_quoted_where_a_reader_could_lose_his_way(value: Json, shown: str) -> None:
    assert list(text_pairs({"k": value})) == [shown]


def test_a_secret_that_looks_like_a_number_does_not_break_the_json() -> None:
    fields: dict[str, Json] = {"time": "2026", "level": "INFO", "event": "x", "count": 41234, "who": "ä 1234"}
    line = json_line(fields, Redactor(["1234"]).redact)
    assert "1234" not in line
    assert json.loads(line) == {
        "time": "2026",
        "level": "INFO",
        "event": "redacted",
        "redacted": '{"time": "2026", "level": "INFO", "event": "x", "count": 4***, "who": "ä ***"}',
    }


@given(secret=st.text(st.characters(exclude_characters="*"), min_size=4, max_size=12), fields=ANY_JSON)
def test_a_cleaned_line_is_json_whatever_the_secret_is(secret: str, fields: Json) -> None:
    line = json_line({"time": "t", "level": "INFO", secret: fields, "v": secret}, Redactor([secret]).redact)
    assert "INFO" in json.loads(line).values() or secret in "INFO"

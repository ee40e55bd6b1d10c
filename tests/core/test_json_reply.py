"""JSON of others: what it says, and what is refused before it is parsed."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallyd.core.json_query import InapplicableError, search
from tallyd.core.json_reply import MOST_NESTED, Unreadable, parse

TEXTS = st.text(st.characters(codec="utf-8") | st.sampled_from('"\\[]{},:'))
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(TEXTS, inner, max_size=5),
    max_leaves=30,
)


def values_in(value: object) -> int:
    """Return how many commas and opening brackets it takes to write a value."""
    if not isinstance(value, list | dict):
        return 0
    within = list(value.values() if isinstance(value, dict) else value)
    return 1 + max(len(within) - 1, 0) + sum(map(values_in, within))


@given(VALUES, st.sampled_from([None, 2]), st.booleans())
def test_what_is_json_is_read_as_python_reads_it(value: object, indent: int | None, is_ascii: bool) -> None:
    body = json.dumps(value, indent=indent, ensure_ascii=is_ascii).encode()
    assert parse(body) == value
    assert parse(b"\xef\xbb\xbf" + body) == value


@given(VALUES, st.booleans())
def test_values_are_counted_exactly_whatever_stands_in_texts(value: object, is_ascii: bool) -> None:
    whole = [value, *range(1000)]
    body = json.dumps(whole, ensure_ascii=is_ascii).encode()
    assert parse(body, most_values=values_in(whole)) == whole
    with pytest.raises(Unreadable, match=r"^with JSON that has more than 1,\d{3} values$"):
        parse(body, most_values=values_in(whole) - 1)


@pytest.mark.parametrize(
    ("opening", "closing", "step"),
    [
        pytest.param("[", "]", 1, id="lists"),
        pytest.param('{"a":', "}", 1, id="objects"),
        pytest.param(r'[{"\"]}\\":', "}]", 2, id="both, with texts that look like ends"),
        pytest.param(r'["[\\\"[",', "]", 1, id="texts with beginnings"),
    ],
)
def test_nesting_is_refused_past_its_limit_and_not_before(opening: str, closing: str, step: int) -> None:
    most = MOST_NESTED // step
    parse(f"{opening * most}1{closing * most}".encode())
    with pytest.raises(Unreadable, match=r"^with JSON that is nested more than 100 levels deep$"):
        parse(f"{opening * (most + 1)}1{closing * (most + 1)}".encode())


@pytest.mark.parametrize(
    ("body", "text"),
    [
        pytest.param(b"", "without JSON (an empty body)", id="nothing"),
        pytest.param(b" \r\n", "without JSON (an empty body)", id="white space"),
        pytest.param(b"\xef\xbb\xbf\n <html>[" + b"[" * 5000, "without JSON (a web page)", id="a web page"),
        pytest.param(b" <!DOCTYPE html>", "without JSON (a web page)", id="a page by its type"),
        pytest.param(b'<?XML version="1.0"?>\n<HTML>', "without JSON (a web page)", id="a page of XHTML"),
        pytest.param(b'<?xml version="1.0"?><a/>', "without JSON (XML)", id="XML"),
        pytest.param(b"Service unavailable", "without valid JSON", id="text"),
        pytest.param(b'{"a": [1, 2', "without valid JSON", id="cut off"),
        pytest.param(b"[NaN]", "without valid JSON", id="not a number"),
        pytest.param(b"[-1e999]", "without valid JSON", id="a number that is infinite"),
        pytest.param(b"[-Infinity]", "without valid JSON", id="infinity"),
        pytest.param(b"[" + b"9" * 5000 + b"]", "without valid JSON", id="5,000 digits"),
        pytest.param(b'["\xff"]', "without valid JSON", id="no UTF-8"),
        pytest.param('["a"]'.encode("utf-16"), "without valid JSON", id="UTF-16"),
        pytest.param('["a"]'.encode("utf-32-le"), "without valid JSON", id="UTF-32"),
        pytest.param(b"]" * 100, "without valid JSON", id="ends alone"),
        pytest.param(b'["' + b'"' * 99, "without valid JSON", id="quotes"),
    ],
)
def test_what_is_no_json_is_named_without_what_it_is(body: bytes, text: str) -> None:
    with pytest.raises(Unreadable) as refused:
        parse(body, most_values=10_000)
    assert str(refused.value) == text
    assert refused.value.__context__ is None, "the parser's own error holds the body"


def test_an_expression_that_fails_says_so_without_a_value() -> None:
    with pytest.raises(InapplicableError, match="values of another form"):
        search("floor(@)", math.inf)

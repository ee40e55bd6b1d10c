"""CSV: numbers stay numbers, and no text begins a formula."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallyd.presentation.csv_text import csv_text, harmless


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        pytest.param("=1+1", "'=1+1", id="equals"),
        pytest.param("+49 170", "'+49 170", id="plus"),
        pytest.param("-2", "'-2", id="minus"),
        pytest.param("@SUM(A1)", "'@SUM(A1)", id="at"),
        pytest.param("\t=1", "'\\t=1", id="tab"),
        pytest.param("\r=1", "'\\r=1", id="carriage-return"),
        pytest.param("\uff1d1+1", "'\uff1d1+1", id="wide-equals"),
        pytest.param("Bereit = ja", "Bereit = ja", id="not-at-the-beginning"),
        pytest.param("Bereit\n", "Bereit\\n", id="on-one-line"),
        pytest.param("", "", id="empty"),
    ],
)
def test_no_cell_begins_a_formula(text: str, cell: str) -> None:
    assert harmless(text) == cell


@pytest.mark.parametrize(
    ("excel", "line"),
    [pytest.param(False, "-2,-0.5,\r\n", id="csv"), pytest.param(True, "-2;-0,5;\r\n", id="excel")],
)
def test_numbers_below_zero_stay_numbers(excel: bool, line: str) -> None:
    assert csv_text([[-2, -0.5, None]], excel=excel).removeprefix("\ufeff") == line


@given(st.lists(st.lists(st.text(max_size=12), min_size=2, max_size=4), max_size=4), st.booleans())
def test_any_text_survives_the_way_through_a_spreadsheet(rows: list[list[str]], excel: bool) -> None:
    text = csv_text(rows, excel=excel).removeprefix("\ufeff")
    found = csv.reader(io.StringIO(text, newline=""), delimiter=";" if excel else ",")
    assert [*found] == [[harmless(cell) for cell in row] for row in rows]

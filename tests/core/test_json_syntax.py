"""What is said of a config that is no JSON: advice only where it fits."""

from __future__ import annotations

import json

import pytest

from tallyd.core.json_syntax import what_is_wrong

COMMA = " (remove the comma before the closing bracket)"


@pytest.mark.parametrize(
    ("written", "advice"),
    [
        pytest.param('{"a": 1,}', COMMA, id="comma before a bracket"),
        pytest.param('{"a": [1,\n]}', COMMA, id="comma at the end of a line"),
        pytest.param('{"a": 1,, "b": 2}', "", id="two commas"),
        pytest.param('{"a": }', "", id="no value"),
        pytest.param('{// why\n"a": 1}', ' (write a comment as "//": "text")', id="comment"),
    ],
)
def test_advice_is_given_only_where_it_fits(written: str, advice: str) -> None:
    with pytest.raises(json.JSONDecodeError) as raised:
        json.loads(written)
    found = what_is_wrong(raised.value)
    assert found == f"{found.partition(raised.value.msg)[0]}{raised.value.msg}{advice}"

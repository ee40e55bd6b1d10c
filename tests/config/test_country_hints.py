"""What is said of a country or subdivision that the library of holidays does not know."""

from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from tallyd.settings.calendars import HolidaysSettings


@pytest.mark.parametrize(
    ("country", "subdivision", "hint"),
    [
        ("UK", None, 'did you mean "GB" (United Kingdom)?'),
        ("deutschland", None, 'did you mean "DE" (Germany)?'),
        ("Germny", None, 'did you mean "DE" (Germany)?'),
        ("aut", None, 'did you mean "AT" (Austria)?'),
        ("XY", None, "such as DE"),
        ("DE-BW", None, 'has a subdivision in it; write "country": "DE", "subdivision": "BW"'),
        ("DE", "bw", 'did you mean "BW" (Baden-Württemberg)?'),
        ("GB", "Scotlnd", 'did you mean "SCT" (Scotland)?'),
    ],
)
def test_what_was_meant_is_named_and_nothing_else(country: str, subdivision: str | None, hint: str) -> None:
    with pytest.raises(ValidationError) as found:
        HolidaysSettings.model_validate_json(json.dumps({"country": country, "subdivision": subdivision}))
    (error,) = found.value.errors()
    assert error["msg"].endswith(hint)

"""What a person asks for: days, a way to put them together, options."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from tallyd.contract.board import Asked, AskedError

TODAY = date(2026, 11, 20)


def read(**written: Any) -> Asked:
    given: dict[str, Any] = {"first": "", "last": "", "by": "", "options": {}, **written}
    return Asked.read(**given, today=TODAY, default_days=lambda by: 30 if by == "day" else 7)


@pytest.mark.parametrize(
    ("written", "first", "last"),
    [
        pytest.param({}, "2026-11-14", "2026-11-20", id="nothing: the days of the kind"),
        pytest.param({"by": "day"}, "2026-10-22", "2026-11-20", id="a way: its days"),
        pytest.param({"last": "2026-11-10"}, "2026-11-04", "2026-11-10", id="only the last"),
        pytest.param({"first": "2026-11-01"}, "2026-11-01", "2026-11-20", id="only the first: until today"),
        pytest.param({"first": "2026-11-01", "last": "2026-11-01"}, "2026-11-01", "2026-11-01", id="one day"),
    ],
)
def test_days_that_nobody_named_are_those_of_the_kind_until_today(
    written: dict[str, str], first: str, last: str
) -> None:
    asked = read(**written)
    assert (asked.first, asked.last) == (date.fromisoformat(first), date.fromisoformat(last))


@pytest.mark.parametrize(
    ("back", "days"),
    [
        pytest.param("24h", 2, id="yesterday and today"),
        pytest.param("7d", 7, id="a week"),
        pytest.param("30d", 30, id="a month"),
        pytest.param("90d", 90, id="a quarter"),
        pytest.param("365d", 365, id="a year"),
    ],
)
def test_a_range_has_as_many_whole_days_as_its_name_says_today_included(back: str, days: int) -> None:
    asked = read(back=back)
    assert ((asked.last - asked.first).days + 1, asked.last) == (days, TODAY)


@pytest.mark.parametrize(
    ("written", "says"),
    [
        pytest.param({"first": "2026-02-30"}, 'there is no day "2026-02-30"', id="no such day"),
        pytest.param({"last": "20261120"}, "write it as YYYY-MM-DD", id="another form"),
        pytest.param({"last": "2026-11-2\u0660"}, "there is no day", id="a digit of another alphabet"),
        pytest.param({"first": "1969-12-31"}, "1969-12-31 is not between 1970", id="before every reading"),
        pytest.param({"last": "9999-01-01"}, "is not between .* and 9998-12-31", id="the end of time"),
        pytest.param({"first": "2026-11-21"}, "is after today, 2026-11-20", id="tomorrow"),
        pytest.param(
            {"first": "2026-11-02", "last": "2026-11-01"}, "is after the last, 2026-11-01", id="backwards"
        ),
        pytest.param({"by": "second"}, "by must be one of: hour, day", id="no such way"),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_sentence(written: dict[str, str], says: str) -> None:
    with pytest.raises(AskedError, match=says):
        read(**written)

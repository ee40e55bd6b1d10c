"""The body of a report, as an upstream wants it, and what the upstream's answer means."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from typing import Literal, TypeAlias

from tallyd.contract.passages import read_seen
from tallyd.core.json_reply import Unreadable, parse
from tallyd.core.reading import Json
from tallyd.core.schedule.days import day_span
from tallyd.pollers.visitors.inside import DayCount

Tag: TypeAlias = Literal["Count", "CountAccuIn", "CountAccuOut"]
TAGS: dict[Tag, str] = {"Count": "901", "CountAccuIn": "902", "CountAccuOut": "903"}
"""The upstream's numbers for how many are inside, came, and left."""


@dataclass(frozen=True, kw_only=True)
class Form:
    """How an upstream wants a report.

    `window`: StartTime and EndTime are those of the day's first and last record (`records`), or of the last
    `every_s` seconds before the slot (`interval`). `time_format` is for `strftime`, in `zone`.
    """

    zone: tzinfo
    window: Literal["records", "interval"]
    every_s: float
    time_format: str
    tags: Mapping[Tag, str]


def body(ssid: str, counted: DayCount, form: Form, *, day: date, due_at: datetime) -> list[Json]:
    """Return the report of one day for one name: three objects, every value text.

    A day without a record begins at its midnight and ends at the slot, or at its end once it is past.
    """
    count = counted.count
    midnight, next_midnight = day_span(day, form.zone)
    slot = min(due_at, next_midnight)
    if form.window == "interval":
        start, end = slot - timedelta(seconds=form.every_s), slot
    elif count.first_at:
        start, end = read_seen(count.first_at), read_seen(count.last_at)
    else:
        start, end = midnight, slot
    values: dict[Tag, int] = {"Count": counted.inside, "CountAccuIn": count.n_in, "CountAccuOut": count.n_out}
    return [
        {
            "SSID": ssid,
            "TagType": tag,
            "TagID": form.tags[tag],
            "TagValue": str(value),
            "StartTime": start.astimezone(form.zone).strftime(form.time_format),
            "EndTime": end.astimezone(form.zone).strftime(form.time_format),
        }
        for tag, value in values.items()
    ]


def answer_field(answer: bytes, field: str) -> str | None:
    """Return a field of the upstream's answer as text; None where there is none.

    The answer is JSON, a byte order mark in front allowed; a number or a truth value is its JSON text.
    """
    try:
        found = parse(answer)
    except Unreadable:
        return None
    if not isinstance(found, dict) or field not in found:
        return None
    value = found[field]
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def is_success(answer: bytes, *, field: str | None, equals: Collection[str]) -> bool:
    """Whether the upstream accepted a report; without a field, every 2xx answer means that."""
    return field is None or answer_field(answer, field) in equals

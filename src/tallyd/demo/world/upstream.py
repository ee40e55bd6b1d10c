"""The upstream of the small world: it accepts reports of visitors, and keeps them for people to see.

Like the real one, it answers with a `Desc` after a byte order mark, and may reject with HTTP 200.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from tallyd.core.reading import Json
from tallyd.demo.world.http_server import NoAnswer, Part, linger
from tallyd.pollers.visitors.report.upstream import TAGS

SSID = "SS-007"
"""The name for the reports of the demo's visitors. The upstream also accepts any other name."""
OK = "OK"
MODES = ("ok", "refusing", "forbidden", "slow", "down")
"""The modes: fine; a rejection with HTTP 200; one with HTTP 403; an answer after a minute; no answer."""
REPORT, CONTROL = "/visitors/report", "/world/upstream"
MOST_KEPT = 100
SLOW_S = 60.0
_BOM = b"\xef\xbb\xbf"
_DIGITS = "%Y%m%d%H%M%S"


def report(base_url: str, *, every: str) -> dict[str, Json]:
    """Return the `report` of a visitors poller that posts to this upstream."""
    return {
        "every": every,
        "url": f"{base_url}{REPORT}",
        "ssid": SSID,
        "success": {"field": "Desc", "equals": [OK]},
    }


def _time(written: str) -> str:
    # strptime alone would accept fewer digits, and spaces.
    if len(written) != 14 or not written.isascii() or not written.isdigit():
        raise ValueError("must be 14 digits, as in 20261120140312")
    datetime.strptime(written, _DIGITS)  # noqa: DTZ007 # only whether there is such a time
    return written


Number = Annotated[str, Field(pattern=r"^[0-9]{1,12}$")]
Time = Annotated[str, AfterValidator(_time)]


class _Value(BaseModel):
    """One of the three objects of a report: every value is text, and there are no other keys."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, hide_input_in_errors=True)

    SSID: Annotated[str, Field(min_length=1, max_length=100)]
    TagType: Literal["Count", "CountAccuIn", "CountAccuOut"]
    TagID: Number
    TagValue: Number
    StartTime: Time
    EndTime: Time


_VALUES = TypeAdapter(Annotated[list[_Value], Field(min_length=3, max_length=3)])


class NoReportError(Exception):
    """The body is not a report. The text says why."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """A received report: its name, its times (14 digits each), and the three numbers by their names."""

    ssid: str
    start: str
    end: str
    values: Mapping[str, int]


def read_report(body: bytes) -> Report:
    """Return the report of a body. Raises `NoReportError`."""
    try:
        values = _VALUES.validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise NoReportError(f"{place}: {first['msg']}" if place else first["msg"]) from None
    if {value.TagType for value in values} != TAGS.keys():
        raise NoReportError(f"TagType: each of {', '.join(TAGS)} must occur once")
    if len({(value.SSID, value.StartTime, value.EndTime) for value in values}) > 1:
        raise NoReportError("SSID, StartTime and EndTime must be the same in all three objects")
    for value in values:
        if value.TagID != TAGS[value.TagType]:
            raise NoReportError(f"TagID: must be {TAGS[value.TagType]} for {value.TagType}")
    one = values[0]
    if one.StartTime > one.EndTime:
        raise NoReportError("StartTime is after EndTime")
    numbers: dict[str, int] = {value.TagType: int(value.TagValue) for value in values}
    return Report(ssid=one.SSID, start=one.StartTime, end=one.EndTime, values=numbers)


@dataclass(frozen=True, kw_only=True)
class Received:
    """An accepted report: its number since the world began (from 1), and when it came."""

    number: int
    at: datetime
    report: Report

    def json(self) -> dict[str, Json]:
        """Return the report for a list."""
        return {
            "number": self.number,
            "at": self.at.isoformat(timespec="milliseconds"),
            "ssid": self.report.ssid,
            "day": self.report.end[:8],
            "StartTime": self.report.start,
            "EndTime": self.report.end,
            "values": {**self.report.values},
        }


class Upstream(Part):
    """One upstream. `now` gives an aware time."""

    control, modes = CONTROL, MODES

    def __init__(
        self, *, now: Callable[[], datetime] = lambda: datetime.now(UTC), slow_s: float = SLOW_S
    ) -> None:
        super().__init__()
        self._now = now
        self._slow_s = slow_s
        self._taken = 0
        self._received: deque[Received] = deque(maxlen=MOST_KEPT)
        self._refused = 0
        self._last_refusal: str | None = None

    def routes(self) -> list[BaseRoute]:
        """Return the address for reports, and the one that lists them and simulates an outage."""
        return [Route(REPORT, self._report, methods=["POST"]), *super().routes()]

    def seen(self) -> Mapping[str, Json]:
        """Return the last reports, and what was rejected."""
        return {
            "reports": [received.json() for received in self._received],
            "refused": self._refused,
            "last_refusal": self._last_refusal,
        }

    def about(self, base_url: str) -> tuple[str, ...]:
        """Return how to use the upstream."""
        return (
            "An upstream that accepts visitor reports: three objects, all values text, times of 14 digits",
            f"  {base_url}{REPORT}",
            f"Show the last {MOST_KEPT} reports, and simulate an outage ({', '.join(MODES)}):",
            f"  curl {base_url}{CONTROL}",
            f"""  curl -d '{{"mode": "refusing"}}' {base_url}{CONTROL}""",
        )

    async def _report(self, request: Request) -> Response:
        body = await request.body()
        await linger(request, self._slow_s, lambda: self.mode == "slow")
        if self.mode == "down":
            return NoAnswer()
        if self.mode == "forbidden":
            return self._refuse("this address is not unlocked", 403)
        if self.mode == "refusing":
            return self._refuse("not accepted, try again later", 200)
        try:
            found = read_report(body)
        except NoReportError as error:
            return self._refuse(str(error), 200)
        self._taken += 1
        self._received.append(Received(number=self._taken, at=self._now(), report=found))
        return _answer(OK, 200)

    def _refuse(self, why: str, status: int) -> Response:
        self._refused += 1
        self._last_refusal = why
        return _answer(why, status)


def _answer(desc: str, status: int) -> Response:
    body = _BOM + json.dumps({"Desc": desc}, ensure_ascii=False).encode()
    return Response(body, status, media_type="application/json")

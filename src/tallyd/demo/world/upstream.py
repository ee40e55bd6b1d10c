"""The upstream of the small world: it accepts reports of visitors, and keeps them for people to see.

Like the real one, it answers with a `Desc` after a byte order mark, and may reject with HTTP 200.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from tallyd.core.language.messages import tr
from tallyd.core.reading import Json
from tallyd.demo.world.http_server import NoAnswer, Part
from tallyd.pollers.visitors.report.upstream import TAGS

SSID = "SS-007"
"""The name for the reports of the demo's visitors. The upstream also accepts any other name."""
OK = "OK"
MODES = ("ok", "refusing", "down")
"""The modes: fine; a rejection with HTTP 200; no answer."""
REPORT, CONTROL = "/visitors/report", "/world/upstream"
MOST_KEPT = 100
_BOM = b"\xef\xbb\xbf"

Digits = Annotated[str, Field(pattern=r"^[0-9]{1,12}$")]
Time = Annotated[str, Field(pattern=r"^[0-9]{14}$")]


def report(base_url: str, *, every: str) -> dict[str, Json]:
    """Return the `report` of a visitors poller that posts to this upstream."""
    return {
        "every": every,
        "url": f"{base_url}{REPORT}",
        "ssid": SSID,
        "success": {"field": "Desc", "equals": [OK]},
    }


class _Value(BaseModel):
    """One of the three objects of a report: every value is text, and there are no other keys."""

    model_config = ConfigDict(strict=True, extra="forbid", hide_input_in_errors=True)

    SSID: Annotated[str, Field(min_length=1)]
    TagType: Literal["Count", "CountAccuIn", "CountAccuOut"]
    TagID: Digits
    TagValue: Digits
    StartTime: Time
    EndTime: Time


_REPORT = TypeAdapter(Annotated[list[_Value], Field(min_length=3, max_length=3)])


class Upstream(Part):
    """One upstream. `now` gives an aware time."""

    control, modes = CONTROL, MODES

    def __init__(self, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        super().__init__()
        self._now = now
        self._received: deque[Json] = deque(maxlen=MOST_KEPT)
        self._refused = 0
        self._last_refusal: str | None = None

    def routes(self) -> list[BaseRoute]:
        """Return the address for reports, and the one that lists them and simulates an outage."""
        return [Route(REPORT, self._report, methods=["POST"]), *super().routes()]

    def seen(self) -> Mapping[str, Json]:
        """Return the last reports, and what was rejected."""
        return {
            "reports": list(self._received),
            "refused": self._refused,
            "last_refusal": self._last_refusal,
        }

    def about(self, base_url: str) -> tuple[str, ...]:
        """Return how to use the upstream."""
        return (
            tr(
                "An upstream that accepts visitor reports: three objects, all values text, times of 14 digits"
            ),
            f"  {base_url}{REPORT}",
            tr(
                "Show the last {most} reports, and simulate an outage ({modes}):",
                most=MOST_KEPT,
                modes=", ".join(MODES),
            ),
            f"  curl {base_url}{CONTROL}",
            f"""  curl -d '{{"mode": "refusing"}}' {base_url}{CONTROL}""",
        )

    async def _report(self, request: Request) -> Response:
        body = await request.body()
        if self.mode == "down":
            return NoAnswer()
        if self.mode == "refusing":
            return self._refuse("not accepted, try again later")
        try:
            values = _REPORT.validate_json(body)
        except ValidationError as error:
            return self._refuse(str(error))
        if {value.TagType: value.TagID for value in values} != TAGS:
            return self._refuse("each TagType must occur once, with its TagID")
        self._received.append(
            {
                "at": self._now().isoformat(timespec="milliseconds"),
                **values[0].model_dump(include={"SSID", "StartTime", "EndTime"}),
                **{value.TagType: int(value.TagValue) for value in values},
            }
        )
        return _answer(OK)

    def _refuse(self, why: str) -> Response:
        self._refused += 1
        self._last_refusal = why
        return _answer(why)


def _answer(desc: str) -> Response:
    body = _BOM + json.dumps({"Desc": desc}, ensure_ascii=False).encode()
    return Response(body, media_type="application/json")

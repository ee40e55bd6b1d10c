"""/healthz: whether tallyd itself is well, and whether it works. No more, so that anybody may ask."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from tallyd.alerting.heartbeat import is_well
from tallyd.web.context import Context

STANDS_STILL_S: Final = 60.0
"""The schedule ticks about once a second; systemd's watchdog waits as long."""


def routes(context: Context) -> list[Route]:
    """Return the route of `/healthz`: 200 and `ok`, or 503 and `unwell`, with the role of this daemon."""

    def healthz(request: Request) -> JSONResponse:
        del request
        well, role = is_healthy(context), "active" if context.leader is None else "standby"
        content = {"status": "ok" if well else "unwell", "role": role}
        return JSONResponse(content, status_code=200 if well else 503)

    return [Route("/healthz", healthz)]


def is_healthy(context: Context) -> bool:
    """Whether the schedule ticks, state.db answers, jobs run in time and the disk can be written.

    Not whether sources answer: an outage of theirs has an alert of its own.
    """
    ticked_s = context.runs.ticked_s()
    if ticked_s is None or context.monotonic() - ticked_s > STANDS_STILL_S:
        return False
    return context.state.answers() and is_well(context.alerts().values())

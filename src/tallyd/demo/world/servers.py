"""The application servers of the small world. Each answers with the time when its data was last computed."""

from __future__ import annotations

import time as clock
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from tallyd.core.language.formats import span
from tallyd.core.language.messages import tr
from tallyd.core.reading import Json
from tallyd.demo.world.http_server import NoAnswer, Part

APPS, CONTROL = "/apps/", "/world/servers"
MODES = ("cycle", "fresh", "stale", "down")
"""The modes of the server `changing`: stale from time to time, or always in one state."""
STEP_S = 4.0
"""How often fresh data is computed."""
CYCLE_S = 120.0
STANDS_STILL_FROM_S, STANDS_STILL_UNTIL_S = 16.0, 40.0
"""When in each cycle `changing` computes nothing, counted from the start of the world."""
STALE_AFTER_S = 12
CALENDAR, DUE_BY = "works", "06:00"
"""The calendar and the time of day of the server `nightly`."""
_NIGHT = timedelta(hours=2, minutes=10)


def computed_s(elapsed_s: float) -> float:
    """Return when `changing` last computed its data, at `elapsed_s`; both in seconds since the start."""
    into_s = elapsed_s % CYCLE_S
    if STANDS_STILL_FROM_S <= into_s < STANDS_STILL_UNTIL_S:
        elapsed_s -= into_s - STANDS_STILL_FROM_S
    return elapsed_s // STEP_S * STEP_S


def ran_at(now: datetime) -> datetime:
    """Return when the job of `nightly` last ran: at 02:10 UTC from Monday to Friday.

    Then it ran once between any two due times of these days, in whatever zone they are.
    """
    day = datetime.combine((now - _NIGHT).date(), time(), UTC)
    return day - timedelta(days=max(0, day.weekday() - 4)) + _NIGHT


def calendars() -> dict[str, Json]:
    """Return the calendars that the poller names."""
    return {CALENDAR: {"days": ["mon-fri"], "holidays": {"country": "DE"}}}


def poller(base_url: str) -> dict[str, Json]:
    """Return a poller for a config that watches all of them, with short limits.

    PROD is fresh, STAGE is stale from time to time, BATCH has another time format. NIGHTLY is due in the
    morning of each working day.
    """
    return {
        "kind": "servers",
        "every": "5s",
        "defaults": {"stale_after": f"{STALE_AFTER_S}s"},
        "targets": _targets(base_url),
    }


def _targets(base_url: str) -> dict[str, Json]:
    return {
        "PROD": {"url": f"{base_url}{APPS}fresh"},
        "STAGE": {"url": f"{base_url}{APPS}changing"},
        "BATCH": {"url": f"{base_url}{APPS}nested", "field": "data.finished", "format": "epoch_ms"},
        "NIGHTLY": {"url": f"{base_url}{APPS}nightly", "due": [{"by": DUE_BY, "calendar": CALENDAR}]},
    }


class Servers(Part):
    """All servers. `elapsed` gives the seconds since the world began, `now` the seconds since 1970."""

    control, modes = CONTROL, MODES

    def __init__(
        self, *, elapsed: Callable[[], float] | None = None, now: Callable[[], float] = clock.time
    ) -> None:
        super().__init__(elapsed)
        self._now = now
        self._began_at = now() - self._elapsed()
        self._stood_still_s = 0.0

    def routes(self) -> list[BaseRoute]:
        """Return one address for each server, and the one to change `changing`."""
        return [
            Route(f"{APPS}fresh", self._fresh),
            Route(f"{APPS}changing", self._changing),
            Route(f"{APPS}nested", self._nested),
            Route(f"{APPS}nightly", self._nightly),
            *super().routes(),
        ]

    def about(self, base_url: str) -> tuple[str, ...]:
        """Return how to use each server."""
        still = span(STANDS_STILL_UNTIL_S - STANDS_STILL_FROM_S)
        fresh = tr("computes its data every {step}", step=span(STEP_S))
        changing = tr("computes nothing for {still} in every {cycle}", still=still, cycle=span(CYCLE_S))
        nested = tr("its time is in a nested field, in milliseconds since 1970")
        nightly = tr("computes its data in each night to a working day")
        return (
            tr("Application servers:"),
            f"  {base_url}{APPS}fresh     {fresh}",
            f"  {base_url}{APPS}changing  {changing}",
            f"  {base_url}{APPS}nested    {nested}",
            f"  {base_url}{APPS}nightly   {nightly}",
            tr("Change the server `changing` ({modes}):", modes=", ".join(MODES)),
            f"""  curl -d '{{"mode": "stale"}}' {base_url}{CONTROL}""",
        )

    def play(self, mode: str) -> None:
        """Switch to one of the modes. A second switch to `stale` keeps the time of the first."""
        if mode == "stale" and self.mode != "stale":
            self._stood_still_s = self._elapsed() // STEP_S * STEP_S
        super().play(mode)

    async def _fresh(self, _request: Request) -> Response:
        return _computed(self._fresh_at())

    async def _nested(self, _request: Request) -> Response:
        return JSONResponse({"data": {"finished": int(self._fresh_at()) * 1000}})

    async def _nightly(self, _request: Request) -> Response:
        return _computed(ran_at(datetime.fromtimestamp(self._now(), UTC)).timestamp())

    async def _changing(self, _request: Request) -> Response:
        if self.mode == "down":
            return NoAnswer()
        if self.mode == "fresh":
            return _computed(self._fresh_at())
        stands_still = self.mode == "stale"
        return _computed(
            self._began_at + (self._stood_still_s if stands_still else computed_s(self._elapsed()))
        )

    def _fresh_at(self) -> float:
        return self._now() // STEP_S * STEP_S


def _computed(at: float) -> Response:
    written = datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")
    return JSONResponse({"version": "4.7.1", "computed_time": written})

"""The application servers of the small world: one for each thing that may happen to the data of a server.

Each answers with the time when its data was last computed, or with a typical wrong answer.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route

from tallyd.core.reading import Json
from tallyd.demo.world.http_server import HOST, NoAnswer, Part, linger

APPS, CONTROL = "/apps/", "/world/servers"
MODES = ("cycle", "fresh", "stale", "invalid", "down")
"""The modes of the server `changing`: stale from time to time, or always in one state."""
STEP_S = 4.0
"""How often fresh data is computed."""
CYCLE_S = 120.0
STANDS_STILL_FROM_S, STANDS_STILL_UNTIL_S = 16.0, 40.0
"""When in each cycle `changing` computes nothing, counted from the start of the world."""
STALE_AFTER_S = 12
SLOW_S = 5.0
_HOUR_S = 3600.0


def computed_s(elapsed_s: float) -> float:
    """Return when `changing` last computed its data, at `elapsed_s`; both in seconds since the start."""
    into_s = elapsed_s % CYCLE_S
    if STANDS_STILL_FROM_S <= into_s < STANDS_STILL_UNTIL_S:
        elapsed_s -= into_s - STANDS_STILL_FROM_S
    return elapsed_s // STEP_S * STEP_S


def poller(base_url: str) -> dict[str, Json]:
    """Return a poller for a config that watches three of them, with short limits.

    PROD is fresh, STAGE is stale from time to time, BATCH has another time format.
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
    }


@dataclass(frozen=True, kw_only=True)
class Case:
    """A server: its description and its answer; `keys` are those that its target in the config needs."""

    name: str
    about: str
    answer: Callable[[Servers], Response]
    keys: Mapping[str, Json] | None = None
    is_slow: bool = False


class Servers(Part):
    """All servers. `elapsed` gives the seconds since the world began, `now` the seconds since 1970."""

    control, modes = CONTROL, MODES

    def __init__(
        self,
        *,
        elapsed: Callable[[], float] | None = None,
        now: Callable[[], float] = time.time,
        slow_s: float = SLOW_S,
    ) -> None:
        super().__init__(elapsed)
        self._now = now
        self._slow_s = slow_s
        self._began_at = now() - self._elapsed()
        self._stood_still_s = 0.0
        self._refusing_port: int | None = None

    def routes(self) -> list[BaseRoute]:
        """Return one address for each server, and the one to change `changing`."""
        return [*(Route(f"{APPS}{case.name}", self._answering(case)) for case in CASES), *super().routes()]

    def about(self, base_url: str) -> tuple[str, ...]:
        """Return how to use each server."""
        width = max(len(case.name) for case in CASES)
        return (
            "Application servers, one for each case:",
            *(f"  {base_url}{APPS}{case.name:{width}}  {_about(case)}" for case in CASES),
            f"  {self.refusing_url}  refuses the connection: nothing listens on this port",
            f"Change the server `changing` ({', '.join(MODES)}):",
            f"""  curl -d '{{"mode": "stale"}}' {base_url}{CONTROL}""",
        )

    @property
    def refusing_url(self) -> str:
        """An address that refuses every connection, while the servers run."""
        if self._refusing_port is None:
            raise RuntimeError("the port that refuses is held only while the servers run")
        return f"http://{HOST}:{self._refusing_port}/"

    @contextmanager
    def running(self) -> Iterator[None]:
        """Hold a port on which nothing listens. Raises OSError."""
        # Bound but not listening: the port refuses connections, and no other program can use it.
        with socket.socket() as held:
            held.bind((HOST, 0))
            self._refusing_port = held.getsockname()[1]
            yield
        self._refusing_port = None

    # -- answers -----------------------------------------------------------------------------------------

    def instant(self, since_began_s: float) -> datetime:
        """Return the instant (UTC) `since_began_s` seconds after the world began."""
        return datetime.fromtimestamp(self._began_at + since_began_s, UTC)

    def fresh(self) -> datetime:
        """Return when fresh data was computed."""
        return datetime.fromtimestamp(self._now() // STEP_S * STEP_S, UTC)

    def changing(self) -> Response:
        """Answer as in the current mode."""
        if self.mode == "down":
            return NoAnswer()
        if self.mode == "invalid":
            return JSONResponse({"state": "starting"})
        if self.mode == "fresh":
            return _computed(self.fresh())
        stands_still = self.mode == "stale"
        return _computed(self.instant(self._stood_still_s if stands_still else computed_s(self._elapsed())))

    def play(self, mode: str) -> None:
        """Switch to one of the modes. A second switch to `stale` keeps the time of the first."""
        if mode == "stale" and self.mode != "stale":
            self._stood_still_s = self._elapsed() // STEP_S * STEP_S
        super().play(mode)

    def _answering(self, case: Case) -> Callable[[Request], Awaitable[Response]]:
        async def answered(request: Request) -> Response:
            if case.is_slow:
                await linger(request, self._slow_s)
            return case.answer(self)

        return answered


def _about(case: Case) -> str:
    if not case.keys:
        return case.about
    keys = ", ".join(f'"{key}": {json.dumps(value)}' for key, value in case.keys.items())
    return f"{case.about} ({keys})"


def _computed(at: datetime) -> Response:
    return _told(at.isoformat(timespec="seconds"))


def _told(time_written: Json) -> Response:
    return JSONResponse({"version": "4.7.1", "computed_time": time_written})


CASES: tuple[Case, ...] = (
    Case(
        name="fresh",
        about=f"computes its data every {STEP_S:g} s",
        answer=lambda servers: _computed(servers.fresh()),
    ),
    Case(
        name="changing",
        about=f"computes nothing for {STANDS_STILL_UNTIL_S - STANDS_STILL_FROM_S:g} s in every {CYCLE_S:g} s",
        answer=Servers.changing,
    ),
    Case(
        name="stale",
        about="has computed nothing since an hour before the start",
        answer=lambda servers: _computed(servers.instant(-_HOUR_S)),
    ),
    Case(
        name="future",
        about="its time is an hour ahead",
        answer=lambda servers: _computed(datetime.fromtimestamp(servers.fresh().timestamp() + _HOUR_S, UTC)),
    ),
    Case(
        name="no-zone",
        about="a time without a zone, in UTC",
        answer=lambda servers: _told(f"{servers.fresh():%Y-%m-%d %H:%M:%S}"),
        keys={"timezone": "UTC"},
    ),
    Case(
        name="digits",
        about="a time of 14 digits, in UTC",
        answer=lambda servers: _told(f"{servers.fresh():%Y%m%d%H%M%S}"),
        keys={"format": "%Y%m%d%H%M%S", "timezone": "UTC"},
    ),
    Case(
        name="epoch",
        about="seconds since 1970",
        answer=lambda servers: _told(int(servers.fresh().timestamp())),
        keys={"format": "epoch"},
    ),
    Case(
        name="epoch-ms",
        about="milliseconds since 1970",
        answer=lambda servers: _told(int(servers.fresh().timestamp()) * 1000),
        keys={"format": "epoch_ms"},
    ),
    Case(
        name="nested",
        about="its time is in a nested field, in milliseconds since 1970",
        answer=lambda servers: JSONResponse({"data": {"finished": int(servers.fresh().timestamp()) * 1000}}),
        keys={"field": "data.finished", "format": "epoch_ms"},
    ),
    Case(
        name="slow",
        about=f"answers after {SLOW_S:g} s",
        answer=lambda servers: _computed(servers.fresh()),
        is_slow=True,
    ),
    Case(
        name="broken",
        about="JSON that ends in the middle",
        answer=lambda servers: Response(
            bytes(_computed(servers.fresh()).body)[:-9], media_type="application/json"
        ),
    ),
    Case(
        name="html",
        about="a web page with HTTP 200",
        answer=lambda _servers: HTMLResponse("<!DOCTYPE html><title>Login</title><h1>Login</h1>\n"),
    ),
    Case(name="missing", about="no field with a time", answer=lambda _servers: JSONResponse({"state": "up"})),
    Case(name="null", about="null instead of a time", answer=lambda _servers: _told(None)),
    Case(name="words", about="words instead of a time", answer=lambda _servers: _told("a moment ago")),
    Case(
        name="error",
        about="HTTP 500",
        answer=lambda _servers: JSONResponse({"error": "the database is away"}, 500),
    ),
    Case(name="closing", about="closes the connection without an answer", answer=lambda _servers: NoAnswer()),
)

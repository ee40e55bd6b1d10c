"""What a poller is handed, made of plain objects: a poller can be run without a daemon and a network.

http = FakeHttp(answer(b'{"success": true, "data": []}'))
(reading,) = job.run(slot(), toolbox(http))
assert http.calls[0].params == {...}
"""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import Future
from datetime import UTC, datetime, tzinfo
from typing import TypeVar
from zoneinfo import ZoneInfo

from tallyd.contract.http import Reply, Request, Retry
from tallyd.contract.toolbox import Toolbox
from tallyd.core.errors import SourceError
from tallyd.core.reading import Facts, Slot

T = TypeVar("T")

NOW = datetime(2026, 11, 20, 7, 0, 0, 412_000, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
HOST = "app.divera247.com"


def answer(body: bytes, *, status: int = 200, host: str = HOST, skew_s: float | None = 0.0) -> Reply:
    """Return an HTTP answer with this body."""
    return Reply(
        status=status, headers={}, body=body, host=host, answered_at=NOW, skew_s=skew_s, elapsed_s=0.04
    )


def json_answer(content: object, *, skew_s: float | None = 0.0) -> Reply:
    """Return HTTP 200 with `content` as JSON."""
    return answer(json.dumps(content).encode(), skew_s=skew_s)


def refusal(status: int, *, host: str = HOST) -> SourceError:
    """Return what the HTTP adapter raises for a refused key."""
    return SourceError(f"{host}: access refused (HTTP {status})", transient=False, status=status)


def timeout(*, host: str = HOST) -> SourceError:
    """Return what the HTTP adapter raises when the answer did not come in time."""
    return SourceError(f"{host} timed out", transient=True)


class FakeHttp:
    """Gives the canned answers one after the other, also errors. Remembers every request."""

    def __init__(self, *answers: Reply | Exception) -> None:
        self.answers = answers
        self.calls: list[Request] = []

    def request(self, request: Request) -> Future[Reply]:
        self.calls.append(request)
        assert len(self.calls) <= len(self.answers), f"request {len(self.calls)} has no canned answer"
        given = self.answers[len(self.calls) - 1]
        outcome: Future[Reply] = Future()
        if isinstance(given, Exception):
            outcome.set_exception(given)
        else:
            outcome.set_result(given)
        return outcome


def once(attempt: Callable[[], T]) -> T:
    """Retry nothing."""
    return attempt()


def toolbox(
    http: FakeHttp,
    *,
    poller: str = "divera",
    zone: tzinfo = BERLIN,
    now: datetime = NOW,
    retry: Retry = once,
    memory: Facts | None = None,
) -> Toolbox:
    """Return a Toolbox around `http` whose clock stands at `now`."""
    return Toolbox(
        poller=poller,
        zone=zone,
        now=lambda: now,
        stop=lambda: False,
        alive=lambda: None,
        http=http,
        retry=retry,
        memory=lambda: memory or {},
    )


def slot(at: datetime = NOW) -> Slot:
    """Return a slot outside of the timetable."""
    return Slot(None, at)

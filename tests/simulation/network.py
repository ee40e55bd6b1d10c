"""The network: Divera, two servers, an upstream that takes reports, and a dead man's switch."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any, Literal
from urllib.parse import urlsplit

from simulation.clocks import SimClock
from simulation.perils import Perils
from simulation.turns import Turns
from tallyd.adapters.http.responses import refusal
from tallyd.contract.http import Reply, Request
from tallyd.core.errors import SourceError

Mode = Literal["up", "down", "slow", "lying", "broken", "refusing", "stuck"]
KEY = "DIVERA-KEY-9f3c1d77"
"""Must be nowhere but in the config."""
PERSON = "Zaphod-Beeblebrox"
"""In each name, address and note that Divera sends. Must be nowhere at all."""
STATUSES = ("50101", "50102", "50103")
TIMEOUT_S = 30.0


@dataclass
class Posted:
    """A report that the upstream took."""

    at: datetime
    body: list[dict[str, str]]


@dataclass
class Network:
    """What answers, and how. `modes` by host; a host that is not in it is up.

    `counted`: the answers of Divera, by the counts of the three statuses, and when each was given.
    """

    clock: SimClock
    chance: Random
    modes: dict[str, Mode] = field(default_factory=dict)
    counted: dict[tuple[int, ...], list[datetime]] = field(default_factory=dict)
    posted: list[Posted] = field(default_factory=list)
    bodies: set[str] = field(default_factory=set)
    beats: int = 0
    staff: int = 8
    _answers: int = 0
    stuck_at: dict[str, datetime] = field(default_factory=dict)

    def mode(self, host: str) -> Mode:
        if self.modes.get("*") == "down":
            return "down"
        return self.modes.get(host, "up")

    def answer(self, request: Request) -> tuple[int, bytes]:
        """Return status and body of the answer of a host that answers."""
        host = urlsplit(request.url).hostname or ""
        kind = host.split(".", maxsplit=1)[0]
        mode = self.mode(host)
        if mode == "broken":
            return self.chance.choice([500, 503]), b"<html>error</html>"
        if mode == "refusing":
            return 403, b"{}"
        if kind == "divera":
            return 200, self._divera(is_lying=mode == "lying")
        if kind == "upstream":
            return self._upstream(request, is_lying=mode == "lying")
        if kind == "beat":
            self.beats += 1
            return 200, b"OK"
        return 200, self._server(host, mode)

    def _divera(self, *, is_lying: bool) -> bytes:
        if is_lying:
            lies = (
                {"success": False, "message": f"{PERSON} may not"},
                {"success": True, "data": []},
                {"success": True, "data": [{"status_id": PERSON}]},
                [PERSON],
            )
            return json.dumps(self.chance.choice(lies)).encode()
        self._answers += 1
        # Each answer has its own counts, so that a reading shows which answer it is.
        number = self._answers
        counts = (self.staff + number % 13, number // 13 % 13, number // 169 % 13)
        self.counted.setdefault(counts, []).append(self.clock.true_at)
        rows: list[dict[str, Any]] = [
            {
                "id": number,
                "firstname": PERSON,
                "lastname": f"{PERSON}-{number}",
                "note": f"{PERSON} is ill",
                "email": f"{PERSON}@example.org",
                "status_id": int(status),
            }
            for status, count in zip(STATUSES, counts, strict=True)
            for number in range(count)
        ]
        return json.dumps({"success": True, "data": rows}).encode()

    def _server(self, host: str, mode: Mode) -> bytes:
        if mode == "lying":
            return self.chance.choice([b"{", b"[]", b'{"computed_time": "soon"}', b'{"computed_time": null}'])
        at = self.clock.true_at - timedelta(seconds=20)
        if mode == "stuck":
            at = self.stuck_at.setdefault(host, at)
        else:
            self.stuck_at.pop(host, None)
        return json.dumps({"computed_time": at.isoformat()}).encode()

    def _upstream(self, request: Request, *, is_lying: bool) -> tuple[int, bytes]:
        if is_lying:
            return 200, json.dumps({"Desc": "IP not registered"}).encode()
        body = json.loads(request.body or b"null")
        self.posted.append(Posted(self.clock.true_at, body))
        self.bodies.add(json.dumps(body))
        return 200, b'{"Desc": "OK"}'


class SimHttp:
    """HTTP of one process. Implements `contract.Http`."""

    def __init__(self, network: Network, turns: Turns, perils: Perils, clock: SimClock) -> None:
        self._network, self._turns, self._perils, self._clock = network, turns, perils, clock

    def request(self, request: Request) -> Future[Reply]:
        answer = _Asked(self, request)
        if request.is_one_of_many:
            # A round waits for all its answers at once, on the real clock: they are there when it looks.
            answer.settle(longest_s=4.0)
        return answer

    def ask(self, request: Request, *, longest_s: float) -> Reply:
        """Return the answer, after the time that it takes. Raises `SourceError`, `Stopped`."""
        network, began_s = self._network, self._clock.monotonic()
        host = urlsplit(request.url).hostname or ""
        self._perils.point(f"request to {host}")
        limit_s = min(request.timeout_s or TIMEOUT_S, longest_s)
        mode, chance = network.mode(host), network.chance
        takes_s = chance.uniform(0.02, 0.4)
        if mode == "slow":
            takes_s = chance.uniform(1.0, 1.5 * limit_s)
        is_lost = mode == "slow" and takes_s > limit_s and chance.random() < 0.5
        if mode == "down":
            self._turns.rest(takes_s)
            raise SourceError(f"{host} refused the connection", transient=True)
        if is_lost:
            network.answer(request)  # it arrived; only the answer does not
        self._turns.rest(min(takes_s, limit_s))
        elapsed_s = self._clock.monotonic() - began_s
        if takes_s > limit_s or elapsed_s > limit_s + 1:
            raise SourceError(f"{host} timed out", transient=True)
        status, body = network.answer(request)
        self._perils.point(f"answer of {host}")
        if status >= 300:
            raise refusal(status, {}, host=host, now=self._clock.now())
        return Reply(
            status=status,
            headers={},
            body=body,
            host=host,
            answered_at=self._clock.now(),
            skew_s=round(self._clock.ahead_s),
            elapsed_s=elapsed_s,
        )


class _Asked(Future[Reply]):
    """A request. Who wants its result waits for it, while others run."""

    def __init__(self, http: SimHttp, request: Request) -> None:
        super().__init__()
        self._http, self._request = http, request

    def settle(self, *, longest_s: float = TIMEOUT_S) -> None:
        if self.done():
            return
        try:
            self.set_result(self._http.ask(self._request, longest_s=longest_s))
        except Exception as error:
            self.set_exception(error)

    def result(self, timeout: float | None = None) -> Reply:
        self.settle()
        return super().result(timeout)

    def exception(self, timeout: float | None = None) -> BaseException | None:
        self.settle()
        return super().exception(timeout)


def values_of(body: Sequence[Mapping[str, str]]) -> tuple[str, dict[str, int]]:
    """Return the name and the values of a report."""
    return body[0]["SSID"], {each["TagType"]: int(each["TagValue"]) for each in body}

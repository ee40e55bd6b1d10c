"""The Divera API of the small world: the requests of tallyd, with replies as odd as the real ones.

PHP writes an empty object as `[]`; ids are text as keys and numbers as values; names have trailing spaces;
a person without a status has null, 0, or no such key; the replies have people's names, which tallyd must
never keep.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from tallyd.core.language.messages import tr
from tallyd.core.reading import Json
from tallyd.demo.world.http_server import NoAnswer, Part
from tallyd.demo.world.people import (
    MEMBERS,
    QUALIFICATIONS,
    READY,
    STATUSES,
    Member,
    Status,
    counts_at,
    status_of,
)

KEY = "small-world-4711"
"""The access key. It has no use anywhere else, so it may be shown."""
MODES = ("ok", "outage", "down")
"""The modes: fine; down once, for a while; no answer."""
OUTAGE_FROM_S, OUTAGE_UNTIL_S = 48, 72
"""When `outage` gives no answer, from the start of the world on: between two alarms that call people out."""
USERS, PULL, CONTROL = "/api/users", "/api/v2/pull/all", "/world/divera"
_WANTED_READY = 8
VEHICLES: Mapping[int, Mapping[str, Json]] = {
    501: {"name": "Florian Kleinwelt 1/44-1", "shortname": "LF 20", "fmsstatus_id": 2, "lat": None},
    502: {"name": "Florian Kleinwelt 1/33-1", "shortname": "DLK", "fmsstatus_id": 2, "lat": None},
    503: {"name": "Florian Kleinwelt 1/19-1", "shortname": "MTW", "fmsstatus_id": 6, "lat": None},
    504: {"name": "Anhänger", "shortname": "AH", "fmsstatus_id": None, "lat": None},
}


def poller(base_url: str) -> dict[str, Json]:
    """Return the poller for a config that counts these people, without its key and its times."""
    return {
        "kind": "divera",
        "url": f"{base_url}{USERS}",
        "fetch_status_names": True,
        "at_least": [{"statuses": [str(READY.id)], "count": _WANTED_READY}],
    }


class Divera(Part):
    """One unit's API. `elapsed` gives the seconds since the world began, `now` the seconds since 1970."""

    control, modes = CONTROL, MODES

    def __init__(
        self,
        *,
        elapsed: Callable[[], float] | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(elapsed)
        self._now = now

    def routes(self) -> list[BaseRoute]:
        """Return the two addresses for tallyd, and the one to simulate an outage."""
        return [
            Route(USERS, self._played(self._users)),
            Route(PULL, self._played(self._pull)),
            *super().routes(),
        ]

    def about(self, base_url: str) -> tuple[str, ...]:
        """Return how to use the API."""
        return (
            tr(
                "A Divera API: a unit of {people} invented people who change status; access key {key}",
                people=len(MEMBERS),
                key=KEY,
            ),
            f"  {base_url}{USERS}?accesskey={KEY}",
            f"  {base_url}{PULL}?accesskey={KEY}",
            tr("Simulate an outage ({modes}):", modes=", ".join(MODES)),
            f"""  curl -d '{{"mode": "down"}}' {base_url}{CONTROL}""",
        )

    # -- modes -------------------------------------------------------------------------------------------

    def _played(self, data: Callable[[Mapping[str, str]], Json]) -> Callable[[Request], Awaitable[Response]]:
        """Return a handler that answers with the data, if the mode and the key allow it."""

        async def played(request: Request) -> Response:
            is_out = self.mode == "outage" and OUTAGE_FROM_S <= self._elapsed() < OUTAGE_UNTIL_S
            if self.mode == "down" or is_out:
                return NoAnswer()
            # If a parameter occurs twice, the last one counts, as in PHP.
            if request.query_params.get("accesskey") != KEY:
                refusal = {"success": False, "name": "Forbidden", "message": "Login Required", "status": 403}
                return JSONResponse(refusal, 403)
            return JSONResponse({"success": True, "data": data(request.query_params)})

        return played

    # -- the API -----------------------------------------------------------------------------------------

    def _users(self, _query: Mapping[str, str]) -> Json:
        elapsed_s = self._elapsed()
        return [_row(member, status_of(member, elapsed_s)) for member in MEMBERS]

    def _pull(self, query: Mapping[str, str]) -> Json:
        """Return the monitors, and the cluster unless `ts_cluster` asks only for what changed in it since."""
        elapsed_s, now = self._elapsed(), int(self._now())
        monitors: dict[str, Json] = {"ts": now, "monitor": _monitor(elapsed_s, now)}
        return monitors if "ts_cluster" in query else {**monitors, "cluster": _cluster()}


def _row(member: Member, status: Status | None) -> dict[str, Json]:
    row: dict[str, Json] = {
        "user_id": member.user_id,
        "user_cluster_relation_id": 700_000 + member.number,
        "cluster_id": member.cluster_id,
        "firstname": member.firstname,
        "lastname": member.lastname,
        "email": member.email,
        "phonenumbers": [{"name": "Mobil", "number": member.phone}] if member.number % 2 else [],
    }
    if status is not None:
        row["status_id"] = status.id
    elif member.number % 3:  # seen in the wild: null, 0, and no key at all
        row["status_id"] = None if member.number % 3 == 1 else 0
    return row


def _cluster() -> dict[str, Json]:
    statuses: dict[str, Json] = {
        str(status.id): {
            "id": status.id,
            "name": status.name,
            "color_hex": status.color_hex,
            "time": None,
            "sorting": place,
            "hidden": status.hidden,
        }
        for place, status in enumerate(STATUSES)
    }
    consumers: dict[str, Json] = {
        str(700_000 + member.number): {
            "firstname": member.firstname,
            "lastname": member.lastname,
            "stdformat_name": f"{member.lastname}, {member.firstname}",
            "phonenumber": member.phone,
            "qualifications": list(member.qualifications),
        }
        for member in MEMBERS
    }
    return {
        "name": "Feuerwehr Kleinwelt",
        "status": statuses,
        "qualification": {str(key): {"id": key, "name": name} for key, name in QUALIFICATIONS.items()},
        "consumer": consumers,
        "vehicle": {str(key): {"id": key, **vehicle} for key, vehicle in VEHICLES.items()},
    }


def _monitor(elapsed_s: float, changed_at: int) -> dict[str, Json]:
    """Return the three monitors: 1 with numbers only, 2 and 3 with people and notes."""
    counts = counts_at(elapsed_s)
    anonymous: dict[str, Json] = {}
    persons: dict[str, Json] = {}
    for status in STATUSES:
        there = [member for member in MEMBERS if status_of(member, elapsed_s) is status]
        having: dict[str, Json] = {
            str(key): count
            for key in QUALIFICATIONS
            if (count := sum(key in member.qualifications for member in there))
        }
        anonymous[str(status.id)] = {"all": counts[status], "qualification": having or []}
        listed: list[Json] = [
            {"id": 700_000 + member.number, "note": f"Rückruf {member.phone}"} for member in there
        ]
        persons[str(status.id)] = listed
    return {"1": anonymous, "2": persons, "3": persons, "ts": changed_at, "cached": True}

"""Reports to an upstream: the result of each, and its form in an out file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Literal, TypeAlias

from tallyd.core.reading import Json, Reading, Send

SendState: TypeAlias = Literal["sent", "queued"]
UnsentState: TypeAlias = Literal["skipped", "off"]


@dataclass(frozen=True)
class Outcome:
    """The result of one send so far. `answer` is the upstream's answer, or why tallyd could not reach it."""

    state: SendState
    answer: str | None


Outcomes: TypeAlias = Mapping[tuple[date, str], Outcome]
"""The results of several sends, by day and ssid."""


def reported(reading: Reading, outcomes: Outcomes) -> Reading:
    """Return a reading whose `report` has the current results of its sends."""
    if reading.facts is None or not reading.sends:
        return reading
    own = {
        send.ssid: outcomes[send.day, send.ssid]
        for send in reading.sends
        if (send.day, send.ssid) in outcomes
    }
    return replace(reading, facts={**reading.facts, "report": report_json(reading.sends, own)})


def report_json(sends: Sequence[Send], outcomes: Mapping[str, Outcome] | None = None) -> dict[str, Json]:
    """Return `report` of an out file, for one or more sends of one day.

    `outcomes` are by ssid; a send without one is queued. The state is `sent` only if all are sent. For
    several sends, `answer` is that of the first that is not sent, and `by_ssid` has the answer of each.
    """
    known = outcomes or {}
    found = {send.ssid: known.get(send.ssid, Outcome("queued", None)) for send in sends}
    worst = min(found.values(), key=lambda outcome: outcome.state == "sent")
    content: dict[str, Json] = {"state": worst.state, "answer": worst.answer, "payload": _payload(sends)}
    if len(found) > 1:
        content["by_ssid"] = {
            ssid: {"state": outcome.state, "answer": outcome.answer} for ssid, outcome in found.items()
        }
    return content


def unsent_json(state: UnsentState, sends: Sequence[Send] = ()) -> dict[str, Json]:
    """Return `report` of an out file if nothing is posted; `sends` are what tallyd would have posted."""
    return {"state": state, "answer": None, "payload": _payload(sends) if sends else None}


def _payload(sends: Iterable[Send]) -> list[Json]:
    """Return the objects of all bodies, one after the other."""
    payload: list[Json] = []
    for send in sends:
        payload += send.body if isinstance(send.body, list) else [send.body]
    return payload

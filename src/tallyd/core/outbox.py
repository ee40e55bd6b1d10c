"""Reports to an upstream: the result of each, and its form in an out file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Literal, TypeAlias

from tallyd.core.reading import Json, OutboxMessage, Reading

MessageState: TypeAlias = Literal["sent", "queued"]
UnsentState: TypeAlias = Literal["skipped", "off"]


@dataclass(frozen=True)
class Outcome:
    """The result of one message so far. `answer` is the upstream's answer, or why tallyd did not reach it."""

    state: MessageState
    answer: str | None


Outcomes: TypeAlias = Mapping[tuple[date, str], Outcome]
"""The results of several messages, by day and ssid."""


def reported(reading: Reading, outcomes: Outcomes) -> Reading:
    """Return a reading whose `report` has the current results of its messages."""
    if reading.facts is None or not reading.outbox:
        return reading
    own = {
        message.ssid: outcomes[message.day, message.ssid]
        for message in reading.outbox
        if (message.day, message.ssid) in outcomes
    }
    return replace(reading, facts={**reading.facts, "report": report_json(reading.outbox, own)})


def report_json(
    messages: Sequence[OutboxMessage], outcomes: Mapping[str, Outcome] | None = None
) -> dict[str, Json]:
    """Return `report` of an out file, for one or more messages of one day.

    `outcomes` are by ssid; a message without one is queued. The state is `sent` only if all are sent. For
    several messages, `answer` is that of the first that is not sent, and `by_ssid` has the answer of each.
    """
    known = outcomes or {}
    found = {message.ssid: known.get(message.ssid, Outcome("queued", None)) for message in messages}
    worst = min(found.values(), key=lambda outcome: outcome.state == "sent")
    content: dict[str, Json] = {"state": worst.state, "answer": worst.answer, "payload": _payload(messages)}
    if len(found) > 1:
        content["by_ssid"] = {
            ssid: {"state": outcome.state, "answer": outcome.answer} for ssid, outcome in found.items()
        }
    return content


def unsent_json(state: UnsentState, messages: Sequence[OutboxMessage] = ()) -> dict[str, Json]:
    """Return `report` of an out file if nothing is posted; `messages` are what tallyd would have posted."""
    return {"state": state, "answer": None, "payload": _payload(messages) if messages else None}


def _payload(messages: Iterable[OutboxMessage]) -> list[Json]:
    """Return the objects of all bodies, one after the other."""
    payload: list[Json] = []
    for message in messages:
        payload += message.body if isinstance(message.body, list) else [message.body]
    return payload

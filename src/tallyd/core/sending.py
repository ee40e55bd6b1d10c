"""Reports to an upstream: what became of each, and how an out file tells it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from tallyd.core.reading import Json, Send

SendState: TypeAlias = Literal["sent", "queued"]


@dataclass(frozen=True)
class Outcome:
    """What became of one send so far. `answer` is what the upstream said, or why it could not be asked."""

    state: SendState
    answer: str | None


def report_json(sends: Sequence[Send], outcomes: Mapping[str, Outcome] = {}) -> dict[str, Json]:  # noqa: B006 # read only
    """Return `report` of an out file, for sends of one day; `outcomes` by ssid, without one it is queued.

    `sent` only where all are. Of several, `answer` is that of the first that is not sent, and `by_ssid` has
    each one's own.
    """
    found = {send.ssid: outcomes.get(send.ssid, Outcome("queued", None)) for send in sends}
    worst = min(found.values(), key=lambda outcome: outcome.state == "sent")
    payload: list[Json] = []
    for send in sends:
        payload += send.body if isinstance(send.body, list) else [send.body]
    content: dict[str, Json] = {"state": worst.state, "answer": worst.answer, "payload": payload}
    if len(found) > 1:
        content["by_ssid"] = {
            ssid: {"state": outcome.state, "answer": outcome.answer} for ssid, outcome in found.items()
        }
    return content

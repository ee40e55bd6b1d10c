"""The outage that the demo simulates automatically: Divera is down for a while, once."""

from __future__ import annotations

from typing import Literal

from tallyd.demo.client import Client
from tallyd.demo.timetable import Pace
from tallyd.demo.world import divera

_GONE, _BACK = "down", "ok"


class Outage:
    """One outage. Times are in seconds since the start of the demo; `lasts_s` is its duration, if known."""

    def __init__(self, client: Client, pace: Pace, *, lasts_s: float | None) -> None:
        self._client = client
        self._begins_s = pace.outage_after_s
        self._ends_s = self._begins_s + pace.outage_lasts_s
        # A cut-off outage would show the message about the problem, but not the one about its end.
        has_room = lasts_s is None or lasts_s >= self._ends_s + pace.every_s
        self._is: Literal["to come", "going on", "past"] = "to come" if has_room else "past"

    def play(self, elapsed_s: float) -> str | None:
        """Do what is due; return a line to print. If somebody changed the mode by hand, do nothing."""
        if self._is == "to come" and elapsed_s >= self._begins_s:
            return self._begin()
        if self._is == "going on" and elapsed_s >= self._ends_s:
            return self._end()
        return None

    def _begin(self) -> str | None:
        if not self._change(_BACK, _GONE):
            self._is = "past"
            return None
        self._is = "going on"
        return "Divera goes down (the demo simulates an outage)"

    def _end(self) -> str | None:
        self._is = "past"
        return "Divera is back (the outage is over)" if self._change(_GONE, _BACK) else None

    def _change(self, before: str, after: str) -> bool:
        """Whether the mode was `before` and is now `after`."""
        found = self._client.get(divera.CONTROL)
        if found is None or found.get("mode") != before:
            return False
        return self._client.post(divera.CONTROL, {"mode": after}) is not None

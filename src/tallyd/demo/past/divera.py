"""The Divera of the past, as a client that asks nobody."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import Future
from datetime import datetime

from tallyd.contract.http import Reply, Request
from tallyd.demo.past.month import Month
from tallyd.demo.past.strength import statuses_at
from tallyd.demo.world.http_server import HOST


class DiveraOfThen:
    """The Divera of the past, as an HTTP client; implements `contract.Http`."""

    def __init__(self, month: Month, now: Callable[[], datetime]) -> None:
        self._month = month
        self._now = now

    def request(self, request: Request) -> Future[Reply]:
        """Return everybody's status at this time of the past."""
        del request
        now = self._now()
        is_alarm = any(alarm.holds(now) for alarm in self._month.alarms)
        statuses = statuses_at(now.astimezone(self._month.zone), is_alarm=is_alarm)
        people = [{"status_id": status.id if status else None} for status in statuses.values()]
        body = json.dumps({"success": True, "data": people}).encode()
        replied: Future[Reply] = Future()
        replied.set_result(
            Reply(status=200, headers={}, body=body, host=HOST, answered_at=now, skew_s=0.0, elapsed_s=0.01)
        )
        return replied

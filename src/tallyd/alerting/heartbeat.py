"""The heartbeat: regularly asks the URL of a dead man's switch, in the format of healthchecks.io.

It reports on tallyd itself, not on its sources: an outage of a source has its own alert.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from urllib.parse import urlsplit

from tallyd.adapters.background import BackgroundTask
from tallyd.contract.http import Http, Request
from tallyd.core.alerts.daemon_alerts import LOG, OUT, STATE
from tallyd.core.alerts.rules import Alert
from tallyd.core.alerts.run_alerts import CRASHED, OVERDUE
from tallyd.core.errors import SourceError, Stopped
from tallyd.retry import Policy, Retrying

log = logging.getLogger("tallyd")

POLICY = Policy(attempts=3, first_wait_s=5.0, longest_wait_s=15.0, give_up_after_s=60.0)
"""Retry a few times: one lost packet must not raise an alarm."""
_UNWELL = frozenset({STATE.key, OUT.key, LOG.key})
_OF_JOBS = (f"/{OVERDUE.what}", f"/{CRASHED.what}")


def is_well(alerts: Iterable[Alert]) -> bool:
    """Whether tallyd itself works: its jobs run in time, and it can write to disk."""
    return not any(
        alert.is_open and (alert.key in _UNWELL or alert.key.endswith(_OF_JOBS)) for alert in alerts
    )


def address(url: str, *, is_well: bool) -> str:
    """Return the URL to ask: as it is, or with `/fail` at the end of its path."""
    if is_well:
        return url
    parts = urlsplit(url)
    return parts._replace(path=parts.path.rstrip("/") + "/fail").geturl()


class Heartbeat(BackgroundTask):
    """Sends beats, one at a time. Logs the result only when it changes."""

    def __init__(
        self, executor: Executor, *, wait: Callable[[float], bool], monotonic: Callable[[], float]
    ) -> None:
        super().__init__(executor, "heartbeat")
        self._wait = wait
        self._monotonic = monotonic
        self._failure: str | None = None

    def beat(self, http: Http, url: str, *, is_well: bool) -> None:
        """Begin a beat, unless the last one is still running."""
        self.begin(lambda: self._beat(http, address(url, is_well=is_well)))

    def _beat(self, http: Http, url: str) -> None:
        retry = Retrying(policy=POLICY, wait=self._wait, monotonic=self._monotonic)
        failure = None
        try:
            retry(lambda: http.request(Request(url=url)).result())
        except SourceError as error:
            failure = error.text
        except Stopped:
            return
        if failure is not None and failure != self._failure:
            log.warning("heartbeat failed", extra={"reason": failure})
        elif failure is None and self._failure is not None:
            log.info("heartbeat works again")
        self._failure = failure

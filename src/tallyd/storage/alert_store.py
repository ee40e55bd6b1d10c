"""The alerts and their notifications: from state.db, or from memory while state.db can't be used.

The rules are pure, so that memory gives the same alert versions as state.db will later. Notifications
therefore work without a disk.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType

from tallyd.adapters.state import State, StateError
from tallyd.core.alerts.daemon_alerts import STATE
from tallyd.core.alerts.incidents import Delivered
from tallyd.core.alerts.mutes import Mute
from tallyd.core.alerts.notices import AlertPolicy, Notified
from tallyd.core.alerts.rules import OWN, Alert, Evaluation, Observations, evaluate, lasted_s
from tallyd.core.alerts.values import At, Span
from tallyd.core.alerts.wording import said, said_of_end
from tallyd.core.reading import Problem

log = logging.getLogger("tallyd")

NOTIFY_AFTER_S = 30.0
"""A short failure of state.db (another process holds it) raises no alert."""


class AlertStore:
    """The alerts, their notifications, and the mutes. Thread-safe.

    `alert_policy_of` returns the alert policy of a key by the active config.
    """

    def __init__(self, state: State, *, now: Callable[[], datetime]) -> None:
        self._state = state
        self._now = now
        self._lock = threading.Lock()
        self._alerts: Mapping[str, Alert] = {}
        self._notified: Mapping[tuple[str, str], Notified] = {}
        self._unstored: dict[tuple[str, str], Notified] = {}
        self._delivered: Delivered = {}
        self._mutes: tuple[Mute, ...] = ()
        self._state_alert: Alert | None = None
        self._is_behind = False
        self.alert_policy_of: Callable[[str], AlertPolicy] = lambda _key: AlertPolicy()
        self.is_news = threading.Event()
        """Set when there may be something new to notify people of."""

    # -- reading -----------------------------------------------------------------------------------------

    def alerts(self) -> dict[str, Alert]:
        """Return every alert by key; from memory if state.db is behind or can't be read."""
        with self._lock:
            if not self._is_behind:
                self._read()
            own = {self._state_alert.key: self._state_alert} if self._state_alert else {}
            return {**self._alerts, **own}

    def notified(self) -> dict[tuple[str, str], Notified]:
        """Return the notifications, by (channel, key)."""
        with self._lock:
            return {**self._notified, **self._unstored}

    def mutes(self) -> tuple[Mute, ...]:
        """Return the mutes."""
        with self._lock:
            return self._mutes

    def _read(self) -> None:
        try:
            alerts, notified = self._state.alerts.all(), self._state.notifications.notified()
            self._mutes = self._state.notifications.mutes()
        except StateError:
            return  # keep the last known ones; the failure itself has its own alert
        self._alerts, self._notified = alerts, notified

    def worded(self, problem: Problem) -> Problem:
        """Return a problem with the texts from the config."""
        return self.alert_policy_of(problem.key).worded(problem)

    # -- changing ----------------------------------------------------------------------------------------

    def stored(self, evaluation: Evaluation) -> None:
        """Log the alerts that a stored evaluation raised or resolved."""
        for alert in evaluation.raised:
            level = logging.ERROR if alert.severity == "error" else logging.WARNING
            wording = self.alert_policy_of(alert.key).wording(self._now())
            log.log(level, "problem begins", extra={"key": alert.key, "text": said(alert, wording)})
        for alert in evaluation.closed:
            lasted = lasted_s(alert, until=self._now())
            fields = {"key": alert.key, "lasted_s": round(lasted)}
            if alert.is_unwatched:  # nobody knows whether the problem still exists
                log.info("problem no longer watched", extra=fields)
                continue
            wording = self.alert_policy_of(alert.key).wording(self._now())
            ended = At(alert.over_at or self._now())
            text = said_of_end(alert, wording, ended=ended, lasted=Span(lasted))
            log.info("problem resolved", extra={**fields, "text": text})
        if evaluation.raised or evaluation.closed:
            self.is_news.set()

    def remember(self, observations: Observations) -> bool:
        """Evaluate observations that can't be stored yet. Return whether they change anything."""
        with self._lock:
            if not self._is_behind:
                self._read()
                self._is_behind = True
            evaluation = evaluate(self._alerts, observations)
            known = {**self._alerts, **{alert.key: alert for alert in evaluation.changed}}
            for key in evaluation.gone:
                known.pop(key, None)
            self._alerts = known
        if evaluation.raised or evaluation.closed:
            self.is_news.set()
        return bool(evaluation.changed or evaluation.gone)

    def caught_up(self) -> None:
        """Note that state.db has everything that was only in memory."""
        with self._lock:
            self._is_behind = False
        self._store_notified()

    def mark(
        self,
        notified: Mapping[tuple[str, str], Notified],
        delivered: Delivered = MappingProxyType({}),
    ) -> None:
        """Note notifications, and the delivered notices; in memory while state.db can't store them."""
        with self._lock:
            self._unstored |= notified
            # Of several `begins`, state.db keeps the first, and so does this.
            first = {name: at for name, at in self._delivered.items() if name[2] == "begins"}
            self._delivered = {**self._delivered, **delivered, **first}
        self._store_notified()

    def _store_notified(self) -> None:
        with self._lock:
            if self._is_behind:
                return  # without its alert, a notification would pass for one of the next alert of its key
            notified = {
                name: each for name, each in self._unstored.items() if not self._is_from_memory(name[1])
            }
            delivered = {
                name: at for name, at in self._delivered.items() if not self._is_from_memory(name[0][0])
            }
        if not notified:
            return
        try:
            self._state.notifications.mark(notified, delivered)
        except StateError:
            return
        with self._lock:
            self._notified = {**self._notified, **notified}
            self._unstored = {
                name: each for name, each in self._unstored.items() if notified.get(name) != each
            }
            self._delivered = {name: at for name, at in self._delivered.items() if delivered.get(name) != at}

    def _is_from_memory(self, key: str) -> bool:
        return self._state_alert is not None and self._state_alert.key == key

    def forget(
        self,
        is_settled: Callable[[Alert], bool],
        *,
        is_mute_settled: Callable[[Mute], bool],
        channels: frozenset[str],
    ) -> None:
        """Forget settled alerts and mutes, and channels that are not in `channels`. Raises `StateError`."""
        if self._is_behind:
            return
        if any(alert.over_at for alert in self._alerts.values()):
            self._state.alerts.forget(is_settled)
        gone = {mute.pattern: mute.version for mute in self._mutes if is_mute_settled(mute)}
        if gone:
            self._state.notifications.forget_mutes(frozenset(gone), versions=gone)
        if {channel for channel, _ in self._notified} - channels:
            self._state.notifications.forget_channels(channels)

    # -- state.db itself ---------------------------------------------------------------------------------

    def state_fails(self, reason: str, *, since: datetime) -> None:
        """Raise `tallyd/state` in memory once state.db has failed for NOTIFY_AFTER_S."""
        now = self._now()
        if self._state_alert is not None:
            return
        if (now - since).total_seconds() < NOTIFY_AFTER_S:
            return
        problem = self.worded(STATE.problem(OWN, since=since, reason=reason))
        observations = Observations(named=(problem,), may_resolve=lambda _key: False, now=now)
        with self._lock:
            # Continue from the last version: a channel may still need to get that notification.
            before = self._alerts.get(problem.key)
            (self._state_alert,) = evaluate({before.key: before} if before else {}, observations).changed
        self.is_news.set()

    def state_works(self) -> None:
        """Resolve `tallyd/state` if it was raised, and store it in state.db."""
        with self._lock:
            alert = self._state_alert
            if alert is None:
                return
            observations = Observations(named=(), may_resolve=lambda _key: True, now=self._now())
            over = evaluate({alert.key: alert}, observations).changed
        try:
            for each in over:
                self._state.alerts.put(each)
        except StateError:
            return
        with self._lock:
            self._state_alert = None
        self._store_notified()
        self.is_news.set()

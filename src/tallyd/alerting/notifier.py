"""Notifies people: sends each channel its pending notices as one message, and notes it after the delivery.

Every look computes the pending notices from state.db, so a process that dies at any point forgets nothing.
Each channel has its own delivery: a channel that is down does not delay the others. Later it gets the state
of that time, not every step.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import TypeAlias

from tallyd.adapters.background import BackgroundTask
from tallyd.adapters.state import DeposedError, StateError
from tallyd.alerting.channel import Channel
from tallyd.alerting.surroundings import surroundings_of
from tallyd.config.model import Config
from tallyd.core.alerts.daemon_alerts import STATE, UNDELIVERED
from tallyd.core.alerts.message import Message, message_of
from tallyd.core.alerts.notices import MuteNotice, Notice, Notified
from tallyd.core.alerts.rules import OWN
from tallyd.core.alerts.snapshot import Snapshot
from tallyd.core.errors import DeliveryError, Stopped
from tallyd.core.language.languages import reading_in
from tallyd.core.language.messages import english
from tallyd.core.naming import key_segments
from tallyd.core.reading import Problem
from tallyd.storage.store import Store

log = logging.getLogger("tallyd")

Deliver: TypeAlias = Callable[[str, Message], None]
"""Sends a message to a URL. Raises `DeliveryError` if it was not accepted, `Stopped` on a shutdown."""


@dataclass(frozen=True)
class _Pending:
    """A message for a channel, its text in the log, and what it is about."""

    channel: str
    message: Message
    logged: str
    notices: Sequence[Notice]
    mutes: Sequence[MuteNotice]

    @property
    def is_about_state(self) -> bool:
        """Whether it only says that the state cannot be used."""
        return not self.mutes and all(each.alert.key == STATE.key for each in self.notices)


class Notifier:
    """Sends the notices to the channels of a config. Only the scheduler thread calls `look`."""

    def __init__(
        self,
        store: Store,
        *,
        deliver: Deliver,
        executor: Executor,
        now: Callable[[], datetime],
        monotonic: Callable[[], float],
    ) -> None:
        self._store = store
        self._deliver = deliver
        self._executor = executor
        self._now = now
        self._monotonic = monotonic
        self._config: Config | None = None
        self._channels: dict[str, Channel] = {}

    def apply_config(self, config: Config) -> None:
        """Use this config from now on. A channel whose URL changed is tried at once."""
        before, self._config = self._channels, config
        self._channels = {}
        for name, settings in config.settings.channels.items():
            url, known = settings.url.reveal(), before.get(name)
            if known is not None and known.url == url:
                self._channels[name] = known
            else:
                deliveries = known.deliveries if known else BackgroundTask(self._executor, "notifying")
                self._channels[name] = Channel(url, deliveries)

    def look(self) -> None:
        """Begin to send each channel its pending notices. Raises `StateError`."""
        config = self._config
        if config is None:
            return
        now_s = self._monotonic()
        # Before the snapshot: it would miss a delivery that ends in between.
        free = [
            (name, channel)
            for name, channel in self._channels.items()
            if not channel.deliveries.is_running and now_s >= channel.not_before_s
        ]
        is_leader = self._is_leader()
        if is_leader is False:
            return
        snapshot = self._snapshot(config)
        if is_leader is None:
            own = {key: alert for key, alert in snapshot.alerts.items() if key == STATE.key}
            snapshot = replace(snapshot, alerts=own, mutes=())
        for name, channel in free:
            self._begin(config, name, channel, snapshot)
        if is_leader:
            if suppressed := snapshot.suppressed():
                self._store.alerts.mark(suppressed)
            self._forget(snapshot)

    def problems(self) -> tuple[Problem, ...]:
        """Return the problems of channels that accept no messages."""
        found = (channel.problem(name) for name, channel in self._channels.items())
        return tuple(problem for problem in found if problem is not None)

    def may_still_be(self, key: str) -> bool:
        """Whether the key is about a channel that has not accepted a message since."""
        channel = self._channels.get(_channel_of(key) or "")
        return channel is not None and not channel.has_accepted

    def is_gone(self, key: str) -> bool:
        """Whether the key is about a channel that has left the config."""
        name = _channel_of(key)
        return name is not None and name not in self._channels

    def under_way(self) -> list[Future[None]]:
        """Return the deliveries that have not ended."""
        return [future for channel in self._channels.values() for future in channel.deliveries.under_way()]

    def _is_leader(self) -> bool | None:
        """Whether this daemon notifies. None: the state that daemons share cannot be reached.

        Then another one may have taken over, and this one only says that it cannot be reached.
        """
        try:
            self._store.state.confirm()
        except DeposedError:
            return False
        except StateError:
            return None
        return True

    # -- pending notices ---------------------------------------------------------------------------------

    def _snapshot(self, config: Config) -> Snapshot:
        store = self._store.alerts
        return config.snapshot(
            alerts=store.alerts(), notified=store.notified(), mutes=store.mutes(), now=self._now()
        )

    def _begin(self, config: Config, name: str, channel: Channel, snapshot: Snapshot) -> None:
        """Begin to send a channel its pending notices, if there are any."""
        notices, mutes = snapshot.notices(name), snapshot.mute_notices(name)
        around = surroundings_of(config, self._store, now=snapshot.now)
        language = config.language_of(name)
        with reading_in(language):
            message = message_of(notices, mutes, around)
        if message is None:
            return
        # The log is English.
        logged = message if language == "en" else message_of(notices, mutes, around) or message
        pending = _Pending(name, message, logged.text, notices, mutes)
        channel.deliveries.begin(partial(self._notify, channel, pending))

    # -- delivery ----------------------------------------------------------------------------------------

    def _notify(self, channel: Channel, pending: _Pending) -> None:
        """Deliver one message, then note the versions of its alerts. Runs on the executor."""
        name = pending.channel
        is_leader = self._is_leader()  # again: the process may have been frozen since the look
        if is_leader is False or (is_leader is None and not pending.is_about_state):
            return
        try:
            self._deliver(channel.url, pending.message)
        except DeliveryError as error:
            self._failed(name, channel, error.text)
        except Stopped:
            return  # nobody knows whether it arrived: the next start sends it again
        except Exception as error:
            # A bug counts as a failure, so that the channel pauses.
            log.exception("notifying crashed", extra={"channel": name})
            reason = english("tallyd itself failed ({kind})", kind=type(error).__name__)
            self._failed(name, channel, reason)
        else:
            if self._channels.get(name) is channel:  # else another channel has this name by now
                self._mark(pending)
            count = len(pending.notices) + len(pending.mutes)
            fields = {"channel": name, "notices": count, "text": pending.logged}
            log.info("notice sent", extra=fields)
            channel.note_accepted()
            self._store.alerts.is_news.set()

    def _mark(self, accepted: _Pending) -> None:
        """Note what a channel has accepted."""
        name, notices, now = accepted.channel, accepted.notices, self._now()
        notified = {
            (name, each.alert.key): Notified(each.alert.version, now, each.alert.is_open) for each in notices
        }
        notified |= {
            (name, each.mute.key): Notified(each.mute.version, now, each.news == "muted")
            for each in accepted.mutes
        }
        # By when the alert was raised: it may have ended, and begun anew, since the message was written.
        delivered = {
            ((each.alert.key, each.alert.raised_at), name, each.news): now
            for each in notices
            if each.alert.raised_at is not None
        }
        self._store.alerts.mark(notified, delivered)

    def _failed(self, name: str, channel: Channel, reason: str) -> None:
        level = logging.DEBUG if reason == channel.reason else logging.WARNING
        pause_s = channel.note_failure(reason, now=self._now(), monotonic_s=self._monotonic())
        fields = {"channel": name, "reason": reason, "next_try_in_s": pause_s}
        log.log(level, "notice not accepted, will retry", extra=fields)

    def _forget(self, snapshot: Snapshot) -> None:
        """Forget resolved alerts that all their recipients were notified of. Raises `StateError`."""
        # Wait for a busy channel: it notes its notification soon. If the alert were forgotten first, that
        # note would stay, and the next alert of the key (version 1 again) would count as notified.
        busy = {name for name, channel in self._channels.items() if channel.deliveries.is_running}
        self._store.alerts.forget(
            partial(snapshot.may_forget, busy=busy),
            is_mute_settled=partial(snapshot.may_forget_mute, busy=busy),
            channels=frozenset(self._channels),
        )


def _channel_of(key: str) -> str | None:
    """Return the channel that a key says accepts no messages; None for any other key."""
    segments = key_segments(key)
    return segments[1] if (segments[0], segments[-1]) == (OWN, UNDELIVERED.what) else None

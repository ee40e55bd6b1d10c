"""Notifies people: sends each channel its pending notices as one message, and notes it after the delivery.

Every look computes the pending notices from state.db, so a process that dies at any point forgets nothing.
Each channel has its own delivery: a channel that is down does not delay the others. Later it gets the state
of that time, not every step.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import TypeAlias

from tallyd.adapters.background import BackgroundTask
from tallyd.alerting.channel import Channel
from tallyd.alerting.surroundings import surroundings_of
from tallyd.config.model import Config
from tallyd.core.alerts.daemon_alerts import NETWORK, UNDELIVERED
from tallyd.core.alerts.dependencies import is_consequence, is_held
from tallyd.core.alerts.message import Message, message_of
from tallyd.core.alerts.mutes import Mute, mute_of
from tallyd.core.alerts.notices import (
    AlertPolicy,
    MuteNotice,
    Notice,
    Notified,
    is_recipient,
    is_settled,
    is_suppressed,
    is_to_be_suppressed,
    mute_notice_for,
    notice_for,
)
from tallyd.core.alerts.rules import OWN, Alert
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
class _Snapshot:
    """The alerts, notifications and mutes at the time of one look.

    `network` is the alert that no other machine answers. If it is muted, others wait for it all the same.
    """

    alerts: Mapping[str, Alert]
    notified: Mapping[tuple[str, str], Notified]
    mutes: Sequence[Mute]
    now: datetime
    muted: Mapping[str, Mute] = field(default_factory=dict)
    network: Alert | None = None


@dataclass(frozen=True)
class _Pending:
    """A message for a channel, its text in the log, and what it is about."""

    channel: str
    message: Message
    logged: str
    notices: Sequence[Notice]
    mutes: Sequence[MuteNotice]


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
        snapshot = self._snapshot()
        for name, channel in free:
            self._begin(config, name, channel, snapshot)
        self._suppress(snapshot)
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

    # -- pending notices ---------------------------------------------------------------------------------

    def _snapshot(self) -> _Snapshot:
        store, now = self._store.alerts, self._now()
        alerts, mutes = store.alerts(), store.mutes()
        found = ((key, mute_of(key, mutes, now=now)) for key in alerts) if mutes else ()
        muted = {key: mute for key, mute in found if mute is not None}
        return _Snapshot(
            alerts=alerts,
            notified=store.notified(),
            mutes=mutes,
            now=now,
            muted=muted,
            network=alerts.get(NETWORK.key),
        )

    def _begin(self, config: Config, name: str, channel: Channel, snapshot: _Snapshot) -> None:
        cause = self._cause_known_to(name, snapshot)
        found = (self._notice(alert, name, cause, snapshot) for alert in snapshot.alerts.values())
        notices = [notice for notice in found if notice is not None]
        mutes = [
            mute_notice
            for mute in snapshot.mutes
            if name in self._recipients_of_mute(mute)
            and (
                mute_notice := mute_notice_for(
                    mute, snapshot.notified.get((name, mute.key)), now=snapshot.now
                )
            )
        ]
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

    def _notice(self, alert: Alert, name: str, cause: Alert | None, snapshot: _Snapshot) -> Notice | None:
        """Return the notice about an alert for a channel that knows the `cause`; None: none, or not now."""
        notified = snapshot.notified.get((name, alert.key))
        waits = self._is_dependent(alert) and is_held(alert, notified, cause)
        is_muted = waits or alert.key in snapshot.muted
        policy = self._alert_policy(alert.key)
        return notice_for(alert, name, notified, policy, is_muted=is_muted, now=snapshot.now)

    def _is_dependent(self, alert: Alert) -> bool:
        """Whether an alert may be a consequence of the network that is down."""
        return self._config is not None and alert.key in self._config.hosts

    def _recipients(self, alert: Alert, snapshot: _Snapshot) -> set[str]:
        """Return the channels that are notified of an alert now."""
        policy = self._alert_policy(alert.key)
        return {
            name
            for name in self._channels
            if is_recipient(alert, name, snapshot.notified.get((name, alert.key)), policy, now=snapshot.now)
        }

    def _recipients_of_mute(self, mute: Mute) -> set[str]:
        """Return the channels that are notified of a mute."""
        if self._config is None:
            return set()
        return self._config.channels_of_pattern(mute.pattern) & self._channels.keys()

    def _cause_known_to(self, name: str, snapshot: _Snapshot) -> Alert | None:
        """Return the alert of the network if this channel is notified of it: else it would hear nothing."""
        cause = snapshot.network
        return cause if cause and name in self._recipients(cause, snapshot) else None

    def _is_suppressed(self, alert: Alert, snapshot: _Snapshot) -> bool:
        """Whether nobody needs to hear of an alert that has ended."""
        if is_suppressed(alert, snapshot.muted.get(alert.key)):
            return True
        return self._is_dependent(alert) and is_consequence(alert, snapshot.network)

    def _alert_policy(self, key: str) -> AlertPolicy:
        """Return the alert policy of a key. For a poller that has left the config: that of tallyd itself."""
        return AlertPolicy() if self._config is None else self._config.alert_policy_of(key)

    # -- delivery ----------------------------------------------------------------------------------------

    def _notify(self, channel: Channel, pending: _Pending) -> None:
        """Deliver one message, then note the versions of its alerts. Runs on the executor."""
        name = pending.channel
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

    def _suppress(self, snapshot: _Snapshot) -> None:
        """Note alerts that are suppressed as notified, so that no channel gets them later."""
        suppressed = {
            (name, alert.key): Notified(alert.version, snapshot.now, is_open=False)
            for alert in snapshot.alerts.values()
            if self._is_suppressed(alert, snapshot)
            for name in self._recipients(alert, snapshot)
            if is_to_be_suppressed(alert, snapshot.notified.get((name, alert.key)))
        }
        if suppressed:
            self._store.alerts.mark(suppressed)

    # -- forgetting --------------------------------------------------------------------------------------

    def _forget(self, snapshot: _Snapshot) -> None:
        """Forget resolved alerts that all their recipients were notified of. Raises `StateError`."""
        # Wait for a busy channel: it notes its notification soon. If the alert were forgotten first, that
        # note would stay, and the next alert of the key (version 1 again) would count as notified.
        busy = {name for name, channel in self._channels.items() if channel.deliveries.is_running}

        def is_notified(alert: Alert) -> bool:
            suppressed = self._is_suppressed(alert, snapshot)
            recipients = self._recipients(alert, snapshot)
            return (
                not alert.bad
                and not recipients & busy
                and all(
                    is_settled(alert, snapshot.notified.get((name, alert.key)), is_suppressed=suppressed)
                    for name in recipients
                )
            )

        def is_mute_notified(mute: Mute) -> bool:
            if mute.is_in_force(snapshot.now) or self._recipients_of_mute(mute) & busy:
                return False
            notified = [snapshot.notified.get((name, mute.key)) for name in self._recipients_of_mute(mute)]
            return mute.ended_by is None or all(
                each is None or not each.is_open or each.version == mute.version for each in notified
            )

        self._store.alerts.forget(
            is_notified, is_mute_settled=is_mute_notified, channels=frozenset(self._channels)
        )


def _channel_of(key: str) -> str | None:
    """Return the channel that a key says accepts no messages; None for any other key."""
    segments = key_segments(key)
    return segments[1] if (segments[0], segments[-1]) == (OWN, UNDELIVERED.what) else None

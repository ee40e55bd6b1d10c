"""Telling people: what each channel has yet to hear is sent to it as one message, and noted once it is taken.

A look computes it anew from what is stored, so that a process that dies at any point forgets nothing. Each
channel is told by a run of its own: one that is down delays no other, and hears later how things stand then.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import TypeAlias

from tallyd.adapters.state import StateError
from tallyd.config.model import Config
from tallyd.core.alerts.daemon_alerts import UNDELIVERED, undelivered
from tallyd.core.alerts.links import link_to
from tallyd.core.alerts.message import Message, Surroundings, message_of
from tallyd.core.alerts.mutes import Mute, mute_of
from tallyd.core.alerts.notices import (
    AlertPolicy,
    Notified,
    is_settled,
    is_suppressed,
    is_to_be_suppressed,
    mute_notice_for,
    notice_for,
)
from tallyd.core.alerts.rules import OWN, RUN_WHATS, Alert
from tallyd.core.errors import DeliveryError, Stopped
from tallyd.core.naming import key_segments
from tallyd.core.reading import Problem
from tallyd.storage.store import Store

log = logging.getLogger("tallyd")

FIRST_PAUSE_S = 30.0
LONGEST_PAUSE_S = 300.0
"""A channel that takes no message is tried again after a pause that doubles from the one to the other."""
NOTIFY_AFTER_S = 600.0
"""A channel that has taken no message for so long is a problem, which the others are told."""


Deliver: TypeAlias = Callable[[str, Message], None]
"""Sends a message to a URL. Raises `DeliveryError` where it was not taken, `Stopped` on a shutdown."""


@dataclass
class _Channel:
    """One channel while the daemon runs: its URL, the delivery under way, and how the last ones went.

    `has_taken`: the last message of this process was taken. `failing_since` and `failed_at` are the first and
    the last failure in a row.
    """

    url: str
    future: Future[None] | None = None
    failures: int = 0
    failing_since: datetime | None = None
    failed_at: datetime | None = None
    reason: str = ""
    has_taken: bool = False
    not_before_s: float = 0.0

    @property
    def is_busy(self) -> bool:
        return self.future is not None and not self.future.done()


@dataclass(frozen=True)
class _Picture:
    """How things stand at one look."""

    alerts: Mapping[str, Alert]
    notified: Mapping[tuple[str, str], Notified]
    mutes: Sequence[Mute]
    now: datetime
    muted: Mapping[str, Mute] = field(default_factory=dict)


class Notifier:
    """Tells the channels of a config. `look` belongs to the schedule's thread."""

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
        self._channels: dict[str, _Channel] = {}

    def apply_config(self, config: Config) -> None:
        """Tell by this config from now on. A channel whose URL changed is tried again at once."""
        before, self._config = self._channels, config
        self._channels = {}
        for name, secret in config.settings.channels.items():
            url, known = secret.reveal(), before.get(name)
            if known is not None and known.url == url:
                self._channels[name] = known
            else:
                self._channels[name] = _Channel(url, future=known.future if known else None)

    def look(self) -> None:
        """Begin to tell each channel what it has yet to hear. Raises `StateError`."""
        config = self._config
        if config is None:
            return
        now_s = self._monotonic()
        # Before the picture is taken: a delivery that ends in between would be missing in it.
        free = [
            (name, channel)
            for name, channel in self._channels.items()
            if not channel.is_busy and now_s >= channel.not_before_s
        ]
        picture = self._picture()
        for name, channel in free:
            self._begin(config, name, channel, picture)
        self._suppress(picture)
        self._forget(picture)

    def problems(self) -> tuple[Problem, ...]:
        """Return the problems of channels that take no message."""
        return tuple(
            undelivered(name, channel.reason, since=channel.failing_since)
            for name, channel in self._channels.items()
            if channel.failing_since
            and channel.failed_at
            and (channel.failed_at - channel.failing_since).total_seconds() >= NOTIFY_AFTER_S
        )

    def may_still_be(self, key: str) -> bool:
        """Whether the key is of a channel of which it is not known that it takes messages again."""
        channel = self._channels.get(_channel_of(key) or "")
        return channel is not None and not channel.has_taken

    def is_gone(self, key: str) -> bool:
        """Whether the key is of a channel that has left the config."""
        name = _channel_of(key)
        return name is not None and name not in self._channels

    def under_way(self) -> list[Future[None]]:
        """Return the deliveries that have not ended."""
        return [channel.future for channel in self._channels.values() if channel.future and channel.is_busy]

    # -- what there is to tell ---------------------------------------------------------------------------

    def _picture(self) -> _Picture:
        store, now = self._store.alerts, self._now()
        alerts, mutes = store.alerts(), store.mutes()
        found = ((key, mute_of(key, mutes, now=now)) for key in alerts) if mutes else ()
        muted = {key: mute for key, mute in found if mute is not None}
        return _Picture(alerts=alerts, notified=store.notified(), mutes=mutes, now=now, muted=muted)

    def _begin(self, config: Config, name: str, channel: _Channel, picture: _Picture) -> None:
        notices = [
            notice
            for alert in picture.alerts.values()
            if name in self._recipients(alert, picture)
            and (
                notice := notice_for(
                    alert,
                    picture.notified.get((name, alert.key)),
                    self._alert_policy(alert.key),
                    is_muted=alert.key in picture.muted,
                    now=picture.now,
                )
            )
        ]
        mutes = [
            mute_notice
            for mute in picture.mutes
            if name in self._recipients_of_mute(mute)
            and (
                mute_notice := mute_notice_for(mute, picture.notified.get((name, mute.key)), now=picture.now)
            )
        ]
        message = message_of(notices, mutes, self._surroundings(config, picture.now))
        if message is None:
            return
        # What it then knows, but for the time.
        notified = {notice.alert.key: (notice.alert.version, notice.alert.is_open) for notice in notices}
        notified |= {each.mute.key: (each.mute.version, each.news == "muted") for each in mutes}
        channel.future = self._executor.submit(self._notify, name, channel, message, notified)

    def _recipients(self, alert: Alert, picture: _Picture) -> set[str]:
        """Return the channels that an alert concerns: those of the config, and those that know of it."""
        wanted = {*self._alert_policy(alert.key).channels}
        if alert.over_at is not None:
            wanted |= {name for name in self._channels if (name, alert.key) in picture.notified}
        return wanted & self._channels.keys()

    def _recipients_of_mute(self, mute: Mute) -> set[str]:
        """Return the channels of the pollers that a mute may be about; of nobody's: tallyd's own."""
        if self._config is None:
            return set()
        plain = re.split(r"[*?]", mute.pattern, maxsplit=1)[0]  # what its keys begin with
        names = [
            name
            for name in (*self._config.settings.pollers, OWN)
            if plain.startswith(f"{name}/") or (plain != mute.pattern and f"{name}/".startswith(plain))
        ]
        channels = {each for name in names or [OWN] for each in self._alert_policy(name).channels}
        return channels & self._channels.keys()

    def _alert_policy(self, key: str) -> AlertPolicy:
        """Return how a key is told; one of a poller that has left the config as tallyd's own."""
        return AlertPolicy() if self._config is None else self._config.alert_policy_of(key)

    def _surroundings(self, config: Config, now: datetime) -> Surroundings:
        def watched(poller: str, what: str) -> int | None:
            settings = config.settings.pollers.get(poller)
            subjects = settings.watched().get(what) if settings else None
            return None if subjects is None else len(subjects)

        return Surroundings(
            name=config.settings.name,
            now=now,
            alert_policy_of=config.alert_policy_of,
            kind_of=config.kind_of,
            watched=watched,
            missing=self._missing,
            link=partial(_link, config),
        )

    def _missing(self, alert: Alert) -> Sequence[datetime]:
        """Return the slots without a reading while a job did not work."""
        segments = key_segments(alert.key)
        if len(segments) != 3 or segments[2] not in RUN_WHATS:
            return ()
        poller, job, _ = segments
        until = alert.over_at or self._now()
        try:
            return self._store.state.readings.missed_between(poller, job, alert.since, until)
        except StateError:
            return ()  # that it works again is said all the same

    # -- notifying -----------------------------------------------------------------------------------------

    def _notify(
        self, name: str, channel: _Channel, message: Message, notified: Mapping[str, tuple[int, bool]]
    ) -> None:
        """Deliver one message; runs on the executor. What was taken is noted, with the version it was of."""
        try:
            self._deliver(channel.url, message)
        except DeliveryError as error:
            self._failed(name, channel, error.text)
        except Stopped:
            return  # not known to be taken: told at the next start
        except Exception as error:
            log.exception("telling crashed", extra={"channel": name})
            self._failed(name, channel, f"tallyd itself failed ({type(error).__name__})")
        else:
            now = self._now()
            if self._channels.get(name) is channel:  # else another one bears the name by now
                self._store.alerts.mark(
                    {
                        (name, key): Notified(version, now, is_open)
                        for key, (version, is_open) in notified.items()
                    }
                )
            fields = {"channel": name, "notices": len(notified), "text": message.text}
            log.info("notice sent", extra=fields)
            channel.failures, channel.failing_since, channel.reason = 0, None, ""
            channel.not_before_s, channel.has_taken = 0.0, True
            self._store.alerts.is_news.set()

    def _failed(self, name: str, channel: _Channel, reason: str) -> None:
        pause_s = min(FIRST_PAUSE_S * 2**channel.failures, LONGEST_PAUSE_S)
        level = logging.DEBUG if reason == channel.reason else logging.WARNING
        fields = {"channel": name, "reason": reason, "next_try_in_s": pause_s}
        log.log(level, "notice not taken, it is tried again", extra=fields)
        channel.failures = min(channel.failures + 1, 20)
        channel.failed_at, channel.has_taken = self._now(), False
        channel.failing_since = channel.failing_since or channel.failed_at
        channel.reason = reason
        channel.not_before_s = self._monotonic() + pause_s

    def _suppress(self, picture: _Picture) -> None:
        """Note as told what came and went under a mute, so that no channel hears of it afterwards."""
        suppressed = {
            (name, alert.key): Notified(alert.version, picture.now, is_open=False)
            for alert in picture.alerts.values()
            for name in self._recipients(alert, picture)
            if is_to_be_suppressed(
                alert, picture.notified.get((name, alert.key)), picture.muted.get(alert.key)
            )
        }
        if suppressed:
            self._store.alerts.mark(suppressed)

    # -- forgetting --------------------------------------------------------------------------------------

    def _forget(self, picture: _Picture) -> None:
        """Forget what is over and was told to everybody whom it concerns. Raises `StateError`."""

        # What is being told now is noted soon; forgotten before, the note would outlive it, and the next
        # alert of the key, counted from one again, would be taken for told.
        busy = {name for name, channel in self._channels.items() if channel.is_busy}

        def is_notified(alert: Alert) -> bool:
            suppressed = is_suppressed(alert, picture.muted.get(alert.key))
            recipients = self._recipients(alert, picture)
            return (
                not alert.bad
                and not recipients & busy
                and all(
                    is_settled(alert, picture.notified.get((name, alert.key)), is_suppressed=suppressed)
                    for name in recipients
                )
            )

        def is_mute_notified(mute: Mute) -> bool:
            if mute.is_in_force(picture.now) or self._recipients_of_mute(mute) & busy:
                return False
            heard = [picture.notified.get((name, mute.key)) for name in self._recipients_of_mute(mute)]
            return mute.ended_by is None or all(
                each is None or not each.is_open or each.version == mute.version for each in heard
            )

        self._store.alerts.forget(
            is_notified, is_mute_settled=is_mute_notified, channels=frozenset(self._channels)
        )


def _link(config: Config, keys: Collection[str]) -> str:
    web = config.settings.web

    def views(poller: str, subject: str, what: str) -> Mapping[str, str] | None:
        settings = config.settings.pollers.get(poller)
        return None if settings is None else settings.view(subject, what)

    return link_to(web.public_url, keys, views) if web is not None and web.public_url else ""


def _channel_of(key: str) -> str | None:
    """Return the channel that a key says takes no message; None for any other key."""
    segments = key_segments(key)
    return segments[1] if (segments[0], segments[-1]) == (OWN, UNDELIVERED.what) else None

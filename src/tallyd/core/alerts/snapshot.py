"""All alerts at one moment: what each channel must still receive, and what may be forgotten."""

from __future__ import annotations

from collections.abc import Callable, Collection, Container, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from tallyd.core.alerts.daemon_alerts import NETWORK
from tallyd.core.alerts.dependencies import is_consequence, is_held
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
from tallyd.core.alerts.rules import Alert


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """The alerts and mutes, and what each channel has received, by channel and key.

    `channels` are all that there are. `dependent` has the keys of alerts that wait while the network is down.
    `channels_of_pattern` returns the channels that a mute concerns, `alert_policy_of` the policy of a key.
    """

    alerts: Mapping[str, Alert]
    notified: Mapping[tuple[str, str], Notified]
    mutes: Sequence[Mute]
    now: datetime
    channels: Collection[str]
    dependent: Container[str]
    alert_policy_of: Callable[[str], AlertPolicy]
    channels_of_pattern: Callable[[str], set[str]]

    def notices(self, channel: str) -> list[Notice]:
        """Return the notices about alerts that a channel must receive now."""
        cause = self._network
        if cause and not self._is_recipient(channel, cause):
            cause = None  # it would hear nothing at all
        found = (self._notice(alert, channel, cause) for alert in self.alerts.values())
        return [notice for notice in found if notice is not None]

    def _notice(self, alert: Alert, channel: str, cause: Alert | None) -> Notice | None:
        notified = self.notified.get((channel, alert.key))
        waits = alert.key in self.dependent and is_held(alert, notified, cause)
        is_muted = waits or alert.key in self._muted
        policy = self.alert_policy_of(alert.key)
        return notice_for(alert, channel, notified, policy, is_muted=is_muted, now=self.now)

    def mute_notices(self, channel: str) -> list[MuteNotice]:
        """Return the notices about mutes that a channel must receive now."""
        found = (
            mute_notice_for(mute, self.notified.get((channel, mute.key)), now=self.now)
            for mute in self.mutes
            if channel in self._recipients_of_mute(mute)
        )
        return [notice for notice in found if notice is not None]

    def suppressed(self) -> dict[tuple[str, str], Notified]:
        """Return what to note as received, so that no channel gets it when the mute or the cause ends."""
        return {
            (channel, alert.key): Notified(alert.version, self.now, is_open=False)
            for alert in self.alerts.values()
            if self.is_suppressed(alert)
            for channel in self._recipients(alert)
            if is_to_be_suppressed(alert, self.notified.get((channel, alert.key)))
        }

    def is_suppressed(self, alert: Alert) -> bool:
        """Whether nobody needs to hear of an alert that has ended."""
        if is_suppressed(alert, self._muted.get(alert.key)):
            return True
        return alert.key in self.dependent and is_consequence(alert, self._network)

    def may_forget(self, alert: Alert, *, busy: Collection[str]) -> bool:
        """Whether no channel needs to hear more of a resolved alert; not while a recipient is `busy`."""
        recipients, suppressed = self._recipients(alert), self.is_suppressed(alert)
        notified = [self.notified.get((channel, alert.key)) for channel in recipients]
        return (
            not alert.bad
            and recipients.isdisjoint(busy)
            and all(is_settled(alert, each, is_suppressed=suppressed) for each in notified)
        )

    def may_forget_mute(self, mute: Mute, *, busy: Collection[str]) -> bool:
        """Whether no channel needs to hear more of a mute; not while a recipient is `busy`."""
        recipients = self._recipients_of_mute(mute)
        if mute.is_in_force(self.now) or not recipients.isdisjoint(busy):
            return False
        notified = [self.notified.get((channel, mute.key)) for channel in recipients]
        return mute.ended_by is None or all(
            each is None or not each.is_open or each.version == mute.version for each in notified
        )

    @cached_property
    def _muted(self) -> Mapping[str, Mute]:
        found = {key: mute_of(key, self.mutes, now=self.now) for key in self.alerts} if self.mutes else {}
        return {key: mute for key, mute in found.items() if mute is not None}

    @property
    def _network(self) -> Alert | None:
        """The alert that no other machine answers. If it is muted, others wait for it all the same."""
        return self.alerts.get(NETWORK.key)

    def _recipients(self, alert: Alert) -> set[str]:
        return {channel for channel in self.channels if self._is_recipient(channel, alert)}

    def _is_recipient(self, channel: str, alert: Alert) -> bool:
        notified, policy = self.notified.get((channel, alert.key)), self.alert_policy_of(alert.key)
        return is_recipient(alert, channel, notified, policy, now=self.now)

    def _recipients_of_mute(self, mute: Mute) -> set[str]:
        return self.channels_of_pattern(mute.pattern) & {*self.channels}

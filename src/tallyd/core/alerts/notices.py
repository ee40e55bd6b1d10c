"""What a channel must still receive about an alert: a function of the alert, of what was sent, and of now.

There is no queue. tallyd notes a message after its delivery, so a process that dies in between sends it
twice rather than never. A channel that was down gets the current state, not every step.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, tzinfo
from typing import Literal

from tallyd.core.alerts.mutes import Mute
from tallyd.core.alerts.rules import Alert, Rules
from tallyd.core.alerts.values import Wording
from tallyd.core.alerts.wording import REMINDING
from tallyd.core.language.templates import read_template
from tallyd.core.naming import key_segments
from tallyd.core.reading import Problem
from tallyd.core.schedule.hours import Hours, any_hold

News = Literal["begins", "escalated", "acknowledged", "reminder", "over", "unwatched"]


@dataclass(frozen=True, slots=True)
class Notified:
    """What a channel last received about a key: the version, when, and whether it said that it is open."""

    version: int
    at: datetime
    is_open: bool = True


@dataclass(frozen=True)
class OwnText:
    """Templates from the config for a kind of problem and for its end; None: those of tallyd."""

    text: str | None = None
    over: str | None = None


@dataclass(frozen=True, slots=True)
class Escalation:
    """Channels that are notified, too, of an alert that is open for `after_s` and not acknowledged."""

    after_s: float
    channels: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class AlertPolicy:
    """How the notices about problems of one poller, of one subject, or of tallyd itself, are sent.

    `depends`: nobody is notified that another machine does not answer while none does (`dependencies.py`).
    `remind_every_s` None: no reminder. `active` are the only hours in which reminders are sent; (): always.
    `texts` are those of the config, by `what`. `tallyd` is the command as a person calls it.
    """

    channels: tuple[str, ...] = ()
    rules: Rules = field(default_factory=Rules)
    escalate: tuple[Escalation, ...] = ()
    depends: bool = True
    remind_every_s: float | None = None
    active: tuple[Hours, ...] = ()
    quiet: tuple[Hours, ...] = ()
    zone: tzinfo = UTC
    texts: Mapping[str, OwnText] = field(default_factory=dict)
    tallyd: str = "tallyd"

    @property
    def further_channels(self) -> Mapping[str, float]:
        """The channels that are only notified if an alert stays open, each after how many seconds."""
        steps = sorted(self.escalate, key=lambda step: step.after_s, reverse=True)
        found = {channel: step.after_s for step in steps for channel in step.channels}
        return {channel: after_s for channel, after_s in found.items() if channel not in self.channels}

    def is_active(self, now: datetime) -> bool:
        """Whether it is within the `active` hours."""
        return not self.active or any_hold(self.active, now.astimezone(self.zone))

    def own_text(self, key: str) -> OwnText:
        """Return the templates of the config for a problem."""
        return self.texts.get(key_segments(key)[-1], OwnText())

    def worded(self, problem: Problem) -> Problem:
        """Return the problem with the texts of the config."""
        own = self.own_text(problem.key)
        text = own.text
        if text is not None and "lasted" not in read_template(text).names:
            text = REMINDING + text
        return replace(problem, text=text or problem.text, over=own.over or problem.over)

    def wording(self, now: datetime, *, ended_at: datetime | None = None) -> Wording:
        """Return the wording of a text that somebody reads at `now`."""
        return Wording(now=now, zone=self.zone, tallyd=self.tallyd, ended_at=ended_at)


@dataclass(frozen=True)
class Notice:
    """One notice for one channel. `is_late`: the problem was resolved before the notice could be sent."""

    alert: Alert
    news: News
    is_late: bool = False


def is_recipient(
    alert: Alert, channel: str, notified: Notified | None, alert_policy: AlertPolicy, *, now: datetime
) -> bool:
    """Whether a channel is notified of an alert as it is now.

    A channel that is notified only of what stays open hears everything from then on. Every channel that knows
    an alert hears its end.
    """
    if channel in alert_policy.channels:
        return True
    if alert.over_at is not None:
        return notified is not None
    after_s = alert_policy.further_channels.get(channel) if alert_policy.escalate else None
    if after_s is None or alert.raised_at is None:
        return False
    if notified is not None and notified.is_open:
        return True
    if alert.acknowledged is not None or not alert_policy.is_active(now):
        return False
    # A time far ahead also counts: the clock was wrong then. Too early is better than never.
    return abs((now - alert.raised_at).total_seconds()) >= after_s


def notice_for(
    alert: Alert,
    channel: str,
    notified: Notified | None,
    alert_policy: AlertPolicy,
    *,
    is_muted: bool,
    now: datetime,
) -> Notice | None:
    """Return the notice about one alert for one channel; None: none, or not now."""
    if is_muted or alert.is_waiting or _is_held_back(alert, alert_policy, now):
        return None
    if not is_recipient(alert, channel, notified, alert_policy, now=now):
        return None
    is_known = notified is not None and notified.version == alert.version
    if alert.is_open:
        if not is_known:
            is_first = channel in alert_policy.channels or (notified is not None and notified.is_open)
            first: News = "begins" if is_first else "escalated"
            return Notice(alert, "acknowledged" if _lacks_only_that(alert, notified) else first)
        return Notice(alert, "reminder") if _is_reminder_due(alert, notified, alert_policy, now) else None
    knows_it_open = notified is not None and notified.is_open
    if is_known or (not knows_it_open and alert.is_unwatched):
        return None
    return Notice(alert, "unwatched" if alert.is_unwatched else "over", is_late=not knows_it_open)


def is_settled(alert: Alert, notified: Notified | None, *, is_suppressed: bool) -> bool:
    """Whether a channel needs no more notice about a resolved alert, so that it may be deleted.

    A problem that began and ended during a mute, or while its cause was open (`is_suppressed`), is not sent
    afterwards: somebody knew.
    """
    if notified is not None and notified.version == alert.version:
        return True
    knows_it_open = notified is not None and notified.is_open
    return not knows_it_open and (alert.is_unwatched or is_suppressed)


def is_suppressed(alert: Alert, mute: Mute | None) -> bool:
    """Whether the mute covers the whole alert: it was raised after the mute began."""
    return mute is not None and alert.raised_at is not None and alert.raised_at >= mute.since


def is_to_be_suppressed(alert: Alert, notified: Notified | None) -> bool:
    """Whether the end of an alert that is suppressed must be noted as sent, so that it is not sent later.

    The alert may be kept for another channel, longer than the reason why it is suppressed.
    """
    if alert.over_at is None:
        return False
    return notified is None or not (notified.is_open or notified.version == alert.version)


def _is_held_back(alert: Alert, alert_policy: AlertPolicy, now: datetime) -> bool:
    return alert.severity == "warning" and any_hold(alert_policy.quiet, now.astimezone(alert_policy.zone))


def _lacks_only_that(alert: Alert, notified: Notified | None) -> bool:
    """Whether a channel knows all of an alert but that somebody acknowledged it."""
    if alert.acknowledged is None or notified is None:
        return False
    ack = alert.acknowledged
    return ack.version == alert.version and alert.version - notified.version <= ack.times


def _is_reminder_due(
    alert: Alert, notified: Notified | None, alert_policy: AlertPolicy, now: datetime
) -> bool:
    every_s = alert_policy.remind_every_s
    if notified is None or every_s is None or alert.acknowledged is not None:
        return False
    if not alert_policy.is_active(now):
        return False
    # A time far ahead is also due: the clock was wrong then, perhaps by years. A little ahead does not count.
    return abs((now - notified.at).total_seconds()) >= every_s


MuteNews = Literal["muted", "unmuted"]


@dataclass(frozen=True)
class MuteNotice:
    """A notice for one channel that a mute began or ended."""

    mute: Mute
    news: MuteNews


def mute_notice_for(mute: Mute, notified: Notified | None, *, now: datetime) -> MuteNotice | None:
    """Return the notice about a mute for one channel; a mute that expired needs none."""
    if notified is not None and notified.version == mute.version:
        return None
    if mute.is_in_force(now):
        return MuteNotice(mute, "muted")
    knows_of_it = notified is not None and notified.is_open
    return MuteNotice(mute, "unmuted") if knows_of_it and mute.ended_by is not None else None

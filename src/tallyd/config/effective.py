"""The settings of one poller: its own keys over those at the top of the file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar
from zoneinfo import ZoneInfo

from tallyd.config.settings import Settings
from tallyd.contract.poller import Poller
from tallyd.core.alerts.notices import AlertPolicy, Escalation, OwnText
from tallyd.core.alerts.rules import Rules
from tallyd.retry import Policy
from tallyd.settings.alerting import AlertSettings
from tallyd.settings.pollers import RetrySettings
from tallyd.settings.types import Strict

S = TypeVar("S", bound=Strict)


@dataclass(frozen=True, kw_only=True)
class Effective:
    """The settings of one poller after its own keys were merged over the top of the file.

    `own_policies` are the alert policies of the subjects that have their own.
    """

    zone: ZoneInfo
    policy: Policy
    keep_days: int | None
    alert_policy: AlertPolicy
    own_policies: Mapping[str, AlertPolicy]


def effective_of(poller: Poller, top: Settings, zone: ZoneInfo, *, tallyd: str) -> Effective:
    """Return the settings of a poller, merged field by field. `zone` and `tallyd` are those of the config."""
    out = _merged(top.out, poller.out)
    said = top.out.model_fields_set | (poller.out.model_fields_set if poller.out else set())
    keep_days = out.keep_days if "keep_days" in said else poller.default_keep_days()
    # Texts are not merged: those at the top are for tallyd's own problems.
    alerts = _merged(top.alerts.model_copy(update={"texts": {}}), poller.alerts)
    zone = poller.timezone or zone
    whole = alert_policy(alerts, zone, tallyd=tallyd)
    return Effective(
        zone=zone,
        policy=_policy(_merged(top.retry, poller.retry)),
        keep_days=keep_days,
        alert_policy=whole,
        own_policies=poller.own_policies(whole),
    )


def _merged(top: S, own: Strict | None) -> S:
    changed = {name: getattr(own, name) for name in own.model_fields_set} if own else {}
    return top.model_copy(update=changed)


def _policy(retry: RetrySettings) -> Policy:
    return Policy(
        attempts=retry.attempts,
        first_wait_s=retry.first_wait,
        longest_wait_s=retry.longest_wait,
        give_up_after_s=retry.give_up_after,
    )


def alert_policy(alerts: AlertSettings, zone: ZoneInfo, *, tallyd: str) -> AlertPolicy:
    """Return how the notices about problems are sent."""
    return AlertPolicy(
        channels=tuple(dict.fromkeys(alerts.channels)),
        rules=Rules(alerts.raise_after, alerts.resolve_after),
        remind_every_s=alerts.remind_every,
        depends=alerts.depends,
        escalate=tuple(Escalation(each.after, each.channels) for each in alerts.escalate),
        quiet=tuple(each.hours for each in alerts.quiet_hours),
        zone=zone,
        tallyd=tallyd,
        texts={what: OwnText(each.text, each.over) for what, each in alerts.texts.items()},
    )

"""The commands in a message: what a person may run about problems that were raised."""

from __future__ import annotations

import shlex

from tallyd.core.alerts.notices import AlertPolicy, Notice
from tallyd.core.alerts.wording import mute_command
from tallyd.core.language.messages import tr
from tallyd.core.language.templates import read_template
from tallyd.core.naming import key_to_copy


def commands_below(notice: Notice, policy: AlertPolicy, pattern: str = "") -> tuple[str, ...]:
    """Return what stands below the line of a notice, each with the word that says what it does.

    `pattern` is that of several problems, which share a line; empty: the problem has a line of its own, whose
    text says how to mute it.
    """
    alert = notice.alert
    if notice.news not in ("begins", "escalated"):
        return ()
    key = shlex.quote(pattern or key_to_copy(alert.key))
    commands = []
    if pattern and "mute" in read_template(alert.text).names:
        commands.append(tr("Mute: {command}", command=mute_command(policy.tallyd, key)))
    if policy.escalate and not alert.acknowledged:
        acknowledge = f"{policy.tallyd} ack {key}"
        commands.append(tr("Acknowledge: {command}", command=acknowledge))
    return tuple(commands)

"""Dependencies: while no other machine answers, that is one alert, and the others are its consequences."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tallyd.core.alerts.daemon_alerts import NETWORK
from tallyd.core.alerts.notices import Notified
from tallyd.core.alerts.rules import OWN, Alert
from tallyd.core.reading import Problem


def network_down(
    hosts: Mapping[str, str], alerts: Mapping[str, Alert], *, is_active: Callable[[str], bool]
) -> tuple[Problem, ...]:
    """Return the problem that no other machine answers, if there are two or more; else nothing.

    `hosts` are the machines by the keys of the problems that they do not answer. A problem may still wait for
    more readings, but one must be an alert. Nobody knows whether a machine answers outside its hours
    (`is_active` of its key false). A problem with the field `answered` is not one of the network: an error is
    an answer, too.
    """
    silent: dict[str, Alert] = {}
    for key in hosts:
        alert = alerts.get(key)
        if alert is not None and (alert.is_open or alert.bad) and not alert.fields.get("answered"):
            silent[key] = alert
        elif is_active(key):
            return ()
    machines = len({hosts[key] for key in silent})
    if machines < 2 or not any(each.is_open for each in silent.values()):
        return ()
    # Since the last one fell silent: those before it may have a reason of their own.
    since = max(each.began for each in silent.values())
    return (NETWORK.problem(OWN, since=since, targets=len(silent), hosts=machines),)


def is_held(alert: Alert, notified: Notified | None, cause: Alert | None) -> bool:
    """Whether a channel is not notified of an alert because of its cause, which it knows.

    While the cause is open, it hears of no begin and no reminder. The end of what it knows is never held.
    """
    if cause is None or (notified is not None and notified.is_open and not alert.is_open):
        return False
    return cause.is_open if alert.is_open else is_consequence(alert, cause)


def is_consequence(alert: Alert, cause: Alert | None) -> bool:
    """Whether an alert began and ended while its cause was open. So it is not sent afterwards."""
    if cause is None or alert.raised_at is None or alert.over_at is None:
        return False
    return alert.raised_at >= cause.since and (cause.over_at is None or alert.over_at <= cause.over_at)

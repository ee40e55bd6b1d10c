"""What a message needs to know beside the alerts: names, policies, links and missed slots."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from functools import partial

from tallyd.adapters.state import StateError
from tallyd.config.model import Config
from tallyd.core.alerts.links import link_to
from tallyd.core.alerts.notice_text import Surroundings
from tallyd.core.alerts.rules import RUN_WHATS, Alert
from tallyd.core.naming import key_segments
from tallyd.storage.shown import Shown
from tallyd.storage.store import Store


def surroundings_of(config: Config, store: Store, *, now: datetime) -> Surroundings:
    """Return the surroundings of a message that is sent now under this config."""
    return Surroundings(
        name=config.settings.name,
        now=now,
        alert_policy_of=config.alert_policy_of,
        kind_of=config.kind_of,
        watched=partial(_watched, config),
        missing=partial(_missing, store, now),
        link=partial(_link, config),
    )


def _watched(config: Config, poller: str, what: str) -> int | None:
    settings = config.sources.get(poller)
    subjects = settings.watched().get(what) if settings else None
    return None if subjects is None else len(subjects)


def _missing(store: Store, now: datetime, alert: Alert) -> Sequence[datetime]:
    """Return the slots without a reading while the job of an alert did not work."""
    segments = key_segments(alert.key)
    if len(segments) != 3 or segments[2] not in RUN_WHATS:
        return ()
    poller, job, _ = segments
    try:
        return store.state.readings.missed_between(poller, job, alert.since, alert.over_at or now)
    except StateError:
        return ()  # the message is also useful without them


def _link(config: Config, keys: Collection[str]) -> str:
    web = config.settings.web
    return link_to(web.public_url, keys, partial(Shown().view, config)) if web and web.public_url else ""

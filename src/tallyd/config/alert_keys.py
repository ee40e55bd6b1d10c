"""The keys of every problem that a config can raise, open or not."""

from __future__ import annotations

from collections.abc import Iterator

from tallyd.config.model import Config
from tallyd.contract.poller import Poller
from tallyd.core.alerts.alert_kind import AlertKind
from tallyd.core.alerts.daemon_alerts import OWN_KINDS, UNDELIVERED
from tallyd.core.alerts.rules import OWN
from tallyd.core.alerts.run_alerts import RUN_KINDS
from tallyd.core.naming import problem_key

ANY = "*"
"""Stands for any subject: a source that nobody has configured, a part of tallyd."""


def possible_keys(config: Config) -> tuple[str, ...]:
    """Return the keys; pollers come in the order of the file. `*` is any text without a slash."""
    found = [key for name, poller in config.sources.items() for key in _of_poller(name, poller)]
    for kind in OWN_KINDS:
        subjects = config.settings.channels if kind is UNDELIVERED else ()
        found += [problem_key(OWN, subject, kind.what) for subject in subjects] or [_with_any(OWN, kind)]
    return tuple(found)


def _of_poller(name: str, poller: Poller) -> Iterator[str]:
    for job in poller.jobs():
        yield from (problem_key(name, job.name, kind.what) for kind in RUN_KINDS)
    watched = poller.watched()
    for kind in poller.alert_kinds():
        if kind.what in watched:
            yield from (problem_key(name, subject, kind.what) for subject in sorted(watched[kind.what]))
        else:
            yield _with_any(name, kind)


def _with_any(first: str, kind: AlertKind) -> str:
    """Return `park/*/rejected` for a kind with any subject, else the key with its fixed subject."""
    _, *between, what = kind.key.split("/")
    return "/".join([first, *(ANY if each.startswith("<") else each for each in between), what])

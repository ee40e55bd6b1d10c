"""Open problems as lines, one for each kind: how bad, of what, what, since when. All else is folded below."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2s
from typing import Final

from tallyd.config.model import Config
from tallyd.core.alerts.alert_kind import AlertKind, name_of
from tallyd.core.alerts.mutes import Mute, mute_of
from tallyd.core.alerts.rules import Alert
from tallyd.core.alerts.wording import said
from tallyd.core.language.messages import tr, translation
from tallyd.core.naming import key_segments
from tallyd.core.states import Level
from tallyd.core.texts import listed, shortened
from tallyd.web.context import Context

MOST_FOLDED: Final = 20
MOST_NAMED: Final = 3
MOST_NAME_CHARS: Final = 30
"""Of one of several; that of a problem with a line of its own is shown whole."""


@dataclass(frozen=True, kw_only=True)
class ProblemView:
    """A problem with its whole text. `query` leads to what it is about.

    `mute_command` is empty if it is muted, `ack_command` also if it is acknowledged.
    """

    text: str
    key: str
    since: datetime
    query: str
    mute_command: str
    ack_command: str


@dataclass(frozen=True, kw_only=True)
class AlertLine:
    """One problem, or all of one kind: `subject` is its name, or a list of names; `since` is the oldest's.

    `mute`: nobody is notified of them for now. `acknowledged` says who works on them;
    empty: nobody. `problems` are at most `MOST_FOLDED`, `more` are the others.
    """

    id: str
    level: Level
    subject: str
    what: str
    since: datetime
    mute: Mute | None
    acknowledged: str
    problems: tuple[ProblemView, ...]
    more: int

    @property
    def count(self) -> int:
        """How many problems it stands for."""
        return len(self.problems) + self.more


def alert_lines(
    alerts: Iterable[Alert], context: Context, mutes: Sequence[Mute], *, now: datetime
) -> Iterator[AlertLine]:
    """Yield the lines of one poller's alerts, in the order of the first of each; those that somebody
    acknowledged come after the others, muted ones last.
    """
    config = context.config()
    found: dict[tuple[bool, str, str, str, str], tuple[Mute | None, list[Alert]]] = {}
    for alert in alerts:
        mute = mute_of(alert.key, mutes, now=now)
        what = alert.key.rpartition("/")[2]
        place = (
            mute is not None,
            _worked_on(alert, config, now),
            alert.severity,
            what,
            mute.pattern if mute else "",
        )
        found.setdefault(place, (mute, []))[1].append(alert)
    for (_, acknowledged, severity, *_), (mute, alike) in sorted(found.items(), key=_quiet_last):
        kind = config.kind_of(alike[0].key)
        yield AlertLine(
            id="alert-" + blake2s(alike[0].key.encode(), digest_size=6).hexdigest(),
            level="error" if severity == "error" else "warning",
            subject=_names(alike, kind, config, now),
            what=_what(alike, kind),
            since=min(alert.since for alert in alike),
            mute=mute,
            acknowledged=acknowledged,
            problems=tuple(
                _problem(alert, context, now, is_muted=mute is not None) for alert in alike[:MOST_FOLDED]
            ),
            more=max(0, len(alike) - MOST_FOLDED),
        )


def _quiet_last(found: tuple[tuple[bool, str, str, str, str], object]) -> tuple[bool, bool]:
    (is_muted, acknowledged, *_), _ = found
    return is_muted, bool(acknowledged)


def _worked_on(alert: Alert, config: Config, now: datetime) -> str:
    """Return who works on an alert; empty: nobody."""
    found = alert.acknowledged
    return found.text(config.alert_policy_of(alert.key).zone, now=now) if found else ""


def _what(alike: Sequence[Alert], kind: AlertKind | None) -> str:
    if len(alike) > 1:
        if kind is None:
            return tr("{problems:# problem|# problems}", problems=len(alike))
        return tr("{count} {problems}", count=len(alike), problems=translation(kind.many))
    return translation(kind.short) if kind else key_segments(alike[0].key)[-1]


def _names(alike: Sequence[Alert], kind: AlertKind | None, config: Config, now: datetime) -> str:
    if kind is not None and not kind.has_subject:
        return ""
    names = [
        name_of(each.key, each.fields, kind, config.alert_policy_of(each.key).wording(now))
        for each in alike[:MOST_NAMED]
    ]
    if len(alike) > 1:
        names = [shortened(name, MOST_NAME_CHARS) for name in names]
    return listed(names, more=len(alike) - len(names))


def _problem(alert: Alert, context: Context, now: datetime, *, is_muted: bool) -> ProblemView:
    wording = context.config().alert_policy_of(alert.key).wording(now)
    key = shlex.quote(alert.key)
    return ProblemView(
        text=said(alert, wording),
        key=alert.key,
        since=alert.since,
        query=context.query_of(alert.key),
        mute_command="" if is_muted else f"{wording.tallyd} mute {key} --for 2h",
        ack_command=""
        if is_muted or alert.acknowledged or alert.is_waiting
        else f"{wording.tallyd} ack {key}",
    )

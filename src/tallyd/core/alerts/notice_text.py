"""One notice in words, and many alike in one line."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo

from tallyd.core.alerts.alert_kind import AlertKind, name_of
from tallyd.core.alerts.mutes import Mute
from tallyd.core.alerts.notices import AlertPolicy, MuteNotice, Notice
from tallyd.core.alerts.rules import OWN, Alert, lasted_s
from tallyd.core.alerts.values import At, Span, Wording, several
from tallyd.core.alerts.wording import OUTSIDE_HOURS, said, said_of_end
from tallyd.core.language.formats import clock
from tallyd.core.language.messages import mark, tr, translation
from tallyd.core.naming import key_segments
from tallyd.core.texts import listed


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What the words of notices depend on.

    `name` is that of this tallyd. `alert_policy_of` and `kind_of` return the policy and the kind of a key;
    the kind is None if it is unknown. `watched` returns how many subjects a poller and `what` can have; None
    if unknown. `missing` returns the slots without a reading while an alert was open. `link` returns the
    address that shows the problems of some keys (the pattern of a mute is also such a key); empty without a
    page.
    """

    name: str
    now: datetime
    alert_policy_of: Callable[[str], AlertPolicy]
    kind_of: Callable[[str], AlertKind | None]
    watched: Callable[[str, str], int | None]
    missing: Callable[[Alert], Sequence[datetime]]
    link: Callable[[Collection[str]], str]


def notice_text(notice: Notice, around: Surroundings) -> str:
    """Return the text of a notice that has a line of its own."""
    alert, news = notice.alert, notice.news
    if news in ("over", "unwatched"):
        return _over_text(notice, around)
    wording, who = _wording(alert, around), _who_works_on(alert, around)
    if news == "acknowledged":
        text = said(alert, replace(wording, advises_mute=False))
        return tr("acknowledged {who}: {problems}", who=who, problems=text)
    text = said(alert, wording) if news == "begins" else said(alert, wording, lasted=_lasted(alert, around))
    if news == "reminder" or not who:
        return text
    return tr("{problem} [[acknowledged {who}]]", problem=text, who=who)


def _wording(alert: Alert, around: Surroundings) -> Wording:
    wording = around.alert_policy_of(alert.key).wording(around.now, ended_at=alert.over_at)
    return replace(wording, advises_mute=True)


def _lasted(alert: Alert, around: Surroundings) -> Span:
    return Span(lasted_s(alert, until=around.now))


def _over_text(notice: Notice, around: Surroundings) -> str:
    """Return `divera: working again since Fri 12:00, after 4 h; 1 reading missing (08:00).`"""
    alert = notice.alert
    wording = _wording(alert, around)
    return said_of_end(
        alert,
        wording,
        ended=At(alert.over_at or around.now),
        lasted=_lasted(alert, around),
        missing=several(At(at) for at in around.missing(alert)),
        was=said(alert, replace(wording, advises_mute=False)) if notice.is_late or alert.is_unwatched else "",
    )


def _who_works_on(alert: Alert, around: Surroundings) -> str:
    """Return `by anna 08:10 (disk is ordered)`; empty if nobody does."""
    zone = around.alert_policy_of(alert.key).zone
    return alert.acknowledged.text(zone, now=around.now) if alert.acknowledged else ""


def problems_text(alike: Sequence[Alert], worst: Alert, around: Surroundings) -> str:
    """Return `apps: 12 of 12 targets unreachable: PROD, TEST, A, B, C and 7 more`."""
    poller, *subject, what = key_segments(worst.key)
    total, kind = around.watched(poller, what), around.kind_of(worst.key)
    # Items of an answer have a segment more. Nobody knows how many there are.
    has_items = any(len(key_segments(each.key)) > 3 for each in alike)
    is_known = total is not None and total >= len(alike) and not has_items
    return tr(
        "[{poller}: ]{count}[ of {total}] {what}: {names}",
        poller=poller if subject and poller != OWN else "",
        count=len(alike),
        total=total if is_known else None,
        what=translation(kind.many if kind else mark("problems")),
        names=listed([name_of(each.key, each.fields, kind, _wording(each, around)) for each in alike]),
    )


def shared_text(notice: Notice, problems: str, around: Surroundings) -> str:
    """Return the text of the line of many such notices, about these problems."""
    is_outside_hours = notice.alert.over == OUTSIDE_HOURS
    message = {
        "begins": "{problems}",
        "escalated": mark("still: {problems}"),
        "acknowledged": mark("acknowledged {who}: {problems}"),
        "reminder": mark("still: {problems}"),
        "over": mark("resolved: {problems}"),
        "unwatched": mark("outside their hours: {problems}")
        if is_outside_hours
        else mark("no longer watched: {problems}"),
    }[notice.news]
    return tr(message, problems=problems, who=_who_works_on(notice.alert, around))


def mute_notice_text(notice: MuteNotice, around: Surroundings) -> str:
    """Return the text of a notice that a mute began or ended."""
    mute = notice.mute
    if notice.news == "unmuted":
        return tr("no longer muted[ by {by}]: {pattern}", by=mute.ended_by, pattern=mute.pattern)
    return mute_text(mute, around.alert_policy_of(mute.pattern).zone, now=around.now)


def mute_text(mute: Mute, zone: tzinfo, *, now: datetime) -> str:
    """Return `muted until 16:05 by anna: apps/* (new disk)`."""
    return tr(
        "muted until {until}[ by {by}]: {pattern}[ ({why})]",
        until=clock(mute.until, zone, now=now),
        by=mute.by,
        pattern=mute.pattern,
        why=mute.why,
    )

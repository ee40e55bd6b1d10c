"""A target to check: its own keys of the config merged over the defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from tallyd.core.alerts.notices import AlertPolicy
from tallyd.core.reading import Severity
from tallyd.core.schedule.due_times import DueTime, near
from tallyd.core.schedule.hours import Hours
from tallyd.pollers.servers.freshness import Limits, limits_if_due
from tallyd.pollers.servers.sources.extraction import Extraction, JsonField, ReplyHeader, TextMatch
from tallyd.pollers.servers.sources.file import FileSource
from tallyd.pollers.servers.sources.http import HttpSource
from tallyd.pollers.servers.sources.items import Each
from tallyd.pollers.servers.sources.source import Source
from tallyd.pollers.servers.sources.sql import SqlSource
from tallyd.pollers.servers.targets.group_settings import GroupSettings
from tallyd.pollers.servers.targets.request_settings import fault_of_request, http_source
from tallyd.pollers.servers.targets.target_settings import (
    EachSettings,
    TargetKeys,
    TargetSettings,
    places,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A target to check. `zone` None: that of the poller.

    `group` empty: none. `channels`, `severity` None: those of the poller, and of each kind of problem.
    `remind_every_s` counts only with `has_reminder`. `timeout_s` is the limit of one check. With `each`, its
    answer has items, which are targets too (see `item`): one that is missing may be so for `forget_after_s`.
    """

    name: str
    source: Source[Any]
    form: str
    zone: ZoneInfo | None
    limits: Limits
    due: tuple[DueTime, ...]
    active: tuple[Hours, ...]
    remind_every_s: float | None
    has_reminder: bool
    is_recorded: bool
    is_notified: bool
    is_logged: bool
    timeout_s: float
    group: str
    tags: tuple[str, ...]
    channels: tuple[str, ...] | None
    severity: Severity | None
    each: Each | None = None
    forget_after_s: float | None = None

    def item(self, name: str) -> Target:
        """Return the target of one of its items."""
        forget_after_s = self.each.forget_after_s if self.each else None
        return replace(self, name=f"{self.name}/{name}", each=None, forget_after_s=forget_after_s)

    def missing_since(
        self, missing: Mapping[str, datetime], now: datetime, more_s: float = 0.0
    ) -> datetime | None:
        """Return since when it is missing in answers, if that is `more_s` longer than it may; else None."""
        since = missing.get(self.name)
        if since is None or self.forget_after_s is None:
            return None
        return since if (now - since).total_seconds() >= self.forget_after_s + more_s else None

    def policy(self, whole: AlertPolicy) -> AlertPolicy:
        """Return its alert policy, given that of the poller."""
        changes: dict[str, Any] = {}
        if self.channels is not None:
            changes["channels"] = self.channels
        if self.has_reminder:
            changes["remind_every_s"] = self.remind_every_s
        if self.active:
            changes["active"] = self.active
        return replace(whole, **changes) if changes else whole

    @property
    def segments(self) -> list[str]:
        """Its part of the keys of problems: an item is below the target whose answer has it."""
        return self.name.split("/", 1)

    def limits_at(self, now: datetime, zone: tzinfo) -> Limits:
        """Return how old its data may be at an instant; `zone` is that of the poller."""
        return limits_if_due(near(self.due, now, zone), now=now) if self.due else self.limits

    def next_due(self, now: datetime, zone: tzinfo) -> datetime | None:
        """Return when new data is due next; None: at no time."""
        return near(self.due, now, zone).next if self.due else None


def merged(
    name: str,
    own: TargetSettings,
    defaults: TargetKeys,
    *,
    every_s: float,
    groups: Mapping[str, GroupSettings],
) -> Target:
    """Return a target with its own keys merged over those of its group and the defaults."""

    def keys_of(key: str) -> TargetKeys:
        return own if key in own.model_fields_set else defaults

    stale_after_s = keys_of("stale_after").stale_after
    late_after_s = keys_of("late_after").late_after
    reminding, group = keys_of("remind_every"), keys_of("group").group or ""
    of_group = groups.get(group, GroupSettings())
    return Target(
        name=name,
        source=_source(own, defaults),
        form=keys_of("format").format,
        zone=keys_of("timezone").timezone,
        limits=Limits(late_after_s or stale_after_s / 2, stale_after_s),
        due=tuple(DueTime(each.days, each.by, each.calendar) for each in keys_of("due").due),
        active=tuple(each.hours for each in keys_of("active").active),
        remind_every_s=reminding.remind_every,
        has_reminder="remind_every" in reminding.model_fields_set,
        is_recorded=keys_of("record").record,
        is_notified=keys_of("notify").notify,
        is_logged=keys_of("log_changes").log_changes,
        timeout_s=keys_of("timeout").timeout or min(10.0, every_s / 5),
        group=group,
        tags=keys_of("tags").tags,
        channels=of_group.channels if own.channels is None else own.channels,
        severity=own.severity or of_group.severity,
        each=_each(own.each) if own.each else None,
    )


def _each(written: EachSettings) -> Each:
    return Each(
        JsonField(written.items),
        JsonField(written.name) if written.name else None,
        JsonField(written.time),
        written.forget_after,
    )


def _source(own: TargetSettings, defaults: TargetKeys) -> Source[Any]:
    if own.file is not None:
        return FileSource(own.file)
    if own.sql is not None:
        return SqlSource(own.sql.url, own.sql.query)
    place = JsonField(own.each.time) if own.each else _extraction(own if places(own) else defaults)
    return http_source(own, defaults, own.url or "", place)


def _extraction(keys: TargetKeys) -> Extraction:
    if keys.header is not None:
        return ReplyHeader(keys.header)
    return JsonField(keys.field) if keys.text is None else TextMatch(keys.text)


def fault_of(target: Target, own: TargetSettings, *, every_s: float) -> tuple[str, str] | None:
    """Return the first wrong key of a merged target, and what is wrong with it; None: nothing."""
    limits = target.limits
    for key in ("stale_after", "late_after"):
        if target.due and key in own.model_fields_set:
            return key, 'has no effect, because `due` says when data is stale; remove it, or add "due": []'
    if limits.late_after_s > limits.stale_after_s:
        return "late_after", "is longer than `stale_after`; data is late before it is stale"
    if target.timeout_s > every_s / 5:
        return "timeout", (
            f"is longer than a fifth of `every` ({every_s / 5:g}s): a check that hangs could run into the "
            "next round"
        )
    return fault_of_request(target.source) if isinstance(target.source, HttpSource) else None

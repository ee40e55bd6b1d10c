"""What the page shows of every poller, as values: pure functions of what is stored, now, and the config."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias
from zoneinfo import ZoneInfo

from tallyd.core.alerts.mutes import Mute, mute_of
from tallyd.core.alerts.notices import AlertPolicy
from tallyd.core.alerts.rules import OWN, Alert
from tallyd.core.alerts.wording import said
from tallyd.core.naming import key_segments, local_text
from tallyd.core.stored import LastReading
from tallyd.core.texts import clock, span, visible

Level: TypeAlias = Literal["fine", "warning", "error", "unknown"]
"""Each has a colour, a shape and words of its own."""
_WORDS: Mapping[Level, str] = {
    "fine": "All well",
    "warning": "Needs a look",
    "error": "Trouble",
    "unknown": "No reading yet",
}
_WORST_FIRST: tuple[Level, ...] = ("error", "warning", "unknown")
_ALL_WORDS: Mapping[Level, str] = {"unknown": "Not everything was read yet"}
MOST_PROBLEMS = 20


@dataclass(frozen=True)
class Moment:
    """An instant as people read it (`text`), how long ago or ahead it is, and as machines do (`iso`)."""

    text: str
    distance: str
    iso: str


@dataclass(frozen=True)
class State:
    """How things are: a level, and the words for it."""

    level: Level
    words: str


@dataclass(frozen=True, kw_only=True)
class ProblemView:
    """An open problem. `muted` says until when nobody is told of it, empty where it is not muted."""

    level: Level
    word: str
    text: str
    key: str
    since: Moment
    muted: str = ""
    why: str = ""


@dataclass(frozen=True, kw_only=True)
class Card:
    """What is the same of every kind of poller. `more_problems` are those that are not listed.

    `timetable` says in words when its jobs run that have no slots.
    """

    poller: str
    zone: str
    state: State
    last: Moment | None
    last_label: str
    is_last_by_hand: bool
    next: Moment | None
    next_label: str
    problems: tuple[ProblemView, ...]
    more_problems: int
    waiting: tuple[ProblemView, ...]


def moment(at: datetime, zone: ZoneInfo, *, now: datetime) -> Moment:
    """Return an instant as it is shown: the time of day, the date where it is not today's."""
    seconds = (now - at).total_seconds()
    distance = f"{span(abs(round(seconds)))} ago" if seconds >= 0 else f"in {span(abs(round(seconds)))}"
    return Moment(clock(_whole(at), zone, now=now), distance, local_text(_whole(at), zone))


def _whole(at: datetime) -> datetime:
    return at.replace(microsecond=0)


@dataclass(frozen=True)
class Standing:
    """The alerts and the mutes as they are now."""

    alerts: Mapping[str, Alert]
    mutes: Sequence[Mute]
    now: datetime
    alert_policy_of: Callable[[str], AlertPolicy]

    def of(self, poller: str) -> tuple[Alert, ...]:
        """Return a poller's alerts that are not over, errors first, then the oldest; `tallyd`: its own."""
        found = [
            alert
            for alert in self.alerts.values()
            if alert.over_at is None and key_segments(alert.key)[0] == poller
        ]
        return tuple(sorted(found, key=lambda alert: (alert.severity, alert.since, alert.key)))

    def open_of(self, poller: str) -> tuple[Alert, ...]:
        """Return those that are open."""
        return tuple(alert for alert in self.of(poller) if alert.is_open)

    def problem(self, alert: Alert, zone: ZoneInfo) -> ProblemView:
        mute = mute_of(alert.key, self.mutes, now=self.now)
        level: Level = "error" if alert.severity == "error" else "warning"
        wording = self.alert_policy_of(alert.key).wording(self.now, is_muted=mute is not None)
        return ProblemView(
            level=level,
            word="Error" if level == "error" else "Warning",
            text=said(alert.problem, wording),
            key=visible(alert.key),
            since=moment(alert.since, zone, now=self.now),
            muted=clock(mute.until, zone, now=self.now) if mute else "",
            why=visible(mute.why) if mute else "",
        )


def card(
    poller: str,
    zone: ZoneInfo,
    standing: Standing,
    *,
    last: LastReading | None,
    last_label: str,
    next_at: datetime | None,
    next_label: str = "",
) -> Card:
    """Return the card of one poller. `next_label` stands where no slot comes, such as `every 5 s`."""
    alerts, now = standing.of(poller), standing.now
    is_open = standing.open_of(poller)
    return Card(
        poller=poller,
        zone=str(zone),
        state=state_of(is_open, has_reading=last is not None),
        last=moment(last.at, zone, now=now) if last else None,
        last_label=last_label,
        is_last_by_hand=last is not None and last.is_by_hand,
        next=moment(next_at, zone, now=now) if next_at else None,
        next_label=next_label,
        problems=tuple(standing.problem(alert, zone) for alert in is_open[:MOST_PROBLEMS]),
        more_problems=max(0, len(is_open) - MOST_PROBLEMS),
        waiting=tuple(standing.problem(alert, zone) for alert in alerts if alert.is_waiting)[:MOST_PROBLEMS],
    )


def state_of(alerts: Iterable[Alert], *, has_reading: bool) -> State:
    """Return the state that open alerts make."""
    severities = {alert.severity for alert in alerts}
    level: Level = (
        "error"
        if "error" in severities
        else "warning"
        if severities
        else "fine"
        if has_reading
        else "unknown"
    )
    return State(level, _WORDS[level])


@dataclass(frozen=True, kw_only=True)
class Head:
    """The top of the page: whose tallyd this is, how it is itself, and since when its config is in force.

    `silent_for` is how long its schedule has not ticked, where that is too long; `restart` says what helps.
    """

    name: str
    zone: str
    now: Moment
    state: State
    problems: tuple[ProblemView, ...]
    silent_for: str
    restart: str


SILENT_AFTER_S = 60.0


def head(
    name: str,
    zone: ZoneInfo,
    standing: Standing,
    *,
    ticked_ago_s: float | None,
    has_reading: Mapping[str, bool],
    restart: str,
) -> Head:
    """Return the top of the page; its state is the worst of tallyd's own and all pollers'.

    `has_reading` says of every poller whether anything was read yet.
    """
    own = standing.open_of(OWN)
    levels = [
        state_of(own, has_reading=True).level,
        *(state_of(standing.open_of(poller), has_reading=has).level for poller, has in has_reading.items()),
    ]
    worst: Level = next((level for level in _WORST_FIRST if level in levels), "fine")
    is_silent = ticked_ago_s is not None and ticked_ago_s > SILENT_AFTER_S
    return Head(
        name=visible(name),
        zone=str(zone),
        now=moment(standing.now, zone, now=standing.now),
        state=State(worst, _ALL_WORDS.get(worst, _WORDS[worst]))
        if has_reading
        else State("unknown", "No poller is configured"),
        problems=tuple(standing.problem(alert, zone) for alert in own),
        silent_for=span(ticked_ago_s) if is_silent and ticked_ago_s is not None else "",
        restart=restart,
    )

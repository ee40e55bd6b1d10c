"""What the page shows of visitors: today in numbers, each source, one day by the hour, the last reports."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from tallyd.adapters.state import SendRow, Stored
from tallyd.core.passages import Count
from tallyd.core.reading import Json
from tallyd.core.texts import shortened, span, visible
from tallyd.core.visit_history import Minute, Visits, hours_of, of_sources
from tallyd.core.visits import NOBODY, inside, together
from tallyd.pollers.visitors import VisitorsPoller
from tallyd.web.views import Level, Moment, moment

MOST_REPORTS = 20
MOST_SOURCES = 200
LONGEST_ANSWER = 200


@dataclass(frozen=True, kw_only=True)
class SourceView:
    """A source today. `silent_s` is how long ago its last file came, None where none is known."""

    name: str
    label: str
    n_in: int
    n_out: int
    inside: int
    last: Moment | None
    silent_s: int | None
    level: Level
    word: str


@dataclass(frozen=True, kw_only=True)
class GroupView:
    name: str
    n_in: int
    n_out: int
    inside: int


@dataclass(frozen=True, kw_only=True)
class VisitorsView:
    """Today. `trouble` says why the numbers can't be known now; then they are those of nobody.

    `more_sources` are those that are not listed; sums are of all.
    """

    day: str
    n_in: int
    n_out: int
    inside: int
    n_other: int
    sources: tuple[SourceView, ...]
    more_sources: int
    groups: tuple[GroupView, ...]
    trouble: str


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What of a day is looked at: `of` is empty for all, `source:NAME` or `group:NAME`."""

    day: date
    of: str = ""

    @property
    def source(self) -> str | None:
        return self.of.removeprefix("source:") if self.of.startswith("source:") else None

    @property
    def group(self) -> str | None:
        return self.of.removeprefix("group:") if self.of.startswith("group:") else None


@dataclass(frozen=True, kw_only=True)
class DayView:
    """One day by the hour, of all or of some. `options` are (value, label) of what may be chosen."""

    choice: Choice
    label: str
    before: str
    after: str
    last_day: str
    options: tuple[tuple[str, str], ...]
    hours: tuple[Visits, ...]
    n_in: int
    n_out: int
    trouble: str


@dataclass(frozen=True, kw_only=True)
class ReportView:
    """A report to the upstream. `payload` is what it was told, as text."""

    at: Moment
    day: str
    name: str
    level: Level
    word: str
    answer: str
    payload: str = ""


def label_of(poller: VisitorsPoller, source: str) -> str:
    """Return what people call a source."""
    configured = poller.sources.get(source)
    return visible(configured.label if configured and configured.label else source)


def visitors_view(
    poller: VisitorsPoller,
    counts: Mapping[str, Count],
    arrivals: Mapping[str, datetime],
    *,
    silent: frozenset[str],
    day: date,
    zone: ZoneInfo,
    now: datetime,
    trouble: str = "",
) -> VisitorsView:
    """Return today. `silent` are the sources that an open alert says are."""
    total = together(counts.values())
    names = [*poller.sources, *sorted((counts.keys() | arrivals.keys()) - poller.sources.keys())]
    return VisitorsView(
        day=day.isoformat(),
        n_in=total.n_in,
        n_out=total.n_out,
        inside=inside(total),
        n_other=total.n_other,
        sources=tuple(
            _source(
                label_of(poller, name),
                name,
                counts.get(name, NOBODY),
                moment(arrivals[name], zone, now=now) if name in arrivals else None,
                _silent_s(arrivals.get(name), now),
                is_silent=name in silent,
            )
            for name in names[:MOST_SOURCES]
        ),
        more_sources=max(0, len(names) - MOST_SOURCES),
        groups=tuple(
            _group(name, together(counts.get(member, NOBODY) for member in members))
            for name, members in poller.groups.items()
        ),
        trouble=trouble,
    )


def _silent_s(last: datetime | None, now: datetime) -> int | None:
    return max(0, int((now - last).total_seconds())) if last else None


def _source(
    label: str, name: str, count: Count, last: Moment | None, silent_s: int | None, *, is_silent: bool
) -> SourceView:
    level: Level = "error" if is_silent else "fine" if last else "unknown"
    words: Mapping[Level, str] = {"error": "silent", "fine": "delivers", "unknown": "no file yet"}
    return SourceView(
        name=visible(name),
        label=label,
        n_in=count.n_in,
        n_out=count.n_out,
        inside=inside(count),
        last=last,
        silent_s=silent_s,
        level=level,
        word=words[level],
    )


def _group(name: str, count: Count) -> GroupView:
    return GroupView(name=visible(name), n_in=count.n_in, n_out=count.n_out, inside=inside(count))


def chosen(poller: VisitorsPoller, choice: Choice) -> frozenset[str] | None:
    """Return the sources that are looked at; None: all."""
    if choice.source is not None:
        return frozenset({choice.source})
    if choice.group is not None:
        return frozenset(poller.groups.get(choice.group, ()))
    return None


def day_view(
    poller: VisitorsPoller,
    minutes: Iterable[Minute],
    choice: Choice,
    *,
    zone: ZoneInfo,
    now: datetime,
    today: date,
    trouble: str = "",
) -> DayView:
    """Return one day by the hour; `minutes` are those of all sources."""
    minutes = tuple(minutes)
    found = of_sources(minutes, chosen(poller, choice))
    hours = hours_of(found, day=choice.day, zone=zone, until=now) if found else ()
    seen = sorted({source for source, _, _ in minutes} - poller.sources.keys())
    options = [("", "All together")]
    options += [(f"group:{name}", f"Group {visible(name)}") for name in poller.groups]
    options += [(f"source:{name}", _option(poller, name)) for name in (*poller.sources, *seen)]
    label = next((text for value, text in options if value == choice.of), visible(choice.of))
    return DayView(
        choice=choice,
        label=label,
        before=(choice.day - timedelta(days=1)).isoformat(),
        after=(choice.day + timedelta(days=1)).isoformat() if choice.day < today else "",
        last_day=today.isoformat(),
        options=tuple(options),
        hours=hours,
        n_in=sum(hour.n_in for hour in hours),
        n_out=sum(hour.n_out for hour in hours),
        trouble=trouble,
    )


def _option(poller: VisitorsPoller, name: str) -> str:
    label = label_of(poller, name)
    return label if label == visible(name) else f"{label} ({visible(name)})"


_SENT_WORDS: Mapping[str, tuple[Level, str]] = {
    "sent": ("fine", "accepted"),
    "queued": ("warning", "waits"),
    "waiting": ("warning", "waits"),
    "parked": ("error", "refused for good"),
    "skipped": ("unknown", "nobody came: not sent"),
    "off": ("unknown", "not sent: switched off"),
}


def reports_view(
    readings: Sequence[Stored], rows: Sequence[SendRow], *, zone: ZoneInfo, now: datetime
) -> tuple[ReportView, ...]:
    """Return the last reports, the newest first, each with the upstream's answer.

    A reading tells what was known when its file was written; what became of the newest one of each day and
    name since then is in `rows`.
    """
    newest = {(row.send.day.isoformat(), row.slot_at): row for row in rows}
    found = []
    for stored in reversed(readings):
        report = (stored.body or {}).get("report")
        if stored.body is None or not isinstance(report, dict):
            continue
        at, day = stored.due_at or stored.taken_at, str(stored.body.get("day", ""))
        row = newest.get((day, at))
        level, word = _SENT_WORDS.get(
            row.state if row else str(report.get("state")), ("unknown", "not known")
        )
        answer = row.answer if row else report.get("answer")
        found.append(
            ReportView(
                at=moment(at, zone, now=now),
                day=visible(day),
                name=visible(row.send.ssid if row else _names(report)),
                level=level,
                word=word,
                answer=shortened(str(answer), LONGEST_ANSWER) if answer else "",
                payload=_payload(report),
            )
        )
        if len(found) == MOST_REPORTS:
            break
    return tuple(found)


def _objects(report: Mapping[str, Json]) -> list[dict[str, Json]]:
    payload = report.get("payload")
    return [each for each in payload if isinstance(each, dict)] if isinstance(payload, list) else []


def _names(report: Mapping[str, Json]) -> str:
    return ", ".join(dict.fromkeys(str(each.get("SSID", "")) for each in _objects(report)))


def _payload(report: Mapping[str, Json]) -> str:
    words = {"Count": "inside", "CountAccuIn": "in", "CountAccuOut": "out"}
    found = [
        f"{words.get(str(each.get('TagType')), str(each.get('TagType')))} {each.get('TagValue')}"
        for each in _objects(report)
    ]
    return shortened(", ".join(found), LONGEST_ANSWER)


def silence_text(seconds: int | None) -> str:
    """Return how long ago the last file came: seconds up to two minutes, then as durations are told."""
    if seconds is None:
        return "none yet"
    return f"{seconds} s ago" if seconds < 120 else f"{span(seconds)} ago"

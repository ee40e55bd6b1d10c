"""What the page shows of visitors: today in numbers, each source, one day by the hour."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from tallyd.core.passages import Count
from tallyd.core.texts import span, visible
from tallyd.pollers.visitors.poller import VisitorsPoller
from tallyd.pollers.visitors.visit_history import Minute, Visits, hours_of, of_sources
from tallyd.pollers.visitors.visits import inside, together
from tallyd.web.views import Level, Moment, moment

MOST_SOURCES = 200


@dataclass(frozen=True)
class CountView:
    """How many came, left, and are inside."""

    n_in: int
    n_out: int
    inside: int


@dataclass(frozen=True, kw_only=True)
class SourceView:
    """A source today. `silent_s` is how long ago its last file came, None where none is known.

    `count` is None where no record of today is known: whether nobody came, nobody knows.
    """

    name: str
    label: str
    count: CountView | None
    last: Moment | None
    silent_s: int | None
    level: Level
    word: str


@dataclass(frozen=True)
class GroupView:
    name: str
    count: CountView | None


@dataclass(frozen=True, kw_only=True)
class VisitorsView:
    """Today. `trouble` says why the numbers can't be read now, `missing` why there are none yet.

    `more_sources` are those that are not listed; sums are of all.
    """

    day: str
    count: CountView | None
    missing: str
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
    """One day by the hour, of all or of some. `options` are (value, label) of what may be chosen.

    `nothing` is what is to be said of a day without hours.
    """

    choice: Choice
    label: str
    before: str
    after: str
    last_day: str
    options: tuple[tuple[str, str], ...]
    hours: tuple[Visits, ...]
    nothing: str
    n_in: int
    n_out: int
    trouble: str


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
    names = [*poller.sources, *sorted((counts.keys() | arrivals.keys()) - poller.sources.keys())]
    return VisitorsView(
        day=day.isoformat(),
        count=_counted(counts.values()),
        missing="" if counts else _missing(max(arrivals.values(), default=None), zone, now),
        sources=tuple(
            _source(
                label_of(poller, name),
                name,
                counts.get(name),
                moment(arrivals[name], zone, now=now) if name in arrivals else None,
                _silent_s(arrivals.get(name), now),
                is_silent=name in silent,
            )
            for name in names[:MOST_SOURCES]
        ),
        more_sources=max(0, len(names) - MOST_SOURCES),
        groups=tuple(
            GroupView(visible(name), _counted(counts[member] for member in members if member in counts))
            for name, members in poller.groups.items()
        ),
        trouble=trouble,
    )


def _counted(counts: Iterable[Count]) -> CountView | None:
    """Return the sum of counts; None where there is none."""
    known = tuple(counts)
    total = together(known)
    return CountView(total.n_in, total.n_out, inside(total)) if known else None


def _missing(last: datetime | None, zone: ZoneInfo, now: datetime) -> str:
    """Return why there are no numbers of today, and when there will be some."""
    came = f"the last file came {moment(last, zone, now=now).text}" if last else "no file has come yet"
    return f"No record of today: {came}. Numbers appear once a file with records of today is taken."


def _silent_s(last: datetime | None, now: datetime) -> int | None:
    return max(0, int((now - last).total_seconds())) if last else None


def _source(
    label: str, name: str, count: Count | None, last: Moment | None, silent_s: int | None, *, is_silent: bool
) -> SourceView:
    level: Level = "error" if is_silent else "fine" if last else "unknown"
    words: Mapping[Level, str] = {"error": "silent", "fine": "delivers", "unknown": "no file yet"}
    return SourceView(
        name=visible(name),
        label=label,
        count=_counted([count] if count else []),
        last=last,
        silent_s=silent_s,
        level=level,
        word=words[level],
    )


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
        nothing=_nothing(choice.day, today),
        n_in=sum(hour.n_in for hour in hours),
        n_out=sum(hour.n_out for hour in hours),
        trouble=trouble,
    )


def _nothing(day: date, today: date) -> str:
    if day < today:
        return "No records of that day. Nobody knows whether nobody came, or nobody counted."
    return "No records of today yet. Hours appear once a file with records of today is taken."


def _option(poller: VisitorsPoller, name: str) -> str:
    label = label_of(poller, name)
    return label if label == visible(name) else f"{label} ({visible(name)})"


def silence_text(seconds: int | None) -> str:
    """Return how long ago the last file came: seconds up to two minutes, then as durations are told."""
    if seconds is None:
        return "none yet"
    return f"{seconds} s ago" if seconds < 120 else f"{span(seconds)} ago"

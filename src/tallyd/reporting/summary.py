"""The message of a report: the numbers of each poller, and what was wrong, in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import date, datetime, tzinfo
from typing import Final
from urllib.parse import quote, urlencode

from tallyd.adapters.state import State
from tallyd.config.model import Config
from tallyd.core.alerts.incident_view import IncidentView
from tallyd.core.alerts.message import MOST_CHARS, MOST_LINE_CHARS, MOST_SUBJECT_CHARS, Message
from tallyd.core.alerts.rules import OWN
from tallyd.core.language.formats import span
from tallyd.core.language.messages import tr
from tallyd.core.schedule.days import day_span
from tallyd.core.texts import items_text, shortened
from tallyd.presentation.boards import Chapter, period_text
from tallyd.storage.incidents import views_of

MOST_PROBLEMS: Final = 3
"""Of one poller, those that lasted longest."""


@dataclass(frozen=True, kw_only=True)
class Summary:
    """The chapters of the report `name`, and the incidents of tallyd itself on its days.

    `options` are those of `tallyd report`, by name.
    """

    name: str
    chapters: Sequence[Chapter]
    own: Sequence[IncidentView]
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """How many incidents there were."""
        return len(self.own) + sum(len(each.incidents) for each in self.chapters)


def own_incidents(config: Config, first: date, last: date, now: datetime) -> tuple[IncidentView, ...]:
    """Return the incidents of tallyd itself on these days. Raises `StateError`."""
    since, until = _span(first, last, config.zone)
    with closing(State(config.state_at)) as state:
        return views_of(state.incidents.between(since, until, poller=OWN), config, now=now)


def message_of(config: Config, summary: Summary) -> Message:
    """Return the message of a report, in the reader's language."""
    chapters = summary.chapters
    heading = tr(
        "[[{name}]] report {report}[, {period}]: {problems:# problem|# problems}{nothing:nothing was wrong}",
        name=shortened(config.settings.name, 60),
        report=summary.name,
        period=period_text(chapters) if chapters else "",
        problems=summary.count or None,
        nothing=None if summary.count else 1,
    )
    lines = [_line(each.poller, each.board.said, _problems(each)) for each in chapters]
    if chapters and summary.own:
        days = _span(chapters[0].first, chapters[0].last, config.zone)
        lines.append(_line(OWN, "", _named(summary.own, *days)))
    return Message(
        subject=shortened(heading, MOST_SUBJECT_CHARS),
        text="\n".join((heading, *_that_fit(lines, MOST_CHARS - len(heading)))),
        tone="info",
        link=_link(config, summary),
    )


def _line(poller: str, said: str, problems: str) -> str:
    text = tr(
        "- {poller}: [{said}. ]{problems}",
        poller=poller,
        said=said.rstrip("."),
        problems=problems or tr("Nothing was wrong."),
    )
    return shortened(text, MOST_LINE_CHARS)


def _problems(chapter: Chapter) -> str:
    return _named(chapter.incidents, *_span(chapter.first, chapter.last, chapter.zone))


def _named(incidents: Sequence[IncidentView], since: datetime, until: datetime) -> str:
    """Return what was wrong and for how long on these days, the longest first; empty: nothing."""
    lasted: dict[str, list[float]] = {}
    for view in incidents:
        what = tr("[{subject}: ]{problem}", subject=view.subject, problem=view.problem)
        begin, end = view.incident.since, min(view.incident.ended_at or view.now, until)
        lasted.setdefault(what, []).append(max(0.0, (end - max(begin, since)).total_seconds()))
    worst = sorted(lasted.items(), key=lambda each: -sum(each[1]))
    named = [
        tr(
            "{what} ({lasted}[, {times} times])",
            what=what,
            lasted=span(sum(found)),
            times=len(found) if len(found) > 1 else None,
        )
        for what, found in worst
    ]
    if not named:
        return ""
    return tr(
        "{count:# problem|# problems}: {problems}[, and {more} more].",
        count=len(incidents),
        problems=items_text(named[:MOST_PROBLEMS]),
        more=len(named) - MOST_PROBLEMS if len(named) > MOST_PROBLEMS else None,
    )


def _that_fit(lines: Sequence[str], most: int) -> Iterable[str]:
    for number, line in enumerate(lines):
        most -= len(line) + 1
        if most < 0:
            yield tr("... and {left:# more poller|# more pollers}.", left=len(lines) - number)
            return
        yield line


def _link(config: Config, summary: Summary) -> str:
    """Return the address of the page: the days of the poller if there is only one; empty without a page."""
    web = config.settings.web
    if not web or not web.public_url:
        return ""
    page = f"{web.public_url.rstrip('/')}/"
    if len(summary.chapters) != 1:
        return page
    (chapter,) = summary.chapters
    query = urlencode({"from": chapter.first, "to": chapter.last, **summary.options})
    return f"{page}poller/{quote(chapter.poller, safe='')}?{query}"


def _span(first: date, last: date, zone: tzinfo) -> tuple[datetime, datetime]:
    return day_span(first, zone)[0], day_span(last, zone)[1]

"""The days that were asked for: read one at a time, with what stands beside a single one."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from functools import partial
from typing import Final

from tallyd.contract.board import Asked, Past
from tallyd.contract.passages import seen_text
from tallyd.core.panels import Board
from tallyd.core.schedule.days import day_of, day_span
from tallyd.core.uptime import TimeSpan
from tallyd.pollers.visitors.alerts.alert_kinds import INBOX
from tallyd.pollers.visitors.boards.beside import WEEK, Beside, counted_spans
from tallyd.pollers.visitors.boards.board import VisitorsBoards
from tallyd.pollers.visitors.boards.visits import Minute
from tallyd.pollers.visitors.inside import NOBODY, Adjustment, Resets, adjustments
from tallyd.pollers.visitors.settings import VisitorsSettings

MOST_OF_MONTH: Final = 20
"""Sources. The month of more takes seconds to read."""


def past_board(poller: VisitorsSettings, boards: VisitorsBoards, past: Past, asked: Asked) -> Board:
    """Return who came, left and was inside. Raises `AskedError`, `StateError`, `RecordsError`."""
    records = past.records
    sources = boards.chosen(asked)
    since, until = asked.span(past.zone)
    resets = Resets(past.zone, poller.reset_at)
    reset = resets.until(since)
    before = records.minutes(reset, since, sources=sources) if reset < since else ()
    adjusted = [
        each
        for each in adjustments(records, since, until, resets=resets)
        if sources is None or each.correction.source in sources
    ]
    # One day at a time: ten years have five million minutes.
    days = (
        _with(adjusted, records.minutes(*span, sources=sources), *span)
        for span in (day.span(past.zone) for day in _days(asked, past))
    )
    seen = records.counts(since, until).keys() | {each.correction.source for each in adjusted}
    counted = _counted(poller, past, sources, since - WEEK, until)
    board = partial(boards.past, days, seen, asked, counted=counted, before=before, adjusted=adjusted)
    if asked.first != asked.last or asked.by not in (None, "hour"):
        return board()
    beside = Beside(
        day=asked.first,
        now=past.now,
        zone=past.zone,
        week_before=records.minutes(*day_span(asked.first - WEEK, past.zone), sources=sources),
        month=_month(asked.first, past, sources) if len(seen) <= MOST_OF_MONTH else (),
    )
    return board(beside=beside)


def _with(
    adjusted: Iterable[Adjustment], minutes: Sequence[Minute], since: datetime, until: datetime
) -> Sequence[Minute]:
    """Return minutes with those of the corrections between them, so that a day with a correction is shown."""
    own = [each for each in adjusted if each.size and since <= each.correction.at < until]
    if not own:
        return minutes
    corrected = [(seen_text(each.correction.at), NOBODY) for each in own]
    return sorted([*minutes, *corrected], key=lambda minute: minute[0])


def _counted(
    poller: VisitorsSettings, past: Past, sources: Collection[str] | None, since: datetime, until: datetime
) -> Sequence[TimeSpan]:
    """Return when all was counted. Of several sources, one that is silent does not matter."""
    own = tuple(poller.sources if sources is None else sources)
    incidents = poller.incidents_about(own[0] if len(own) == 1 else INBOX, past, since, until)
    return counted_spans(past.uptime(since, until), incidents, now=past.now)


def _month(day: date, past: Past, sources: Collection[str] | None) -> Sequence[Minute]:
    """Return the minutes of the month of a day. Raises `RecordsError`."""
    last = day.replace(day=monthrange(day.year, day.month)[1])
    span = day_span(day.replace(day=1), past.zone)[0], day_span(last, past.zone)[1]
    return past.records.minutes(*span, sources=sources)


def _days(asked: Asked, past: Past) -> Iterator[Asked]:
    """Yield the days that were asked for, one at a time. There are no records of later than tomorrow."""
    first, last = asked.first, min(asked.last, day_of(past.now, past.zone) + timedelta(days=1))
    for number in range((last - first).days + 1):
        day = first + timedelta(days=number)
        yield replace(asked, first=day, last=day)

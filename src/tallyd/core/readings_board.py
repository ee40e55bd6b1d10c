"""The boards of readings: the newest one, and those of some days. Every kind has them by default."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, tzinfo
from functools import reduce

from tallyd.core.history import Entry, Group, Status, statuses, why_no_number
from tallyd.core.language.formats import dated
from tallyd.core.language.messages import tr
from tallyd.core.metric import Metric
from tallyd.core.panels import Board, Choice, Gap, Stat
from tallyd.core.periods import By
from tallyd.core.readings_tables import Readings, hidden_of, key_of


def newest_board(entry: Entry, names: Mapping[str, str]) -> Board:
    """Return the numbers of one reading. `names` are the config's, by id."""
    columns = statuses([entry], names)
    stats = [Stat(key=key_of(each), name=each.label, value=entry.count(each.id)) for each in columns]
    if entry.has_total:
        stats.append(Stat(key="total", name=tr("Total"), value=entry.total))
    return Board(panels=tuple(stats), notes=tuple(_notes_on_hidden([entry], columns)))


def readings_board(
    entries: Sequence[Entry],
    names: Mapping[str, str],
    *,
    by: By | None,
    zone: tzinfo,
    next_at: datetime | None,
    group: Group | None = None,
    choices: tuple[Choice, ...] = (),
) -> Board:
    """Return the readings of some days, oldest first, or their means by hour, day, ...

    `next_at` is the time of the next reading, if it lies in these days. `group` has a chart of its own and,
    over more than a week, its numbers by weekday and time of day.
    """
    found = Readings(entries, statuses(entries, names), zone, group)
    notes = [*_notes_on_hidden(entries, found.statuses)]
    chart = found.means(by) if by else found.one_by_one(_nothing(entries, zone, next_at))
    weekly = found.weekly()
    if notes and (by or weekly):
        notes.append(tr("Hidden counts are left out of the means, so the means are too high."))
    return Board(
        panels=(*found.with_course(chart, by), *weekly),
        said=_said(entries, by),
        notes=tuple(notes),
        details=found.missed() if by else found.time_of_day(),
        choices=choices,
    )


def number_metric(poller: str, entry: Entry | None) -> Metric:
    """Return every number of the last reading; None: there is none."""
    metric = Metric(
        name="tallyd_number",
        help="A number of the last reading, by its name.",
        labels=("poller", "name"),
    )
    if entry is not None:
        numbers = entry.counts.items()
        metric.samples.extend(((poller, name), each) for name, each in numbers if not isinstance(each, Gap))
    return metric


def _said(entries: Sequence[Entry], by: By | None) -> str:
    """Return how many readings the board is made of: `4 readings, 1 missed`."""
    if not entries:
        return tr("no readings")
    missed = sum(entry.is_missed for entry in entries)
    left_out = sum(entry.origin == "once" for entry in entries) if by else 0
    return tr(
        "{readings:# reading|# readings}, {missed} missed[; {left_out} by once left out]",
        readings=len(entries) - missed - left_out,
        missed=missed,
        left_out=left_out or None,
    )


def _nothing(entries: Sequence[Entry], zone: tzinfo, next_at: datetime | None) -> str:
    """Return why there is no number, and when the next one comes."""
    return tr(
        "No number in these days: {why}.[ Next reading: {at}.]",
        why=why_no_number(entries),
        at=dated(next_at, zone) if next_at else None,
    )


def _notes_on_hidden(entries: Iterable[Entry], columns: Sequence[Status]) -> Iterator[str]:
    below = {
        entry.hide_below for entry in entries if entry.hide_below is not None and hidden_of(entry, columns)
    }
    if below:
        limits = (str(each) for each in sorted(below))
        limit = reduce(lambda one, other: tr("{one} or {other}", one=one, other=other), limits)
        yield tr("Numbers below {limit} are hidden, and so is what would give them away.", limit=limit)

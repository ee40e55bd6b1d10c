"""What a person says about who is inside: how it is stored, and how it is shown."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta, tzinfo
from typing import Final

from tallyd.contract.board import AskedError
from tallyd.contract.corrections import CorrectableRecords, Correction
from tallyd.core.language.formats import clock
from tallyd.core.panels import Column, Table
from tallyd.core.schedule.days import day_of
from tallyd.core.texts import visible
from tallyd.pollers.visitors.inside import Adjustment, Resets, adjustments, read_day, together
from tallyd.pollers.visitors.settings import VisitorsSettings
from tallyd.settings.types import did_you_mean

CORRECTED: Final = Column(key="corrected", heading="corrected", unit="number")
LATELY: Final = timedelta(days=7)
"""A source that is not in the config, but was counted within this time, can be corrected."""
_MINUTE: Final = timedelta(minutes=1)
_COLUMNS: Final = (
    Column(key="at", heading="at", unit="instant", is_vital=True),
    Column(key="source", heading="source", option="source", is_vital=True),
    Column(key="counted", heading="counted", unit="number"),
    Column(key="inside", heading="inside", unit="number", is_vital=True),
    CORRECTED,
    Column(key="by", heading="by"),
    Column(key="why", heading="why", is_note=True),
)


def correct(
    settings: VisitorsSettings,
    poller: str,
    correction: Correction,
    records: CorrectableRecords,
    zone: tzinfo,
) -> str:
    """Store a correction, and return by how much the counts were off, and who is inside now.

    Raises `AskedError` if there is no such source, and `RecordsError`.
    """
    resets, at, now = Resets(zone, settings.reset_at), correction.at, correction.noted_at
    source = correction.source
    counted = read_day(records, day_of(at, zone), at=at, resets=resets)
    lately = records.counts(now - LATELY, now)
    known = (*settings.sources, settings.source or poller, *sorted({*counted, *lately}))
    if source not in known:
        raise AskedError(_unknown(settings, poller, source, tuple(dict.fromkeys(known))))
    records.correct(correction)
    (made,) = (
        each
        for each in adjustments(records, at, at + _MINUTE, resets=resets)
        if each.correction.at == at and each.correction.source == source
    )
    today = read_day(records, day_of(now, zone), at=now, resets=resets)
    return (
        f"{settings.subject_label(source)}: {correction.inside} inside at {clock(at, zone, now=now)}. "
        f"{max(0, made.counted)} were counted until then, so this corrects them by {made.size:+}. "
        f"Inside now: {today[source].inside if source in today else 0}; "
        f"all sources together: {together(today.values()).inside}."
    )


def _unknown(settings: VisitorsSettings, poller: str, name: str, known: tuple[str, ...]) -> str:
    """Return what to write instead of a name that is no source."""
    if name in settings.groups:
        return f"{visible(name)} is a group; correct one of its sources: {', '.join(settings.groups[name])}"
    labelled = [source for source in settings.sources if settings.label_of(source) == name]
    if labelled:
        return f"{visible(name)} is the label of a source; write its name: {', '.join(labelled)}"
    hint = did_you_mean(name, known) or f"; there is: {', '.join(map(visible, known))}"
    return f'{poller} has no source "{visible(name)}", and none of that name was counted lately{hint}'


def corrections_table(found: Iterable[Adjustment]) -> tuple[Table, ...]:
    """Return the corrections, oldest first; nothing if there are none."""
    rows = tuple(
        (
            (one := each.correction).at,
            one.source,
            max(0, each.counted),
            one.inside,
            each.size,
            one.by,
            one.why,
        )
        for each in found
    )
    table = Table(
        key="corrections",
        title="Corrections of who is inside",
        columns=_COLUMNS,
        rows=rows,
        is_newest_last=True,
    )
    return (table,) if rows else ()

"""What a person says about who is inside: how it is stored, and how it is shown."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta, tzinfo
from typing import Final

from tallyd.contract.board import AskedError
from tallyd.contract.corrections import CorrectableRecords, Correction
from tallyd.core.panels import Column, Table
from tallyd.core.schedule.days import day_of
from tallyd.core.texts import clock, visible
from tallyd.pollers.visitors.inside import Adjustment, Resets, adjustments, read_day, together
from tallyd.pollers.visitors.settings import VisitorsSettings
from tallyd.settings.types import did_you_mean

CORRECTED: Final = Column(key="corrected", heading="corrected", unit="number")
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
    known = tuple(dict.fromkeys([*settings.sources, settings.source or poller, *sorted(counted)]))
    if source not in known:
        hint = did_you_mean(source, known) or f"; there is: {', '.join(map(visible, known))}"
        raise AskedError(
            f'{poller} has no source "{visible(source)}", and none of that name was counted{hint}'
        )
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

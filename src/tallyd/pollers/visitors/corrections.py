"""What a person says about who is inside: how it is stored, and how it is shown."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta, tzinfo
from typing import Final

from tallyd.contract.board import AskedError
from tallyd.contract.corrections import CorrectableRecords, Correction
from tallyd.core.language.formats import clock, number_text
from tallyd.core.language.messages import tr
from tallyd.core.panels import Column, Table
from tallyd.core.schedule.days import day_of
from tallyd.core.texts import visible
from tallyd.pollers.visitors.boards.columns import corrected_column
from tallyd.pollers.visitors.inside import Adjustment, Resets, adjustments, read_day, together
from tallyd.pollers.visitors.settings import VisitorsSettings
from tallyd.settings.types import did_you_mean

LATELY: Final = timedelta(days=7)
"""A source that is not in the config, but was counted within this time, can be corrected."""
_MINUTE: Final = timedelta(minutes=1)


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
    return tr(
        "{source}: {inside} inside at {at}. {counted:# was|# were} counted until then, so this corrects them "
        "by {number}. Inside now: {inside_now}; all sources together: {all_inside}.",
        source=settings.subject_label(source),
        inside=correction.inside,
        at=clock(at, zone, now=now),
        counted=max(0, made.counted),
        number=signed(made.size),
        inside_now=today[source].inside if source in today else 0,
        all_inside=together(today.values()).inside,
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


def signed(number: int) -> str:
    """Return a correction with its sign: `+3`, `-2`."""
    return ("+" if number >= 0 else "") + number_text(number)


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
        title=tr("Corrections of who is inside"),
        columns=(
            Column(key="at", heading=tr("at"), unit="instant", is_vital=True),
            Column(key="source", heading=tr("source"), option="source", is_vital=True),
            Column(key="counted", heading=tr("counted"), unit="number"),
            Column(key="inside", heading=tr("inside"), unit="number", is_vital=True),
            corrected_column(),
            Column(key="by", heading=tr("by")),
            Column(key="why", heading=tr("why"), is_note=True),
        ),
        rows=rows,
        is_newest_last=True,
    )
    return (table,) if rows else ()

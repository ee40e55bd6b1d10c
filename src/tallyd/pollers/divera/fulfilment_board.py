"""What people are shown of fulfilment: a row for each requirement, and its shares by weekday and time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from typing import Final

from tallyd.contract.board import Asked, AskedError
from tallyd.core.history import Entry
from tallyd.core.language.messages import english, mark, tr, translation
from tallyd.core.panels import Board, Cell, Choice, Column, Gap, Heatmap, Table
from tallyd.core.periods import LABELS, By, labels_of, order_of, period_cells, period_columns, weekdays
from tallyd.core.schedule.timetable import WEEKDAYS
from tallyd.core.states import State
from tallyd.core.texts import bounds_text, items_text, remarks_text, visible
from tallyd.core.weekly import weekly_table
from tallyd.pollers.divera.board import GROUP, group_of, names_of
from tallyd.pollers.divera.fulfilment import Fulfilment, Judged, Verdict, WeakHours, verdict, weakest
from tallyd.pollers.divera.requirement import Requirement

FULFILMENT: Final = "fulfilment"
"""The option that shows fulfilment instead of the numbers."""
_YES: Final = "yes"
_STATES: Final[Mapping[Verdict, State]] = {
    "met": State("fine", mark("met")),
    "below": State("warning", mark("below")),
    "unknown": State("unknown", mark("not known")),
}
_OUTSIDE: Final = State("fine", mark("outside its hours"))
_NOTHING: Final = mark("No slot of these days lies in the hours of a requirement.")
_TITLES: Final[Mapping[By, str]] = {
    "hour": mark("How often requirements were met, by hour"),
    "day": mark("How often requirements were met, by day"),
    "weekday": mark("How often requirements were met, by weekday"),
    "week": mark("How often requirements were met, by week"),
    "month": mark("How often requirements were met, by month"),
    "year": mark("How often requirements were met, by year"),
}


@dataclass(frozen=True, kw_only=True)
class RequirementSlots:
    """The judged slots of one requirement, oldest first. `name` is for people."""

    id: str
    name: str
    slots: Sequence[Judged]

    @property
    def fulfilment(self) -> Fulfilment:
        """How often it was met."""
        return _fulfilment(self.slots)


def with_requirements(
    board: Board, entry: Entry, requirements: Sequence[Requirement], names: Mapping[str, str], zone: tzinfo
) -> Board:
    """Return the board of a reading with a row for each requirement. `names` are those of statuses, by id."""
    if not requirements:
        return board
    shown = names_of(requirements, names)
    groups = [group_of(each, shown[each.id]) for each in requirements]
    table = Table(
        key="requirements",
        title=tr("Requirements"),
        columns=(
            *_requirement_columns(),
            Column(key="people", heading=tr("people"), unit="number", is_vital=True),
            Column(key="minimum", heading=tr("minimum"), unit="number", is_vital=True),
            Column(key="state", heading=tr("state"), is_vital=True),
        ),
        rows=tuple(
            (each.id, group.name, group.count(entry), each.count, _state(each, entry, zone))
            for each, group in zip(requirements, groups, strict=True)
        ),
    )
    return replace(board, panels=(*board.panels, table))


def _state(requirement: Requirement, entry: Entry, zone: tzinfo) -> State:
    if not requirement.applies(entry.at.astimezone(zone)):
        return _OUTSIDE
    return _STATES[verdict(requirement, entry)]


def _requirement_columns() -> tuple[Column, ...]:
    return (
        Column(key="id", heading="id", is_for_programs=True),
        Column(key="requirement", heading=tr("requirement"), is_vital=True),
    )


def _count_columns() -> tuple[Column, ...]:
    return (
        Column(key="share", heading=tr("share met"), unit="share", is_vital=True),
        Column(key="slots", heading=tr("slots"), unit="number"),
        Column(key="met", heading=tr("met"), unit="number"),
        Column(key="below", heading=tr("below"), unit="number"),
        Column(key="unknown", heading=tr("unknown"), unit="number"),
    )


def _ways() -> Choice:
    values = (("", tr("Numbers")), (_YES, tr("Fulfilment")))
    return Choice(option=FULFILMENT, label=tr("Show"), values=values)


def with_fulfilment(
    board: Board, found: Sequence[RequirementSlots], timetable: Sequence[datetime], group: str
) -> Board:
    """Return the board of readings with how often requirements were met.

    The requirement with the id `group`, else the first one, is also shown by weekday and time of day, if a
    weekday comes twice. `timetable` are the local times of all slots.
    """
    if not found:
        return board
    shown = next((each for each in found if each.id == group), found[0])
    judged = [each for each in found if each.slots]
    is_weekly = len({local.date() for local in timetable}) > len(WEEKDAYS)
    return replace(
        board,
        panels=(*board.panels, _summary(judged, timetable)) if judged else board.panels,
        details=(*(_weekly([shown]) if is_weekly else ()), *board.details),
        choices=(*board.choices, _ways()),
    )


def fulfilment_board(found: Sequence[RequirementSlots], timetable: Sequence[datetime], asked: Asked) -> Board:
    """Return how often requirements were met: all of them, or that of the option `group`.

    `timetable` are the local times of all slots. Raises `AskedError`.
    """
    group = asked.value(GROUP)
    chosen = [each for each in found if group in ("", each.id)]
    if asked.value(FULFILMENT) != _YES:
        raise AskedError(english("fulfilment must be yes, or left out"))
    if not found:
        raise AskedError(english("no requirement can be judged, because the config has none (at_least)"))
    if not chosen:
        known = ", ".join(each.id for each in found)
        raise AskedError(
            english(
                'there is no requirement "{asked_id}"; there is: {known_id}',
                asked_id=visible(group),
                known_id=known,
            )
        )
    summary = _summary(chosen, timetable)
    names = Choice(
        option=GROUP,
        label=tr("Requirement"),
        values=(("", tr("All")), *((each.id, each.name) for each in found)),
    )
    return Board(
        said=remarks_text(_said(each.name, each.fulfilment) for each in chosen),
        panels=(*((_by(asked.by, chosen),) if asked.by else ()), summary, *_weekly(chosen)),
        notes=(tr("Each slot is judged by the requirements that the config has now."),),
        choices=(names, _ways()),
    )


def _summary(found: Iterable[RequirementSlots], timetable: Sequence[datetime]) -> Table:
    """Return a row for each requirement, with its weakest hours."""
    return Table(
        key="requirements",
        title=tr("How often requirements were met"),
        columns=(
            *_requirement_columns(),
            *_count_columns(),
            Column(key="weakest", heading=tr("weakest hours"), is_note=True),
        ),
        rows=tuple(
            (each.id, each.name, *_cells(each.fulfilment), _hours(weakest(each.slots, timetable)))
            for each in found
        ),
    )


def _by(by: By, found: Sequence[RequirementSlots]) -> Table:
    """Return a row for each period and requirement, in order of time, then as in the config."""
    names = {each.id: each.name for each in found}
    periods: dict[tuple[str, ...], dict[str, list[Judged]]] = {}
    for each in found:
        for slot in each.slots:
            labels = tuple(labels_of(slot.local, by=by).values())
            periods.setdefault(labels, {}).setdefault(each.id, []).append(slot)
    ordered = sorted(
        periods,
        key=lambda labels: (
            order_of(dict(zip(LABELS[by], labels, strict=True))),
            # As instants: of an hour that comes twice, the second one is later.
            min(slots[0].local.timestamp() for slots in periods[labels].values()),
        ),
    )
    return Table(
        key="fulfilment",
        title=translation(_TITLES[by]),
        columns=(*period_columns(by), *_requirement_columns(), *_count_columns()),
        rows=tuple(
            (*period_cells(slots[0].local, by=by), each, names[each], *_cells(_fulfilment(slots)))
            for labels in ordered
            for each, slots in periods[labels].items()
        ),
        nothing=translation(_NOTHING),
        is_newest_last=True,
    )


def weekly_key(requirement: str) -> str:
    """Return the key of the table of a requirement, by its id."""
    return f"weekly_share:{requirement}"


def _weekly(found: Iterable[RequirementSlots]) -> tuple[Heatmap, ...]:
    """Return the shares of each requirement by weekday and time of day."""
    return tuple(
        Heatmap(
            table=weekly_table(
                ((slot.local, slot.verdict) for slot in each.slots),
                _share,
                title=tr("{requirement}: share met by weekday and time of day", requirement=each.name),
                key=weekly_key(each.id),
                unit="share",
                nothing=translation(_NOTHING),
            ),
            note=tr(
                "Share of the slots at which the requirement was met. Two numbers: between these, because "
                "some slots are not known."
            ),
        )
        for each in found
    )


def _fulfilment(slots: Iterable[Judged]) -> Fulfilment:
    return Fulfilment.of(slot.verdict for slot in slots)


def _share(verdicts: Sequence[Verdict]) -> Cell:
    return Fulfilment.of(verdicts).share


def _cells(found: Fulfilment) -> tuple[Cell, ...]:
    return (found.share if found.slots else None, found.slots, found.met, found.below, found.unknown)


def _said(name: str, found: Fulfilment) -> str:
    """Return `Crew: 83.33% of 12 slots`, or `Crew: between 71.15% and 88.47%, 9 of 52 slots unknown`."""
    if isinstance(found.share, Gap):
        if not found.slots:
            return tr("{requirement}: no slot in its hours", requirement=name)
        return tr(
            "{requirement}: not known, {slots:the only slot|all # slots} unknown",
            requirement=name,
            slots=found.slots,
        )
    share = bounds_text(found.share.low, found.share.high)
    if not found.unknown:
        return tr(
            "{requirement}: {share} of {slots:# slot|# slots}",
            requirement=name,
            share=share,
            slots=found.slots,
        )
    return tr(
        "{requirement}: {share}, {unknown} of {slots} slots unknown",
        requirement=name,
        share=share,
        unknown=found.unknown,
        slots=found.slots,
    )


def _hours(weak: Iterable[WeakHours]) -> str:
    """Return `Tue 09:00 to 12:00: 41.00% of 52 slots, Sat 20:00 to 24:00: 50.00% of 1 slot`."""
    names = weekdays()
    return items_text(
        tr(
            "{weekday} {begin} to {end}: {share} of {slots:# slot|# slots}",
            weekday=names[each.weekday],
            begin=each.begin,
            end=each.end,
            share=bounds_text(each.share.low, each.share.high),
            slots=each.slots,
        )
        for each in weak
    )

"""What people are shown of a Divera unit: people by status."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

from tallyd.contract.board import AskedError
from tallyd.core.history import Entry, Group, Status, Value, origin_of
from tallyd.core.language.messages import english, tr
from tallyd.core.panels import Choice, Gap, Limit
from tallyd.core.reading import Facts
from tallyd.core.texts import visible
from tallyd.pollers.divera.requirement import Requirement

GROUP: Final = "group"
"""The option for statuses that are counted together, or a requirement."""
_BETWEEN: Final = re.compile(r"[+ ]")
"""Between the statuses of a group. In the query of a URL, `+` means a space."""


def entry_of(at: datetime, *, taken_at: datetime, body: Facts) -> Entry:
    """Return a reading from the content of its out file.

    The list of users has only the statuses that occur, so a missing one means nobody. For the statuses of a
    monitor, and if all counts are hidden, a missing one is unknown. A value of an unexpected type is unknown,
    too: people may edit files.
    """
    counts = {visible(key): _value(value) for key, value in _object(body.get("counts")).items()}
    names = {visible(key): visible(str(name)) for key, name in _object(body.get("names")).items()}
    hide_below = body.get("hide_below")
    return Entry(
        at=at,
        taken_at=taken_at,
        origin=origin_of(body),
        total=_value(body.get("total")),
        counts=counts,
        unlisted=_unlisted(body, counts),
        qualifications=_qualifications(body),
        vehicles=_vehicles(body),
        names=names,
        hide_below=hide_below if isinstance(hide_below, int) else None,
        is_clock_suspect=body.get("clock_suspect") is True,
    )


def _unlisted(body: Facts, counts: Mapping[str, Value]) -> Value:
    if "counts" not in body or body.get("source") == "monitor":
        return Gap.UNKNOWN
    return Gap.HIDDEN if body.get("hide_below") is not None and not counts else 0


def _qualifications(body: Facts) -> Mapping[str, Mapping[str, Value] | None] | None:
    if not isinstance(body.get("qualifications"), dict):
        return None
    return {
        visible(status): None if row is None else {key: _value(value) for key, value in _object(row).items()}
        for status, row in _object(body["qualifications"]).items()
    }


def _vehicles(body: Facts) -> Mapping[str, Value] | None:
    found = body.get("vehicles")
    if not isinstance(found, dict):
        return None
    return {visible(status): _value(count) for status, count in found.items()}


def _value(value: object) -> Value:
    if value is None:
        return Gap.HIDDEN
    return value if type(value) is int else Gap.UNKNOWN


def _object(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def chosen_group(
    written: str, statuses: Sequence[Status], requirements: Sequence[Requirement]
) -> tuple[Group | None, tuple[Choice, ...]]:
    """Return the group that is asked for, and what there is to choose from.

    It is a requirement by its name, or statuses such as `50101+50102`. Without one, it is the first
    requirement, else the first status; None if there is no status. Raises `AskedError` for a status that is
    not in `statuses`.
    """
    names = {each.id: each.label for each in statuses}
    shown = names_of(requirements, names)
    offered = {each.id: group_of(each, shown[each.id]) for each in requirements}
    offered |= {each: Group((each,), names[each]) for each in names if each not in offered}
    if not offered:
        return None, ()
    values = [("" if not place else each, offered[each].name) for place, each in enumerate(offered)]
    choice = Choice(option=GROUP, label=tr("Group"), values=tuple(values))
    chosen = offered.get(written.strip()) or _sum_of(written, names, requirements)
    return chosen or next(iter(offered.values())), (choice,) if len(values) > 1 else ()


def group_of(requirement: Requirement, name: str) -> Group:
    """Return the people whom a requirement counts. `name` is for people."""
    return Group(
        requirement.statuses,
        name,
        _minimum(requirement),
        requirement.qualification,
    )


def _minimum(requirement: Requirement) -> Limit:
    return Limit(tr("minimum"), requirement.count)


def names_of(requirements: Iterable[Requirement], names: Mapping[str, str]) -> dict[str, str]:
    """Return names of requirements for people, by id. `names` are those of statuses, by id.

    Where two would be the same, the id follows: a status may be called like a requirement.
    """
    found = {each.id: each.name or _name(each.statuses, names, each.qualification) for each in requirements}
    often = Counter(found.values())
    return {
        each: f"{name} ({each})" if often[name] > 1 and name != each else name for each, name in found.items()
    }


def statuses_in(written: str) -> tuple[str, ...]:
    """Return the parts of a sum such as `50101+50102`, each once."""
    return tuple(dict.fromkeys(filter(None, _BETWEEN.split(written))))


def _sum_of(written: str, names: Mapping[str, str], requirements: Sequence[Requirement]) -> Group | None:
    """Return these statuses together, with the limit of the requirement that adds up just these."""
    chosen = statuses_in(written)
    known = {*names, *(status for each in requirements for status in each.statuses)}
    unknown = next((each for each in chosen if each not in known), None)
    if unknown:
        named = "".join(f'"{each.name}", ' for each in requirements if each.name)
        known_ids = named + ", ".join(names)
        raise AskedError(
            english(
                'there is no status "{asked_id}" in these days; there is: {known_id}',
                asked_id=visible(unknown),
                known_id=known_ids,
            )
        )
    if not chosen:
        return None
    same = (each for each in requirements if not each.qualification and {*each.statuses} == {*chosen})
    limit = next(map(_minimum, same), None)
    return Group(chosen, _name(chosen, names), limit)


def _name(statuses: Iterable[str], names: Mapping[str, str], qualification: str | None = None) -> str:
    added = " + ".join(names.get(each, each) for each in statuses)
    return tr("{statuses}[ with qualification {qualification}]", statuses=added, qualification=qualification)

"""What people are shown of a Divera unit: people by status."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

from tallyd.contract.board import AskedError
from tallyd.core.history import Entry, Group, Status, Value, origin_of
from tallyd.core.panels import Choice, Gap, Limit, Metric
from tallyd.core.reading import Facts
from tallyd.core.texts import visible
from tallyd.pollers.divera.counting import Minimum

GROUP: Final = "group"
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
        names=names,
        hide_below=hide_below if isinstance(hide_below, int) else None,
        is_clock_suspect=body.get("clock_suspect") is True,
    )


def _unlisted(body: Facts, counts: Mapping[str, Value]) -> Value:
    if "counts" not in body or body.get("source") == "monitor":
        return Gap.UNKNOWN
    return Gap.HIDDEN if body.get("hide_below") is not None and not counts else 0


def _value(value: object) -> Value:
    if value is None:
        return Gap.HIDDEN
    return value if type(value) is int else Gap.UNKNOWN


def _object(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def chosen_group(
    written: str, statuses: Sequence[Status], minimums: Sequence[Minimum]
) -> tuple[Group | None, tuple[Choice, ...]]:
    """Return the group that is asked for, such as `50101+50102`, and what there is to choose from.

    Without one, it is that of the first minimum strength, else the first status; None if there is no status.
    Raises `AskedError` for a status that is not in `statuses`.
    """
    names = {each.id: each.label for each in statuses}
    watched = [each.statuses for each in minimums]
    offered = [*watched, *((each,) for each in names if (each,) not in watched)]
    if not offered:
        return None, ()
    chosen = tuple(dict.fromkeys(filter(None, _BETWEEN.split(written)))) or offered[0]
    unknown = next((each for each in chosen if each not in names and chosen not in watched), None)
    if unknown:
        known = ", ".join(names)
        raise AskedError(f'there is no status "{visible(unknown)}" in these days; there is: {known}')
    values = [("" if not place else "+".join(each), _name(each, names)) for place, each in enumerate(offered)]
    count = next((each.count for each in minimums if {*each.statuses} == {*chosen}), None)
    limit = None if count is None else Limit("minimum", count)
    choice = Choice(option=GROUP, label="Group", values=tuple(values))
    return Group(chosen, _name(chosen, names), limit), (choice,) if len(values) > 1 else ()


def _name(statuses: Iterable[str], names: Mapping[str, str]) -> str:
    return " + ".join(names.get(each, each) for each in statuses)


def people_metrics(poller: str, entry: Entry | None) -> Iterable[Metric]:
    """Return the people of the last reading; None: there is none."""
    people = Metric(
        name="tallyd_people", help="People by status at the last reading.", labels=("poller", "status")
    )
    everybody = Metric(name="tallyd_people_all", help="All people of the last reading.", labels=("poller",))
    named = Metric(
        name="tallyd_status_info", help="1, with the name of a status.", labels=("poller", "status", "name")
    )
    if entry is not None:
        if not isinstance(entry.total, Gap):
            everybody.samples.append(((poller,), entry.total))
        people.samples.extend(
            ((poller, status), count) for status, count in entry.counts.items() if not isinstance(count, Gap)
        )
        named.samples.extend(((poller, status, name), 1) for status, name in entry.names.items())
    return (people, everybody, named)

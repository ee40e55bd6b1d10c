"""Parses Divera's replies: bytes in, counts out. No data about a person leaves this module.

Divera sends the JSON of PHP: an empty object may arrive as `[]` anywhere, and an id is text as a key and a
number as a value. A reply that cannot be counted is rejected as a whole, because a count that is nearly right
is worse than none. `Unreadable` says which part was wrong, never its value.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sized
from dataclasses import dataclass, field
from typing import Any

from tallyd.core.history import NO_STATUS, in_order
from tallyd.core.json_reply import Unreadable, parse
from tallyd.core.language.messages import english, mark_english
from tallyd.core.texts import shortened
from tallyd.pollers.divera.counting import count_statuses

_ID = re.compile(r"[1-9][0-9]{0,18}")
_MOST = 10**9
"""No count is larger than this; a larger number is an error."""
_LONGEST_NAME = 80
_MOST_STATUSES = 1_000
_MOST_QUALIFICATIONS = 10_000
"""Of all statuses together. A unit has some dozens of both, and a reading is kept for ever."""
_MOST_VEHICLES = 10_000
_TOO_MANY_STATUSES = mark_english("with {found} statuses, more than any unit has; the limit is {most}")
_TOO_MANY_QUALIFICATIONS = mark_english(
    "with {found} qualifications, more than any unit has; the limit is {most}"
)
_TOO_MANY_VEHICLES = mark_english("with {found} vehicles, more than any unit has; the limit is {most}")
_RADIO_STATUS = re.compile(r"[0-9]", re.ASCII)
_MONITOR_1 = "1"
"""The anonymous monitor. The others list people, with notes."""


@dataclass(frozen=True, kw_only=True)
class Tally:
    """The number of people by status id (`none` for people without one), and nothing about any person.

    `qualifications` are by status id and qualification id. One person may have several, so they are never
    added up. `names` are those of statuses by id, as far as the reply has them. `vehicles` are counted by
    radio status (`none` without one); None: they were not asked for, or this key may not see them.
    """

    counts: Mapping[str, int]
    qualifications: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    vehicles: Mapping[str, int] | None = None


def read_users(body: bytes) -> Tally:
    """Count the rows of /api/users by `status_id`. A person in several units has several rows; all count.

    Without any row there is no count; it is not zero. Raises `Unreadable`.
    """
    rows = people_of(read_answer(body))
    if not rows:
        raise Unreadable(
            english(
                "with an empty list of people, as for a key without rights; check in Divera that its system "
                "user may still see the people of the unit"
            )
        )
    counts = count_statuses(_status_of(row, number) for number, row in enumerate(rows, start=1))
    _check_number(counts, _MOST_STATUSES, _TOO_MANY_STATUSES)
    return Tally(counts=counts)


def read_monitor(body: bytes, *, qualifications: bool = False, vehicles: bool = False) -> Tally:
    """Read the anonymous counts of /api/v2/pull/all. Without a monitor there is no count; it is not zero.

    Qualifications and vehicles are read and checked only if they are asked for. Raises `Unreadable`.
    """
    data = as_object(read_answer(body).get("data"))
    monitor = as_object(as_object(data.get("monitor")).get(_MONITOR_1))
    if not monitor:
        raise Unreadable(
            english(
                "without counts: Divera has no monitor, or this key may not see it, as is usual for a system "
                'user; set one up there and use the key of its user or of a person, or use "source": "users"'
            )
        )
    _check_number(monitor, _MOST_STATUSES, _TOO_MANY_STATUSES)
    counts: dict[str, int] = {}
    having: dict[str, dict[str, int]] = {}
    for number, (key, entry) in enumerate(monitor.items(), start=1):
        # The outer key: an `id` inside the entry may differ from it.
        status = _status_id(key)
        if status is None or status in counts:
            raise Unreadable(
                english("with a monitor in which entry {number} has no valid status id", number=number)
            )
        values = as_object(entry)
        counts[status] = _count(values.get("all"), number)
        if qualifications:
            having[status] = _qualifications(values.get("qualification"), number)
    _check_number(
        [each for row in having.values() for each in row], _MOST_QUALIFICATIONS, _TOO_MANY_QUALIFICATIONS
    )
    return Tally(
        counts=in_order(counts),
        qualifications={status: having[status] for status in in_order(counts) if status in having},
        names=_names(data),
        vehicles=_vehicles(data) if vehicles else None,
    )


def read_names(body: bytes) -> Mapping[str, str]:
    """Return the status names of /api/v2/pull/all by status id, without spaces around them.

    Entries without a valid name are left out. Raises `Unreadable`.
    """
    return _names(as_object(read_answer(body).get("data")))


def read_answer(body: bytes) -> Mapping[str, Any]:
    """Return the outermost object of a reply with `"success": true`. Raises `Unreadable`."""
    answer = parse(body)
    if not isinstance(answer, dict):
        raise Unreadable(english("with unexpected JSON ({kind})", kind=_kind(answer)))
    if answer.get("success") is not True:
        raise Unreadable(_refusal(answer))
    return answer


def people_of(answer: Mapping[str, Any]) -> list[Any]:
    """Return the rows of /api/users: `data`, `data.items` or `items`. Raises `Unreadable`."""
    data = answer.get("data")
    if isinstance(data, list):
        return data
    items = data.get("items") if isinstance(data, dict) else answer.get("items") if data is None else None
    if not isinstance(items, list):
        raise Unreadable(english("without a list of people; is this the address of /api/users?"))
    return items


def as_object(value: object) -> Mapping[str, Any]:
    """Return an object; an empty one for PHP's `[]`, for a missing value and for any other type."""
    return value if isinstance(value, dict) else {}


def _status_of(row: object, number: int) -> str:
    if not isinstance(row, dict) and row != []:
        raise Unreadable(
            english("with a list of people in which row {number} is {kind}", number=number, kind=_kind(row))
        )
    value = as_object(row).get("status_id")
    status = NO_STATUS if value is None else _status_id(value)
    if status is None:
        raise Unreadable(
            english("with a list of people in which row {number} has no valid status_id", number=number)
        )
    return status


def _status_id(value: object) -> str | None:
    """Return a status id as text, `none` for 0, None for anything else. `true` is not 1."""
    text = str(value) if type(value) is int and abs(value) < 10**19 else value
    if text == "0":
        return NO_STATUS
    return text if isinstance(text, str) and _ID.fullmatch(text) else None


def _count(value: object, number: int) -> int:
    if type(value) is not int or not 0 <= value <= _MOST:
        raise Unreadable(english("with a monitor in which entry {number} has no valid count", number=number))
    return value


def _qualifications(having: object, number: int) -> dict[str, int]:
    if not isinstance(having, dict) and having not in (None, []):
        raise Unreadable(
            english("with a monitor in which entry {number} has no valid qualifications", number=number)
        )
    if not all(_ID.fullmatch(key) for key in as_object(having)):
        raise Unreadable(
            english("with a monitor in which entry {number} has no valid qualification id", number=number)
        )
    return in_order({key: _count(value, number) for key, value in as_object(having).items()})


def _names(data: Mapping[str, Any]) -> Mapping[str, str]:
    """Read `cluster.status`. It does not read `cluster.consumer`, which has everybody's names."""
    statuses = as_object(as_object(data.get("cluster")).get("status"))
    _check_number(statuses, _MOST_STATUSES, _TOO_MANY_STATUSES)
    names = {}
    for key, entry in statuses.items():
        name = as_object(entry).get("name")
        if _ID.fullmatch(key) and isinstance(name, str) and name.strip():
            names[key] = shortened(name.strip(), _LONGEST_NAME)
    return names


def _vehicles(data: Mapping[str, Any]) -> Mapping[str, int] | None:
    """Count `cluster.vehicle` by `fmsstatus_id`; None if the reply has no such block.

    It is an object keyed by vehicle id, whose entries have `name`, `shortname`, a position and
    `fmsstatus_id`: the radio status, a number from 0 to 9, or null. No public specification has it;
    moehrem/DiveraControl and fwmarcel/home-assistant-divera read it so. Nothing else of a vehicle is read.
    """
    vehicles = as_object(data.get("cluster")).get("vehicle")
    if vehicles is None:
        return None
    if not isinstance(vehicles, dict) and vehicles != []:
        raise Unreadable(english("with vehicles that are {kind}", kind=_kind(vehicles)))
    _check_number(vehicles, _MOST_VEHICLES, _TOO_MANY_VEHICLES)
    return count_statuses(
        _radio_status(entry, number) for number, entry in enumerate(as_object(vehicles).values(), start=1)
    )


def _radio_status(entry: object, number: int) -> str:
    """Return `0` to `9`, or `none`."""
    value = as_object(entry).get("fmsstatus_id")
    text = str(value) if type(value) is int else value
    if text in (None, ""):
        return NO_STATUS
    if not isinstance(text, str) or not _RADIO_STATUS.fullmatch(text):
        raise Unreadable(
            english("with vehicles of which entry {number} has no valid radio status", number=number)
        )
    return text


def _check_number(found: Sized, most: int, too_many: str) -> None:
    if len(found) > most:
        count, limit = f"{len(found):,}", f"{most:,}"
        raise Unreadable(english(too_many, found=count, most=limit))


def _refusal(answer: Mapping[str, Any]) -> str:
    """Return a text that names the keys with the reason, without the reason itself: it may name people."""
    is_false = answer.get("success") is False
    flaw = english('but "success": false') if is_false else english('but no "success": true')
    given = ", ".join(f'"{key}"' for key in ("error", "errors", "message") if answer.get(key))
    text = "{flaw}; the reason in {key_names} is not shown because it may name people"
    return english(text, flaw=flaw, key_names=given) if given else flaw


def _kind(value: object) -> str:
    if isinstance(value, str):
        return english("a text")
    if isinstance(value, list):
        return english("a list")
    return english("an object") if isinstance(value, dict) else english("a single value")

"""Finds the personal texts in a reply, for the proof that tallyd wrote none of them.

Nothing else reads these fields. The texts are compared and dropped, never written or shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from tallyd.pollers.divera.parse import as_object, people_of, read_answer

_PERSONAL = re.compile(
    r"(?i)name|mail|phone|tel|mobil|fax|addres|adres|street|stra(ss|ß)e|city|note|notiz|opta|issi"
)
_NOT_OF_A_PERSON = re.compile(r"(?i)(status|cluster|group|qualification)[\w.]*name")
"""Names of statuses, units, groups and qualifications may be in a person's row. They are not personal."""
_SHORTEST = 4
"""A shorter text occurs by chance in any log."""

Found = tuple[tuple[str, str], ...]


def texts_of_users(body: bytes) -> Found:
    """Return (field, value) of the personal texts in /api/users; each value once. Raises `Unreadable`."""
    return _each_once([("data", people_of(read_answer(body)))])


def texts_of_pull(body: bytes) -> Found:
    """Return (field, value) of the personal texts in /api/v2/pull/all; each value once. Raises `Unreadable`.

    They are in everybody's entry, in the monitors that list people with their notes, and in vehicles: their
    names, notes, and names in the radio network.
    """
    data = as_object(read_answer(body).get("data"))
    monitor = as_object(data.get("monitor"))
    cluster = as_object(data.get("cluster"))
    people = [(f"cluster.{part}", cluster.get(part)) for part in ("consumer", "vehicle")]
    people += [(f"monitor.{number}", monitor.get(number)) for number in ("2", "3")]
    return _each_once(people)


def _each_once(parts: Iterable[tuple[str, object]]) -> Found:
    found: dict[str, str] = {}
    for place, part in parts:
        for path, text in _texts(part):
            value = text.strip()
            if len(value) >= _SHORTEST and _PERSONAL.search(path) and not _NOT_OF_A_PERSON.search(path):
                found.setdefault(value, f"{place}.{path}")
    return tuple((field, value) for value, field in found.items())


def _texts(part: object) -> Iterator[tuple[str, str]]:
    """Yield (dotted path, text) of all texts inside, in order. A path has no ids and no indexes of lists.

    It uses a stack instead of recursion, because a reply may be nested as deeply as the JSON parser allows.
    """
    waiting: list[tuple[str, object]] = [("", part)]
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, str):
            yield path, value
        elif isinstance(value, list):
            waiting += [(path, each) for each in reversed(value)]
        elif isinstance(value, dict):
            waiting += [(_joined(path, key), each) for key, each in reversed(value.items())]


def _joined(path: str, key: str) -> str:
    if key.isdecimal():
        return path
    return f"{path}.{key}" if path else key

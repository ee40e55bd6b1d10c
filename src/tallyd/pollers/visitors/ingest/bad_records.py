"""What is wrong with the records of a file: which rules, which records, never a value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from tallyd.core.language.messages import english
from tallyd.pollers.visitors.ingest.json_stream import RejectedError

MOST_NAMED = 10
"""Most bad records that a reason names; a file may have only bad records."""


@dataclass(frozen=True)
class Broken:
    """A rule that records broke: the numbers of the first few of them, and their count."""

    rule: str
    records: tuple[int, ...]
    count: int


class BadRecordsError(RejectedError):
    """A file with bad records.

    `ahead` is set if their only fault is that they are ahead of now: how far the newest is ahead.
    """

    def __init__(self, broken: Sequence[Broken], ahead: timedelta | None) -> None:
        super().__init__("; ".join(map(_described, broken)))
        self.broken = tuple(broken)
        self.ahead = ahead


class BadRecordError(Exception):
    """One bad record; the text is the rule that it broke."""


class BadRecords:
    """The bad records of one file."""

    def __init__(self) -> None:
        self._named: dict[str, list[int]] = {}
        self._counts: dict[str, int] = {}

    def note(self, rule: str, number: int) -> None:
        """Note the rule that a record broke, and the number of the record, from 1 on."""
        self._counts[rule] = self._counts.get(rule, 0) + 1
        named = self._named.setdefault(rule, [])
        if len(named) < MOST_NAMED:
            named.append(number)

    @property
    def rules(self) -> frozenset[str]:
        """The rules that were broken."""
        return frozenset(self._counts)

    @property
    def count(self) -> int:
        """How many records are bad."""
        return sum(self._counts.values())

    @property
    def broken(self) -> tuple[Broken, ...]:
        """The rules that were broken, each with its records."""
        return tuple(Broken(rule, tuple(named), self._counts[rule]) for rule, named in self._named.items())


def fault(record: dict[str, Any], name: str, wrong: str) -> BadRecordError:
    """Return what is wrong with a field: it is missing, or `wrong`. Neither has the value."""
    return BadRecordError(wrong if name in record else english('"{name}" is missing', name=name))


def no_time(record: dict[str, Any], name: str) -> BadRecordError:
    """Return that a field is no text with a time."""
    return fault(record, name, english('"{name}" is not a time in quotes', name=name))


def _described(broken: Broken) -> str:
    """Return `records 5 and 6: "inOut" is missing`, without any value."""
    *others, last = map(str, broken.records)
    more = broken.count - len(broken.records)
    if more:
        named = ", ".join([*others, last])
        return english(
            "records {first_id} and {more} more: {rule}", first_id=named, more=more, rule=broken.rule
        )
    if not others:
        return english("record {record_id}: {rule}", record_id=last, rule=broken.rule)
    return english(
        "records {other_id} and {last_id}: {rule}",
        other_id=", ".join(others),
        last_id=last,
        rule=broken.rule,
    )

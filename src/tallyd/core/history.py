"""Readings and missed slots as a table shows them.

There are two kinds of missing numbers, and neither ever counts as zero: a hidden count (`hide_below`), and an
unknown one (a missed slot, or a monitor that did not show the status).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from typing import Literal, TypeAlias, TypeVar

from tallyd.core.language.formats import comes_twice, offset_text, span
from tallyd.core.language.messages import english, tr, translated
from tallyd.core.out_document import facts_of
from tallyd.core.panels import Gap, Limit, Spread
from tallyd.core.reading import Facts, Origin
from tallyd.core.texts import visible

T = TypeVar("T")
Value: TypeAlias = int | float | Gap
NO_STATUS = "none"
"""The id of people without a status."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A reading or a missed slot.

    `at` is the instant of the slot; outside the timetable, the time of the reading. `unlisted` is the value
    of a status that is not in `counts`. `qualifications` are by status and qualification, None for a hidden
    status; None: they were not counted. `vehicles` are by radio status; None: they were not counted. `reason`
    says in English why a slot was missed. All text is visible.
    """

    at: datetime
    taken_at: datetime | None
    origin: Origin | Literal["missed"]
    total: Value = Gap.UNKNOWN
    counts: Mapping[str, Value] = field(default_factory=dict)
    unlisted: Value = Gap.UNKNOWN
    qualifications: Mapping[str, Mapping[str, Value] | None] | None = None
    vehicles: Mapping[str, Value] | None = None
    names: Mapping[str, str] = field(default_factory=dict)
    hide_below: int | None = None
    is_clock_suspect: bool = False
    reason: str | None = None

    @property
    def has_total(self) -> bool:
        """Whether it says how many there are together, be it hidden. A missed slot may have had."""
        return self.is_missed or self.total is not Gap.UNKNOWN

    @property
    def is_missed(self) -> bool:
        return self.origin == "missed"

    @property
    def late_s(self) -> float:
        """How long after its time it was taken, in seconds; 0 if it was not late."""
        return (self.taken_at - self.at).total_seconds() if self.taken_at else 0.0

    def count(self, status: str, qualification: str | None = None) -> Value:
        """Return the count of a status, listed or not, or of its people with a qualification."""
        people = self.counts.get(status, self.unlisted)
        if qualification is None or people == 0:
            return people
        if self.qualifications is None:
            return Gap.UNKNOWN
        listed = self.qualifications.get(status, {})
        if listed is None:
            return Gap.HIDDEN
        # A qualification that nobody there has is not listed.
        return listed.get(qualification, people if isinstance(people, Gap) else 0)


@dataclass(frozen=True)
class Status:
    """A column: the id of a status, and its newest known name."""

    id: str
    name: str | None = None

    @property
    def label(self) -> str:
        """Return `Einsatzbereit`; the id if no name is known."""
        return self.name or (tr("no status") if self.id == NO_STATUS else self.id)

    @property
    def heading(self) -> str:
        """Return `Einsatzbereit (50101)`; `50101` if no name is known."""
        return f"{self.label} ({self.id})" if self.label != self.id else self.id


@dataclass(frozen=True)
class Group:
    """Statuses that are counted together; `limit` is how many people there should be at least.

    `qualification`: only people who have it.
    """

    statuses: tuple[str, ...]
    name: str
    limit: Limit | None = None
    qualification: str | None = None

    def count(self, entry: Entry) -> Value:
        """Return how many people there are; where one of the counts is missing, why."""
        counts = [entry.count(each, self.qualification) for each in self.statuses]
        return next((each for each in counts if isinstance(each, Gap)), None) or sum(
            each for each in counts if not isinstance(each, Gap)
        )


def in_order(values: Mapping[str, T]) -> dict[str, T]:
    """Return values by ascending id, with `none` last. The order never depends on the values."""
    return dict(sorted(values.items(), key=lambda item: (item[0] == NO_STATUS, len(item[0]), item[0])))


def missed_slot(at: datetime, *, reason: str | None) -> Entry:
    """Return a slot that has no reading."""
    why = visible(reason or english("for an unknown reason"))
    return Entry(at=at, taken_at=None, origin="missed", reason=why)


def reading_of_numbers(at: datetime, *, taken_at: datetime, body: Facts) -> Entry:
    """Return a reading of any kind: every number of its facts, those inside objects as `outer.inner`."""
    return Entry(
        at=at,
        taken_at=taken_at,
        origin=origin_of(body),
        counts=dict(numbers_of(body)),
        is_clock_suspect=body.get("clock_suspect") is True,
    )


def numbers_of(body: Facts) -> Iterator[tuple[str, int | float]]:
    """Yield every number of the facts in an out file's content, with its name."""
    return _numbers(facts_of(body))


def _numbers(facts: Mapping[str, object], above: str = "") -> Iterator[tuple[str, int | float]]:
    for key, value in facts.items():
        if isinstance(value, dict):
            yield from _numbers(value, f"{above}{key}.")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield visible(above + key), value


def origin_of(body: Facts) -> Origin:
    """Return how a reading came about; `live` if its out file does not say that it was otherwise."""
    others: tuple[Origin, ...] = ("late", "once", "imported")
    return next((origin for origin in others if body.get("origin") == origin), "live")


def why_no_number(entries: Iterable[Entry], *, in_timetable: bool = False) -> str:
    """Return why none of these has a number to draw; `in_timetable`: without readings taken by hand."""
    entries = tuple(entries)
    drawn = [entry for entry in entries if not (in_timetable and entry.origin == "once")]
    if not drawn:
        by_hand = tr("all readings were taken by hand, outside the timetable")
        return by_hand if entries else tr("there is no reading")
    missed = sum(entry.is_missed for entry in drawn)
    if missed == len(drawn):
        return tr("{missed:the only slot was|all # slots were} missed", missed=missed)
    return tr("all counts are hidden or not known")


def statuses(entries: Iterable[Entry], configured: Mapping[str, str]) -> tuple[Status, ...]:
    """Return the columns: the configured names in their order, then by ascending id, with `none` last.

    A configured status is a column even if it never occurs, so that the reports of two months have the same
    columns. The name of the config counts first, then that of the newest reading. `entries` are oldest first.
    """
    names: dict[str, str] = {}
    mentioned: dict[str, None] = {}
    for entry in entries:
        names.update(entry.names)
        mentioned.update(dict.fromkeys(entry.counts))
    names.update(configured)
    others = in_order({each: None for each in mentioned if each not in configured})
    order = sorted((*configured, *others), key=NO_STATUS.__eq__)
    return tuple(Status(each, names.get(each)) for each in order)


def remarks(entry: Entry, zone: tzinfo) -> tuple[str, ...]:
    """Return the remarks of a row beside its numbers; none for an ordinary row."""
    return tuple(_remarks(entry, entry.at.astimezone(zone)))


def _remarks(entry: Entry, local: datetime) -> Iterator[str]:
    if entry.is_missed:
        yield tr("missed: {reason}", reason=translated(entry.reason or ""))
    if entry.origin == "late":
        yield tr("late by {late}", late=span(entry.late_s))
    if entry.origin == "once":
        yield tr("once, outside the timetable")
    if entry.origin == "imported":
        yield tr("imported from an older program")
    if entry.is_clock_suspect:
        yield tr("clock suspect: it differs from the source's")
    if comes_twice(local):
        yield tr("{offset}, this time comes twice", offset=offset_text(local))


def spread(values: Iterable[Value]) -> Spread | None:
    """Return mean, least and most of the numbers; None if there are none."""
    numbers = [value for value in values if not isinstance(value, Gap)]
    if not numbers:
        return None
    total, count = sum(numbers), len(numbers)
    if not isinstance(total, int):
        return Spread(float(f"{total / count:.6g}"), min(numbers), max(numbers), count)
    # In whole numbers: round() makes 0.25 to 0.2, but a reader who checks by hand gets 0.3.
    tenths = (20 * abs(total) + count) // (2 * count)
    return Spread(tenths / 10 * (-1 if total < 0 else 1), min(numbers), max(numbers), count)

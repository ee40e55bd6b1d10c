"""The past as a table: one row per reading, or means over hours, days, weekdays, weeks, months and years.

There are two kinds of missing numbers, and neither ever counts as zero: a hidden count (`hide_below`), and an
unknown one (a missed slot, or a monitor that did not show the status).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, tzinfo
from enum import Enum
from typing import Literal, TypeAlias

from tallyd.core.counting import NO_STATUS, in_order
from tallyd.core.out_document import facts_of
from tallyd.core.reading import Facts
from tallyd.core.schedule.timetable import WEEKDAYS
from tallyd.core.texts import span, visible

By: TypeAlias = Literal["hour", "day", "weekday", "week", "month", "year"]
LABELS: Mapping[By, tuple[str, ...]] = {
    "hour": ("date", "hour", "weekday"),
    "day": ("date", "weekday"),
    "weekday": ("weekday",),
    "week": ("week",),
    "month": ("month",),
    "year": ("year",),
}
"""The headings of a bucket. A week is that of ISO 8601, from Monday on: `2026-W48`."""


class Gap(Enum):
    """Why there is no number."""

    HIDDEN = "hidden"
    UNKNOWN = "unknown"


Value: TypeAlias = int | float | Gap


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A reading or a missed slot.

    `at` is the instant of the slot; outside the timetable, the time of the reading. `unlisted` is the value
    of a status that is not in `counts`. `reason` says why a slot was missed. All text is visible.
    """

    at: datetime
    taken_at: datetime | None
    origin: Literal["live", "late", "once", "missed"]
    total: Value = Gap.UNKNOWN
    counts: Mapping[str, Value] = field(default_factory=dict)
    unlisted: Value = Gap.UNKNOWN
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

    def count(self, status: str) -> Value:
        """Return the count of a status, listed or not."""
        return self.counts.get(status, self.unlisted)


@dataclass(frozen=True)
class Status:
    """A column: the id of a status, and its newest known name."""

    id: str
    name: str | None = None

    @property
    def heading(self) -> str:
        """Return `Einsatzbereit (50101)`; `50101` if no name is known."""
        name = self.name or ("no status" if self.id == NO_STATUS else None)
        return f"{name} ({self.id})" if name else self.id


@dataclass(frozen=True)
class Spread:
    """Mean, least and most of the `known` numbers of one bucket.

    Of whole numbers the mean has one decimal (halves away from zero), of others six digits.
    """

    mean: float
    low: float
    high: float
    known: int


@dataclass(frozen=True, kw_only=True)
class Bucket:
    """The result of the readings of an hour, a day, ... None: no number is known.

    `labels` are its names, each with the heading of its column: `{"date": "2026-11-20", "weekday": "Fri"}`.
    """

    labels: Mapping[str, str]
    readings: int
    missed: int
    total: Spread | None
    counts: Mapping[str, Spread | None]


def missed_slot(at: datetime, *, reason: str | None) -> Entry:
    """Return a slot that has no reading."""
    return Entry(at=at, taken_at=None, origin="missed", reason=visible(reason or "for an unknown reason"))


def reading(at: datetime, *, taken_at: datetime, body: Facts) -> Entry:
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
        origin=_origin(body),
        total=_value(body.get("total")),
        counts=counts,
        unlisted=_unlisted(body, counts),
        names=names,
        hide_below=hide_below if isinstance(hide_below, int) else None,
        is_clock_suspect=body.get("clock_suspect") is True,
    )


def reading_of_numbers(at: datetime, *, taken_at: datetime, body: Facts) -> Entry:
    """Return a reading of any kind: every number of its facts, those inside objects as `outer.inner`."""
    return Entry(
        at=at,
        taken_at=taken_at,
        origin=_origin(body),
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


def _origin(body: Facts) -> Literal["live", "late", "once"]:
    origin = body.get("origin")
    return "late" if origin == "late" else "once" if origin == "once" else "live"


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


def why_no_number(entries: Iterable[Entry], *, in_timetable: bool = False) -> str:
    """Return why none of these has a number to draw; `in_timetable`: without readings taken by hand."""
    entries = tuple(entries)
    drawn = [entry for entry in entries if not (in_timetable and entry.origin == "once")]
    if not drawn:
        return "all readings were taken by hand, outside the timetable" if entries else "there is no reading"
    missed = sum(entry.is_missed for entry in drawn)
    if missed == len(drawn):
        return "the only slot was missed" if missed == 1 else f"all {missed} slots were missed"
    return "all counts are hidden or not known"


def statuses(entries: Iterable[Entry], configured: Mapping[str, str]) -> tuple[Status, ...]:
    """Return the columns: the configured names in their order, then by ascending id, with `none` last.

    A configured status is a column even if it never occurs, so that the reports of two months have the same
    columns. The name of the config counts first, then that of the newest reading. `entries` are oldest first.
    """
    names: dict[str, str] = {}
    mentioned: dict[str, int] = {}
    for entry in entries:
        names.update(entry.names)
        mentioned.update(dict.fromkeys(entry.counts, 0))
    names.update(configured)
    others = in_order({each: 0 for each in mentioned if each not in configured})
    order = sorted((*configured, *others), key=NO_STATUS.__eq__)
    return tuple(Status(each, names.get(each)) for each in order)


def remarks(entry: Entry, zone: tzinfo) -> tuple[str, ...]:
    """Return the remarks of a row beside its numbers; none for an ordinary row."""
    local = entry.at.astimezone(zone)
    said = {
        f"missed: {entry.reason}": entry.is_missed,
        f"late by {span(entry.late_s)}": entry.origin == "late",
        "once, outside the timetable": entry.origin == "once",
        "clock suspect: it differs from the source's": entry.is_clock_suspect,
        f"{_offset(local)}, this time comes twice": _comes_twice(local),
    }
    return tuple(text for text, holds in said.items() if holds)


def weekday(day: date) -> str:
    """Return `Mon` to `Sun`, in English in every locale."""
    return WEEKDAYS[day.weekday()].capitalize()


def _offset(local: datetime) -> str:
    return "UTC" + local.isoformat(timespec="seconds")[len("2026-11-20T08:00:00") :]


def _comes_twice(local: datetime) -> bool:
    """Whether a local time occurs twice, because clocks go back over it (PEP 495)."""
    first, second = (local.replace(fold=fold).utcoffset() for fold in (0, 1))
    return first is not None and second is not None and first > second


def buckets(
    entries: Iterable[Entry], columns: Sequence[Status], *, by: By, zone: tzinfo
) -> tuple[Bucket, ...]:
    """Group readings in order of time; weekdays start with Monday. `entries` are oldest first.

    Readings by `once` are outside the timetable and left out, so that a mean is always over the slots. A time
    without slots has no bucket. An hour that occurs twice is two buckets.
    """
    groups: dict[tuple[str, ...], list[Entry]] = {}
    for entry in entries:
        if entry.origin != "once":
            names = labels_of(entry.at.astimezone(zone), by=by)
            groups.setdefault(tuple(names.values()), []).append(entry)
    found = [
        _bucket(dict(zip(LABELS[by], label, strict=True)), group, columns) for label, group in groups.items()
    ]
    if by == "weekday":
        found.sort(key=lambda bucket: WEEKDAYS.index(bucket.labels["weekday"].lower()))
    return tuple(found)


def labels_of(local: datetime, *, by: By) -> dict[str, str]:
    """Return the names of the bucket of a local time, each with the heading of its column."""
    return {label: _SPELLED[label](local) for label in LABELS[by]}


def _hour(local: datetime) -> str:
    """Return `02:00`; with the offset (`02:00 UTC+02:00`) in an hour with minutes that occur twice."""
    last_minute = local.replace(minute=59)
    text = f"{local.hour:02}:00"
    return f"{text} {_offset(last_minute)}" if _comes_twice(last_minute) else text


def _week(local: datetime) -> str:
    """Return `2026-W48`. The year is the week's own: 1 January 2027 lies in 2026-W53."""
    year, week, _ = local.isocalendar()
    return f"{year}-W{week:02}"


_SPELLED: Mapping[str, Callable[[datetime], str]] = {
    "date": lambda local: local.date().isoformat(),
    "hour": _hour,
    "weekday": weekday,
    "week": _week,
    "month": lambda local: local.date().isoformat()[:7],
    "year": lambda local: local.date().isoformat()[:4],
}


def _bucket(labels: Mapping[str, str], group: Sequence[Entry], columns: Sequence[Status]) -> Bucket:
    taken = [entry for entry in group if not entry.is_missed]
    return Bucket(
        labels=labels,
        readings=len(taken),
        missed=len(group) - len(taken),
        total=spread(entry.total for entry in taken),
        counts={status.id: spread(entry.count(status.id) for entry in taken) for status in columns},
    )


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

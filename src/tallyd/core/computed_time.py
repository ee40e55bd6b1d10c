"""The time at which a server says that its data was computed: from a JSON value to an instant."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

FUTURE_AFTER_S: Final = 60.0
"""A time that is ahead by so much, or less, is not taken to be ahead: clocks differ."""
EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""Anything before is no time at which data was computed: 0, `0001-01-01`, seconds read as milliseconds."""
LATEST: Final = datetime(9999, 1, 1, tzinfo=UTC)
"""What is later cannot be shown in each zone, since there is no year 10000; it mostly means "never"."""

_NUMBER: Final = re.compile(r"\d{1,20}(?:\.\d{1,20})?", re.ASCII)
_ISO: Final = re.compile(r"(?:\d{8}|\d{4}-\d\d-\d\d|\d{4}-?W\d\d-?\d)[T _]\d\d.*", re.ASCII)
_UNITS: Final = {"epoch": 1.0, "epoch_ms": 1000.0}


class UnreadableTimeError(ValueError):
    """A value that is no time. The text goes on behind the field's name, and never holds the value."""


def read_time(
    value: object, form: str, *, zone: tzinfo, now: datetime, known: datetime | None = None
) -> datetime:
    """Return the instant (UTC) that a JSON value is, in the form `iso`, `epoch`, `epoch_ms` or of strptime.

    A time without an offset is of `zone`. One that comes twice there (clocks set back), or not at all (put
    forward over it), can be two instants: the later one is taken, unless it lies in the future as seen from
    `now`; or the one that was read before (`known`), since a time that stands still is no other one.
    Numbers may be written as text, and a time of digits as a number. Raises `UnreadableTimeError`.
    """
    try:
        if form in _UNITS:
            at = _from_epoch(_number(value) / _UNITS[form])
        else:
            written = _iso(value) if form == "iso" else _by_format(value, form)
            if written.year < EARLIEST.year - 1:
                raise _never(form)  # in many a zone there is no UTC for the first of January of the year 1
            at = _local(written, zone, now, known) if written.tzinfo is None else written.astimezone(UTC)
    except OverflowError:
        raise UnreadableTimeError(f"is of no year that there is{_unit_hint(form)}") from None
    if at >= LATEST:
        raise UnreadableTimeError(f"is of the year 9999; perhaps never computed{_unit_hint(form)}")
    if at < EARLIEST:
        raise _never(form)
    return at


def has_offset(value: object, form: str) -> bool:
    """Whether a readable value says by itself which instant it is, whatever the zone."""
    if form in _UNITS:
        return True
    return (_iso(value) if form == "iso" else _by_format(value, form)).tzinfo is not None


def _from_epoch(seconds: float) -> datetime:
    """Return the instant. Raises `OverflowError`."""
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OSError) as error:
        raise OverflowError from error


def _number(value: object) -> float:
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
        raise UnreadableTimeError(f"is {_kind(value)}, no number of seconds or milliseconds since 1970")
    return float(value)


def _iso(value: object) -> datetime:
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise UnreadableTimeError("is a number; set `format` to epoch, epoch_ms or a form of strptime")
    if not isinstance(value, str):
        raise UnreadableTimeError(f"is {_kind(value)}, no time")
    text = value.strip().upper()
    try:
        # Python's own parser takes a date alone, too, and any character between date and time.
        if _ISO.fullmatch(text):
            return datetime.fromisoformat(text)
    except ValueError:
        pass
    raise UnreadableTimeError("is no time of ISO 8601, such as 2026-11-20T14:03:12+01:00; see `format`")


def _by_format(value: object, form: str) -> datetime:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**20:
        value = str(value)
    if not isinstance(value, str):
        raise UnreadableTimeError(f"is {_kind(value)}, no time in the form of `format`")
    try:
        return datetime.strptime(value.strip(), form)  # noqa: DTZ007 # what lacks a zone is given one
    except ValueError:
        raise UnreadableTimeError("is no time in the form of `format`") from None


def _kind(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float):
        return "a negative number" if value < 0 else "a number that is too long or broken"
    if isinstance(value, str):
        return "a text"
    return "a list" if isinstance(value, list) else "an object"


def _never(form: str) -> UnreadableTimeError:
    return UnreadableTimeError(f"is before the year 2000; perhaps never computed{_unit_hint(form)}")


def _unit_hint(form: str) -> str:
    other = {"epoch": "epoch_ms", "epoch_ms": "epoch"}.get(form)
    return f"; its `format` may be {other}" if other else ""


def _local(written: datetime, zone: tzinfo, now: datetime, known: datetime | None) -> datetime:
    """Return the instant of a local time."""
    either = {written.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)}
    if known in either:
        return known
    latest = now + timedelta(seconds=FUTURE_AFTER_S)
    return max((at for at in either if at <= latest), default=min(either))

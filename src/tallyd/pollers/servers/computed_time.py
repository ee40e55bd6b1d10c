"""The time when a server computed its data: from a JSON value to an instant."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, tzinfo
from email.utils import parsedate_to_datetime
from typing import Final

from tallyd.core.language.messages import english, mark

FUTURE_AFTER_S: Final = 60.0
"""A time that is ahead by at most this does not count as ahead: clocks differ."""
EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""An earlier time cannot be when data was computed: 0, `0001-01-01`, seconds read as milliseconds."""
LATEST: Final = datetime(9999, 1, 1, tzinfo=UTC)
"""A later time cannot be shown in every zone: there is no year 10000. It mostly means "never"."""

_NUMBER: Final = re.compile(r"\d{1,20}(?:\.\d{1,20})?", re.ASCII)
_ISO: Final = re.compile(r"(?:\d{8}|\d{4}-\d\d-\d\d|\d{4}-?W\d\d-?\d)[T _]\d\d.*", re.ASCII)
_UTC: Final = re.compile(r" ?(?:UTC|GMT|Z)$", re.ASCII)
_OFFSET: Final = re.compile(r" ([+-]\d\d:?\d\d)$", re.ASCII)
"""Behind a space, as git and Ruby write it: `2026-11-20 14:03:12 +0100`."""
_ZONE_NAME: Final = re.compile(r"(Z|[+-]\d\d(?::?\d\d)?)\[[A-Z0-9_+/-]+\]$", re.ASCII)
"""What Java writes behind an offset, which already says it: `2026-11-20T14:03:12+01:00[Europe/Berlin]`."""
_END_OF_DAY: Final = re.compile(r"([^T _]+[T _])24((?::?00){1,2}(?:[.,]0+)?(?:Z|[+-][\d:]+)?)", re.ASCII)
_HTTP_DATE: Final = re.compile(
    r"(?:(?:MON|TUE|WED|THU|FRI|SAT|SUN), )?\d\d? [A-Z]{3} \d{4} \d\d:\d\d:\d\d (?:GMT|UTC|[+-]\d{4})",
    re.ASCII,
)
"""Of RFC 9110 or of mail, such as `Fri, 20 Nov 2026 14:03:12 GMT`; the month has its English name."""
_UNITS: Final = {"epoch": 1.0, "epoch_ms": 1000.0}


class UnreadableTimeError(ValueError):
    """A value that is not a time. The text follows "FIELD is", and never holds the value."""


def read_time(
    value: object, form: str, *, zone: tzinfo, now: datetime, stale_at: datetime | None = None
) -> datetime:
    """Return the instant (UTC) of a value, in the format `iso`, `epoch`, `epoch_ms` or of strptime.

    A value that is a time already, from a database, has no format.

    A time without an offset belongs to `zone`. If clocks went back or forward over it, it can be two
    instants. The result is the later one, unless that lies in the future as seen from `now`: data of each
    hour has the same time twice. But a time at which data is known to be stale (`stale_at`) stays what it
    is, so that no alert ends because of a clock change.
    Numbers may be text, and a time of digits may be a number. Raises `UnreadableTimeError`.
    """
    try:
        if isinstance(value, datetime):
            at = _local(value, zone, now, stale_at) if value.tzinfo is None else value.astimezone(UTC)
        elif form in _UNITS:
            at = _from_epoch(_number(value) / _UNITS[form])
        else:
            written = _iso(value) if form == "iso" else _by_format(value, form)
            if written.year < EARLIEST.year - 1:
                raise _never(form)  # in many zones the first of January of the year 1 has no UTC
            at = _local(written, zone, now, stale_at) if written.tzinfo is None else written.astimezone(UTC)
    except OverflowError:
        flaw = english("of no year that there is[; its `format` may be {other}]", other=_other_unit(form))
        raise UnreadableTimeError(flaw) from None
    if at >= LATEST:
        flaw = english(
            "of the year 9999; perhaps never computed[; its `format` may be {other}]", other=_other_unit(form)
        )
        raise UnreadableTimeError(flaw)
    if at < EARLIEST:
        raise _never(form)
    return at


def has_offset(value: object, form: str) -> bool:
    """Whether a readable value names its instant without a zone."""
    if isinstance(value, datetime):
        return value.tzinfo is not None
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
        flaw = english("{kind}, no number of seconds or milliseconds since 1970", kind=_kind(value))
        raise UnreadableTimeError(flaw)
    return float(value)


def _iso(value: object) -> datetime:
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise UnreadableTimeError(mark("a number; set `format` to epoch, epoch_ms or a form of strptime"))
    if not isinstance(value, str):
        raise UnreadableTimeError(english("{kind}, no time", kind=_kind(value)))
    text = value.strip().upper()
    try:
        if _HTTP_DATE.fullmatch(text):
            return parsedate_to_datetime(text.replace("-0000", "+0000"))  # both are UTC
        # Python's own parser also accepts a date alone, and any character between date and time.
        if _ISO.fullmatch(text):
            return _from_iso(_OFFSET.sub(r"\1", _ZONE_NAME.sub(r"\1", _UTC.sub("Z", text))))
    except ValueError:
        pass
    raise UnreadableTimeError(mark("no time of ISO 8601, such as 2026-11-20T14:03:12+01:00; see `format`"))


def _from_iso(text: str) -> datetime:
    """Return the time of a text of ISO 8601. 24:00 is the end of its day. Raises `ValueError`."""
    end_of_day = _END_OF_DAY.fullmatch(text)
    if end_of_day is None:
        return datetime.fromisoformat(text)
    return datetime.fromisoformat(f"{end_of_day[1]}00{end_of_day[2]}") + timedelta(days=1)


def _by_format(value: object, form: str) -> datetime:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**20:
        value = str(value)
    if not isinstance(value, str):
        raise UnreadableTimeError(english("{kind}, no time in the form of `format`", kind=_kind(value)))
    try:
        return datetime.strptime(value.strip(), form)  # noqa: DTZ007 # a time without a zone gets one later
    except ValueError:
        raise UnreadableTimeError(mark("no time in the form of `format`")) from None


def _kind(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return mark("true or false")
    if isinstance(value, int | float):
        return mark("a negative number") if value < 0 else mark("a number that is too long or broken")
    if isinstance(value, str):
        return mark("a text")
    if isinstance(value, date):
        return mark("a date without a time of day")
    return mark("a list") if isinstance(value, list) else mark("an object")


def _never(form: str) -> UnreadableTimeError:
    flaw = english(
        "before the year 2000; perhaps never computed[; its `format` may be {other}]", other=_other_unit(form)
    )
    return UnreadableTimeError(flaw)


def _other_unit(form: str) -> str:
    return {"epoch": "epoch_ms", "epoch_ms": "epoch"}.get(form, "")


def _local(written: datetime, zone: tzinfo, now: datetime, stale_at: datetime | None) -> datetime:
    """Return the instant of a local time."""
    either = {written.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)}
    if stale_at in either:
        return stale_at
    latest = now + timedelta(seconds=FUTURE_AFTER_S)
    return max((at for at in either if at <= latest), default=min(either))

"""The types of values in config files: durations, times of day, days, zones, addresses, folders.

A validator here raises through `wrong()`, never with a value that may be secret.
"""

from __future__ import annotations

import difflib
import math
import os
import re
from collections.abc import Callable, Sequence
from datetime import time
from functools import cache
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from tallyd.core.language.messages import english
from tallyd.core.schedule.timetable import WEEKDAYS
from tallyd.core.texts import UNPRINTABLE

_UNIT_S = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_NOUNS = {"s": "second", "m": "minute", "h": "hour", "d": "day"}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)([smhd])", re.ASCII)
_TIME_OF_DAY = re.compile(r"([01]\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?", re.ASCII)
_LONGEST_NAME_BYTES = 200  # a file system allows 255, and tallyd adds to some names
_LONGEST_PATH_BYTES = 2000  # the system allows 4095, and tallyd adds folders and files below


def wrong(text: str) -> PydanticCustomError:
    """Return the error for a validator to raise. People see `text` after its place."""
    return PydanticCustomError("tallyd", "{text}", {"text": text})


def wrong_each(problems: Sequence[tuple[tuple[str | int, ...], str]]) -> PydanticCustomError:
    """Return one error for several problems: (keys below the value that is validated, text)."""
    each = [{"at": list(keys), "text": text} for keys, text in problems]
    return PydanticCustomError("tallyd_each", "{text}", {"text": problems[0][1], "each": each})


def did_you_mean(word: str, known: tuple[str, ...], *, cutoff: float = 0.6) -> str:
    """Return `; did you mean "accesskey"?`, or "" if no known word is similar (cutoff 1: only the same)."""
    near = nearest(word, known, cutoff=cutoff)
    return f'; did you mean "{near}"?' if near else ""


def not_in_config(word: str, known: tuple[str, ...]) -> str:
    """Return `; did you mean "x"?`, or, if no known word is similar, which there are."""
    there_are = f"; the config has: {', '.join(known)}" if known else "; the config has none"
    return did_you_mean(word, known) or there_are


def not_at_top(noun: str, word: str, known: tuple[str, ...]) -> PydanticCustomError:
    """Return the error for a name that is not among the `noun`s at the top of the file."""
    names = f"; it has: {', '.join(known)}" if known else ", which is empty"
    hint = did_you_mean(word, known) or f" at the top of the file{names}"
    return wrong(f"no such {noun} in `{noun}s`{hint}")


def nearest(word: str, known: tuple[str, ...], *, cutoff: float = 0.6) -> str:
    """Return the known word that is most similar, or "" if none is similar (cutoff 1: only the same)."""
    names = {name.casefold(): name for name in known}
    near = difflib.get_close_matches(word.casefold(), names, n=1, cutoff=cutoff)
    return names[near[0]] if near else ""


class Strict(BaseModel):
    """Base of every settings class: frozen, no unknown key, no silent conversion, no value in an error."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        hide_input_in_errors=True,
        validate_default=True,
        arbitrary_types_allowed=True,
    )


class Seconds(float):
    """A default of a `Duration`. A plain number is not a duration: in a file it has no unit."""


def parse_duration(written: object) -> float:
    """Return the seconds of `"90s"`, `"5m"`, `"2h"`, `"1d"`; above zero."""
    if isinstance(written, Seconds):
        return written
    if not isinstance(written, str) or not (found := _DURATION.fullmatch(written)):
        raise wrong('must be a duration: a number and one of s, m, h, d, such as "90s" or "5m"')
    seconds = float(found[1]) * _UNIT_S[found[2]]
    if not 0 < seconds <= 3660 * 86400:
        raise wrong("must be above 0 and at most ten years")
    return seconds


def show_duration(seconds: float) -> str:
    """Return seconds the way a config writes them: 300.0 is `"5m"`."""
    for unit in "dhm":
        if seconds % _UNIT_S[unit] == 0:
            return f"{int(seconds // _UNIT_S[unit])}{unit}"
    return f"{seconds:g}s"


def within(least_s: float, most_s: float = math.inf) -> Callable[[float], float]:
    """Return a validator of durations, both ends included."""
    least = show_duration(least_s)
    allowed = f'at least {spelled_duration(least_s)}, such as "{least}"'
    if most_s < math.inf:
        allowed = f'"{least}" to "{show_duration(most_s)}"'

    def check(seconds: float) -> float:
        if not least_s <= seconds <= most_s:
            raise wrong(f"must be {allowed}")
        return seconds

    return check


def spelled_duration(seconds: float) -> str:
    """Return seconds in words: 60.0 is `1 minute`."""
    written = show_duration(seconds)
    number, noun = written[:-1], _NOUNS[written[-1]]
    return f"{number} {noun}" if number == "1" else f"{number} {noun}s"


def parse_time_of_day(written: object) -> time:
    """Return the time of `"08:00"` or `"08:00:30"`."""
    if isinstance(written, time):
        return written
    if not isinstance(written, str) or not (found := _TIME_OF_DAY.fullmatch(written)):
        shown = written if isinstance(written, str) and len(written) <= 12 else None
        text = english(
            '["{text}" ]is not a time of day; write HH:MM or HH:MM:SS, from 00:00 (midnight) to 23:59:59',
            text=shown,
        )
        raise wrong(text)
    return time(int(found[1]), int(found[2]), int(found[3] or 0))


def parse_days(written: object) -> frozenset[int]:
    """Return the weekdays (0 is Monday) of `["mon-fri", "sun"]`; `"fri-mon"` continues after Sunday."""
    if isinstance(written, frozenset):
        return written
    if not isinstance(written, list) or not written:
        raise wrong('must be a list of days, such as ["mon-fri", "sun"]')
    days: set[int] = set()
    for part in written:
        ends = part.split("-") if isinstance(part, str) else []
        if not 1 <= len(ends) <= 2 or any(end not in WEEKDAYS for end in ends):
            raise wrong(f"every entry must be one of {', '.join(WEEKDAYS)}, or a range such as mon-fri")
        first, last = WEEKDAYS.index(ends[0]), WEEKDAYS.index(ends[-1])
        days.update((first + step) % 7 for step in range((last - first) % 7 + 1))
    return frozenset(days)


@cache
def _zone_names() -> tuple[str, ...]:
    return tuple(sorted(available_timezones()))


def parse_zone(written: object) -> ZoneInfo:
    """Return the zone of an IANA name such as `Europe/Berlin`."""
    if isinstance(written, ZoneInfo):
        return written
    if not isinstance(written, str):
        raise wrong('must be the name of a time zone, such as "Europe/Berlin"')
    try:
        return ZoneInfo(written)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        # OSError: a name that is a folder of the zone database, such as "Europe".
        near = difflib.get_close_matches(written, _zone_names(), n=1)
        if not near:
            raise wrong(english('unknown time zone; write one such as "Europe/Berlin"')) from None
        raise wrong(english('unknown time zone; did you mean "{name}"?', name=near[0])) from None


def check_folder(written: str) -> str:
    """Return a path that a file system allows."""
    if UNPRINTABLE.search(written):
        raise wrong("contains a control or invisible character")
    if any(len(os.fsencode(name)) > _LONGEST_NAME_BYTES for name in written.split("/")):
        raise wrong(f"contains a name of more than {_LONGEST_NAME_BYTES} bytes")
    if len(os.fsencode(written)) > _LONGEST_PATH_BYTES:
        raise wrong(f"is longer than {_LONGEST_PATH_BYTES} bytes")
    return written


def as_tuple(written: object) -> object:
    """Return a list as a tuple: a frozen value may hold no list, and JSON has no tuple."""
    return tuple(written) if isinstance(written, list) else written


def _shown(show: Callable[[Any], object]) -> PlainSerializer:
    return PlainSerializer(show, when_used="json")


Duration = Annotated[
    float,
    BeforeValidator(parse_duration),
    _shown(show_duration),
    WithJsonSchema(
        {"type": "string", "pattern": r"^\d+(\.\d+)?[smhd]$", "examples": ["90s", "5m", "2h", "1d"]}
    ),
]
TimeOfDay = Annotated[
    time,
    BeforeValidator(parse_time_of_day),
    _shown(lambda at: at.isoformat(timespec="seconds" if at.second else "minutes")),
    WithJsonSchema(
        {"type": "string", "pattern": r"^([01]\d|2[0-3]):[0-5]\d(:[0-5]\d)?$", "examples": ["08:00"]}
    ),
]
Days = Annotated[
    frozenset[int],
    BeforeValidator(parse_days),
    _shown(lambda days: ["mon-sun"] if len(days) == 7 else [WEEKDAYS[day] for day in sorted(days)]),
    WithJsonSchema(
        {
            "type": "array",
            "minItems": 1,
            "items": {"type": "string", "pattern": f"^({'|'.join(WEEKDAYS)})(-({'|'.join(WEEKDAYS)}))?$"},
            "examples": [["mon-fri"]],
        }
    ),
]
Zone = Annotated[
    ZoneInfo,
    BeforeValidator(parse_zone),
    _shown(str),
    WithJsonSchema({"type": "string", "examples": ["Europe/Berlin"]}),
]
FolderPath = Annotated[str, Field(min_length=1), AfterValidator(check_folder)]
PositiveInt = Annotated[int, Field(ge=1, le=1_000_000_000)]

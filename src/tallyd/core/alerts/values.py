"""The values in texts: numbers, durations, instants and names. The words belong to the templates.

Values are stored as data and get their words when somebody reads them, so that an age is right at that time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import TypeAlias

from tallyd.core.language.formats import clock, number_text, span
from tallyd.core.language.languages import language
from tallyd.core.language.messages import translated
from tallyd.core.texts import listed, visible

MOST_LISTED = 5


class Name(str):
    """A name from the config, from a file or of a command. It is the same in every language."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class At:
    """An instant. `has_day`: show its weekday even if it is today."""

    at: datetime
    has_day: bool = False


@dataclass(frozen=True, slots=True)
class Age:
    """How long ago `since` is at the time of reading."""

    since: datetime


@dataclass(frozen=True, slots=True)
class Span:
    """A fixed duration."""

    seconds: float


@dataclass(frozen=True)
class Several:
    """A list of names or instants, and how many further ones it leaves out."""

    items: tuple[str | At, ...]
    more: int = 0

    def __len__(self) -> int:
        return len(self.items) + self.more


Value: TypeAlias = str | int | At | Age | Span | Several
Fields: TypeAlias = Mapping[str, Value]


def several(items: Iterable[str | At], *, most: int = MOST_LISTED) -> Several:
    """Return a list of the first `most` items."""
    found = tuple(items)
    return Several(found[:most], max(0, len(found) - most))


@dataclass(frozen=True, kw_only=True)
class Wording:
    """When, where and how a text is read.

    `now` is the time of reading, shown in `zone`. Ages end at `ended_at`, by default at `now`. `tallyd` is
    the command as a person calls it. `advises_mute`: the text says how to mute its problem, as messages do.
    """

    now: datetime
    zone: tzinfo
    tallyd: str = "tallyd"
    ended_at: datetime | None = None
    advises_mute: bool = False

    def shown(self, value: Value) -> str:
        """Return a value as text on one line; empty only for an empty text or list."""
        match value:
            case str():
                is_name = isinstance(value, Name)
                return visible(value if is_name else translated(value).replace("{tallyd}", self.tallyd))
            case int():
                return f"{value:,}" if language() == "en" else number_text(value)
            case At(at, has_day):
                return clock(at, self.zone, now=self.now, has_day=has_day)
            case Age(since):
                return span(max(0.0, ((self.ended_at or self.now) - since).total_seconds()))
            case Span(seconds):
                return span(seconds)
            case Several(items, more):  # pragma: no branch: mypy knows that no other kind is left
                named = (Name(item) if isinstance(item, str) else item for item in items)
                return listed([self.shown(item) for item in named], more=more)

"""The languages, and which of them the present reader has asked for."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final, Literal, TypeAlias, get_args

Language: TypeAlias = Literal["en", "de", "zh-TW"]
"""A language as the config names it (BCP 47)."""
LANGUAGES: Final[tuple[Language, ...]] = get_args(Language)

_present: ContextVar[Language] = ContextVar("_present", default="en")


def language() -> Language:
    """Return the language of the present reader: English unless `reading_in` says otherwise."""
    return _present.get()


@contextmanager
def reading_in(wanted: Language) -> Iterator[None]:
    """Make texts for a reader of this language, in this thread or task."""
    token = _present.set(wanted)
    try:
        yield
    finally:
        _present.reset(token)


def language_for(accepted: str, default: Language) -> Language:
    """Return the language that a browser prefers, by its `Accept-Language` (RFC 9110, 12.5.4).

    Every Chinese is served in Traditional Chinese, because it is the only one that there is.
    """
    weighed = []
    for place, part in enumerate(accepted.split(",")[:20]):
        tag, _, weight = part.strip().partition(";")
        try:
            quality = float(weight.strip().removeprefix("q=") or 1)
        except ValueError:
            continue
        weighed.append((-quality, place, tag.strip().lower()))
    for weight_below_zero, _, tag in sorted(weighed):
        known = _BY_PRIMARY.get(tag.partition("-")[0])
        if known and weight_below_zero < 0:
            return known
    return default


def language_of_locale(environ: Mapping[str, str]) -> Language:
    """Return the language of the messages of other programs (POSIX: `LC_ALL`, `LC_MESSAGES`, `LANG`)."""
    names = (environ.get(name) for name in ("LC_ALL", "LC_MESSAGES", "LANG"))
    primary = re.split("[_.@]", next(filter(None, names), ""))[0]
    return _BY_PRIMARY.get(primary, "en")


_BY_PRIMARY: Final[dict[str, Language]] = {each.partition("-")[0]: each for each in LANGUAGES}

"""Finds the message that a stored English text was made of, and translates it with its values."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from tallyd.core.language import catalogs
from tallyd.core.language.catalogs import filled, in_catalog
from tallyd.core.language.formats import span, span_of
from tallyd.core.language.languages import Language
from tallyd.core.language.templates import Hole, Section, read_template

_NUMBER: Final = r"-?(?:0|[1-9]\d{0,14})(?:,\d{3}){0,4}(?:\.\d{0,9}[1-9])?"
"""No version (`1.20`), and nothing so long that it is no number of tallyd."""
_WITHOUT_SPACES: Final = r"\S+"
"""What `{address}` is. So a text behind it (`PostgreSQL at HOST: it is read-only`) is no part of it."""
_VALUE: Final = r".+?(?<!:)"
"""What other values are. A colon after one belongs to the message: it has the form `{place}: {why}`."""
_IS_NAME: Final = re.compile(
    "name|status|port|pid|code|file|folder|inbox|pattern|source|poller|option|field|.*_id|.*_names?"
)
"""Placeholders whose numbers and words are names."""
_BETWEEN: Final = "; "
_MOST_CHARS: Final = 1000
_MOST_LEVELS: Final = 8
"""Of texts in texts. A text may have come from outside, and be made to cost much."""


@lru_cache(maxsize=1000)
def of_stored(text: str, wanted: Language, levels: int = _MOST_LEVELS) -> str:
    """Find the message that a text was made of, and fill its translation with the same values.

    Of several that fit, it is the one that leaves least to values, and then the one with fewest names.
    `levels`: how many texts may be in each other.
    """
    if len(text) > _MOST_CHARS or not levels:
        return text
    for domain in ("stored", "tallyd"):
        found = in_catalog(text, domain, wanted)
        if found != text:
            return filled(found, {})
    fitting = [
        (match, message)
        for needed, pattern, message in known_patterns(wanted)
        if needed in text and (match := pattern.fullmatch(text))
    ]
    if not fitting:
        return _several(text, wanted, levels) or text
    match, message = min(fitting, key=lambda each: _left_of(each[0]))
    has_several = any(_BETWEEN in (value or "") for value in match.groups())
    if has_several and (several := _several(text, wanted, levels)):
        return several
    values = {name.partition("__")[0]: value for name, value in match.groupdict().items() if value}
    shown = {name: _value(name, value, wanted, levels - 1) for name, value in values.items()}
    return filled(in_catalog(message, "stored", wanted), shown)


def _left_of(match: re.Match[str]) -> tuple[int, int]:
    """Return how many characters of a text are values, and how many of the values are names."""
    values = match.groupdict()
    names = sum(_IS_NAME.fullmatch(each.partition("__")[0]) is not None for each in values)
    return sum(len(value or "") for value in values.values()), names


def _several(text: str, wanted: Language, levels: int) -> str:
    """Return texts between semicolons, such as the faults of a file; empty if one of them is unknown."""
    parts = text.split(_BETWEEN)
    shown = [of_stored(part, wanted, levels - 1) for part in parts] if len(parts) > 1 else []
    if not shown or any(part == now for part, now in zip(parts, shown, strict=True)):
        return ""
    return in_catalog(_BETWEEN, "tallyd", wanted).join(shown)


def _value(name: str, text: str, wanted: Language, levels: int) -> object:
    """Return a value of a stored text as the reader's language writes it."""
    if _IS_NAME.fullmatch(name):
        return text
    if re.fullmatch(_NUMBER, text):
        plain = text.replace(",", "")
        return float(plain) if "." in plain else int(plain)
    seconds = span_of(text)
    if seconds is not None:
        return span(seconds)
    # A server may be called `stale`, and answer `no`.
    return of_stored(text, wanted, levels) if " " in text else text


@lru_cache
def known_patterns(wanted: Language) -> tuple[tuple[str, re.Pattern[str], str], ...]:
    """Return how texts with placeholders look in English: words that are in each, a pattern, the message."""
    known = (message for message in catalogs.catalog("stored", wanted) if re.search(r"[{[]", message))
    return tuple((_needed(each), _pattern(each), each) for each in known)


def _needed(message: str) -> str:
    """Return the longest words that are in each text of a message: looking for them costs little."""
    sections = (section for section in read_template(message).sections if not section.is_optional)
    words = (part for section in sections for part in section.parts if isinstance(part, str))
    return max(words, key=len, default="")


def _pattern(message: str) -> re.Pattern[str]:
    names: dict[str, int] = {}

    def group(name: str, content: str) -> str:
        names[name] = names.get(name, 0) + 1
        return f"(?P<{name}__{names[name]}>{content})"

    def of_hole(hole: Hole) -> str:
        if not hole.forms:
            return group(hole.name, _WITHOUT_SPACES if hole.name == "address" else _VALUE)
        forms = (
            re.escape(form).replace(r"\#", "#").replace("#", group(hole.name, _NUMBER), 1)
            for form in hole.forms
        )
        return f"(?:{'|'.join(forms)})"

    def of_section(section: Section) -> str:
        parts = "".join(
            of_hole(part) if isinstance(part, Hole) else re.escape(part) for part in section.parts
        )
        return f"(?:{parts})?" if section.is_optional else parts

    return re.compile("".join(map(of_section, read_template(message).sections)), re.DOTALL)

"""Messages in the reader's language, by gettext catalogs.

Three kinds of text:

- `tr`: somebody reads it now. A constant that is translated later is marked with `mark`.
- `english`: it is stored or logged, and somebody may read it later (why a run failed). It stays English.
  A constant that is filled later is marked with `mark_english`.
- `translated`: shows such a stored text to a reader, who may have another language.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from datetime import timedelta
from functools import lru_cache, reduce
from gettext import GNUTranslations
from importlib.resources import files
from typing import Final, Literal, TypeAlias

from tallyd.core.language.formats import number_text, span, span_of
from tallyd.core.language.languages import Language, language
from tallyd.core.language.templates import Hole, Section, read_template

Domain: TypeAlias = Literal["tallyd", "stored"]
"""A catalog: what is said now, and what was stored in English."""


def tr(message: str, **values: object) -> str:
    """Return a message in the reader's language. `message` is a constant, in the form of `templates.py`.

    A value is a text, or a number, which the reader's language writes. A port or a year is a text.
    """
    return _filled(translation(message), values)


def mark(message: str) -> str:
    """Return a constant as it is: the catalogs have it, and `tr` or `translation` is called with it later."""
    return message


def mark_english(message: str) -> str:
    """Return a constant as it is: the catalogs have it, and `english` is called with it later."""
    return message


def english(message: str, **values: object) -> str:
    """Return a message in English, for the log and for what is stored. `translated` shows it to readers.

    A value is a text in English, a number, or a duration.
    A number in it is shown as the reader's language writes it, and a value that is a message of several
    words is translated, unless the name of its placeholder says that it is a name: `{name}`, `{file}`,
    `{status}` and others (`_IS_NAME`), or any `{..._id}`, `{..._name}` or `{..._names}`. An `{address}` has
    no spaces.
    """
    return read_template(message).filled(_TALLYD | values, _in_english)


def translation(message: str) -> str:
    """Return the message in the reader's language, its placeholders still in it; unknown ones as they are."""
    wanted = language()
    return message if wanted == "en" else _in_catalog(message, "tallyd", wanted)


def translated(text: str) -> str:
    """Return a text that `english` or `mark` made, in the reader's language; any other text as it is."""
    wanted = language()
    return text if wanted == "en" else of_stored(text, wanted)


def _filled(message: str, values: Mapping[str, object]) -> str:
    return read_template(message).filled({**_TALLYD, **values}, _shown)


_TALLYD: Final = {"tallyd": "{tallyd}"}
"""Who shows a text replaces this placeholder by the command as it is called there."""


def _shown(value: object) -> str:
    return number_text(value) if isinstance(value, int | float) else str(value)


def _in_english(value: object) -> str:
    return span(value.total_seconds(), "en") if isinstance(value, timedelta) else str(value)


# -- catalogs ------------------------------------------------------------------------------------------------


@lru_cache
def catalog(domain: Domain, wanted: Language) -> Mapping[str, str]:
    """Return the translations of a language, compiled when the package was built.

    If they are missing or damaged, it is empty: a notice in English is better than none.
    """
    folder = files("tallyd.core.language") / "locale" / wanted.replace("-", "_") / "LC_MESSAGES"
    try:
        with (folder / f"{domain}.mo").open("rb") as content:
            known: dict[str, str] = GNUTranslations(content)._catalog  # type: ignore[attr-defined] # all at once
    except (OSError, ValueError, struct.error):
        return {}
    return {message: shown for message, shown in known.items() if message}  # the empty one is the header


def _in_catalog(message: str, domain: Domain, wanted: Language) -> str:
    return catalog(domain, wanted).get(message, message)


# -- stored texts --------------------------------------------------------------------------------------------

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
        found = _in_catalog(text, domain, wanted)
        if found != text:
            return _filled(found, {})
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
    return _filled(_in_catalog(message, "stored", wanted), shown)


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
    return reduce(lambda first, others: tr("{first}; {others}", first=first, others=others), shown)


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
    known = (message for message in catalog("stored", wanted) if re.search(r"[{[]", message))
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

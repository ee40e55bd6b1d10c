"""Texts with placeholders: a value replaces `{slot}`, and `[ for {slot}]` disappears if there is no slot.

`{files:# file|# files}` chooses words by a number, which replaces `#`. A doubled bracket or brace means the
character itself. Sections do not nest. All messages of tallyd, their translations and the texts in the config
have this form.

A space between a Chinese character and a placeholder disappears if the value is Chinese as well: words of
another script have spaces around them, Chinese words have not. A tag of HTML in front of the value or behind
it does not count.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sized
from dataclasses import dataclass
from functools import lru_cache, reduce
from typing import Any, TypeAlias

_CHINESE = "[\u2e80-\u9fff\uf900-\uffef]"
"""Chinese characters, and the punctuation that is as wide as they are."""
_LOOSE = "\udfff"
"""Such a space, in a parsed template: half a character, which is in no text."""
_LOOSE_SPACE = re.compile(
    rf"(?:(?<={_CHINESE})|(?<={_CHINESE}\[)) (?=\[?\{{(?!\{{))|(?:(?<=[^}}]\}})|(?<=\}}\])) (?=\]?{_CHINESE})"
)
_TAGS = "(?:<[^<>]*>)*"
_BETWEEN_CHINESE = re.compile(rf"({_CHINESE}{_TAGS}){_LOOSE}(?={_TAGS}{_CHINESE})")
_PIECE = re.compile(r"\{\{|\}\}|\[\[|\]\]|\{[^{}\[\]]*\}|[\[\]{}]|[^\[\]{}]+")


class TemplateError(ValueError):
    """A wrong template. The text says what is wrong and where, for the person who wrote it."""


@dataclass(frozen=True)
class Hole:
    """A placeholder. `forms`: the words for one and for any other number; a single form is for both."""

    name: str
    forms: tuple[str, ...] = ()

    def filled(self, value: object, shown: Callable[[Any], str]) -> str:
        text = "" if value is None else shown(value)
        if not self.forms or not text or value is None:
            return text
        number = len(value) if isinstance(value, Sized) and not isinstance(value, str) else value
        form = self.forms[0] if number == 1 else self.forms[-1]
        return form.replace("#", shown(number))


Part: TypeAlias = "str | Hole"


@dataclass(frozen=True)
class Section:
    """Parts that disappear together. Parts outside brackets are in a section that never disappears."""

    parts: tuple[Part, ...]
    is_optional: bool


@dataclass(frozen=True)
class Template:
    """A parsed template."""

    sections: tuple[Section, ...]

    @property
    def names(self) -> frozenset[str]:
        """Return the names of its placeholders."""
        return frozenset(
            part.name for section in self.sections for part in section.parts if isinstance(part, Hole)
        )

    def filled(self, values: Mapping[str, object], shown: Callable[[Any], str] = str) -> str:
        """Return the text. A placeholder without a value, or with an empty one, is empty.

        `shown` makes text of a value.
        """
        filled = reduce(_joined, (_filled(section, values, shown) for section in self.sections), "")
        return _BETWEEN_CHINESE.sub(r"\1", filled).replace(_LOOSE, " ") if _LOOSE in filled else filled


def _joined(before: str, after: str) -> str:
    # The full stop of an abbreviation (`17 Min.`) also ends the sentence.
    is_doubled = before.endswith(".") and after.startswith(".") and not after.startswith("..")
    return before + after[is_doubled:]


def _filled(section: Section, values: Mapping[str, object], shown: Callable[[Any], str]) -> str:
    filled = ""
    for part in section.parts:
        text = part.filled(values.get(part.name), shown) if isinstance(part, Hole) else part
        if section.is_optional and isinstance(part, Hole) and not text:
            return ""
        filled = _joined(filled, text)
    return filled


@lru_cache(maxsize=4096)  # there are 1,300 messages, and as many translations
def read_template(text: str) -> Template:
    """Read a template. Raises `TemplateError`."""
    sections: list[Section] = []
    parts: list[Part] = []
    is_inside = False
    for piece in _PIECE.findall(_LOOSE_SPACE.sub(_LOOSE, text)):
        if piece == "[" and not is_inside:
            sections.append(Section(tuple(parts), is_optional=False))
            parts, is_inside = [], True
        elif piece == "]" and is_inside:
            sections.append(Section(tuple(parts), is_optional=True))
            parts, is_inside = [], False
        elif piece in ("[", "]", "{", "}"):
            raise _half(piece)
        else:
            parts.append(_part(piece))
    if is_inside:
        raise _half("[")
    sections.append(Section(tuple(parts), is_optional=False))
    return Template(tuple(sections))


def _half(piece: str) -> TemplateError:
    return TemplateError(f'has an unmatched "{piece}"; to show the character itself, write it twice')


def _part(piece: str) -> Part:
    if piece in ("{{", "}}", "[[", "]]"):
        return piece[0]
    if not piece.startswith("{"):
        return piece
    name, colon, words = piece[1:-1].partition(":")
    forms = tuple(words.split("|")) if colon else ()
    if len(forms) > 2:
        raise TemplateError(f'has more than two forms in "{piece}"; write {{{name}:# file|# files}}')
    return Hole(name.strip(), forms)

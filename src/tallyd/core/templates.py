"""Texts with placeholders: `{slot}` is filled in, and `[ for {slot}]` vanishes where there is no slot.

A doubled bracket or brace stands for itself. Sections do not nest.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

_PIECE = re.compile(r"\{\{|\}\}|\[\[|\]\]|\{[^{}\[\]]*\}|[\[\]{}]|[^\[\]{}]+")


class TemplateError(ValueError):
    """A template that makes no sense; the text says what and where, for the person who wrote it."""


@dataclass(frozen=True)
class Hole:
    """A placeholder."""

    name: str


Part: TypeAlias = "str | Hole"


@dataclass(frozen=True)
class Section:
    """Parts that vanish together; those outside of brackets are in one that never does."""

    parts: tuple[Part, ...]
    is_optional: bool


@dataclass(frozen=True)
class Template:
    """A template that was read."""

    sections: tuple[Section, ...]

    @property
    def names(self) -> frozenset[str]:
        """Return the names of its placeholders."""
        return frozenset(
            part.name for section in self.sections for part in section.parts if isinstance(part, Hole)
        )

    def filled(self, fields: Mapping[str, str]) -> str:
        """Return the text. A placeholder without a value, or with an empty one, is empty."""
        return "".join(_filled(section, fields) for section in self.sections)


def _filled(section: Section, fields: Mapping[str, str]) -> str:
    holes = [part.name for part in section.parts if isinstance(part, Hole)]
    if section.is_optional and not all(fields.get(name) for name in holes):
        return ""
    return "".join(fields.get(part.name, "") if isinstance(part, Hole) else part for part in section.parts)


def read_template(text: str) -> Template:
    """Read a template. Raises `TemplateError`."""
    sections: list[Section] = []
    parts: list[Part] = []
    is_inside = False
    for piece in _PIECE.findall(text):
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
    return TemplateError(f'has a "{piece}" without its other half; for the character itself write it twice')


def _part(piece: str) -> Part:
    if piece in ("{{", "}}", "[[", "]]"):
        return piece[0]
    return Hole(piece[1:-1].strip()) if piece.startswith("{") else piece

"""Keys of an old config in YAML, under the names that they may have."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias

import yaml

from tallyd.core.language.messages import tr
from tallyd.imports.values import OldDataError, read_text

Section: TypeAlias = "dict[str, Any]"
"""An object of the file. Values are texts, lists and further objects."""

_UNITS: Final = (
    (1.0, re.compile(r"_?(?:in_)?(?:seconds?|secs?|s)", re.ASCII)),
    (60.0, re.compile(r"_?(?:in_)?(?:minutes?|mins?|m)", re.ASCII)),
    (3600.0, re.compile(r"_?(?:in_)?(?:hours?|h)", re.ASCII)),
)
_DURATION: Final = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,3})?) ?([a-z]*)", re.ASCII)
_TRUE: Final = frozenset({"true", "yes", "on", "1"})
_FALSE: Final = frozenset({"false", "no", "off", "0"})


class _Loader(yaml.BaseLoader):  # type: ignore[misc] # it brings no types
    """Makes texts of all values. It knows no aliases: a few lines of them can stand for gigabytes."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError
        return super().compose_node(parent, index)


def read_yaml(path: Path) -> Section:
    """Return the object in a file. Raises `OldDataError`, which has no value of it."""
    text = read_text(path)
    try:
        content = yaml.load(text, Loader=_Loader)  # noqa: S506 # makes only texts, lists and dicts
    except (yaml.YAMLError, ValueError, TypeError, RecursionError):
        raise OldDataError(tr("{file} is not YAML that can be read, without aliases", file=path)) from None
    if not isinstance(content, dict):
        raise OldDataError(tr("{file} is not an object of settings", file=path))
    return content


def take(section: Section, *names: str) -> tuple[str, Any]:
    """Remove the first of these keys that there is, however written; return it and its value, or None."""
    for name in names:
        for key in section:
            if _plain(key) == name:
                return key, section.pop(key)
    return "", None


def take_text(section: Section, *names: str) -> str:
    """Return the text of the first of these keys; empty: there is none."""
    value = take(section, *names)[1]
    return value.strip() if isinstance(value, str) else ""


def take_flag(section: Section, *names: str) -> bool | None:
    """Return whether the first of these keys says yes; None: there is none, or it says neither."""
    text = take_text(section, *names).lower()
    return True if text in _TRUE else False if text in _FALSE else None


def take_seconds(section: Section, *names: str) -> tuple[str, float | None]:
    """Return the first of these keys, with or without a unit at its end, and its seconds.

    The unit may also follow the number. The key is empty unless there is no unit: then these are seconds, and
    somebody should look at it. Less than a second is left where it is.
    """
    for name in names:
        for key in section:
            rest = _plain(key).removeprefix(name)
            by_key = next((size for size, unit in _UNITS if unit.fullmatch(rest)), None)
            if not _plain(key).startswith(name) or (rest and by_key is None):
                continue
            found = _DURATION.fullmatch(str(section[key]).strip().lower())
            by_text = next((size for size, unit in _UNITS if found and unit.fullmatch(found[2])), None)
            if found is None or (found[2] and by_text is None):
                continue
            size = by_text or by_key
            seconds = float(found[1]) * (size or 1.0)
            if seconds < 1:
                continue
            del section[key]
            return "" if size else key, seconds
    return "", None


def named(sections: object) -> Sequence[tuple[str, Any]]:
    """Return the names and values of an object, or of a list whose items have their names in them."""
    if isinstance(sections, dict):
        return [*sections.items()]
    found = []
    for number, each in enumerate(sections if isinstance(sections, list) else (), start=1):
        name = take_text(each, "name", "id", "server") if isinstance(each, dict) else ""
        found.append((name or f"server {number}", each))
    return found


def _plain(key: object) -> str:
    return re.sub(r"[-_ ]+", "_", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", str(key))).lower()

"""Keys of an old config in YAML, however they are written: `save_to_db`, `saveToDb`, `Save to DB`."""

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

_UNIT: Final = r"(s(?:ec(?:ond)?s?)?|m(?:in(?:ute)?s?)?|h(?:ours?)?)"
_UNIT_S: Final = {"s": 1, "m": 60, "h": 3600}
_DURATION: Final = re.compile(rf"([0-9]{{1,9}}(?:\.[0-9]{{1,3}})?) ?{_UNIT}?", re.ASCII)
_FLAGS: Final = {
    **dict.fromkeys(("true", "yes", "on", "1"), True),
    **dict.fromkeys(("false", "no", "off", "0"), False),
}


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
    """Remove the first of these keys that there is; return it and its value, or None."""
    keys = {_plain(key): key for key in section}
    key = next((keys[name] for name in names if name in keys), "")
    return key, section.pop(key, None)


def take_text(section: Section, *names: str) -> str:
    """Return the text of the first of these keys; empty: there is none."""
    value = take(section, *names)[1]
    return value.strip() if isinstance(value, str) else ""


def take_flag(section: Section, *names: str) -> bool | None:
    """Return whether the first of these keys says yes; None: there is none, or it says neither, and stays."""
    key, value = take(section, *names)
    flag = _FLAGS.get(str(value).strip().lower())
    if key and flag is None:
        section[key] = value
    return flag


def take_seconds(section: Section, name: str) -> tuple[str, float | None]:
    """Return the key, with or without a unit at its end, and its seconds.

    The unit may also follow the number. The key is empty unless there is no unit: then these are seconds, and
    somebody should look at it. Less than a second is left where it is.
    """
    written = re.compile(rf"{name}(?:_?(?:in_)?{_UNIT})?", re.ASCII)
    for key, value in section.items():
        by_key = written.fullmatch(_plain(key))
        by_value = _DURATION.fullmatch(str(value).strip().lower())
        if by_key and by_value:
            unit = by_value[2] or by_key[1]
            seconds = float(by_value[1]) * _UNIT_S[unit[0] if unit else "s"]
            if seconds >= 1:
                del section[key]
                return "" if unit else key, seconds
    return "", None


def named(sections: object) -> Sequence[tuple[str, Any]]:
    """Return the names and values of an object, or of a list whose items have their names in them."""
    if isinstance(sections, dict):
        return [*sections.items()]
    found = []
    for number, each in enumerate(sections if isinstance(sections, list) else (), start=1):
        name = take_text(each, "name") if isinstance(each, dict) else ""
        found.append((name or f"server {number}", each))
    return found


def _plain(key: object) -> str:
    return re.sub(r"[-_ ]+", "_", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", str(key))).lower()

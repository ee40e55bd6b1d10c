"""docs/architecture.md names files and folders that exist."""

from __future__ import annotations

import re
from pathlib import Path

_ROOT = Path(__file__).parents[2]
_TEXT = (_ROOT / "docs" / "architecture.md").read_text("utf-8")
_ROOMS = _ROOT / "src" / "tallyd"


def test_every_file_that_it_names_exists() -> None:
    named = set(re.findall(r"`([a-z_/]+\.py)`", _TEXT))
    assert len(named) > 20
    assert [name for name in sorted(named) if not (_ROOMS / name).is_file()] == []


def test_every_room_is_in_its_picture_and_every_room_of_the_picture_exists() -> None:
    (picture,) = re.findall(r"```\n(.*?)```", _TEXT, re.DOTALL)
    drawn = {
        name.rstrip("/")
        for line in picture.splitlines()
        for name in re.findall(r"^[\w.]+/?|(?<=  )\w+/", line)
    }
    there = {path.name for path in _ROOMS.iterdir() if not path.name.startswith("__")} - {"py.typed"}
    assert {name.strip() for name in drawn} == there

"""How this tallyd is called by whoever reads a message: a command in it must exist where it is printed.

Texts are written, and stored, with `tallyd NAME`. Whatever shows or sends one puts it through `as_called()`.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from functools import cache
from pathlib import Path

COMMANDS = (
    "alerts",
    "check",
    "demo",
    "files",
    "init",
    "mute",
    "notify",
    "once",
    "privacy-check",
    "replay",
    "report",
    "run",
    "schema",
    "status",
    "unmute",
)
_SERVICE = Path("/opt/tallyd")
_NAMED = re.compile(rf"(?<![\w/.-])(?<!sudo )tallyd (?=(?:{'|'.join(COMMANDS)})(?![\w-]))")


def as_called(text: str) -> str:
    """Return the text with each command as it has to be typed here."""
    return _NAMED.sub(lambda _: f"{called()} ", text)


@cache
def called() -> str:
    """Return how this tallyd is called: the service's with sudo, another by its path where no PATH has it."""
    return name_for(Path(sys.argv[0]), prefix=Path(sys.prefix), folder=Path.cwd())


def name_for(program: Path, *, prefix: Path, folder: Path) -> str:
    """Return how a program is called from a folder; `prefix` is its Python's."""
    if prefix.is_relative_to(_SERVICE):
        return "sudo tallyd"
    found = shutil.which("tallyd")
    is_on_path = found is not None and os.path.realpath(found) == os.path.realpath(program)
    if is_on_path or program.name != "tallyd":  # else started as a module: whoever does that knows how
        return "tallyd"
    return str(program.relative_to(folder) if program.is_relative_to(folder) else program)

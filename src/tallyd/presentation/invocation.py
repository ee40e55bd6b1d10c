"""The command `tallyd` as a person must call it on this machine, for messages that name a command.

Texts contain `{tallyd} check`. The code that shows a text to a person replaces the placeholder.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Final

PLACEHOLDER: Final = "{tallyd}"
_PROGRAMS: Final = Path("/opt/tallyd")
"""`tallyd service install` puts the service's copy here. People call /usr/local/bin/tallyd with sudo."""
_INSTALLED_CONFIG: Final = "/etc/tallyd/config.json"


def filled(text: str, command: str | None = None) -> str:
    """Replace `{tallyd}` in a text with the command; by default as this process was called."""
    return text.replace(PLACEHOLDER, command or called_here())


@cache
def called_here() -> str:
    """Return the command as this process was called, with `--config` if it is not the default.

    Examples: `.venv/bin/tallyd`, `sudo tallyd`, `tallyd`.
    """
    return program_here() + config_named(sys.argv, folder=Path.cwd())


@cache
def program_here() -> str:
    """Return the command as this process was called, without `--config`."""
    return program_of(sys.argv[0], python=sys.executable, on_path=shutil.which("tallyd"), folder=Path.cwd())


def program_of(called: str, *, python: str, on_path: str | None, folder: Path) -> str:
    """Return how to call a program again that was `called` like this in `folder`.

    `on_path` is the `tallyd` that a shell finds; None if it finds none.
    """
    program = Path(called)
    if program.parts[-2:] == ("tallyd", "__main__.py"):  # python -m tallyd
        program = Path(python).with_name("tallyd")
    if (folder / program).is_relative_to(_PROGRAMS):
        return "sudo tallyd"
    if program.name != "tallyd":  # another program uses tallyd as a library
        return "tallyd"
    if not (folder / program).exists():  # python -m tallyd, and no script beside python
        return f"{shlex.quote(_from(folder, python))} -m tallyd"
    if on_path is not None and Path(on_path).samefile(folder / program):
        return "tallyd"
    return shlex.quote(_from(folder, str(program)))


def config_named(argv: Sequence[str], *, folder: Path) -> str:
    """Return ` --config PATH` if it was given before the command and is not the default; else ""."""
    named = ""
    for argument, following in zip(argv[1:], [*argv[2:], ""], strict=False):
        if argument == "--config":
            named = following
        elif argument.startswith("--config="):
            named = argument.removeprefix("--config=")
        elif not argument.startswith("-") and argument != named:
            break
    is_service = (folder / argv[0]).is_relative_to(_PROGRAMS)
    default = _INSTALLED_CONFIG if is_service else "config.json"
    named = named if is_service else _from(folder, named)
    return f" --config {shlex.quote(named)}" if named not in ("", default) else ""


def _from(folder: Path, path: str) -> str:
    """Return a path relative to `folder` if it is below it; else unchanged."""
    if not Path(path).is_relative_to(folder):
        return path
    below = str(Path(path).relative_to(folder))
    return below if "/" in below or not os.access(path, os.X_OK) else f"./{below}"

"""The command `tallyd` as a person calls it here, for messages that name a command.

Texts say `{tallyd} check`; what shows them to a person puts the command in its place.
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
"""Where `setup.sh install` puts the service's own copy. People call /usr/local/bin/tallyd, with sudo."""
_INSTALLED_CONFIG: Final = "/etc/tallyd/config.json"


def filled(text: str, command: str | None = None) -> str:
    """Return a text with the command in place of `{tallyd}`; by default as it is called in this process."""
    return text.replace(PLACEHOLDER, command or called_here())


@cache
def called_here() -> str:
    """Return the command as this process was called: `.venv/bin/tallyd`, `sudo tallyd`, `tallyd`, with the
    config that was named, if it is not the default.
    """
    return program_here() + config_named(sys.argv, folder=Path.cwd())


@cache
def program_here() -> str:
    """Return the same without a config."""
    return program_of(sys.argv[0], python=sys.executable, on_path=shutil.which("tallyd"), folder=Path.cwd())


def program_of(called: str, *, python: str, on_path: str | None, folder: Path) -> str:
    """Return how a program, `called` so in `folder`, is called there again.

    `on_path` is the `tallyd` that a shell finds, None where it finds none.
    """
    program = Path(called)
    if program.parts[-2:] == ("tallyd", "__main__.py"):  # python -m tallyd
        program = Path(python).with_name("tallyd")
    if (folder / program).is_relative_to(_PROGRAMS):
        return "sudo tallyd"
    if program.name != "tallyd":  # by a program of somebody else
        return "tallyd"
    if not (folder / program).exists():  # without a script beside it
        return f"{shlex.quote(_from(folder, python))} -m tallyd"
    if on_path is not None and Path(on_path).samefile(folder / program):
        return "tallyd"
    return shlex.quote(_from(folder, str(program)))


def config_named(argv: Sequence[str], *, folder: Path) -> str:
    """Return ` --config PATH` where one was named in front of the command that is not taken anyway."""
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
    """Return a path as it is typed in `folder`, where it lies below that; else as it is."""
    if not Path(path).is_relative_to(folder):
        return path
    below = str(Path(path).relative_to(folder))
    return below if "/" in below or not os.access(path, os.X_OK) else f"./{below}"

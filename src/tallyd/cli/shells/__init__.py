"""What a shell runs to complete `tallyd`. Typer's own scripts leave a space or a `$` in a name as it is."""

from __future__ import annotations

from importlib.resources import files

SHELLS = ("bash", "zsh", "fish")


def completion_for(shell: str) -> str:
    """Return the script of one of `SHELLS`."""
    return files(__name__).joinpath(f"tallyd.{shell}").read_text("utf-8")

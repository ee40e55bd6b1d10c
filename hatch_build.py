"""Compiles the catalogs of messages when the package is built; run as a program, in this folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

LOCALE = Path(__file__).parent / "src" / "tallyd" / "core" / "language" / "locale"


def compile_catalogs() -> None:
    """Write the .mo file of each .po file that is newer."""
    for source in sorted(LOCALE.glob("*/LC_MESSAGES/*.po")):
        compiled = source.with_suffix(".mo")
        if compiled.exists() and compiled.stat().st_mtime_ns > source.stat().st_mtime_ns:
            continue
        with source.open("rb") as content:
            found = read_po(content, abort_invalid=True)
        part = compiled.with_suffix(f".{id(found)}.part")
        with part.open("wb") as file:
            write_mo(file, found)
        part.rename(compiled)  # tests in other processes may read it


class CatalogHook(BuildHookInterface):  # type: ignore[type-arg] # of a config that this hook does not have
    """Called by hatchling before it builds a wheel, or installs from a checkout."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and have the result in the wheel although git ignores it."""
        del version
        compile_catalogs()
        build_data["artifacts"].append("src/tallyd/core/language/locale/**/*.mo")


if __name__ == "__main__":
    compile_catalogs()

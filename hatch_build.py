"""Compiles the catalogs of messages and makes the man page and completions when the package is built.

Run as a program in this folder, it only compiles the catalogs.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SOURCE = Path(__file__).parent / "src"
SAME_FOR_ALL = datetime(2000, 1, 1, tzinfo=UTC)
LOCALE = SOURCE / "tallyd" / "core" / "language" / "locale"


def compile_catalogs() -> None:
    """Write the .mo file of each .po file that is newer."""
    for source in sorted(LOCALE.glob("*/LC_MESSAGES/*.po")):
        compiled = source.with_suffix(".mo")
        if compiled.exists() and compiled.stat().st_mtime_ns > source.stat().st_mtime_ns:
            continue
        with source.open("rb") as content:
            found = read_po(content, abort_invalid=True)
        found.creation_date = SAME_FOR_ALL  # else that of the build, and no two wheels are equal
        part = compiled.with_suffix(f".{id(found)}.part")
        with part.open("wb") as file:
            write_mo(file, found)
        part.rename(compiled)  # tests in other processes may read it


def packaged_files() -> Mapping[str, str]:
    """Return the man page and the completions of the commands in this source; they need only typer."""
    sys.path.insert(0, str(SOURCE))
    from tallyd.cli.packaged import packaged_files as of_commands  # noqa: PLC0415 # see above

    return of_commands()


class BuildHook(BuildHookInterface):  # type: ignore[type-arg] # of a config that this hook does not have
    """Called by hatchling before and after it builds a wheel, or installs from a checkout."""

    @property
    def _share(self) -> Path:
        return Path(self.directory) / "share"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Make what is in the wheel although git does not have it."""
        compile_catalogs()
        build_data["artifacts"].append("src/tallyd/core/language/locale/**/*.mo")
        if self.target_name == "wheel" and version == "standard":
            for name, content in packaged_files().items():
                file = self._share / name
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(content, encoding="utf-8")
                build_data["shared_data"][str(file)] = f"share/{name}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove these files: they are in the wheel."""
        del version, build_data, artifact_path
        shutil.rmtree(self._share, ignore_errors=True)


if __name__ == "__main__":
    compile_catalogs()

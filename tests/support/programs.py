"""Small programs of a test, to stand in PATH for those of the machine."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

_USUAL = (
    *("basename", "cat", "chmod", "dirname", "env", "grep", "id", "ls", "rm", "sed", "sh", "sha256sum"),
    "tr",
)


def program(path: Path, text: str) -> Path:
    """Write a program; return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)  # a link to the real one must not be written through
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)
    return path


def usual_programs(folder: Path, names: Iterable[str] = _USUAL) -> Path:
    """Make a folder with nothing but the usual small programs, to stand alone in PATH."""
    folder.mkdir()
    for name in names:
        (found,) = [path for path in (Path("/usr/bin", name), Path("/bin", name)) if path.exists()][:1]
        (folder / name).symlink_to(found)
    return folder

"""Folders that a config names: where they are on disk, and which of them conflict."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from functools import lru_cache
from itertools import combinations
from pathlib import Path
from typing import Any, Final

from tallyd.core.errors import ConfigProblem

INSTALLED = Path("/etc/tallyd/config.json")
DATA_FOLDER = Path("/var/lib/tallyd")
LOG_FOLDER = Path("/var/log/tallyd")
"""The config of the installed service, and the two folders that it may always write."""

STATE_FILE: Final = "state.db"
_SQLITE = "sqlite:///"


def installed_folders() -> dict[str, Any]:
    """Return the folders of the installed service, as `service install` writes them into its config."""
    return {
        "data_dir": str(DATA_FOLDER),
        "out": {"dir": str(DATA_FOLDER / "out")},
        "state": {"dir": str(DATA_FOLDER / "state")},
        "log": {"dir": str(LOG_FOLDER)},
    }


def database_url(written: str, data_dir: Path) -> str:
    """Return the URL with the whole path of a SQLite file; other URLs unchanged."""
    if not written.startswith(_SQLITE):
        return written
    return _SQLITE + str(data_dir / written.removeprefix(_SQLITE))


def sqlite_file(url: str) -> Path | None:
    """Return the file of a SQLite database by its whole URL; None for other databases."""
    return Path(url.removeprefix(_SQLITE)) if url.startswith(_SQLITE) else None


def digest_of_url(url: str) -> str:
    """Return the real path of a SQLite file, or a digest of another URL, which may hold a password."""
    if url.startswith(_SQLITE):
        return os.path.realpath(url.removeprefix(_SQLITE))
    return slow_digest(url)


@lru_cache(maxsize=4)  # a config is loaded again and again, with the same texts
def slow_digest(text: str) -> str:
    """Return a digest (hex) of a text with secrets: a short password could be guessed from a fast one."""
    return hashlib.scrypt(text.encode(), salt=b"database.url", n=2**14, r=8, p=1, dklen=32).hex()


def inbox_problems(
    inboxes: Mapping[str, Path], folders: Mapping[str, Path], places: Mapping[str, str]
) -> tuple[ConfigProblem, ...]:
    """Return the problems of inboxes, each at its place in the config.

    Two pollers would ingest each other's files from the same or a nested folder. `folders` are those that
    tallyd writes, by their key: tallyd must not ingest its own files.
    """
    real = {name: Path(os.path.realpath(path)) for name, path in inboxes.items()}
    problems = [
        ConfigProblem(
            places[second],
            f"overlaps with the inbox of {first}; give each poller its own folder",
        )
        for first, second in combinations(real, 2)
        if _is_nested(real[first], real[second])
    ]
    for name, inbox in real.items():
        for key, folder in folders.items():
            if _is_nested(inbox, Path(os.path.realpath(folder))):
                problems.append(ConfigProblem(places[name], f"overlaps with {key}; choose another folder"))
                break
    return tuple(problems)


def _is_nested(one: Path, other: Path) -> bool:
    return one.is_relative_to(other) or other.is_relative_to(one)

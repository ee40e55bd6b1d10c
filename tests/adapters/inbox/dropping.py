"""Helpers for tests of the inbox: they drop files and move clocks by hand."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tallyd.adapters.inbox import Folder
from tallyd.adapters.inbox.inbox import MOST_OFFERED
from tallyd.contract.inbox import Look, Waiting

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


@dataclass
class Clocks:
    at: datetime = NOON
    mono: float = 1000.0

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.mono

    def forward(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)
        self.mono += seconds


@dataclass
class Site:
    """An inbox with a `Folder` on it, at noon by its clocks."""

    path: Path
    clocks: Clocks = field(default_factory=Clocks)

    def __post_init__(self) -> None:
        self.path.mkdir(exist_ok=True)
        self.folder = self.again()

    def again(
        self,
        *,
        is_mount: bool = False,
        max_bytes: int = 1 << 20,
        pattern: str = "*.json",
        most: int = MOST_OFFERED,
    ) -> Folder:
        """Another `Folder` on the same inbox, as after a restart."""
        return Folder(
            self.path,
            own_source="hall",
            pattern=pattern,
            is_mount=is_mount,
            max_bytes=max_bytes,
            most=most,
            now=self.clocks.now,
            monotonic=self.clocks.monotonic,
        )

    def drop(self, name: str | bytes, content: bytes = b"[]", *, age_s: float = 60.0) -> Path:
        """Write a file and set its modification time to `age_s` seconds ago."""
        path = self.path / os.fsdecode(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        self.age(path, age_s)
        return path

    def age(self, path: Path, age_s: float) -> None:
        at = self.clocks.at.timestamp() - age_s
        os.utime(path, (at, at))

    def only(self) -> Waiting:
        (one,) = self.folder.look().waiting
        return one

    def read(self, waiting: Waiting) -> bytes:
        return b"".join(self.folder.chunks(waiting))

    def quarantined(self, *below: str) -> dict[str, bytes]:
        """Return the files below `.tallyd/<below>`, by path."""
        top = self.path.joinpath(".tallyd", *below)
        return {
            str(one.relative_to(top)): one.read_bytes() for one in sorted(top.rglob("*")) if one.is_file()
        }


class AsNobody:
    """Be another user than root for a while, since root may do everything. Opens the folders above `path`."""

    def __init__(self, path: Path) -> None:
        self._above = [one for one in path.parents if one.stat().st_uid == os.geteuid()]
        self._modes = [one.stat().st_mode for one in self._above]

    def __enter__(self) -> None:
        if os.geteuid() == 0:
            for one, mode in zip(self._above, self._modes, strict=True):
                one.chmod(mode | 0o011)
            os.seteuid(65534)

    def __exit__(self, *_: object) -> None:
        if os.getuid() == 0:
            os.seteuid(0)
            for one, mode in zip(self._above, self._modes, strict=True):
                one.chmod(mode)


def only_now(look: Look) -> Look:
    """A look by a new `Folder`, which remembers nothing."""
    return replace(look, arrivals={})


def names(look: Look) -> list[str]:
    return [one.name for one in look.waiting]


def descriptors() -> list[int]:
    """Return all open descriptors of this process in order, except the one of the listing itself."""
    return sorted(int(one.name) for one in Path("/proc/self/fd").iterdir() if one.is_symlink())

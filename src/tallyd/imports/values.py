"""What crosses between the importers and the command: an old config, where data goes, what became of it."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Final, TextIO
from zoneinfo import ZoneInfo

from tallyd.config.jobs import Task
from tallyd.config.model import Config
from tallyd.core.errors import ExplainedError
from tallyd.core.language.messages import tr
from tallyd.core.reading import Json
from tallyd.core.system_words import reason_of
from tallyd.core.texts import listed

_MOST_NAMED: Final = 5
_LARGEST_TEXT: Final = 1 << 20
_UTF_16: Final = (b"\xff\xfe", b"\xfe\xff")


class OldDataError(ExplainedError):
    """What an older program left cannot be read. Nothing was imported. The text never holds a secret."""


@dataclass(frozen=True, kw_only=True)
class OldConfig:
    """The config of an older program, as a poller for tallyd.

    `others` are keys at the top of the config. `secrets` says for each file below `secrets/` where its
    content is now. `notes` are for the person.
    """

    name: str
    poller: Mapping[str, Json]
    others: Mapping[str, Json] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Target:
    """The poller that gets the data. With `dry_run` nothing is written. `table`: which one to read."""

    config: Config
    task: Task
    now: datetime
    dry_run: bool
    table: str = ""

    @property
    def zone(self) -> ZoneInfo:
        return self.task.zone

    @property
    def today(self) -> datetime:
        """The begin of the local day. What is later is left to tallyd, which counts today itself."""
        return self._midnight(self.now)

    def _midnight(self, at: datetime) -> datetime:
        return datetime.combine(at.astimezone(self.zone).date(), time(), self.zone).astimezone(UTC)

    def kept_from(self, keep_days: int | None) -> datetime | None:
        """Return the begin of the oldest local day that is kept; None: everything is."""
        return None if keep_days is None else self._midnight(self.now - timedelta(days=keep_days))


@dataclass
class Totals:
    """What became of old data. `added`, `known`, `left` and `too_old` count the same things."""

    added: int = 0
    known: int = 0
    left: int = 0
    too_old: int = 0
    first_at: datetime | None = None
    last_at: datetime | None = None
    faults: dict[str, str] = field(default_factory=dict)
    """Why each of the first files or rows cannot be read, by its name."""
    faulty: int = 0

    def saw(self, at: datetime) -> None:
        """Note the time of something that can be imported."""
        self.first_at = min(at, self.first_at or at)
        self.last_at = max(at, self.last_at or at)

    def reject(self, name: str, why: str) -> None:
        """Note that a file or a row cannot be read."""
        self.faulty += 1
        if len(self.faults) < _MOST_NAMED:
            self.faults[name] = why

    def faults_text(self) -> str:
        """Return the first faults as one line."""
        named = [f"{name} ({why})" for name, why in self.faults.items()]
        return listed(named, more=self.faulty - len(named))


@dataclass(frozen=True, kw_only=True)
class Program:
    """An older program: the kind of poller that replaces it, and how its config and its data are read.

    Both raise `OldDataError`; `bring_data` also `StateError`, `OutError` and `RecordsError`. It gets what the
    person wrote: a path, or where a database is. `things` names what `Totals` counts, with their number.
    """

    kind: str
    read_config: Callable[[Path], OldConfig]
    bring_data: Callable[[str, Target], Totals]
    things: str


def read_text(path: Path) -> str:
    """Return the text of a file of at most a megabyte. Raises `OldDataError`."""
    with open_text(path, errors="strict") as file:
        try:
            text = file.read(_LARGEST_TEXT + 1)
        except UnicodeError:
            raise OldDataError(tr("{file} is not text in UTF-8", file=path)) from None
    if len(text) > _LARGEST_TEXT:
        raise OldDataError(tr("{file} is too large", file=path))
    return text


def open_text(path: Path, *, errors: str = "surrogateescape") -> TextIO:
    """Open a file in UTF-8, or in UTF-16 if it says so, as PowerShell writes. Raises `OldDataError`."""
    try:
        descriptor = os.open(
            path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
        )  # a FIFO would wait for its writer
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise OldDataError(tr("{file} is not a regular file", file=path))
        encoding = "utf-16" if os.pread(descriptor, 2, 0) in _UTF_16 else "utf-8-sig"
        if encoding == "utf-16" and errors == "surrogateescape":
            errors = "replace"  # there is no such escape for it
        return os.fdopen(descriptor, encoding=encoding, errors=errors, newline="")
    except OSError as error:
        raise OldDataError(cannot_read(path, error)) from None


def cannot_read(path: Path, error: OSError) -> str:
    """Return why a file or folder cannot be read, and who must be able to."""
    text = tr("cannot read {file}: {why}", file=path, why=reason_of(error))
    if isinstance(error, PermissionError):
        text += tr(". The installed tallyd reads as user tallyd; copy it to /var/lib/tallyd and try again")
    return text

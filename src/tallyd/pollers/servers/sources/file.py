"""Files: their data is as old as the newest one that matches a pattern."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import Future
from dataclasses import dataclass

from tallyd.contract.reads import NewestFile
from tallyd.contract.workers import WorkTools
from tallyd.core.json_reply import Unreadable
from tallyd.core.language.messages import english, mark
from tallyd.pollers.servers.sources.source import Answer
from tallyd.settings.secrets import Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class FileAnswer(Answer):
    """What was found; `place` is the pattern."""

    def unusable(self, flaw: str) -> str:
        """Return why there is no file, which is a whole sentence."""
        return flaw

    def misdated(self, holder: str, flaw: str) -> str:
        """Return why the time of the newest file is none."""
        return english(
            "{pattern} matches a file, but {holder} is {flaw}", pattern=self.place, holder=holder, flaw=flaw
        )


@dataclass(frozen=True, slots=True)
class FileSource:
    """An absolute path with `*`, `?`, `[...]` or `**`; implements `Source`."""

    pattern: str

    @property
    def address(self) -> str:
        """The pattern."""
        return self.pattern

    @property
    def host(self) -> str:
        """Empty: a file is on this machine, as far as tallyd knows."""
        return ""

    @property
    def secrets(self) -> Iterable[Secret]:
        """None."""
        return ()

    @property
    def named(self) -> str:
        """What holds the time."""
        return mark("its time")

    def begin(self, tools: WorkTools, timeout_s: float) -> Future[NewestFile]:
        """Look for the newest file. Raises `Stopped`."""
        return tools.needed_reads.newest_file(self.pattern, timeout_s=timeout_s)

    def answer(self, reply: NewestFile) -> Answer:
        """Return when the file was looked for. Nobody can ask a file system for its clock."""
        return FileAnswer(at=reply.read_at, place=self.pattern)

    def value(self, reply: NewestFile) -> object:
        """Return when the newest file was last changed. Raises `Unreadable`."""
        if reply.modified_at is None:
            raise Unreadable(reply.failure)
        return reply.modified_at

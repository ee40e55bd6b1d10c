"""A source: asked once in a round, it says when the data of a target was last computed."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar

from tallyd.contract.workers import WorkTools
from tallyd.core.language.formats import span
from tallyd.core.language.messages import english
from tallyd.settings.secrets import Secret

R = TypeVar("R")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a source said about itself, beside the time.

    `at`: when it answered, by our clock. `place` names it in reasons, `status` is that of HTTP. `said` is
    `200, 41 ms`, empty if there is nothing to say. `skew_s`: how far our clock is ahead of its clock, None if
    it does not tell.
    """

    at: datetime
    place: str
    status: str = ""
    said: str = ""
    skew_s: float | None = None

    def unusable(self, flaw: str) -> str:
        """Return why it has no time; `flaw` is the text of an `Unreadable`."""
        return english("{place} answered[ HTTP {status}] {flaw}", **self._named, flaw=flaw)

    def misdated(self, holder: str, flaw: str) -> str:
        """Return why the time in `holder` is none; `flaw` is the text of an `UnreadableTimeError`."""
        return english(
            "{place} answered[ HTTP {status}], but {holder} is {flaw}",
            **self._named,
            holder=holder,
            flaw=flaw,
        )

    @property
    def _named(self) -> dict[str, str]:
        return {"place": self.place, "status": self.status}


class Source(Protocol[R]):
    """One way to learn when data was computed. A value: it is made from the config, and keeps nothing."""

    @property
    def address(self) -> str:
        """What is asked, as people may see it: without a secret."""
        ...

    @property
    def host(self) -> str:
        """The other machine that is asked; empty if it is this one, or only a file."""
        ...

    @property
    def secrets(self) -> Iterable[Secret]:
        """What it may send only to its owner."""
        ...

    @property
    def named(self) -> str:
        """What holds the time, as the config calls it: `data.time`, `header Last-Modified`."""
        ...

    def begin(self, tools: WorkTools, timeout_s: float) -> Future[R]:
        """Ask. The future has the reply, a `SourceError` or `Stopped`. Raises `Stopped`, and `SecretMissing`.

        A `SourceError` with a 2xx status means a reply that cannot be used.
        """
        ...

    def answer(self, reply: R) -> Answer:
        """Return what a reply says beside the time."""
        ...

    def value(self, reply: R) -> object:
        """Return the time as the reply writes it. Raises `Unreadable`."""
        ...


def took(seconds: float) -> str:
    """Return how long an answer took: `41 ms`, `1.2 s`."""
    return english("{amount:# ms}", amount=round(seconds * 1000)) if seconds < 1 else span(seconds)

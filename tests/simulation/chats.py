"""The chats: what each channel was told, and what it therefore believes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from random import Random
from typing import Literal

from simulation.clocks import SimClock
from simulation.perils import Perils
from simulation.turns import Turns
from tallyd.core.alerts.message import Message
from tallyd.core.alerts.notices import Notice
from tallyd.core.errors import DeliveryError

Mode = Literal["up", "down", "slow", "unsure"]
"""`unsure`: it shows the message, and the answer says that it did not."""


@dataclass(frozen=True)
class Heard:
    """One notice that a channel showed. `process`: which start of the daemon sent it, from `begun_at` on.

    `is_forgotten`: it was sent from memory, since the disk was full, and with the process its memory died.
    """

    begun_at: datetime
    at: datetime
    key: str
    news: str
    version: int
    raised_at: datetime | None
    is_open: bool
    process: int
    is_unsure: bool
    is_forgotten: bool = False


@dataclass
class Chats:
    """All channels, by URL."""

    clock: SimClock
    chance: Random
    modes: dict[str, Mode] = field(default_factory=dict)
    heard: dict[str, list[Heard]] = field(default_factory=dict)
    texts: list[str] = field(default_factory=list)

    def deliver(
        self,
        url: str,
        message: Message,
        notices: Sequence[Notice],
        *,
        turns: Turns,
        perils: Perils,
        process: int,
    ) -> None:
        """Show a message, after a while. Raises `DeliveryError`, `Stopped`."""
        mode, begun_at = self.modes.get(url, "up"), self.clock.now()
        perils.point("message begins")
        if mode == "down":
            turns.rest(self.chance.uniform(0.1, 5.0))
            raise DeliveryError("chat.sim: connection refused")
        turns.rest(self.chance.uniform(5.0, 50.0) if mode == "slow" else self.chance.uniform(0.1, 2.0))
        perils.point("message arrives")
        self.texts.append(message.text)
        shown = self.heard.setdefault(url, [])
        shown += [
            Heard(
                begun_at=begun_at,
                at=self.clock.now(),
                key=each.alert.key,
                news=each.news,
                version=each.alert.version,
                raised_at=each.alert.raised_at,
                is_open=each.alert.is_open,
                process=process,
                is_unsure=mode == "unsure",
            )
            for each in notices
        ]
        perils.point("message arrived")
        if mode == "unsure":
            raise DeliveryError("chat.sim: timed out")

    def forgotten_since(self, at: datetime) -> None:
        """Note that nobody knows any more what was sent since then."""
        for url, heard in self.heard.items():
            self.heard[url] = [
                replace(each, is_forgotten=each.is_forgotten or each.at >= at) for each in heard
            ]

    def believes_open(self, url: str) -> set[str]:
        """Return the keys of which the channel last heard that they are open, from who still knows it."""
        last = {each.key: each for each in self.heard.get(url, ())}
        return {key for key, each in last.items() if each.is_open and not each.is_forgotten}

"""States, and how they held over time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, TypeAlias

from tallyd.core.language.messages import mark

Level: TypeAlias = Literal["fine", "warning", "error", "unknown"]
"""Each has a colour, a shape and words of its own."""
WORST_FIRST: Final[tuple[Level, ...]] = ("error", "warning", "unknown", "fine")


@dataclass(frozen=True)
class State:
    """A state, and its word in English; renderers translate it."""

    level: Level
    word: str


NO_DATA: Final = State("unknown", mark("no data"))
NO_DATA_SHARE: Final = "no_data_share"
"""The key of the column that has for what share of the time nothing is known."""


@dataclass(frozen=True, kw_only=True)
class StateSpan:
    """A span of time, and for how many seconds each state held in it. Of the rest there is no data."""

    begin: datetime
    end: datetime
    seconds: Mapping[State, float]

    @property
    def worst(self) -> State:
        """The worst state that held; of several equally bad ones, the longest. Without any, `NO_DATA`."""
        held = [state for state, held_s in self.seconds.items() if held_s > 0]
        return min(held, key=self._badness, default=NO_DATA)

    def _badness(self, state: State) -> tuple[int, float]:
        return WORST_FIRST.index(state.level), -self.seconds[state]

    @property
    def worst_s(self) -> float:
        """For how long the worst state held."""
        worst = self.worst
        return self.no_data_s if worst is NO_DATA else self.seconds[worst]

    @property
    def no_data_s(self) -> float:
        """For how long no state is known."""
        return max(0.0, self.length_s - sum(self.seconds.values()))

    @property
    def length_s(self) -> float:
        """How long it is."""
        return (self.end - self.begin).total_seconds()


@dataclass(frozen=True)
class Timeline:
    """States over time: spans one after the other, oldest first."""

    spans: tuple[StateSpan, ...]

    @property
    def amounts(self) -> tuple[tuple[State, float], ...]:
        """For how many seconds each state held, the worst first, and for how many there is no data."""
        sums: dict[State, float] = {}
        for span in self.spans:
            for state, held_s in span.seconds.items():
                sums[state] = sums.get(state, 0.0) + held_s
        found = sorted(sums.items(), key=lambda each: (WORST_FIRST.index(each[0].level), -each[1]))
        held = [(state, held_s) for state, held_s in found if held_s > 0]
        no_data_s = sum(span.no_data_s for span in self.spans)
        return (*held, (NO_DATA, no_data_s)) if no_data_s else tuple(held)

    @property
    def length_s(self) -> float:
        """How long all spans are together."""
        return sum(span.length_s for span in self.spans)

"""Checking every target once: by this process, or by workers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from tallyd.contract.toolbox import Toolbox
from tallyd.core.errors import SourceError, Stopped
from tallyd.core.language.messages import english
from tallyd.pollers.servers.freshness import CheckResult
from tallyd.pollers.servers.rounds.asking import Ask, Chunk, Found, ask_each
from tallyd.pollers.servers.rounds.check import ask_of, results_of
from tallyd.pollers.servers.rounds.elsewhere import Elsewhere, WorkersTrouble
from tallyd.pollers.servers.rounds.target_memory import TargetMemory
from tallyd.pollers.servers.rounds.worker_pool import Pace
from tallyd.pollers.servers.settings import ServersSettings
from tallyd.pollers.servers.targets.target import Target

SPREAD: Final = 0.5
"""The largest share of `every` over which checks are spread. A fifth is for the last ones to time out, and
the rest for storing and reporting thousands of results on a busy machine: a round that is late skips the
next one."""
SPREAD_OF_LIMIT: Final = 2 / 3
"""The largest share of the time in which checks may start. The rest is for those that wait for others."""
ENDED_BY: Final = 0.95
"""The share of `every` after which all checks have ended. Otherwise a round with many that hang takes
hours."""
GIVEN_UP_BY: Final = 0.6
"""The same for workers if this process then checks what they left."""
SHORTEST_LIMIT_S: Final = 3.0
"""Checks may always start for this long: a busy machine may need most of a round of one second."""
SPACE_S: Final = 0.1
"""The distance between the starts of a few checks. A round is reported when it has ended, so it must be
short."""
STOOD_STILL_S: Final = 5.0
"""There is a look every half second. After this time without one, this process or machine stood still."""
BY_HAND_S: Final = 60.0
"""How long a person waits for workers."""


@dataclass(frozen=True)
class Checked:
    """The result of one check of each target by its name, without those that had no time.

    `trouble` is what was wrong with the workers; None: there are none.
    """

    results: dict[str, CheckResult]
    trouble: WorkersTrouble | None


def check_all(settings: ServersSettings, tools: Toolbox, memory: TargetMemory) -> Checked:
    """Check each target once. Raises `Stopped`; by hand also `SourceError`, if workers left some.

    If this process stood still meanwhile (a suspend), active checks timed out without a fault of the targets,
    and the differences of clocks are unknown. So it checks the targets that are not fresh once more.
    """
    checking = _Checking(settings, tools, memory)
    began_at = tools.now()
    checking.check(_in_turn(settings.checked, memory))
    memory.began_at = began_at
    checking.look()
    results = checking.results
    doubtful = tuple(
        target
        for target in settings.checked
        if target.name in results and results[target.name].state != "fresh"
    )
    if checking.has_stood_still and doubtful:
        checking.check(doubtful)
    trouble = checking.trouble if tools.workers else None
    if tools.is_by_hand and trouble and trouble.left:
        text = english(
            "{left:# target was|# targets were} not checked: {why}", left=trouble.left, why=trouble.reason
        )
        raise SourceError(text, transient=True)
    return Checked(results, trouble)


def _in_turn(targets: Sequence[Target], memory: TargetMemory) -> Sequence[Target]:
    """Return the targets in the order of the config, but first those that the last round did not check."""
    last = memory.began_at
    if last is None:
        return targets
    never = datetime.min.replace(tzinfo=UTC)
    return sorted(targets, key=lambda target: min(memory.checked_at.get(target.name, never), last))


class _Checking:
    """The checks of one round.

    It notices, with either clock, that far too much time passed between two looks.
    """

    def __init__(self, settings: ServersSettings, tools: Toolbox, memory: TargetMemory) -> None:
        self._settings, self._tools, self._memory = settings, tools, memory
        self._last = tools.now(), tools.monotonic()
        self.has_stood_still = False
        self.trouble = WorkersTrouble()
        self.results: dict[str, CheckResult] = {}
        self._found = self._count = 0

    def look(self) -> None:
        """Notice the time, and a shutdown: raises `Stopped`."""
        if self._tools.stop():
            raise Stopped
        before, self._last = self._last, (self._tools.now(), self._tools.monotonic())
        passed_s = max((self._last[0] - before[0]).total_seconds(), self._last[1] - before[1])
        self.has_stood_still = self.has_stood_still or passed_s > STOOD_STILL_S
        self._tools.show_progress(self._found, self._count)

    def check(self, targets: Sequence[Target]) -> None:
        """Check targets, spread over the round. Raises `Stopped`."""
        self._found, self._count = 0, len(targets)
        began_s, workers = self._tools.monotonic(), self._tools.workers
        if workers is None:
            self._check_here(targets, self._pace(len(targets)))
            return
        is_here = {each.name: workers.is_elsewhere and not each.source.host for each in targets}
        theirs = [each for each in targets if not is_here[each.name]]
        ends_s = self._ends_s
        elsewhere = Elsewhere(
            self._asks(theirs),
            workers,
            self._pace(len(theirs), ends_s=ends_s),
            self.trouble,
            monotonic=self._tools.monotonic,
        )
        self._check_here([each for each in targets if is_here[each.name]], self._pace(len(targets)))
        checked = self._take(theirs, elsewhere.found(self.look, ends_s=ends_s))
        left = [each for each in theirs if each.name not in checked]
        if left and self._settings.fallback:
            self.trouble.own += len(left)
            self._check_here(left, self._pace(len(left), passed_s=self._tools.monotonic() - began_s))
        else:
            self.trouble.left += len(left)

    def _check_here(self, targets: Sequence[Target], pace: Pace) -> None:
        self._take(targets, ask_each(Chunk(self._asks(targets), pace), self._tools, look=self.look))

    def _asks(self, targets: Iterable[Target]) -> list[Ask]:
        zone, memory = self._tools.zone, self._memory
        return [ask_of(target, zone=zone, memory=memory) for target in targets]

    def _take(self, targets: Iterable[Target], found: Iterable[Found]) -> set[str]:
        """Note results as they come; return which of the targets have one."""
        by_name = {target.name: target for target in targets}
        checked = set()
        for each in found:
            target = by_name[each.name]
            self.results |= results_of(target, each, zone=self._tools.zone, memory=self._memory)
            checked.add(each.name)
            self._found += 1
            self._tools.alive()
        return checked

    @property
    def _ends_s(self) -> float:
        """How long workers may take."""
        if self._tools.is_by_hand:
            return BY_HAND_S
        share = GIVEN_UP_BY if self._settings.fallback else ENDED_BY
        return max(self._settings.every * share, SHORTEST_LIMIT_S)

    def _pace(self, count: int, *, passed_s: float = 0.0, ends_s: float = math.inf) -> Pace:
        """Return how fast to begin checks, if a part of the round has passed, and all end by `ends_s`."""
        settings = self._settings
        if self._tools.is_by_hand:
            return Pace(settings.workers)
        longest_s = max(target.timeout_s for target in settings.checked)
        limit_s = min(settings.every * ENDED_BY, ends_s) - longest_s - passed_s
        limit_s = max(limit_s, SHORTEST_LIMIT_S)
        spread_s = min(settings.every * SPREAD, limit_s * SPREAD_OF_LIMIT, count * SPACE_S)
        return Pace(settings.workers, spread_s=spread_s, limit_s=limit_s)

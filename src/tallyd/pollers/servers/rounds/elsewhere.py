"""Asking by workers: targets go to them in chunks, and what they found comes back."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, TypeAlias, TypeVar

import tallyd
from tallyd.contract.workers import Done, Workers, WorkersError
from tallyd.core.language.messages import english, mark_english
from tallyd.pollers.servers.rounds.asking import Ask, Chunk, Found, ask_chunk
from tallyd.pollers.servers.rounds.worker_pool import TICK_S, Pace

MOST_TOGETHER: Final = 250
"""The most targets in a chunk for another machine: what is lost with it, and its cost, are small."""
LEAST_TOGETHER: Final = 10
"""Fewer are not worth the way."""
LATE: Final = mark_english("the workers did not answer in time")

T = TypeVar("T")
_Waiting: TypeAlias = "set[Future[Done[tuple[Found, ...]]]]"


@dataclass
class WorkersTrouble:
    """What was wrong with the workers in a round.

    `reasons`: why targets could not be asked. `versions`: workers whose tallyd is not ours. `left` targets
    were not checked, `own` were checked by this process instead.
    """

    reasons: list[str] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)
    left: int = 0
    own: int = 0

    def note(self, reason: str) -> None:
        """Note a reason. The first one counts."""
        self.reasons.append(reason)

    @property
    def reason(self) -> str:
        """The most serious reason; empty: all is well."""
        if self.reasons:
            return self.reasons[0]
        for worker, version in self.versions.items():
            return english(
                "worker {worker_name} has tallyd {version}, and this is {own_version}",
                worker_name=worker,
                version=version,
                own_version=tallyd.__version__,
            )
        return ""


class Elsewhere:
    """Some targets that workers are asked to ask, from now on. `pace` is that of all of them together.

    Raises nothing: `trouble` gets what goes wrong. Nothing is then found of the targets concerned.
    """

    def __init__(
        self,
        asks: Sequence[Ask],
        workers: Workers,
        pace: Pace,
        trouble: WorkersTrouble,
        *,
        monotonic: Callable[[], float],
    ) -> None:
        self._workers, self._trouble = workers, trouble
        self._monotonic, self._began_s = monotonic, monotonic()
        # On a thread: a scheduler that is away must hold up neither other targets nor a shutdown.
        self._sent = in_background(partial(self._send, asks, pace))

    def found(self, look: Callable[[], None], *, ends_s: float) -> Iterator[Found]:
        """Yield what was found as it comes, until `ends_s` after the beginning.

        `look` is called at least every TICK_S; what it raises ends this.
        """
        waiting: set[Future[Any]] = {self._sent}
        try:
            while waiting:
                look()
                left_s = ends_s - (self._monotonic() - self._began_s)
                ended, waiting = wait(
                    waiting, timeout=max(0.0, min(TICK_S, left_s)), return_when=FIRST_COMPLETED
                )
                for each in ended:
                    if each is self._sent:
                        waiting |= self._sent.result()
                    else:
                        yield from self._found_by(each)
                if not ended and left_s <= 0:
                    self._trouble.note(LATE)
                    break
        finally:
            if waiting:
                self._workers.give_up()

    def _send(self, asks: Sequence[Ask], pace: Pace) -> _Waiting:
        try:
            places = self._workers.places() if asks else 0
        except WorkersError as error:
            self._trouble.note(error.text)
            return set()
        chunks = chunked(asks, places, most=MOST_TOGETHER if self._workers.is_elsewhere else len(asks))
        if chunks:
            # As many chunks as there are places run side by side. One after the other they fill the round.
            spread_s = pace.spread_s * min(1.0, places / len(chunks))
            pace = Pace(pace.workers, spread_s=spread_s, limit_s=pace.limit_s)
        return {self._workers.begin(ask_chunk, Chunk(chunk, pace)) for chunk in chunks}

    def _found_by(self, ended: Future[Done[tuple[Found, ...]]]) -> Iterator[Found]:
        try:
            done = ended.result()
        except WorkersError as error:
            self._trouble.note(error.text)
            return
        if done.version != tallyd.__version__:
            self._trouble.versions[done.worker] = done.version
        for each in done.result:
            if each.refusal:
                why = english("{worker_name}: {why}", worker_name=done.worker, why=each.refusal)
                self._trouble.note(why)
            else:
                yield each.by_our_clock(done.ahead_s)


def in_background(act: Callable[[], T]) -> Future[T]:
    """Call `act` on a thread of its own, which does not hold up the end of the process."""
    outcome: Future[T] = Future()

    def call() -> None:
        try:
            outcome.set_result(act())
        except BaseException as error:  # raised again where the outcome is asked for
            outcome.set_exception(error)

    threading.Thread(target=call, name="workers", daemon=True).start()
    return outcome


def chunked(asks: Sequence[Ask], places: int, *, most: int) -> list[Sequence[Ask]]:
    """Return the targets in chunks: one for each place, but of at most `most` and at least a few targets."""
    if not asks:
        return []
    size = min(most, max(LEAST_TOGETHER, math.ceil(len(asks) / places)))
    return [asks[first : first + size] for first in range(0, len(asks), size)]

"""Workers as a job sees them: work is packed, sent to a pool of processes, and its result unpacked."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from concurrent.futures import Future
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

import tallyd
from tallyd.adapters.pools.pool import Pool
from tallyd.contract.workers import Done, HttpOptions, Work, WorkersError
from tallyd.core.language.messages import english
from tallyd.runs.remote import Answered, Sent, do

G = TypeVar("G")
R = TypeVar("R")


class PooledWorkers:
    """The processes of a pool; implements `contract.Workers`."""

    def __init__(self, pool: Pool, options: HttpOptions, *, now: Callable[[], datetime]) -> None:
        self._pool, self._options, self._now = pool, options, now

    @property
    def is_elsewhere(self) -> bool:
        """Whether they may be on other machines."""
        return self._pool.is_elsewhere

    def places(self) -> int:
        """Return how many pieces of work can run at the same time. Raises `WorkersError` if none can."""
        return self._pool.places()

    def begin(self, work: Work[G, R], given: G) -> Future[Done[R]]:
        """Begin some work. The future has what it returned, or a `WorkersError`."""
        sent: Sent = (tallyd.__version__, pickle.dumps((self._options, work, given)))
        outcome: Future[Done[R]] = Future()
        sent_s = self._now().timestamp()
        asked = self._pool.submit(do, pickle.dumps(sent))
        asked.add_done_callback(partial(self._pass_on, outcome, sent_s))
        return outcome

    def give_up(self) -> None:
        """Forget the work that has not ended."""
        self._pool.give_up()

    def close(self) -> None:
        """End the pool. A further call does nothing."""
        self._pool.close()

    def _pass_on(self, outcome: Future[Done[Any]], sent_s: float, asked: Future[bytes]) -> None:
        failure = asked.exception()
        if failure is not None:
            outcome.set_exception(failure)
            return
        answered: Answered = pickle.loads(asked.result())  # noqa: S301 # from `remote.do`; see docs/scale.md
        worker, version, began_s, ended_s, why, result = answered
        if why:
            outcome.set_exception(WorkersError(english("{worker_name}: {why}", worker_name=worker, why=why)))
            return
        ahead_s = least_ahead_s(
            sent_s=sent_s, began_s=began_s, ended_s=ended_s, received_s=self._now().timestamp()
        )
        done = pickle.loads(result)  # noqa: S301 # see above
        outcome.set_result(Done(result=done, worker=worker, version=version, ahead_s=ahead_s))


def least_ahead_s(*, sent_s: float, began_s: float, ended_s: float, received_s: float) -> float:
    """Return how far another clock is ahead of ours, at least; 0 if the two may agree.

    By our clock, work was sent and its result received. By the other one it began and ended, which was in
    between.
    """
    earliest_s, latest_s = ended_s - received_s, began_s - sent_s
    return max(earliest_s, min(0.0, latest_s))

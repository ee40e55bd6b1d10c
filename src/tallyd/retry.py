"""The only retry helper. Every repeated request to the outside world uses it."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import tenacity

from tallyd.core.errors import SourceError, Stopped

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Policy:
    """How often to try, and how long to wait. All times in seconds.

    The wait before try n+1 is `first_wait_s` * 2^(n-1), at most `longest_wait_s`. A random part of up to a
    quarter is subtracted, so that many machines do not retry at the same moment. If the source asks for a
    longer wait (`Retry-After`), that counts; if it asks for more than `longest_wait_s`, there is no further
    try.
    """

    attempts: int = 5
    first_wait_s: float = 15.0
    longest_wait_s: float = 180.0
    give_up_after_s: float = 600.0


@dataclass(frozen=True, kw_only=True)
class Retrying:
    """Retries by a policy.

    `wait(seconds)` sleeps, and returns true if a shutdown ended it early. `on_wait` is called before each
    wait with the number of tries so far, the failure, and the seconds until the next try.
    """

    policy: Policy
    wait: Callable[[float], bool]
    on_wait: Callable[[int, SourceError, float], None] = lambda _tries, _failure, _wait_s: None
    monotonic: Callable[[], float] = time.monotonic
    jitter: Callable[[], float] = random.random

    def __call__(self, attempt: Callable[[], T]) -> T:
        """Return what `attempt` returns.

        Only a transient `SourceError` is retried. The last one is raised when the attempts are used up, when
        the next try would begin after `give_up_after_s`, or when the source asks for more than the longest
        wait. Raises `Stopped` if a shutdown ends a wait.
        """
        began = self.monotonic()

        def used_up(state: tenacity.RetryCallState) -> bool:
            elapsed = self.monotonic() - began
            return (
                state.attempt_number >= self.policy.attempts
                or elapsed + state.upcoming_sleep > self.policy.give_up_after_s
                or (_failure(state).retry_after_s or 0.0) > self.policy.longest_wait_s
            )

        def announce(state: tenacity.RetryCallState) -> None:
            self.on_wait(state.attempt_number, _failure(state), state.upcoming_sleep)

        def sleep(seconds: float) -> None:
            if self.wait(seconds):
                raise Stopped

        helper = tenacity.Retrying(
            retry=tenacity.retry_if_exception(_is_transient),
            wait=lambda state: self._wait_s(state.attempt_number, _failure(state)),
            stop=used_up,
            before_sleep=announce,
            sleep=sleep,
            reraise=True,
        )
        return helper(attempt)

    def _wait_s(self, tries: int, failure: SourceError) -> float:
        policy = self.policy
        # Limit the exponent: 2.0 ** 1100 is an OverflowError.
        growing = min(policy.first_wait_s * 2.0 ** min(tries - 1, 60), policy.longest_wait_s)
        # Jitter only shortens our own wait, not the one that the source asked for.
        return max(growing * (1 - self.jitter() / 4), failure.retry_after_s or 0.0)


def _is_transient(failure: BaseException) -> bool:
    return isinstance(failure, SourceError) and failure.transient


def _failure(state: tenacity.RetryCallState) -> SourceError:
    failure = state.outcome.exception() if state.outcome else None
    if not isinstance(failure, SourceError):
        raise TypeError(f"only a SourceError is retried, not {failure!r}")
    return failure

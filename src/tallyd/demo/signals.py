"""Ctrl-C and SIGTERM as a question to ask, instead of an exception at any point."""

from __future__ import annotations

import signal

_ENDING = frozenset({signal.SIGINT, signal.SIGTERM})


def hold_signals() -> None:
    """Keep Ctrl-C and SIGTERM for `asked_to_end`, for as long as the process lives.

    Call it before the first thread starts: each thread has its own mask.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)


def asked_to_end(*, within_s: float | None) -> bool:
    """Wait for one of them, at most `within_s` seconds (None: for ever); whether one came."""
    if within_s is None:
        signal.sigwait(_ENDING)
        return True
    return signal.sigtimedwait(_ENDING, max(within_s, 0.0)) is not None

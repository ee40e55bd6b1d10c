"""Ctrl-C and SIGTERM as a question to ask, instead of an exception anywhere."""

from __future__ import annotations

import signal

_ENDING = frozenset({signal.SIGINT, signal.SIGTERM})


def hold_signals() -> None:
    """Keep Ctrl-C and SIGTERM for `asked_to_end`, for as long as the process lives.

    To be called before the first thread is started: each thread has a mask of its own.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)


def asked_to_end(*, within_s: float | None) -> bool:
    """Wait until one of them comes, at most so many seconds (None: for ever); whether one came."""
    if within_s is None:
        signal.sigwait(_ENDING)
        return True
    return signal.sigtimedwait(_ENDING, max(within_s, 0.0)) is not None

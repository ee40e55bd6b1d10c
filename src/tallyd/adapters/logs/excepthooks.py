"""Logs uncaught exceptions, so that they are redacted. Python would print them to stderr as they are."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable
from types import TracebackType

from tallyd.adapters.logs.formatters import OURS
from tallyd.core.log_lines import shown

log = logging.getLogger(OURS)


def install() -> Callable[[], None]:
    """Replace the hooks of Python and of `warnings`. Return a function that restores them."""
    raise_exceptions = logging.raiseExceptions
    hooks = sys.excepthook, threading.excepthook, sys.unraisablehook

    def restore() -> None:
        logging.raiseExceptions = raise_exceptions
        sys.excepthook, threading.excepthook, sys.unraisablehook = hooks
        logging.captureWarnings(False)

    logging.raiseExceptions = False  # else logging prints records that it can't format, values included
    sys.excepthook, threading.excepthook, sys.unraisablehook = _uncaught, _uncaught_in_thread, _unraisable
    logging.captureWarnings(True)
    return restore


def _uncaught(kind: type[BaseException], failure: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, failure, trace)
        return
    log.critical("unexpected error", exc_info=(kind, failure, trace))


def _uncaught_in_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is None or issubclass(args.exc_type, SystemExit):
        return
    log.critical(
        "unexpected error in a thread",
        extra={"in_thread": args.thread.name if args.thread else None},
        exc_info=(args.exc_type, args.exc_value, args.exc_traceback),
    )


def _unraisable(args: sys.UnraisableHookArgs) -> None:
    # Convert to text now: a reference would bring the dying object back to life.
    extra = {"while": args.err_msg, "at": shown(args.object)}
    failure = args.exc_value or args.exc_type()
    log.error(
        "unexpected error outside of any caller",
        extra=extra,
        exc_info=(args.exc_type, failure, args.exc_traceback),
    )

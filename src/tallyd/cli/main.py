"""The entry point: runs a command and turns every failure into one readable line and an exit status."""

from __future__ import annotations

import os
import sys

import tallyd
from tallyd.core.errors import EXIT_CONFIG, EXIT_PROBLEM, ConfigError, SourceError, Stopped

EXIT_INTERRUPTED = 130  # 128 + SIGINT, as shells have it


def main() -> int:
    """Run the command line; return the exit status (0 fine, 1 a problem, 2 wrong usage, 78 wrong config)."""
    if sys.argv[1:] == ["--version"]:
        # Answered before anything is imported: scripts ask for it, on machines where an import takes long.
        print(f"tallyd {tallyd.__version__}")  # noqa: T201 # the answer
        return 0
    try:
        return _call()
    except ConfigError as error:
        ending = "; nothing started" if "run" in sys.argv else ""
        return _say("\n".join(error.lines(ending=ending)), EXIT_CONFIG)
    except SourceError as error:
        return _say(f"tallyd: {error.text}", EXIT_PROBLEM)
    except (Stopped, KeyboardInterrupt):
        return _say("tallyd: interrupted", EXIT_INTERRUPTED)
    except BrokenPipeError:
        # The reader of our output went away (`tallyd report | head`). Python would say so at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_PROBLEM


def _call() -> int:
    from tallyd.cli.app import app  # noqa: PLC0415 # see main()

    try:
        app(prog_name="tallyd")
        sys.stdout.flush()
    except SystemExit as ending:
        sys.stdout.flush()  # here, where a reader that went away is noticed
        return ending.code if isinstance(ending.code, int) else EXIT_PROBLEM
    return 0


def _say(text: str, status: int) -> int:
    print(text, file=sys.stderr)  # noqa: T201 # a command speaks on stderr
    return status

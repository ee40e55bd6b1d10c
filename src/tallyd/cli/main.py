"""The entry point: runs a command and turns every failure into one readable line and an exit status."""

from __future__ import annotations

import errno
import gc
import os
import sys
from collections.abc import Sequence
from io import TextIOWrapper

import tallyd
from tallyd.core.errors import EXIT_CONFIG, EXIT_PROBLEM, ConfigError, SourceError, Stopped
from tallyd.core.texts import visible

COMPLETE = "_TALLYD_COMPLETE"
"""The variable by which a shell asks what may come next (see tallyd.cli.shells)."""
EXIT_INTERRUPTED = 130  # 128 + SIGINT, as shells have it


def main() -> int:
    """Run the command line; return the exit status (0 fine, 1 a problem, 2 wrong usage, 78 wrong config)."""
    # The start creates a hundred thousand objects that stay, and a sweep millions without references to
    # others. A garbage collection every 700 objects would need a fifth of the time.
    gc.set_threshold(10_000, 20, 20)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # None where it is closed
            stream.reconfigure(errors="backslashreplace")
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
        # The reader of our output went away (`tallyd report | head`).
        _drop_output()
        return EXIT_PROBLEM
    except OSError as error:
        _drop_output()
        place = f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, str | bytes) else ""
        return _say(f"tallyd: {place}{(error.strerror or type(error).__name__).lower()}", EXIT_PROBLEM)


def config_first(arguments: Sequence[str]) -> list[str]:
    """Return the arguments with `--config PATH` before the command: people also type it after the command."""
    others, named = [], []
    rest = iter(arguments)
    for argument in rest:
        if argument == "--":
            others.append(argument)
            break
        if argument == "--config":
            named = [argument, *[path for path in [next(rest, None)] if path is not None]]
        elif argument.startswith("--config="):
            named = [argument]
        else:
            others.append(argument)
    return [*named, *others, *rest]


def _call() -> int:
    sys.argv[1:] = config_first(sys.argv[1:])
    if sys.stdout is None and "run" not in sys.argv:  # the daemon needs none
        raise OSError(errno.EBADF, "stdout is closed")
    if sys.argv[1:] in (["--version"], ["-V"]):
        # Before any import: scripts ask for the version on machines where imports are slow.
        print(f"tallyd {tallyd.__version__}", flush=True)  # noqa: T201 # the answer
        return 0
    from tallyd.adapters.child_process import forbid_core_dumps  # noqa: PLC0415 # see above

    forbid_core_dumps()  # the watchdog's signal would leave one
    from tallyd.cli.app import app  # noqa: PLC0415 # see above
    from tallyd.presentation.invocation import program_here  # noqa: PLC0415 # see above

    try:
        app(prog_name=program_here(), complete_var=COMPLETE)
        _flush()
    except SystemExit as ending:
        _flush()  # here, to notice a reader that went away
        return ending.code if isinstance(ending.code, int) else EXIT_PROBLEM
    return 0


def _flush() -> None:
    if sys.stdout is not None:
        sys.stdout.flush()


def _drop_output() -> None:
    """Drop output that cannot be written. Otherwise Python tries again at exit, and prints an error."""
    try:
        _flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _say(text: str, status: int) -> int:
    from tallyd.presentation.invocation import filled  # noqa: PLC0415 # see _call()

    if sys.stderr is not None:  # otherwise print() would use stdout
        for line in filled(text).split("\n"):
            print(visible(line), file=sys.stderr)  # noqa: T201 # a command speaks on stderr
    return status

"""Runs a Python program that ends when the process that started it does, however that one ends.

    python -m tallyd.demo.die_with_parent PARENT-PID -m tallyd run

The kernel sees to it (`PR_SET_PDEATHSIG`, kept across exec; the parent's main thread must have started it, as
the end of the starting thread is what counts). A pipe to notice the end by would need the daemon's help, and
what runs here is the daemon as it is.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> None:
    """Become the program. Its signal mask is empty, whatever its parent holds back."""
    parent, *program = arguments
    # SIGKILL: with the parent gone nobody would see a slow end, and the daemon is made to be killed anywhere.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(parent):  # it ended before the line above
        sys.exit(1)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    # -P: a file such as json.py in the folder of the demo must not be imported.
    os.execv(sys.executable, [sys.executable, "-P", *program])  # noqa: S606 # our own interpreter


if __name__ == "__main__":
    main(sys.argv[1:])

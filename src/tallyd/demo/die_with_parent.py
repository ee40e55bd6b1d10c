"""Runs a Python program that ends when the process that started it ends, for any reason.

    python -m tallyd.demo.die_with_parent PARENT-PID -m tallyd run

The kernel does this (`PR_SET_PDEATHSIG`, kept across exec). The main thread of the parent must start it,
because the end of the starting thread counts. A pipe to notice the end would need code in the daemon, but the
demo runs the unchanged daemon.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> None:
    """Become the program. Its signal mask is empty, even if its parent blocks signals."""
    parent, *program = arguments
    # SIGKILL: without the parent nobody sees a slow end, and the daemon may be killed at any point.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(parent):  # it ended before the line above
        sys.exit(1)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    # -P: do not import a file such as json.py from the folder of the demo.
    os.execv(sys.executable, [sys.executable, "-P", *program])  # noqa: S606 # our own interpreter


if __name__ == "__main__":
    main(sys.argv[1:])

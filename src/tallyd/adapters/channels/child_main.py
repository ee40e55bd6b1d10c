"""The child process: `python -m tallyd.adapters.channels.child_main`. The job is on stdin, the answer on
stdout.

The job is a JSON object with `act` (deliver, validate or probe), `urls`, `proxy`, `timeout_s`, `parent` (the
waiting process) and the fields of a message. The answer has `ok` and `reason` (deliver), `found` (validate),
or `ok` and `reason` or `line` (probe).
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import socket
import ssl
import sys
from pathlib import Path

from tallyd.adapters.child_process import forbid_core_dumps

LONGER_S = 2.0
"""The parent kills the child at the deadline. Without a parent, the child ends itself this much later."""

MOST_MEMORY_BYTES = 512 * 1024 * 1024

_PR_SET_PDEATHSIG = 1
_DIRECT = "localhost,127.0.0.0/8,::1"


def main() -> None:
    """Do the job and answer. An exception ends the process; the parent sees the exit status."""
    forbid_core_dumps()
    answers = _alone_on_stdout()
    job = json.load(sys.stdin.buffer)
    _end_with(job["parent"], after_s=job["timeout_s"] + LONGER_S)
    _confine()
    _connect_by(job["proxy"], timeout_s=job["timeout_s"])
    from tallyd.adapters.channels.child_jobs import done  # noqa: PLC0415 # imports Apprise; after the isolation

    with open(answers, "wb") as stdout:  # noqa: PTH123 # a descriptor
        stdout.write(json.dumps(done(job)).encode())
    os._exit(0)  # do not wait for threads that a plugin left


def _alone_on_stdout() -> int:
    """Return a descriptor for the answer. Output of libraries goes to /dev/null."""
    answers = os.dup(1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)
    return answers


def _end_with(parent: int, *, after_s: float) -> None:
    """End with the parent, or after a time limit. Unblock the signals that the daemon blocks."""
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))
    if os.getppid() != parent:  # the parent ended before the line above
        sys.exit(1)
    signal.setitimer(signal.ITIMER_REAL, after_s)


def _confine() -> None:
    """Forbid writing files, and limit the memory."""
    for kind, most in ((resource.RLIMIT_FSIZE, 0), (resource.RLIMIT_AS, MOST_MEMORY_BYTES)):
        hard = resource.getrlimit(kind)[1]
        limit = most if hard == resource.RLIM_INFINITY else min(most, hard)  # the hard limit can't be raised
        resource.setrlimit(kind, (limit, limit))


def _connect_by(proxy: str | None, *, timeout_s: float) -> None:
    """Set the proxy and the machine's certificates in the environment, for requests.

    The child does this, not the parent: `ps` shows only the environment from the start of a process.
    """
    socket.setdefaulttimeout(timeout_s)
    if proxy:
        os.environ |= {"http_proxy": proxy, "https_proxy": proxy, "no_proxy": _DIRECT}
    paths = ssl.get_default_verify_paths()
    # By default requests uses certifi, which does not have authorities that were added to this machine.
    if paths.cafile:
        os.environ["REQUESTS_CA_BUNDLE"] = paths.cafile
    elif paths.capath and any(Path(paths.capath).iterdir()):
        os.environ["REQUESTS_CA_BUNDLE"] = paths.capath


if __name__ == "__main__":
    main()

"""Channels whose children have imported Apprise already: each is a fork, for a tenth of what a new one costs.

What the child does is the real thing: `child_main.main`, with its streams, limits and environment. Use
`Channels` itself where the start, the end or the death of the child matters.
"""

from __future__ import annotations

import io
import json
import os
import signal
import socket
import sys
from collections.abc import Callable
from functools import cache

from support.warm import server
from tallyd.adapters.channels import child_jobs, child_main
from tallyd.adapters.channels.sender import Channels

_USED = (
    "json://host",
    "rocket://host/?mode=webhook&webhook=a%2Fb",
    "mailto://u:p@host.example",
    "tgram://1:a/1",
)
"""URLs of the plugins that the tests use: Apprise imports a plugin late."""

# It hands its streams and its environment to the fork, and lives as long as that.
_CLIENT = """
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as forks:
    forks.connect("\\0" + sys.argv[1])
    socket.send_fds(forks, [json.dumps(dict(os.environ)).encode()], [0, 1])
    forks.recv(1)
"""


def warm_channels(
    *, timeout_s: float = 20, proxy: str | None = None, redact: Callable[[str], str] = str
) -> Channels:
    """Return channels with quick children."""
    command = (sys.executable, "-I", "-S", "-c", _CLIENT, _address())
    return Channels(timeout_s=timeout_s, proxy=proxy, redact=redact, command=command)


@cache
def _address() -> str:
    """Start what forks the children; it ends with this process."""
    listener = socket.socket(socket.AF_UNIX)
    with listener:
        listener.bind("")  # a free name that is no file
        listener.listen(16)
        server().Process(target=_serve, args=(listener,), daemon=True).start()
        return str(listener.getsockname()[1:].decode())


def _serve(listener: socket.socket) -> None:
    child_jobs.done({"act": "validate", "urls": _USED, "timeout_s": 1})
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the forks
    while True:
        connection, _ = listener.accept()
        if os.fork() == 0:
            _become_child(connection)
        connection.close()


def _become_child(connection: socket.socket) -> None:
    try:
        environ, streams, *_ = socket.recv_fds(connection, 2**20, 2)
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
            os.close(stream)
        os.environ.clear()
        os.environ.update(json.loads(environ))
        os.chdir("/")
        job = json.loads(os.pread(0, 2**20, 0)) | {"parent": os.getppid()}
        sys.stdin = io.TextIOWrapper(io.BytesIO(json.dumps(job).encode()))
        child_main.main()
    finally:
        os._exit(1)

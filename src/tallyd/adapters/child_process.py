"""What the processes of tallyd's own code are given: no core dumps, a clean environment, and a job in memory.

Others can read command lines and environments (`ps`), and a job may hold a password.
"""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Callable
from typing import BinaryIO

_KEPT = frozenset({"TZ", "SSL_CERT_FILE", "SSL_CERT_DIR"})


def forbid_core_dumps() -> None:
    """From now on, no memory of this process or of one that it starts is left in a core file."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def environment(also: Callable[[str], bool] = lambda _name: False) -> dict[str, str]:
    """Return all that a child gets of this process's environment: no proxy, no secret, no socket of systemd.

    `also` says what else is kept, by name.
    """
    kept = {name: value for name, value in os.environ.items() if name in _KEPT or also(name)}
    # As text: a Path would make the folder "" (here) the same as ".".
    imports = os.pathsep.join(path for path in sys.path if os.path.isabs(path))  # noqa: PTH117 # see above
    return kept | {
        "LANG": "C.UTF-8",
        "PATH": os.defpath,
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": imports,
        "PYTHONUTF8": "1",
    }


def in_memory(job: bytes) -> BinaryIO:
    """Return a file on no disk, at its beginning. A pipe would block where the child does not read."""
    file = os.fdopen(os.memfd_create("tallyd-job"), "w+b", buffering=0)
    file.write(job)
    file.seek(0)
    return file

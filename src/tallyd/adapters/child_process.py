"""For child processes that run tallyd's own code: no core dumps, a clean environment, a job in memory.

Other users can read command lines and environments (`ps`), and a job may contain a password.
"""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Callable
from typing import BinaryIO

_KEPT = frozenset({"TZ", "SSL_CERT_FILE", "SSL_CERT_DIR"})


def forbid_core_dumps() -> None:
    """Forbid core dumps for this process and for those that it starts: they could contain secrets."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def environment(also: Callable[[str], bool] = lambda _name: False) -> dict[str, str]:
    """Return the environment for a child: without proxies, secrets and the systemd socket.

    `also(name)` is true for further variables to keep.
    """
    kept = {name: value for name, value in os.environ.items() if name in _KEPT or also(name)}
    # As text: Path("") would become ".", the current folder.
    imports = os.pathsep.join(path for path in sys.path if os.path.isabs(path))  # noqa: PTH117 # see above
    return kept | {
        "LANG": "C.UTF-8",
        "PATH": os.defpath,
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": imports,
        "PYTHONUTF8": "1",
    }


def in_memory(job: bytes) -> BinaryIO:
    """Return `job` as an open file in memory, at its beginning.

    A pipe blocks if the child does not read it.
    """
    file = os.fdopen(os.memfd_create("tallyd-job"), "w+b", buffering=0)
    file.write(job)
    file.seek(0)
    return file

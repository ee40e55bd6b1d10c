"""What runs in each process of `Processes`, beside its work."""

from __future__ import annotations

import multiprocessing
import os
import threading
from multiprocessing.synchronize import Event

from tallyd.adapters.child_process import forbid_core_dumps

_stop: list[Event] = []
"""What says that this process should end. Empty in any other process."""


def begin(stop: Event) -> None:
    """Begin: `stop` ends the work, and the end of the parent the process."""
    forbid_core_dumps()
    _stop.append(stop)
    threading.Thread(target=_end_with_parent, name="parent", daemon=True).start()


def is_stopping() -> bool:
    """Whether this process should end its work."""
    return any(each.is_set() for each in _stop)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
    os._exit(0)  # nobody reads any result

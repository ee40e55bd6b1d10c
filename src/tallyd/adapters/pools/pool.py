"""A pool of processes that do work."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Protocol, TypeAlias

Call: TypeAlias = Callable[[bytes], bytes]
"""A function of a module, which the process finds by its name."""


class Pool(Protocol):
    """Does work in other processes. Thread-safe. Whatever goes wrong is a `WorkersError`."""

    @property
    def is_elsewhere(self) -> bool:
        """Whether the processes may be on other machines."""
        ...

    def places(self) -> int:
        """Return how many calls can run at the same time, at least one. Starts or connects what is needed."""
        ...

    def submit(self, call: Call, given: bytes) -> Future[bytes]:
        """Begin a call. If it has no result, the future has a `WorkersError`."""
        ...

    def give_up(self) -> None:
        """Forget the calls that have not ended; the next `places` starts or connects anew."""
        ...

    def close(self) -> None:
        """End everything. A further call does nothing."""
        ...

"""Changes in memory that could not be committed to state.db yet."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from tallyd.adapters.state import Recorded
from tallyd.core.reading import Facts


@dataclass(frozen=True)
class Held:
    """A change that is not committed yet.

    `slots` are the slots that it settles, as (poller, job, key); none: it only changes alerts. `memory` is
    the job's new memory, if it has one.
    """

    slots: frozenset[tuple[str, str, str | None]]
    commit: Callable[[], Recorded]
    memory: Facts | None = None


class HeldChanges:
    """The held changes in the order in which they must be committed. Thread-safe.

    Hold `lock` to combine several calls.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self._changes: list[Held] = []

    def __bool__(self) -> bool:
        return bool(self._changes)

    def add(self, change: Held) -> None:
        with self.lock:
            self._changes.append(change)

    def discard(self, change: Held) -> None:
        with self.lock:
            self._changes.remove(change)

    def oldest(self) -> Held | None:
        """Return the change to commit next; None if there is none."""
        with self.lock:
            return self._changes[0] if self._changes else None

    def slots(self, poller: str, job: str) -> frozenset[str]:
        """Return the job's slots that are settled in memory only."""
        with self.lock:
            names = [name for change in self._changes for name in change.slots]
        return frozenset(slot for *name, slot in names if name == [poller, job] and slot is not None)

    def memory(self, poller: str, job: str) -> Facts | None:
        """Return the job's newest memory that is held; None if there is none."""
        with self.lock:
            for change in reversed(self._changes):
                if change.memory is not None and any(slot[:2] == (poller, job) for slot in change.slots):
                    return change.memory
        return None

    def slot_keys(self) -> list[list[str]]:
        """Return the keys of the slots of each change that settles any, for the log."""
        with self.lock:
            return [
                sorted(slot[2] or "" for slot in change.slots) for change in self._changes if change.slots
            ]

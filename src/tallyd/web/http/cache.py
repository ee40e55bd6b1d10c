"""What is made once for everybody who asks within a moment."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from tallyd.core.language.languages import Language, language

T = TypeVar("T")

MOST_ENTRIES: Final = 64


@dataclass
class _Entry(Generic[T]):
    lock: threading.Lock = field(default_factory=threading.Lock)
    until_s: float = float("-inf")
    value: T | None = None


class Cache(Generic[T]):
    """Values by key and by the reader's language, none of them None, each made by one thread at a time.

    What `make` raises is raised.

    It is given again for `for_s` seconds and for `times` times as long as it took to make. So however many
    ask, and whatever it costs, it costs a small part of the time. Only the `most` keys that were asked for
    last are kept.
    """

    def __init__(
        self,
        monotonic: Callable[[], float],
        *,
        for_s: float = 0.0,
        times: float = 0.0,
        most: int = MOST_ENTRIES,
    ) -> None:
        self._monotonic = monotonic
        self._for_s = for_s
        self._times = times
        self._most = most
        self._lock = threading.Lock()
        self._entries: OrderedDict[tuple[Language, Hashable], _Entry[T]] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return the value of a key for the present reader."""
        place = language(), key
        with self._lock:
            entry = self._entries.pop(place, None) or _Entry()
            self._entries[place] = entry
            while len(self._entries) > self._most:
                self._entries.popitem(last=False)
        with entry.lock:
            if entry.value is not None and self._monotonic() < entry.until_s:
                return entry.value
            began_s = self._monotonic()
            entry.value = value = make()
            ended_s = self._monotonic()
            entry.until_s = ended_s + max(self._for_s, self._times * (ended_s - began_s))
            return value

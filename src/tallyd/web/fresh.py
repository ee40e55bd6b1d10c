"""Answers that are made once for everybody who asks within a moment."""

from __future__ import annotations

import gzip
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

MOST_ENTRIES: Final = 64
_WORTH_BYTES: Final = 1000


@dataclass(frozen=True)
class Body:
    """A body, as it is and packed."""

    plain: bytes
    packed: bytes | None

    @classmethod
    def of(cls, plain: bytes) -> Body:
        packed = gzip.compress(plain, 5, mtime=0) if len(plain) > _WORTH_BYTES else None
        return cls(plain, packed)


@dataclass
class _Entry:
    lock: threading.Lock = field(default_factory=threading.Lock)
    made_s: float = float("-inf")
    body: Body | None = None


class Fresh:
    """Bodies by key. One that is at most `for_s` old is given again; it is made by one thread at a time.

    So however many ask, and however often, the pollers feel one of them. What `make` raises is raised.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._entries: OrderedDict[str, _Entry] = OrderedDict()

    def get(self, key: str, make: Callable[[], bytes], *, for_s: float) -> Body:
        with self._lock:
            entry = self._entries.pop(key, None) or _Entry()
            self._entries[key] = entry
            while len(self._entries) > MOST_ENTRIES:
                self._entries.popitem(last=False)
        with entry.lock:
            if entry.body is None or self._monotonic() - entry.made_s > for_s:
                entry.body = Body.of(make())
                entry.made_s = self._monotonic()
            return entry.body

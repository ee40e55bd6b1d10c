"""What is made once for everybody who asks within a moment."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

T = TypeVar("T")

MOST_ENTRIES: Final = 64
TIMES: Final = 20


@dataclass
class _Entry:
    lock: threading.Lock = field(default_factory=threading.Lock)
    made_s: float = float("-inf")
    body: bytes | None = None


class Fresh:
    """Bodies by key. One that is at most `for_s` old is given again; it is made by one thread at a time.

    So however many ask, and however often, the pollers feel one of them. What `make` raises is raised.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._entries: OrderedDict[str, _Entry] = OrderedDict()

    def get(self, key: str, make: Callable[[], bytes], *, for_s: float) -> bytes:
        with self._lock:
            entry = self._entries.pop(key, None) or _Entry()
            self._entries[key] = entry
            while len(self._entries) > MOST_ENTRIES:
                self._entries.popitem(last=False)
        with entry.lock:
            if entry.body is None or self._monotonic() - entry.made_s > for_s:
                entry.body = make()
                entry.made_s = self._monotonic()
            return entry.body


@dataclass
class _Value(Generic[T]):
    lock: threading.Lock = field(default_factory=threading.Lock)
    until_s: float = float("-inf")
    value: T | None = None


class Costly(Generic[T]):
    """Values by key, each given again for `TIMES` as long as it took to make it.

    So whatever it costs, on whatever machine, it costs a small part of the time; what costs nothing is always
    made anew. Made by one thread at a time. What `make` raises is raised.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._values: OrderedDict[Hashable, _Value[T]] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        with self._lock:
            found = self._values.pop(key, None) or _Value()
            self._values[key] = found
            while len(self._values) > MOST_ENTRIES:
                self._values.popitem(last=False)
        with found.lock:
            if found.value is not None and self._monotonic() < found.until_s:
                return found.value
            began_s = self._monotonic()
            value = make()
            ended_s = self._monotonic()
            found.value, found.until_s = value, ended_s + TIMES * (ended_s - began_s)
            return value

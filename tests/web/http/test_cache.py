"""Answers are made once for everybody who asks within a moment, and what costs much is made rarely."""

from __future__ import annotations

import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from tallyd.web.http.cache import Cache


def test_many_who_ask_at_once_wait_for_one_who_makes_it() -> None:
    made: Counter[str] = Counter()
    gate = threading.Event()

    def make() -> bytes:
        made["/"] += 1
        gate.wait(10)
        return b"x" * 2000

    cache: Cache[bytes] = Cache(time.monotonic, for_s=60)
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(cache.get, "/", make) for _ in range(8)]
        gate.set()
        bodies = {each.result() for each in asked}
    assert (made["/"], bodies) == (1, {b"x" * 2000})


def test_what_could_not_be_made_is_tried_again_and_an_old_value_is_made_anew() -> None:
    now_s = 0.0
    cache: Cache[str] = Cache(lambda: now_s, for_s=1)

    def fail() -> str:
        raise ValueError("not now")

    with pytest.raises(ValueError, match="not now"):
        cache.get("/", fail)
    assert cache.get("/", lambda: "first") == "first"
    now_s = 0.9
    assert cache.get("/", lambda: "second") == "first"
    now_s = 1.5
    assert cache.get("/", lambda: "third") == "third"


def test_only_the_keys_that_were_asked_for_last_are_kept() -> None:
    cache: Cache[str] = Cache(lambda: 0.0, for_s=60, most=2)
    for key in "aba":
        cache.get(key, lambda: "old")
    cache.get("c", lambda: "old")
    assert [cache.get(key, lambda: "new") for key in "ab"] == ["old", "new"]


def test_what_took_long_is_given_again_for_twenty_times_as_long_and_what_took_nothing_is_not() -> None:
    now_s, made = 0.0, 0

    def make() -> int:
        nonlocal now_s, made
        now_s, made = now_s + took_s, made + 1
        return made

    cache: Cache[int] = Cache(lambda: now_s, times=20)
    took_s = 0.5
    assert cache.get("key", make) == 1
    now_s += 9.9
    assert cache.get("key", make) == 1
    assert cache.get("another", make) == 2
    now_s += 0.2
    took_s = 0.0
    assert [cache.get("key", make) for _ in range(3)] == [3, 4, 5]

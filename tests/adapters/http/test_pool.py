"""Idle connections: the last one is used first, none that was closed, and not too many."""

from __future__ import annotations

import asyncio
import resource
import socket
from collections.abc import Iterator

import pytest

from tallyd.adapters.http.connection import Connection
from tallyd.adapters.http.pool import IDLE_PER_HOST, Pool


class Pairs:
    """Connections, and their other ends by the number in the order in which they were made."""

    def __init__(self) -> None:
        self.far: list[socket.socket] = []
        self.near: list[socket.socket] = []

    def connection(self) -> Connection:
        near, far = socket.socketpair()
        near.setblocking(False)
        self.near.append(near)
        self.far.append(far)

        async def made() -> Connection:
            return Connection(near)

        return asyncio.run(made())

    def open(self) -> list[int]:
        return [number for number, near in enumerate(self.near) if near.fileno() >= 0]


@pytest.fixture
def pairs() -> Iterator[Pairs]:
    made = Pairs()
    yield made
    for sock in (*made.near, *made.far):
        sock.close()


def test_the_one_that_was_used_last_is_used_first_and_for_its_own_host_only(pairs: Pairs) -> None:
    pool, one, two = Pool(), pairs.connection(), pairs.connection()
    pool.put(("a",), one)
    pool.put(("a",), two)
    assert [pool.take(("b",)), pool.take(("a",)), pool.take(("a",)), pool.take(("a",))] == [
        None,
        two,
        one,
        None,
    ]


def test_one_that_was_closed_or_on_which_something_arrived_is_not_used(pairs: Pairs) -> None:
    pool, sound, closed, talking = Pool(), pairs.connection(), pairs.connection(), pairs.connection()
    for connection in (sound, closed, talking):
        pool.put((), connection)
    pairs.far[1].close()
    pairs.far[2].send(b"HTTP/1.1 408 Request Timeout\r\n\r\n")
    assert pool.take(()) is sound
    assert pairs.open() == [0]


def test_of_one_host_the_oldest_is_closed_where_there_are_too_many(pairs: Pairs) -> None:
    pool = Pool()
    for _ in range(IDLE_PER_HOST + 2):
        pool.put((), pairs.connection())
    assert pairs.open() == list(range(2, IDLE_PER_HOST + 2))


def test_of_all_hosts_that_was_used_longest_ago_is_closed_at_a_quarter_of_the_files(
    pairs: Pairs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _what: (80, 80))
    pool = Pool()
    for number in range(20):
        pool.put((number,), pairs.connection())
    used = pool.take((0,))
    assert used is not None
    pool.put((0,), used)
    pool.put((20,), pairs.connection())
    assert pairs.open() == [0, *range(2, 21)]


def test_closed_it_leaves_nothing_open(pairs: Pairs) -> None:
    pool = Pool()
    for number in range(6):
        pool.put((number % 2,), pairs.connection())
    pool.close()
    assert pairs.open() == []

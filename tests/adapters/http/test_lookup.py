"""Name lookups that hang: they hold up no request but checks of many servers, and not the end of tallyd."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NoReturn

import pytest

from support.asking import begin_check, get, post
from support.rawserver import RawServer, always, answer, serving
from tallyd.adapters.http.client import HttpClient
from tallyd.adapters.http.lookup import MOST_CHECKS
from tallyd.core.errors import SourceError, Stopped


@dataclass
class Resolver:
    """Finds 127.0.0.1 for each name, but for `slow.example` not before `goes_on` is set."""

    real: Callable[..., list[Any]]
    goes_on: threading.Event = field(default_factory=threading.Event)

    def __call__(self, name: str, port: int, **options: Any) -> list[Any]:
        if options.get("flags"):  # only numbers are asked for
            return self.real(name, port, **options)
        if name == "slow.example":
            self.goes_on.wait()
        return self.real("127.0.0.1", port, **options)


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Resolver]:
    made = Resolver(socket.getaddrinfo)
    monkeypatch.setattr(socket, "getaddrinfo", made)
    yield made
    made.goes_on.set()
    for thread in lookups():
        thread.join(timeout=20)


@pytest.fixture
def server() -> Iterator[RawServer]:
    with serving(always(answer(b"x"))) as made:
        yield made


@pytest.fixture
def client() -> Iterator[HttpClient]:
    made = HttpClient(user_agent="tallyd", timeout_s=20)
    yield made
    made.close()


def lookups() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "http-lookup"]


def test_lookups_that_hang_hold_up_checks_only_and_give_their_places_back(
    client: HttpClient, resolver: Resolver, server: RawServer
) -> None:
    url = f"http://quick.example:{server.port}/"
    checks = [begin_check(client, "http://slow.example/", timeout_s=0.05) for _ in range(MOST_CHECKS + 3)]
    for check in checks:
        assert isinstance(check.exception(timeout=20), SourceError)
    while len(lookups()) < MOST_CHECKS:
        checks.append(begin_check(client, "http://slow.example/", timeout_s=0.05))
        assert isinstance(checks[-1].exception(timeout=20), SourceError)
    with pytest.raises(SourceError, match=r"timed out after 0\.1 s"):
        begin_check(client, url, timeout_s=0.1).result()
    assert len(lookups()) == MOST_CHECKS
    assert get(client, url).body == b"x"
    assert post(client, url, b"report").body == b"x"
    assert begin_check(client, server.url).result().body == b"x", "a number needs no lookup"
    resolver.goes_on.set()
    other = url.replace("quick", "other")  # no idle connection leads there
    assert begin_check(client, other).result().body == b"x"


def test_a_lookup_that_ends_after_the_client_harms_nobody(client: HttpClient, resolver: Resolver) -> None:
    check = begin_check(client, "http://slow.example/")
    while not lookups():
        time.sleep(0.01)
    client.close()
    with pytest.raises(Stopped):
        check.result()
    resolver.goes_on.set()
    for thread in lookups():
        thread.join(timeout=20)
    assert not lookups()


def test_a_lookup_without_a_thread_is_a_failure_of_its_request(
    client: HttpClient, server: RawServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert get(client, server.url).body == b"x"  # the client's own thread runs

    def no_more(_thread: threading.Thread) -> NoReturn:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", no_more)
        for _ in range(MOST_CHECKS + 1):
            failure = begin_check(client, "http://host.example/").exception(timeout=20)
            assert isinstance(failure, SourceError)
            assert failure.text == "host.example: resource temporarily unavailable"
            assert failure.transient
    assert begin_check(client, f"http://localhost:{server.port}/").result().body == b"x"


def test_a_process_ends_although_a_lookup_hangs() -> None:
    script = """
import socket, threading
from tallyd.adapters.http.client import HttpClient
from tallyd.contract.http import Request

real = socket.getaddrinfo

def hanging(*args, **options):
    return real(*args, **options) if options.get("flags") else threading.Event().wait()

socket.getaddrinfo = hanging
client = HttpClient(user_agent="tallyd", timeout_s=0.1)
try:
    client.request(Request(url="http://slow.example/")).result()
except Exception as error:
    print(error)
client.close()
"""
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=200, check=True
    )
    assert ended.stdout == "slow.example timed out after 0.1 s\n"

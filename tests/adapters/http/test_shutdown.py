"""How the HTTP client ends: at once, with nothing left open."""

from __future__ import annotations

import gc
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from support.asking import get
from support.rawserver import BROKEN, SLOW, UNWANTED, Script, always, answer, serving, unreachable
from tallyd.adapters.http.client import HttpClient
from tallyd.core.errors import SourceError, Stopped


@pytest.mark.parametrize("script", SLOW.values(), ids=SLOW.keys())
def test_abort_ends_a_transfer_at_once(script: Script) -> None:
    client = HttpClient(user_agent="tallyd", timeout_s=60)
    with serving(script) as server:
        aborted_at: list[float] = []

        def abort() -> None:
            aborted_at.append(time.monotonic())
            client.abort()

        timer = threading.Timer(0.1, abort)
        timer.start()
        with pytest.raises(Stopped) as caught:
            get(client, server.url)
        assert time.monotonic() - aborted_at[0] < 20, "long before the timeout"
        assert caught.value.__context__ is None
        timer.join()
        with pytest.raises(Stopped):
            get(client, server.url)
    client.close()


def test_abort_ends_connecting_at_once() -> None:
    client = HttpClient(user_agent="tallyd", timeout_s=60)
    timer = threading.Timer(0.1, client.abort)
    with unreachable() as url:
        timer.start()
        began = time.monotonic()
        with pytest.raises(Stopped):
            get(client, url)
        assert time.monotonic() - began < 20, "long before the timeout"
    timer.join()
    client.close()


def test_abort_ends_the_transfers_of_all_threads() -> None:
    client = HttpClient(user_agent="tallyd", timeout_s=60)
    with serving(SLOW["body byte by byte"]) as server, ThreadPoolExecutor(8) as threads:
        transfers = [threads.submit(get, client, server.url) for _ in range(8)]
        while len(server.heads) < 8:
            time.sleep(0.01)
        client.abort()
        assert all(isinstance(transfer.exception(timeout=20), Stopped) for transfer in transfers)
    client.close()


def test_a_closed_client_begins_nothing_more_and_may_be_closed_again() -> None:
    before = set(threading.enumerate())
    client = HttpClient(user_agent="tallyd", timeout_s=1)
    with serving(always(answer())) as server:
        get(client, server.url)
        assert any(thread.name == "http" for thread in set(threading.enumerate()) - before)
        client.close()
        client.close()
        with pytest.raises(Stopped):
            get(client, server.url)
    assert not any(thread.name == "http" for thread in set(threading.enumerate()) - before)


def test_nothing_stays_open_whatever_happens() -> None:
    def open_files() -> int:
        gc.collect()
        return len(list(Path(f"/proc/{os.getpid()}/fd").iterdir()))

    before = open_files()
    client = HttpClient(user_agent="tallyd", timeout_s=0.05, max_bytes=1024 * 1024)
    for script in (always(answer(b"x")), *SLOW.values(), *BROKEN.values(), *UNWANTED.values()):
        with serving(script) as server:
            for _ in range(2):
                with suppress(SourceError):
                    get(client, server.url)
    client.close()
    assert open_files() == before

"""Work beside the scheduler thread."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor, wait

import pytest

from tallyd.adapters.background import BackgroundTask


def test_a_run_that_has_not_ended_is_not_begun_again() -> None:
    go_on, ran = threading.Event(), []

    def act() -> None:
        go_on.wait(10)
        ran.append(1)

    with ThreadPoolExecutor(2) as executor:
        task = BackgroundTask(executor, "waiting")
        task.begin(act)
        task.begin(act)
        running = task.under_way()
        assert (task.is_running, len(running)) == (True, 1)
        go_on.set()
        wait(running)
        assert (task.is_running, task.under_way()) == (False, [])
        task.begin(act)
    assert ran == [1, 1]


def test_a_bug_is_one_line_in_the_log_with_its_fields_and_the_next_run_begins(
    caplog: pytest.LogCaptureFixture,
) -> None:
    ran = []
    with ThreadPoolExecutor(1) as executor:
        task = BackgroundTask(executor, "counting")
        task.begin(lambda: int("x"), poller="one")
        wait(task.under_way())
        task.begin(lambda: ran.append(1))
    (record,) = caplog.records
    assert (record.getMessage(), record.__dict__["poller"]) == ("counting crashed", "one")
    assert record.exc_info is not None
    assert ran == [1]

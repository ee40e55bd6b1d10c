"""Retention deletes a few rows or files at a time. A failure of one prunable does not affect the others."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from support.executors import Inline
from tallyd.core.errors import InboxError, RecordsError
from tallyd.storage.record_retention import BATCH, Prunable, RecordRetention


class Things:
    """Things to delete. `batches` records how many were asked for and found."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.batches: list[int] = []

    def prune(self, most: int) -> int:
        done = min(most, self.count)
        self.count -= done
        self.batches.append(done)
        return done


def clear(*prunables: Prunable, stop: Callable[[], bool] = lambda: False) -> None:
    RecordRetention(Inline(), lambda _now: prunables, stop).prune(datetime(2026, 11, 20, tzinfo=UTC))


def test_old_data_is_deleted_in_batches_until_nothing_is_left() -> None:
    things = Things(2 * BATCH + 7)
    clear(Prunable("park", "rows", things.prune))
    assert things.batches == [BATCH, BATCH, 7, 0]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        pytest.param(RecordsError("it is away"), "old data cannot be deleted now", id="database"),
        pytest.param(InboxError("it is gone"), "old data cannot be deleted now", id="inbox"),
        pytest.param(ZeroDivisionError(), "deleting old data crashed", id="bug"),
    ],
)
def test_a_failure_of_one_prunable_does_not_affect_the_next_and_what_is_deleted_is_logged(
    error: Exception, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="tallyd")

    def fail(_most: int) -> int:
        raise error

    things, nothing = Things(3), Things(0)
    clear(
        Prunable("park", "rows", fail),
        Prunable("park", "files", things.prune),
        Prunable("gate", "files", nothing.prune),
    )
    assert things.count == 0
    assert [record.message for record in caplog.records] == [said, "old data deleted"]
    assert vars(caplog.records[1]).items() >= {"poller": "park", "what": "files", "count": 3}.items()


def test_the_end_of_the_process_ends_a_pass() -> None:
    things = Things(10 * BATCH)
    clear(Prunable("park", "rows", things.prune), stop=lambda: len(things.batches) >= 2)
    assert things.count == 8 * BATCH

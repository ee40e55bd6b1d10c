"""What a job remembers from run to run."""

from __future__ import annotations

from concurrent.futures import Future
from pathlib import Path

import pytest

from support.fakeclock import FakeClock, at
from support.fakeworld import FakePoller, World, daily
from tallyd.core.reading import Slot
from tallyd.core.schedule.timetable import BUSY, NOT_STARTED, Missed, Plan
from tallyd.runs.job_state import JobState
from tallyd.runs.stats import Ended
from tallyd.runs.toolbox import Progress


@pytest.mark.parametrize(
    ("slot", "ended", "reason"),
    [
        pytest.param("08:00", "locked", BUSY, id="it was locked out: its slot waited"),
        pytest.param("08:00", "taken", NOT_STARTED, id="it ran"),
        pytest.param(None, "locked", NOT_STARTED, id="it had no slot"),
    ],
)
def test_only_a_slot_that_once_locked_out_is_missed_because_the_job_was_running(
    tmp_path: Path, slot: str | None, ended: Ended, reason: str
) -> None:
    clock = FakeClock(at("2026-11-20 08:00"))
    with clock, World(tmp_path, clock, FakePoller(daily("08:00"))) as world:
        job_state = JobState(world.task)
        progress = Progress(clock.monotonic, clock.now())
        job_state.begins(slot, progress, monotonic_s=0.0)
        job_state.future = Future()
        job_state.future.set_result(ended)
        job_state.skipped.add("07:45")
        job_state.begins("08:15", progress, monotonic_s=900.0)
        found = job_state.with_reasons((Missed("08:00", clock.now(), NOT_STARTED, "mark"),))
        assert [each.reason for each in found] == [reason]
        assert job_state.skipped == ({"07:45", slot} - {None} if ended == "locked" else set())


@pytest.mark.parametrize(
    ("planned", "waits"),
    [
        pytest.param("08:15", True, id="the next slot"),
        pytest.param("08:00", False, id="its own slot, which is not claimed yet"),
        pytest.param("07:45", False, id="one that waits already"),
        pytest.param(None, False, id="nothing is due"),
    ],
)
def test_a_slot_waits_for_a_run_that_is_not_its_own(
    tmp_path: Path, planned: str | None, waits: bool, caplog: pytest.LogCaptureFixture
) -> None:
    clock = FakeClock(at("2026-11-20 08:00"))
    with clock, World(tmp_path, clock, FakePoller(daily("08:00"))) as world:
        job_state = JobState(world.task)
        job_state.begins("08:00", Progress(clock.monotonic, clock.now()), monotonic_s=0.0)
        job_state.skipped.add("07:45")
        job_state.keep_waiting(Plan(Slot(planned, clock.now()), "mark") if planned else Plan())
        assert job_state.has_waiting_slot is waits
        assert ("the slot waits" in caplog.text) is waits

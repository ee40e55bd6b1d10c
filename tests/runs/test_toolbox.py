"""What a job gets for one run: a wait for the next try is not a job that hangs."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.fakeclock import FakeClock, FakeStop, at
from support.fakeworld import FakePoller, World, daily
from tallyd.core.errors import SourceError
from tallyd.runs.toolbox import ALIVE_EVERY_S, Progress, toolbox


@pytest.mark.parametrize("asked_s", [None, 100.0], ids=["its own wait", "the wait that the source asked for"])
def test_a_wait_for_the_next_try_is_progress_all_the_time(tmp_path: Path, asked_s: float | None) -> None:
    clock, silent_s = FakeClock(at("2026-11-20 07:59")), []

    class Watched(FakeStop):
        """Notes for how long the run has shown no progress when a part of the wait is over."""

        def wait(self, timeout: float | None = None) -> bool:
            is_stopped = super().wait(timeout)
            silent_s.append(clock.monotonic() - progress.alive_s)
            return is_stopped

    def fail() -> None:
        clock.pass_s(10)
        raise SourceError("it is down", transient=True, retry_after_s=asked_s)

    with clock, World(tmp_path, clock, FakePoller(daily("08:00"))) as world:
        progress = Progress(clock.monotonic, clock.now())
        tools = toolbox(
            world.task,
            http=world.runner.http,
            stop=Watched(clock),
            progress=progress,
            now=clock.now,
            memory=dict,
        )
        with pytest.raises(SourceError):
            tools.retry(fail)
        assert progress.attempts == world.task.policy.attempts
        assert clock.monotonic() - progress.alive_s == 10, "the last try shows none"
    assert max(silent_s) == ALIVE_EVERY_S

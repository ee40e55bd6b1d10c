"""What an out file says besides its own reading: the open problems of the poller's other jobs."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from support.fakeclock import FakeClock, at
from support.fakeworld import FakePoller, World, daily
from tallyd.core.alerts.rules import Alert
from tallyd.core.reading import Problem, Reading
from tallyd.storage.store_result import beside


def test_the_problems_beside_a_reading_are_the_open_ones_of_other_jobs_of_its_poller(tmp_path: Path) -> None:
    with (
        FakeClock(at("2026-11-20 08:00")) as clock,
        World(tmp_path, clock, FakePoller(daily("08:00"))) as world,
    ):
        since = clock.now() - timedelta(hours=1)

        def alert(key: str, *, is_over: bool = False) -> Alert:
            return Alert(
                key=key, text=key, since=since, raised_at=since, over_at=clock.now() if is_over else None
            )

        named = Problem(key="one/gate/below", text="named", since=since)
        reading = Reading(taken_at=clock.now(), facts=None, problems=(named,))
        alerts = [
            alert("one/sweep/failed"),
            alert("one/inbox/missing"),
            alert("one/other/missed", is_over=True),
            alert("one/gate/below"),
            alert("one/count/failed"),
            alert("two/sweep/failed"),
            alert("tallyd/disk"),
        ]
        found = beside(world.task, [reading], alerts)
        assert [each.key for each in found] == ["one/inbox/missing", "one/sweep/failed"]

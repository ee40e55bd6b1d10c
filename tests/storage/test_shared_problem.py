"""An alert that several pollers may find is raised once, and ends when none of them finds it any more."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.fakeclock import FakeClock, at
from support.fakeworld import FakePoller, World
from tallyd.contract.toolbox import Toolbox
from tallyd.core.alerts.daemon_alerts import executor_problem
from tallyd.core.reading import Problem, Reading, Slot
from tallyd.core.schedule.timetable import Every
from tallyd.core.workers_spec import WorkersNeeded
from tallyd.storage.shared_problem import SharedProblem

KEY = "tallyd/executor"


class Spread(FakePoller):
    """A poller that needs workers; `why`: what is wrong with them."""

    why = ""
    needs_workers = True

    def workers_needed(self) -> WorkersNeeded | None:
        return WorkersNeeded() if self.needs_workers else None

    def look(self, slot: Slot, tools: Toolbox) -> Reading:
        found: tuple[Problem, ...] = ()
        if self.why:
            found = (executor_problem("one", self.why, left=3, own=0, since=tools.now()),)
        return Reading(taken_at=tools.now(), facts=None, executor=found)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(at("2026-11-20 07:00"))


def test_workers_that_fail_are_one_alert_that_ends_with_a_good_round(
    tmp_path: Path, clock: FakeClock
) -> None:
    """Also while no round stores anything else."""
    source = Spread(Every(60))
    source.act = source.look
    with clock, World(tmp_path, clock, source) as world:
        world.run(minutes=2)
        assert KEY not in world.store.alerts.alerts()
        source.why = "no connection"
        world.run(minutes=3)
        alert = world.store.alerts.alerts()[KEY]
        assert (alert.is_open, alert.severity) == (True, "error")
        before = world.store.alerts.alerts()
        world.run(minutes=3)
        assert world.store.alerts.alerts() == before, "nothing new was said, and nothing is written"
        source.why = ""
        world.run(minutes=2)
        assert KEY not in world.store.alerts.alerts() or not world.store.alerts.alerts()[KEY].is_open


def test_it_ends_when_no_poller_needs_workers_any_more(tmp_path: Path, clock: FakeClock) -> None:
    source = Spread(Every(60))
    source.act = source.look
    source.why = "no connection"
    with clock, World(tmp_path, clock, source) as world:
        world.run(minutes=2)
        assert world.store.alerts.alerts()[KEY].is_open
        source.needs_workers = False
        world.start()
        assert KEY not in world.store.alerts.alerts() or not world.store.alerts.alerts()[KEY].is_open


def test_each_poller_clears_only_its_own_finding() -> None:
    shared = SharedProblem()
    one, two = (
        executor_problem(name, "no connection", left=1, own=0, since=at("2026-11-20 07:00"))
        for name in ("one", "two")
    )
    assert shared.found("one", one) == (one,)
    assert shared.found("two", two) == (one,)
    assert shared.found("one", None) == (two,)
    shared.forget_others({"one"})
    assert shared.found("one", None) == ()

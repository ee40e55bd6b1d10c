"""A standby while it waits, with a leadership made of plain objects: when it tries, and what ends it."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest

from support.past import write_config
from tallyd.adapters.clock import Clock
from tallyd.adapters.state import StateError
from tallyd.adapters.systemd import ServiceManager
from tallyd.cli.process.standby import Standby, StartOver
from tallyd.config.load import load
from tallyd.core.leader import Leader
from tallyd.runs.stats import RunStats

SIGNALS = (signal.SIGTERM, signal.SIGHUP)
LEADER = Leader(term=1, host="pi1", folder="/x", since=datetime(2026, 11, 20, tzinfo=UTC), is_there=True)


@dataclass
class Steps:
    """A leadership that answers each look with the next step: `taken`, `held` or `away`."""

    steps: list[str]
    then: Callable[[], None] = lambda: None
    asked: list[str] = field(default_factory=list)

    def take(self, *, now: datetime) -> bool:
        step = self.steps.pop(0)
        self.asked.append(step)
        if step == "away":
            raise StateError("away")
        return step == "taken"

    def leader(self) -> Leader:
        self.asked.append("who")
        return LEADER

    def wait(self, timeout_s: float) -> bool:
        self.then()
        return True


@pytest.fixture(autouse=True)
def blocked() -> Iterator[None]:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    yield
    signal.pthread_sigmask(signal.SIG_SETMASK, before)


def standby(folder: Path, leadership: Steps) -> Standby:
    path = write_config(folder)
    return Standby(
        load(path, environ={}),
        cast("Any", leadership),
        signals=SIGNALS,
        service_manager=ServiceManager(),
        clock=Clock(),
        stats=RunStats(),
        serve=cast("Any", lambda _state, _leader: _Page()),
    )


class _Page:
    def close(self) -> None: ...


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "state").mkdir()
    from tallyd.adapters.state import State

    State(tmp_path / "state" / "state.db").close()
    return tmp_path


def test_it_tries_until_it_is_the_leader(folder: Path) -> None:
    leadership = Steps(["held", "held", "taken"])
    assert standby(folder, leadership).wait()
    assert leadership.asked == ["held", "who", "held", "who", "taken"]


def test_after_an_outage_of_the_database_the_former_leader_may_be_first(folder: Path) -> None:
    leadership = Steps(["away", "taken"])
    assert standby(folder, leadership).wait()
    assert leadership.asked == ["away", "who", "who", "taken"]


def test_a_signal_ends_it(folder: Path) -> None:
    leadership = Steps(["held"], then=lambda: signal.raise_signal(signal.SIGTERM))
    leadership.steps += ["held"] * 3
    assert not standby(folder, leadership).wait()


def test_another_config_makes_it_start_over_and_a_wrong_one_does_not(folder: Path) -> None:
    leadership = Steps(["held"] * 3 + ["taken"], then=lambda: signal.raise_signal(signal.SIGHUP))
    waiting = standby(folder, leadership)
    (folder / "config.json").write_text("{}}")
    assert waiting.wait(), "it went on"
    write_config(folder, name="other")
    with pytest.raises(StartOver):
        standby(folder, Steps(["held"] * 3, then=lambda: signal.raise_signal(signal.SIGHUP))).wait()

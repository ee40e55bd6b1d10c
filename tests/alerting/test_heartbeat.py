"""The heartbeat asks the URL while tallyd is well, and the /fail URL while it is not, whatever sources do."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from support.executors import Threads
from support.fakeclock import FakeClock
from support.fakeworld import FakePoller, World, daily, disk_refuses, one_person
from tallyd.alerting.heartbeat import address
from tallyd.contract.http import Reply, Request
from tallyd.contract.toolbox import Toolbox
from tallyd.core.errors import SourceError
from tallyd.core.reading import Reading, Slot
from tallyd.core.schedule.timetable import Every
from tallyd.settings.pollers import RetrySettings

PING = "https://hc.example/5f1c0ffe-e5f1-c0ff"
TOP = {"heartbeat": {"url": PING, "every": "5m"}}


@dataclass
class Switch:
    """Remembers when it was asked, and how."""

    clock: FakeClock
    asked: list[str] = field(default_factory=list)
    is_down: bool = False

    def request(self, request: Request) -> Future[Reply]:
        self.asked.append(f"{self.clock.now():%H:%M:%S} {request.url.removeprefix(PING) or 'well'}")
        if self.is_down:
            raise SourceError("hc.example: connection refused", transient=True)
        now = self.clock.now()
        outcome: Future[Reply] = Future()
        outcome.set_result(
            Reply(
                status=200,
                headers={},
                body=b"OK",
                host="hc.example",
                answered_at=now,
                skew_s=0.0,
                elapsed_s=0.1,
            )
        )
        return outcome

    @property
    def states(self) -> set[str]:
        return {line.split(" ")[1] for line in self.asked}


def test_it_is_asked_at_the_start_and_then_every_so_often(tmp_path: Path, clock: FakeClock) -> None:
    switch = Switch(clock)
    with clock, World(tmp_path, clock, FakePoller(daily("12:00")), top=TOP, http=switch) as world:
        world.run(minutes=16, least_s=1)
        assert [line[:5] for line in switch.asked] == ["06:59", "07:04", "07:09", "07:14"]
        assert switch.states == {"well"}


def test_a_source_that_is_down_does_not_matter(tmp_path: Path, clock: FakeClock) -> None:
    def down(_slot: Slot, _tools: Toolbox) -> Reading:
        raise SourceError("example.org timed out", transient=True)

    poller = FakePoller(daily("08:00"), down, retry=RetrySettings(attempts=1))
    switch = Switch(clock)
    with clock, World(tmp_path, clock, poller, top=TOP, http=switch) as world:
        world.run(minutes=60, least_s=5)
        assert "one/count/failed" in world.problems()
        assert switch.states == {"well"}


def test_a_full_disk_is(tmp_path: Path, clock: FakeClock) -> None:
    poller = FakePoller(Every(60.0, grid=True), one_person, catch_up_s=60.0)
    switch = Switch(clock)
    with clock, World(tmp_path, clock, poller, top=TOP, http=switch) as world:
        world.run(minutes=2)
        with disk_refuses():
            world.run(minutes=8, least_s=1)
        assert switch.asked[-1].endswith("/fail")
        world.run(minutes=6, least_s=1)
        assert switch.asked[-1].endswith("well")


def test_a_job_that_hangs_is(tmp_path: Path, clock: FakeClock) -> None:
    threads = Threads()
    go_on = threads.gate()

    def hangs(slot: Slot, tools: Toolbox) -> Reading:
        threads.wait_at(go_on)
        return one_person(slot, tools)

    poller = FakePoller(daily("08:00"), hangs, limit_s=60.0)
    switch = Switch(clock)
    with clock, World(tmp_path, clock, poller, top=TOP, http=switch, executor=threads) as world:
        world.run(minutes=8, least_s=1)
        assert switch.asked[-1].endswith("/fail")
        go_on.set()
        world.daemon.wait(5)
        world.run(minutes=6, least_s=1)
        assert switch.asked[-1].endswith("well")


def test_a_ping_that_is_lost_is_tried_again_and_logged_once(
    tmp_path: Path, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    switch = Switch(clock, is_down=True)
    with clock, World(tmp_path, clock, FakePoller(daily("12:00")), top=TOP, http=switch) as world:
        world.run(minutes=11, least_s=1)
        assert len(switch.asked) == 9, "three tries each"
        switch.is_down = False
        world.run(minutes=6, least_s=1)
        events = [record.getMessage() for record in caplog.records if "heartbeat" in record.getMessage()]
        assert events.count("heartbeat failed") == 1
        assert PING.rsplit("/", maxsplit=1)[-1] not in caplog.text


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://hc.example/uuid", "https://hc.example/uuid/fail"),
        ("https://hc.example/uuid/", "https://hc.example/uuid/fail"),
        ("https://hc.example/ping?create=1", "https://hc.example/ping/fail?create=1"),
    ],
)
def test_fail_is_appended_to_the_path(url: str, expected: str) -> None:
    assert address(url, is_well=True) == url
    assert address(url, is_well=False) == expected

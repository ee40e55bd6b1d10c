"""Jobs that fail, hang or crash: each slot still ends exactly once, and the other jobs continue."""

from __future__ import annotations

import logging
from contextlib import closing
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from support.divera import divera
from support.executors import Threads
from support.fakeclock import FakeClock, at
from support.fakeworld import FakePoller, World, daily, one_person
from support.rawserver import Connection, answer, serving
from support.upstream import top
from support.wording import text_of
from tallyd.adapters.http.client import HttpClient
from tallyd.contract.toolbox import Toolbox
from tallyd.core.errors import SourceError, Stopped
from tallyd.core.reading import Reading, Slot
from tallyd.core.schedule.timetable import BUSY, OVERTAKEN, Every
from tallyd.settings.pollers import RetrySettings

ONE_TRY = RetrySettings(attempts=1)
FAILED, MISSED, CRASHED, OVERDUE = (
    f"one/count/{what}" for what in ("failed", "missed", "crashed", "overdue")
)


@dataclass
class Source:
    """The results of the runs: exceptions in turn, None for an answer. The last one is repeated."""

    meets: list[Exception | None]
    asked: list[str] = field(default_factory=list)

    def __call__(self, slot: Slot, tools: Toolbox) -> Reading:
        self.asked.append(f"{tools.now():%H:%M:%S}")
        met = self.meets.pop(0) if len(self.meets) > 1 else self.meets[0]
        if met is not None:
            raise met
        return one_person(slot, tools)


def down(*, transient: bool = True) -> SourceError:
    return SourceError("example.org timed out" if transient else "access refused", transient=transient)


def at_eight(source: Source) -> FakePoller:
    """Return a poller at 08:00 and 12:00 in Berlin (07:00 and 11:00 UTC), with one try per run."""
    return FakePoller(daily("08:00", "12:00"), source, retry=ONE_TRY)


def test_a_source_that_is_down_is_asked_again_after_a_pause_and_counted_once_it_is_back(
    tmp_path: Path,
) -> None:
    source = Source([down(), down(), None])
    with FakeClock(at("2026-11-20 07:59:58")) as clock, World(tmp_path, clock, at_eight(source)) as world:
        world.run(minutes=1)
        assert "Retrying until 08:15" in text_of(world.problems()[FAILED], now=world.clock.now())
        world.run(minutes=20)
        assert source.asked[0] == "07:00:00"
        pauses = [_seconds(later) - _seconds(earlier) for earlier, later in pairwise(source.asked)]
        assert len(pauses) == 2
        assert all(180 <= pause <= 180 + 31 for pause in pauses), "the pause, and the look after it"
        assert world.outcomes() == ["2026-11-20 08:00 taken"]
        assert world.origins() == ["late"]
        assert world.problems() == {}


def test_within_a_run_the_tries_are_those_of_the_retry_policy(tmp_path: Path) -> None:
    source = Source([down()])

    def with_retry(slot: Slot, tools: Toolbox) -> Reading:
        return tools.retry(lambda: source(slot, tools))

    poller = FakePoller(daily("08:00"), with_retry, catch_up_s=60.0, limit_s=150.0)
    with FakeClock(at("2026-11-20 07:59:58")) as clock, World(tmp_path, clock, poller) as world:
        world.run(minutes=1)
        waits = [_seconds(later) - _seconds(earlier) for earlier, later in pairwise(source.asked)]
        assert len(waits) == 4
        for wait, full in zip(waits, (15, 30, 60, 120), strict=True):
            assert full * 0.75 - 1 <= wait <= full + 1
        assert world.outcomes() == ["2026-11-20 08:00 missed"]
        assert "example.org timed out (5 attempts until 08:0" in text_of(
            world.problems()[FAILED], now=world.clock.now()
        )


def test_a_source_that_stays_down_is_asked_until_the_catch_up_ends_and_the_next_slot_ends_the_problem(
    tmp_path: Path,
) -> None:
    source = Source([down()])
    with FakeClock(at("2026-11-20 07:59:58")) as clock, World(tmp_path, clock, at_eight(source)) as world:
        world.run(minutes=40)
        assert 4 <= len(source.asked) <= 5
        assert _seconds(source.asked[-1]) <= _seconds("07:15:00")
        assert world.outcomes() == ["2026-11-20 08:00 missed"]
        assert world.history()[0].reason == "example.org timed out"
        assert list(world.problems()) == [FAILED]
        assert "Next slot 12:00. Recorded as missing, not zero." in text_of(
            world.problems()[FAILED], now=world.clock.now()
        )
        source.meets = [None]
        world.run(hours=4, least_s=300)
        assert world.outcomes() == ["2026-11-20 08:00 missed", "2026-11-20 12:00 taken"]
        assert world.problems() == {}
        assert len(world.out_files()) == 1, "a missed slot has no file"


def test_a_rejected_slot_is_missed_at_once_and_not_retried_before_the_next_one(tmp_path: Path) -> None:
    source = Source([down(transient=False), None])
    with FakeClock(at("2026-11-20 07:59:58")) as clock, World(tmp_path, clock, at_eight(source)) as world:
        world.run(seconds=4)
        assert world.outcomes() == ["2026-11-20 08:00 missed"]
        assert "No retry before 12:00" in text_of(world.problems()[FAILED], now=world.clock.now())
        world.run(hours=3.9, least_s=300)
        assert len(source.asked) == 1
        world.run(minutes=10)
        assert world.outcomes()[1:] == ["2026-11-20 12:00 taken"]
        assert world.problems() == {}


def test_a_failed_slot_survives_restarts_with_its_pause_and_its_reason(tmp_path: Path) -> None:
    source = Source([down()])
    with FakeClock(at("2026-11-20 07:59:58")) as clock, World(tmp_path, clock, at_eight(source)) as world:
        world.run(seconds=30)
        for _ in range(4):
            world.restart(off_s=10)
        assert len(source.asked) == 1, "restarts do not shorten the pause"
        world.restart(off_s=1200)
        assert world.history()[0].reason == "example.org timed out"


NEW_YORK = ZoneInfo("America/New_York")


def asking(wait_s: float) -> SourceError:
    return SourceError("example.org answered HTTP 429", transient=True, retry_after_s=wait_s)


def leaving_alone(
    source: Source, *, catch_up_s: float, times: tuple[str, ...] = ("08:00", "12:00")
) -> FakePoller:
    """Return a poller in New York, where those times are 13:00 and 17:00 UTC; with the usual tries."""

    def act(slot: Slot, tools: Toolbox) -> Reading:
        return tools.retry(lambda: source(slot, tools))

    return FakePoller(daily(*times), act, catch_up_s=catch_up_s, timezone=NEW_YORK)


def test_a_source_that_asks_for_an_hour_gets_it_and_is_counted_then_if_the_catch_up_allows(
    tmp_path: Path,
) -> None:
    source = Source([asking(3600.0), None])
    poller = leaving_alone(source, catch_up_s=7200.0)
    with FakeClock(at("2026-11-20 13:59:58")) as clock, World(tmp_path, clock, poller, top=top()) as world:
        world.run(minutes=30)
        message = "one: no reading for Fri 08:00: example.org answered HTTP 429. "
        message += "No retry before 09:00. Retrying until 10:00."
        assert text_of(world.problems()[FAILED], now=world.clock.now(), zone=NEW_YORK) == message
        assert [message in text for text in world.chats.texts()] == [True], (
            "an hour is too long to keep silent"
        )
        world.restart(off_s=60)
        world.run(minutes=28)
        assert source.asked == ["13:00:00"], "nor does a restart shorten it"
        world.run(minutes=2)
        assert [asked[:5] for asked in source.asked] == ["13:00", "14:00"]
        assert world.outcomes() == ["2026-11-20 14:00 taken"]
        assert (world.origins(), world.problems()) == (["late"], {})


@pytest.mark.parametrize(
    ("asked_s", "said"),
    [
        pytest.param(3600.0, " No retry before 09:00. Next slot 12:00.", id="an-hour"),
        pytest.param(366 * 86400.0, " Next slot 12:00.", id="a-year"),
        pytest.param(14400.0, " Next slot 12:00.", id="until-the-next-slot"),
        pytest.param(14399.0, " No retry before 11:59:59. Next slot 12:00.", id="nearly-until-the-next-slot"),
    ],
)
def test_a_slot_whose_catch_up_ends_before_the_asked_time_is_missed_at_once_and_the_next_one_asks_again(
    tmp_path: Path, asked_s: float, said: str
) -> None:
    source = Source([asking(asked_s), asking(asked_s), None])
    poller = leaving_alone(source, catch_up_s=900.0)
    with FakeClock(at("2026-11-20 13:59:58")) as clock, World(tmp_path, clock, poller) as world:
        world.run(seconds=10)
        assert world.outcomes() == ["2026-11-20 14:00 missed"]
        assert text_of(world.problems()[FAILED], now=world.clock.now(), zone=NEW_YORK) == (
            f"one: no reading for Fri 08:00: example.org answered HTTP 429.{said} "
            "Recorded as missing, not zero."
        )
        world.run(hours=24.1, least_s=600)
        assert [asked[:5] for asked in source.asked] == ["13:00", "17:00", "13:00"], "once for each slot"
        assert [outcome.split()[-1] for outcome in world.outcomes()] == ["missed", "missed", "taken"]


def test_a_slot_that_waits_for_a_source_is_given_up_for_a_newer_one_which_asks_again(tmp_path: Path) -> None:
    source = Source([asking(3600.0), None])
    poller = leaving_alone(source, catch_up_s=7200.0, times=("08:00", "08:30"))
    with FakeClock(at("2026-11-20 13:59:58")) as clock, World(tmp_path, clock, poller) as world:
        world.run(minutes=10)
        assert text_of(world.problems()[FAILED], now=world.clock.now(), zone=NEW_YORK).endswith(
            "HTTP 429. Retrying until 10:00."
        )
        world.run(minutes=25)
        assert world.outcomes() == ["2026-11-20 14:00 missed", "2026-11-20 14:30 taken"]
        assert [asked[:5] for asked in source.asked] == ["13:00", "13:30"]


@pytest.mark.parametrize("asked_s", [0.0, 30.0, 180.0])
def test_a_source_that_asks_for_no_more_than_the_longest_wait_is_tried_within_the_run(
    tmp_path: Path, asked_s: float
) -> None:
    source = Source([asking(asked_s), None])
    poller = leaving_alone(source, catch_up_s=900.0)
    with FakeClock(at("2026-11-20 13:59:58")) as clock, World(tmp_path, clock, poller) as world:
        world.run(minutes=5)
        assert world.outcomes() == ["2026-11-20 14:00 taken"]
        wait_s = _seconds(source.asked[1]) - _seconds(source.asked[0])
        assert max(asked_s, 0.75 * 15) - 1 <= wait_s <= max(asked_s, 15) + 1


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"Retry_After": "3600"}, id="seconds"),
        pytest.param(
            # Its clock is two hours ahead of ours. Only the difference counts.
            {"Retry_After": "Fri, 20 Nov 2026 10:00:00 GMT", "Date": "Fri, 20 Nov 2026 09:00:00 GMT"},
            id="a-date",
        ),
    ],
)
def test_divera_gets_the_wait_that_its_answer_asks_for(tmp_path: Path, headers: dict[str, str]) -> None:
    people = answer(b'{"success": true, "data": [{"status_id": 50101}]}')
    answers = [answer(b"", status="429 Too Many Requests", **headers), people]

    def script(connection: Connection) -> None:
        connection.request()
        connection.send(answers.pop(0))

    with serving(script) as server, FakeClock(at("2026-11-20 07:59:58")) as clock:
        poller: Any = divera(url=f"{server.url}/api/users", catch_up="2h")
        http = HttpClient(user_agent="tallyd/1", timeout_s=20.0, now=clock.now)
        with closing(http), World(tmp_path, clock, {"divera": poller}, http=http) as world:
            world.run(minutes=59)
            assert len(server.heads) == 1
            assert text_of(world.problems()["divera/count/failed"], now=world.clock.now()) == (
                f"divera: no reading for Fri 08:00: {server.host} answered HTTP 429. "
                "No retry before 09:00. Retrying until 10:00."
            )
            world.run(minutes=2)
            assert len(server.heads) == 2
            assert world.outcomes("divera") == ["2026-11-20 08:00 taken"]
            assert world.problems() == {}


def test_a_slot_that_fails_is_given_up_for_a_newer_one(tmp_path: Path) -> None:
    source = Source([down(), None])
    poller = FakePoller(daily("08:00", "08:02"), source, retry=ONE_TRY)
    with FakeClock(at("2026-11-20 07:59:58")) as clock, World(tmp_path, clock, poller) as world:
        world.run(minutes=20)
        assert world.outcomes() == ["2026-11-20 08:00 missed", "2026-11-20 08:02 taken"]
        assert len(source.asked) == 2


def test_a_stop_in_the_middle_of_a_run_leaves_the_slot_to_the_next_start(tmp_path: Path) -> None:
    source = Source([Stopped(), None])
    with FakeClock(at("2026-11-20 07:59:58")) as clock, World(tmp_path, clock, at_eight(source)) as world:
        world.run(seconds=3)
        assert world.outcomes() == []
        world.restart(off_s=5)
        assert world.outcomes() == ["2026-11-20 08:00 taken"]
        assert world.problems() == {}


def test_a_job_that_crashes_is_notified_and_retried_and_the_others_continue(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    broken, sound = FakePoller(daily("08:00"), Source([ZeroDivisionError()])), FakePoller(daily("08:00"))
    pollers = {"one": broken, "two": sound}
    with FakeClock(at("2026-11-20 07:59:58")) as clock, World(tmp_path, clock, pollers) as world:
        world.run(minutes=30)
        assert world.outcomes("one") == ["2026-11-20 08:00 missed"]
        assert world.outcomes("two") == ["2026-11-20 08:00 taken"]
        assert list(world.problems()) == [CRASHED]
        assert "ZeroDivisionError" in text_of(world.problems()[CRASHED], now=world.clock.now())
        assert 2 <= len(broken.runs) <= 5
        assert [record.exc_info is not None for record in caplog.records if record.message == "job crashed"]
        world.edit({"one": FakePoller(daily("08:00", "09:00")), "two": sound})
        world.run(hours=1, least_s=1)
        assert world.taken("one") == ["2026-11-20 09:00"]
        assert world.problems() == {}


def test_a_crashing_plain_interval_goes_on_at_its_pace(tmp_path: Path) -> None:
    broken = FakePoller(Every(60.0), Source([ZeroDivisionError()]), catch_up_s=None)
    with FakeClock(at("2026-11-20 08:00")) as clock, World(tmp_path, clock, broken) as world:
        world.run(minutes=10)
        assert len(broken.runs) == 10
        assert list(world.problems()) == [CRASHED]


@dataclass
class Hanging:
    """If `hangs`, the next run waits at a gate."""

    threads: Threads
    hangs: bool = True

    def __post_init__(self) -> None:
        self.gate = self.threads.gate()

    def __call__(self, slot: Slot, tools: Toolbox) -> Reading:
        if self.hangs:
            self.hangs = False
            self.threads.wait_at(self.gate)
        return one_person(slot, tools)


@pytest.mark.parametrize(
    ("hangs_s", "expected"),
    [
        pytest.param(60, ["08:00 taken", "08:05 taken", "08:10 taken"], id="until-before-the-next-slot"),
        pytest.param(420, ["08:00 taken", "08:05 taken", "08:10 taken"], id="over-a-slot-that-is-caught-up"),
        pytest.param(
            720, ["08:00 taken", "08:05 missed", "08:10 taken"], id="over-two-of-which-one-is-caught-up"
        ),
        pytest.param(2400, ["08:00 taken", "08:05 missed", "08:10 missed"], id="over-all"),
    ],
)
def test_slots_that_come_while_a_job_hangs_wait_and_are_caught_up_or_missed_and_others_go_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, hangs_s: int, expected: list[str]
) -> None:
    threads, times = Threads(), daily("08:00", "08:05", "08:10")
    hanging, sound = Hanging(threads), FakePoller(times)
    pollers = {"one": FakePoller(times, hanging, limit_s=600.0), "two": sound}
    with (
        FakeClock(at("2026-11-20 07:59:58")) as clock,
        World(tmp_path, clock, pollers, executor=threads) as world,
    ):
        world.run(seconds=hangs_s)
        assert (OVERDUE in world.problems()) == (hangs_s > 632)
        hanging.gate.set()
        world.daemon.wait(10)
        world.run(seconds=1)
        assert len(pollers["one"].runs) == 1 + (hangs_s in (420, 720)), "a slot that waits begins at once"
        world.run(minutes=70, least_s=1)
        assert [one.removeprefix("2026-11-20 ") for one in world.outcomes("one")] == expected
        assert len(world.taken("two")) == 3
        assert len(sound.runs) == 3
        assert max(slot.late_s for slot in sound.runs) < 1.1, "nothing held it up"
        assert OVERDUE not in world.problems()
        waited = [record.__dict__["slot"] for record in caplog.records if "the slot waits" in record.message]
        assert len(waited) == len(set(waited)) == (hangs_s > 300) + (hangs_s > 600), "each is counted once"


def test_a_job_that_shows_that_it_is_alive_is_not_overdue(tmp_path: Path) -> None:
    threads = Threads()
    steps = [threads.gate() for _ in range(4)]

    def long_run(slot: Slot, tools: Toolbox) -> Reading:
        for step in steps:
            threads.wait_at(step)
            tools.alive()
        return one_person(slot, tools)

    poller = FakePoller(daily("08:00"), long_run, limit_s=600.0)
    with (
        FakeClock(at("2026-11-20 07:59:58")) as clock,
        World(tmp_path, clock, poller, executor=threads) as world,
    ):
        world.run(seconds=5)
        for step in steps[:3]:
            world.run(minutes=9)
            moved = threads.moved()
            step.set()
            assert moved.wait(10)
            assert OVERDUE not in world.problems()
        world.run(minutes=11)
        assert OVERDUE in world.problems()
        steps[3].set()
        world.daemon.wait(10)
        world.run(minutes=1)
        assert world.problems() == {}
        assert world.outcomes() == ["2026-11-20 08:00 taken"]


def test_a_plain_interval_that_hangs_begins_no_second_run_beside_it_and_says_what_it_skips(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="tallyd")
    threads = Threads()
    hanging = Hanging(threads)
    poller = FakePoller(Every(60.0), hanging, catch_up_s=None, limit_s=600.0)
    with (
        FakeClock(at("2026-11-20 08:00")) as clock,
        World(tmp_path, clock, poller, executor=threads) as world,
    ):
        runner = world.runner
        world.start_with(runner=lambda _config: runner)
        world.run(minutes=30)
        assert len(poller.runs) == 1
        assert OVERDUE in world.problems()
        assert runner.stats.runs()["one", "count"].ended == {"skipped": 29}
        said = [each.getMessage() for each in caplog.records if "skipped" in each.getMessage()]
        assert said == ["job is still running, a run is skipped"]
        hanging.gate.set()
        world.daemon.wait(10)
        world.run(minutes=5)
        assert 5 <= len(poller.runs) - 1 <= 6
        assert world.problems() == {}


def test_a_job_that_somebody_else_runs_is_left_to_the_next_look(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    poller = FakePoller(daily("08:00"))
    with FakeClock(at("2026-11-20 07:59:58")) as clock, World(tmp_path, clock, poller) as world:
        world.stop.stopped = True  # so that the lock is not waited for
        with world.job_lock("one"):
            world.run(seconds=5)
            assert world.outcomes() == []
        world.stop.stopped = False
        world.run(minutes=1)
        assert world.outcomes() == ["2026-11-20 08:00 taken"]
        assert "another process is running the job" in caplog.messages


def test_a_slot_that_the_next_one_overtakes_has_that_reason_and_not_that_the_machine_was_off(
    tmp_path: Path,
) -> None:
    poller = FakePoller(daily("08:00:00", "08:00:01", "12:00"))
    with FakeClock(at("2026-11-20 07:59:58")) as clock, World(tmp_path, clock, poller) as world:
        clock.pass_s(4)  # a look that comes a moment late
        world.run(minutes=1)
        missed, taken = world.history()
        assert (missed.due_at, missed.reason) == (at("2026-11-20 08:00:00"), OVERTAKEN)
        assert (taken.due_at, taken.outcome) == (at("2026-11-20 08:00:01"), "taken")


def test_slots_that_come_together_while_a_run_goes_on_were_kept_by_that_run(tmp_path: Path) -> None:
    threads = Threads()
    hanging = Hanging(threads)
    poller = FakePoller(daily("08:00:00", "08:05:00", "08:05:01", "08:05:02"), hanging)
    with (
        FakeClock(at("2026-11-20 07:59:58")) as clock,
        World(tmp_path, clock, poller, executor=threads) as world,
    ):
        world.run(minutes=5)
        clock.pass_s(10)
        world.run(minutes=1)
        hanging.gate.set()
        world.daemon.wait(10)
        world.run(minutes=1)
        assert [(row.outcome, row.reason) for row in world.history()] == [
            ("taken", None),
            ("missed", BUSY),
            ("missed", BUSY),
            ("taken", None),
        ]


def test_a_slot_that_somebody_else_s_run_keeps_for_too_long_is_missed_for_that_reason(tmp_path: Path) -> None:
    poller = FakePoller(daily("08:00"))
    with FakeClock(at("2026-11-20 07:59:58")) as clock, World(tmp_path, clock, poller) as world:
        world.stop.stopped = True  # so that the lock is not waited for
        with world.job_lock("one"):
            world.run(minutes=16)
        (row,) = world.history()
        assert (row.outcome, row.reason) == ("missed", BUSY)


def _seconds(clock: str) -> int:
    hours, minutes, seconds = (int(part) for part in clock.split(":"))
    return hours * 3600 + minutes * 60 + seconds

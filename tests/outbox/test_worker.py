"""Reports to an upstream: it finally accepts the newest of each day, whatever happens before."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from support.executors import Threads
from support.fakeclock import FakeClock, at
from support.fakeworld import FakePoller, Killed, World, daily, disk_refuses
from support.upstream import DOWN, SSID, SendingPoller, Upstream, fails_first, top
from support.wording import text_of
from tallyd.contract.delivery import Refused
from tallyd.core.errors import SourceError, Stopped
from tallyd.core.reading import OutboxMessage
from tallyd.settings.alerting import AlertSettings
from tallyd.settings.pollers import RetrySettings

KEY = f"one/{SSID}/unsent"
NO = Refused('HTTP 200, Desc "locked"', for_good=False)
NEVER = Refused("HTTP 403", for_good=True)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(at("2026-11-20 14:01"))


@pytest.fixture
def upstream(clock: FakeClock) -> Upstream:
    return Upstream(clock)


def out(world: World, number: int = -1, poller: str = "one") -> dict[str, Any]:
    """Return the content of an out file."""
    name = world.out_files(poller)[number]
    found: dict[str, Any] = json.loads((world.folder / "out" / poller / name).read_text())
    return found


def latest(world: World) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((world.folder / "out" / "one" / "latest.json").read_text())
    return found


def states(world: World) -> list[str]:
    """Return the state of each report, the newest day first."""
    return [f"{row.message.ssid} {row.message.day} {row.state}" for row in world.state.outbox.all("one")]


# -- right after the commit ----------------------------------------------------------------------------------


def test_a_report_is_posted_with_its_slot_and_its_out_file_shows_that(
    tmp_path: Path, clock: FakeClock, upstream: Upstream
) -> None:
    with clock, World(tmp_path, clock, SendingPoller(upstream=upstream)) as world:
        world.run(minutes=10)
        assert upstream.posts == [(SSID, "2026-11-20", 1), (SSID, "2026-11-20", 2)]
        assert upstream.tried_at == ["13:05:00", "13:10:00"]
        assert out(world)["report"] == {"state": "sent", "answer": "OK", "payload": [2]}
        assert latest(world)["report"]["state"] == "sent"
        assert states(world) == [f"{SSID} 2026-11-20 sent"]


def test_what_is_not_taken_is_queued_and_its_file_says_why(
    tmp_path: Path, clock: FakeClock, upstream: Upstream
) -> None:
    upstream.refusals[SSID] = NO
    with clock, World(tmp_path, clock, SendingPoller(upstream=upstream)) as world:
        world.run(minutes=4.1)
        assert out(world)["report"] == {"state": "queued", "answer": NO.answer, "payload": [1]}
        assert states(world) == [f"{SSID} 2026-11-20 waiting"]


def test_an_upstream_that_hangs_holds_up_a_reading_for_twenty_seconds_in_all(
    tmp_path: Path, clock: FakeClock, upstream: Upstream
) -> None:
    upstream.takes_s = 15.0
    poller = SendingPoller(upstream=upstream, ssids=("A", "B", "C"))
    with clock, World(tmp_path, clock, poller) as world:
        world.run(minutes=3, seconds=59.9)
        began_s = clock.monotonic()
        world.daemon.tick()
        clock.pass_s(0.2)
        world.daemon.tick()
        assert 20 <= clock.monotonic() - began_s < 21
        report = out(world)["report"]
        assert (report["state"], report["answer"]) == ("queued", DOWN)
        assert report["by_ssid"] == {
            "A": {"state": "sent", "answer": "OK"},
            "B": {"state": "queued", "answer": DOWN},
            "C": {"state": "queued", "answer": None},
        }


def test_if_one_of_several_names_is_rejected_the_others_are_still_accepted(
    tmp_path: Path, clock: FakeClock, upstream: Upstream
) -> None:
    upstream.refusals["B"] = NO
    poller = SendingPoller(upstream=upstream, ssids=("A", "B", "C"))
    with clock, World(tmp_path, clock, poller, top=top()) as world:
        world.run(minutes=19)
        assert upstream.taken == {("A", "2026-11-20"): 3, ("C", "2026-11-20"): 3}
        assert set(world.problems()) == {"one/B/unsent"}
        (text,) = world.chats.texts()
        assert 'report 14:10 for B not accepted: HTTP 200, Desc "locked".' in text
        upstream.refusals.clear()
        world.run(minutes=5)
        assert world.problems() == {}
        assert "reports for B are accepted again" in world.chats.texts()[-1]


# -- the upstream is away ------------------------------------------------------------------------------------


@pytest.mark.slow
def test_an_upstream_that_is_down_for_a_day_gets_the_newest_report_of_each_day_with_one_notice(
    tmp_path: Path, clock: FakeClock, upstream: Upstream
) -> None:
    upstream.is_down = True
    with clock, World(tmp_path, clock, SendingPoller(upstream=upstream), top=top()) as world:
        world.run(hours=24, least_s=30)
        assert upstream.posts == []
        assert list(world.problems()) == [KEY]
        upstream.is_down = False
        world.run(minutes=6, least_s=1)
        yesterday = 119  # from 14:05 to 23:55
        assert upstream.taken[SSID, "2026-11-20"] == yesterday
        # Of a past day its last report alone; of this one also those of the slots that came since.
        assert [body for _, day, body in upstream.posts if day == "2026-11-20"] == [yesterday]
        assert upstream.taken[SSID, "2026-11-21"] == 14 * 12 + 2
        assert world.problems() == {}
    begun, *reminded, over = world.chats.texts()
    assert "report 14:1" in begun
    assert f"not delivered: {DOWN}. Counting goes on; the newest report is retried." in begun
    assert "unlocked" not in begun
    assert len(reminded) <= 1  # once a day
    assert "reports are accepted again" in over


def test_a_short_outage_is_not_notified(tmp_path: Path, clock: FakeClock, upstream: Upstream) -> None:
    upstream.is_down = True
    with clock, World(tmp_path, clock, SendingPoller(upstream=upstream), top=top()) as world:
        world.run(minutes=9.5)
        upstream.is_down = False
        world.run(minutes=30)
        assert upstream.taken == {(SSID, "2026-11-20"): 8}
    assert world.chats.texts() == []


def test_the_pauses_of_the_worker_grow_and_end_with_the_first_accepted_report(
    tmp_path: Path, clock: FakeClock, upstream: Upstream
) -> None:
    upstream.is_down = True
    retry = RetrySettings.model_validate({"first_wait": "1m", "longest_wait": "4m"})
    poller = SendingPoller(upstream=upstream, when=daily("14:05"), retry=retry)
    with clock, World(tmp_path, clock, poller) as world:
        world.run(minutes=30)
        minutes = [int(tried[3:5]) for tried in upstream.tried_at]
        assert minutes == [5, 6, 7, 9, 13, 17, 21, 25, 29]
        upstream.is_down = False
        world.run(minutes=5)
        assert len(upstream.posts) == 1


@pytest.mark.parametrize(
    ("asked_s", "tried"),
    [
        pytest.param(1500.0, ["13:05", "13:30", "13:55", "14:20"], id="25 minutes"),
        pytest.param(366 * 86400.0, ["13:05", "14:05"], id="a year: an hour"),
    ],
)
def test_an_upstream_gets_the_wait_that_it_asks_for_but_at_most_an_hour(
    tmp_path: Path, clock: FakeClock, upstream: Upstream, asked_s: float, tried: list[str]
) -> None:
    upstream.is_down, upstream.retry_after_s = True, asked_s
    with clock, World(tmp_path, clock, SendingPoller(upstream=upstream), top=top()) as world:
        world.run(hours=1.4, least_s=1)
        assert [each[:5] for each in upstream.tried_at] == tried


def test_the_alert_shows_when_the_wait_of_an_upstream_ends(
    tmp_path: Path, clock: FakeClock, upstream: Upstream
) -> None:
    upstream.is_down, upstream.retry_after_s = True, 3600.0
    with clock, World(tmp_path, clock, SendingPoller(upstream=upstream), top=top()) as world:
        world.run(minutes=16)
        assert text_of(world.problems()[KEY], now=world.clock.now()) == (
            "report 14:15 not delivered: upstream.example timed out. No retry before 15:05. "
            "Counting goes on; the newest report is retried."
        )


def test_a_new_config_ends_the_wait_that_an_upstream_asked_for(
    tmp_path: Path, clock: FakeClock, upstream: Upstream
) -> None:
    upstream.is_down, upstream.retry_after_s = True, 3600.0
    with clock, World(tmp_path, clock, SendingPoller(upstream=upstream)) as world:
        world.run(minutes=8)
        assert len(upstream.tried_at) == 1
        world.edit()
        world.run(minutes=1)
        assert len(upstream.tried_at) == 2


def test_once_an_upstream_asks_for_time_it_is_not_asked_for_another_name_either(
    tmp_path: Path, clock: FakeClock, upstream: Upstream
) -> None:
    upstream.is_down, upstream.retry_after_s = True, 150.0
    poller = SendingPoller(upstream=upstream, when=daily("14:05"), ssids=("A", "B"))
    with clock, World(tmp_path, clock, poller) as world:
        world.run(minutes=4.1)
        upstream.retry_after_s = None  # what is said without it does not shorten the wait
        world.run(minutes=2.3)
        assert upstream.tried_at == ["13:05:00"]
        upstream.is_down = False
        world.run(minutes=1)
        assert {ssid for ssid, _ in upstream.taken} == {"A", "B"}


def test_an_outage_past_midnight_goes_on_being_one(
    tmp_path: Path, clock: FakeClock, upstream: Upstream
) -> None:
    upstream.is_down = True
    with clock, World(tmp_path, clock, SendingPoller(upstream=upstream), top=top()) as world:
        world.run(hours=11, least_s=60)
        assert len(world.chats.texts()) == 1
        assert list(world.problems()) == [KEY]


# -- refused -------------------------------------------------------------------------------------------------


def test_a_report_rejected_with_status_200_is_notified_after_ten_minutes(
    tmp_path: Path, clock: FakeClock, upstream: Upstream
) -> None:
    upstream.refusals[SSID] = NO
    with clock, World(tmp_path, clock, SendingPoller(upstream=upstream), top=top()) as world:
        world.run(minutes=13)
        assert world.problems() == {}
        world.run(minutes=2)
        (text,) = world.chats.texts()
        assert text.startswith('[box] report 14:10 not accepted: HTTP 200, Desc "locked".')
        assert "Counting goes on; the newest report is retried." in text
        assert "Is this machine's address still unlocked?" in text


def test_an_out_file_has_the_problems_that_other_jobs_found(
    tmp_path: Path, clock: FakeClock, upstream: Upstream
) -> None:
    upstream.refusals[SSID] = NO
    with clock, World(tmp_path, clock, SendingPoller(upstream=upstream)) as world:
        world.run(minutes=20)
        assert out(world, 0)["problems"] == []
        (problem,) = out(world)["problems"]
        assert (problem["key"], problem["severity"]) == (*world.problems(), "error")
        upstream.refusals.clear()
        world.run(minutes=10)
        assert out(world)["problems"] == []


def test_a_report_rejected_for_good_is_notified_at_once_and_not_posted_again(
    tmp_path: Path, clock: FakeClock, upstream: Upstream
) -> None:
    upstream.refusals[SSID] = NEVER
    poller = SendingPoller(upstream=upstream, when=daily("14:05"))
    with clock, World(tmp_path, clock, poller, top=top()) as world:
        world.run(minutes=60)
        assert len(upstream.posts) == 1
        assert states(world) == [f"{SSID} 2026-11-20 parked"]
        (text,) = world.chats.texts()
        assert "report 14:05 not accepted: HTTP 403." in text


def test_the_newer_report_of_the_next_slot_is_posted_although_the_last_was_rejected_for_good(
    tmp_path: Path, clock: FakeClock, upstream: Upstream
) -> None:
    upstream.refusals[SSID] = NEVER
    with clock, World(tmp_path, clock, SendingPoller(upstream=upstream), top=top()) as world:
        world.run(minutes=10)
        assert upstream.posts == [(SSID, "2026-11-20", 1), (SSID, "2026-11-20", 2)]
        upstream.refusals.clear()
        world.run(minutes=5)
        assert upstream.taken == {(SSID, "2026-11-20"): 3}
        assert world.problems() == {}
        assert len(world.chats.texts()) == 2  # that it began, and that it is over


def test_a_report_rejected_for_good_is_tried_again_after_a_config_change_and_at_the_next_start(
    tmp_path: Path, clock: FakeClock, upstream: Upstream
) -> None:
    upstream.refusals[SSID] = NEVER
    poller = SendingPoller(upstream=upstream, when=daily("14:05"))
    with clock, World(tmp_path, clock, poller, top=top()) as world:
        world.run(minutes=10)
        world.edit(poller)
        world.run(minutes=2)
        assert len(upstream.posts) == 2
        upstream.refusals.clear()
        world.restart()
        world.run(minutes=2)
        assert states(world) == [f"{SSID} 2026-11-20 sent"]
        assert world.problems() == {}


def test_a_rejected_report_of_a_past_day_blocks_nothing(
    tmp_path: Path, clock: FakeClock, upstream: Upstream
) -> None:
    poller = SendingPoller(upstream=upstream, ssids=("A", "B"))
    upstream.refusals["A"] = NEVER
    with clock, World(tmp_path, clock, poller, top=top()) as world:
        world.run(hours=10, minutes=10, least_s=60)
        assert upstream.taken["B", "2026-11-20"] == 119
        assert upstream.taken["B", "2026-11-21"] == 3


# -- killed, lost, crashed -----------------------------------------------------------------------------------


def test_a_reply_that_is_lost_has_the_report_posted_again(
    tmp_path: Path, clock: FakeClock, upstream: Upstream
) -> None:
    upstream.then = fails_first(1, SourceError(DOWN, transient=True))
    poller = SendingPoller(upstream=upstream, when=daily("14:05"))
    with clock, World(tmp_path, clock, poller) as world:
        world.run(minutes=10)
        assert upstream.posts == [(SSID, "2026-11-20", 1)] * 2
        assert states(world) == [f"{SSID} 2026-11-20 sent"]
        assert out(world)["report"]["state"] == "queued"  # as it was known when the file was written


def test_a_process_killed_between_the_post_and_its_note_writes_the_file_and_posts_again(
    tmp_path: Path, clock: FakeClock, upstream: Upstream
) -> None:
    upstream.then = fails_first(1, Killed())
    poller = SendingPoller(upstream=upstream, when=daily("14:05"))
    with clock, World(tmp_path, clock, poller) as world:
        with pytest.raises(Killed):
            world.run(minutes=10)
        assert world.out_files() == []
        world.restart(off_s=5)
        assert world.outcomes() == ["2026-11-20 14:05 taken"]
        assert out(world)["report"] == {"state": "queued", "answer": None, "payload": [1]}
        world.run(minutes=1)
        assert upstream.posts == [(SSID, "2026-11-20", 1)] * 2
        assert states(world) == [f"{SSID} 2026-11-20 sent"]
        assert len(poller.runs) == 1


def test_what_waits_is_posted_after_a_restart(tmp_path: Path, clock: FakeClock, upstream: Upstream) -> None:
    upstream.is_down = True
    poller = SendingPoller(upstream=upstream, when=daily("14:05"))
    with clock, World(tmp_path, clock, poller) as world:
        world.run(minutes=5)
        upstream.is_down = False
        world.restart(off_s=86400 * 3 + 3600)
        assert upstream.taken == {(SSID, "2026-11-20"): 1}


def test_an_alert_survives_a_restart_and_is_over_with_the_first_report_taken(
    tmp_path: Path, clock: FakeClock, upstream: Upstream
) -> None:
    upstream.is_down = True
    with clock, World(tmp_path, clock, SendingPoller(upstream=upstream), top=top()) as world:
        world.run(minutes=20)
        world.restart()
        assert list(world.problems()) == [KEY]
        upstream.is_down = False
        world.run(minutes=5)
        assert world.problems() == {}
        assert len(world.chats.texts()) == 2


def test_a_bug_in_a_delivery_loses_no_reading_and_is_notified(
    tmp_path: Path, clock: FakeClock, upstream: Upstream, caplog: pytest.LogCaptureFixture
) -> None:
    upstream.then = fails_first(10_000, KeyError("secret"))
    with clock, World(tmp_path, clock, SendingPoller(upstream=upstream), top=top()) as world:
        world.run(minutes=20)
        assert len(world.taken()) == 4
        assert out(world)["report"]["answer"] == "tallyd itself failed (KeyError)"
        (text,) = world.chats.texts()
        assert "not delivered: tallyd itself failed (KeyError)." in text
    assert any(record.exc_info for record in caplog.records if record.msg == "delivery crashed")


# -- the disk ------------------------------------------------------------------------------------------------


def test_reports_of_a_time_when_state_db_was_full_are_sent_afterwards(
    tmp_path: Path, clock: FakeClock, upstream: Upstream
) -> None:
    with clock, World(tmp_path, clock, SendingPoller(upstream=upstream)) as world:
        world.run(minutes=4.1)
        with disk_refuses():
            world.run(minutes=10)
        assert upstream.taken == {(SSID, "2026-11-20"): 1}
        world.run(minutes=2)
        assert upstream.taken == {(SSID, "2026-11-20"): 3}
        assert len(world.taken()) == 3
        assert len(world.out_files()) == 3


def test_what_was_taken_and_could_not_be_noted_is_posted_again_once_it_can(
    tmp_path: Path, clock: FakeClock, upstream: Upstream
) -> None:
    upstream.is_down = True
    poller = SendingPoller(upstream=upstream, when=daily("14:05"))
    with clock, World(tmp_path, clock, poller) as world:
        world.run(minutes=4.1)
        with disk_refuses():
            upstream.is_down = False
            world.run(minutes=30)
        assert [body for *_, body in upstream.posts] == [1]
        world.run(minutes=5)
        assert [body for *_, body in upstream.posts] == [1, 1]
        assert states(world) == [f"{SSID} 2026-11-20 sent"]


# -- the config ----------------------------------------------------------------------------------------------


def test_reports_of_a_poller_that_leaves_the_config_are_forgotten(
    tmp_path: Path, clock: FakeClock, upstream: Upstream
) -> None:
    upstream.is_down = True
    with clock, World(tmp_path, clock, SendingPoller(upstream=upstream), top=top()) as world:
        world.run(minutes=20)
        world.edit({"other": FakePoller(daily("08:00"))})
        world.run(minutes=1)
        assert states(world) == []
        assert world.problems() == {}
        assert "no longer watched" in world.chats.texts()[-1]


def test_reports_that_are_not_to_be_posted_any_more_are_forgotten(
    tmp_path: Path, clock: FakeClock, upstream: Upstream
) -> None:
    upstream.is_down = True
    with clock, World(tmp_path, clock, SendingPoller(upstream=upstream)) as world:
        world.run(minutes=5)
        world.edit(SendingPoller(upstream=upstream, sends_on=False))
        world.run(minutes=1)
        assert states(world) == []


def test_a_name_that_leaves_the_config_is_forgotten_and_the_others_stay(
    tmp_path: Path, clock: FakeClock, upstream: Upstream
) -> None:
    upstream.is_down = True
    poller = SendingPoller(upstream=upstream, ssids=("A", "B"))
    with clock, World(tmp_path, clock, poller, top=top()) as world:
        world.run(minutes=20)
        assert set(world.problems()) == {"one/A/unsent", "one/B/unsent"}
        world.edit(SendingPoller(upstream=upstream, ssids=("A",)))
        world.run(seconds=40)
        assert states(world) == ["A 2026-11-20 waiting"]
        assert set(world.problems()) == {"one/A/unsent"}


def test_an_edit_of_something_else_leaves_the_alert_as_it_is(
    tmp_path: Path, clock: FakeClock, upstream: Upstream
) -> None:
    upstream.is_down = True
    with clock, World(tmp_path, clock, SendingPoller(upstream=upstream), top=top()) as world:
        world.run(minutes=20)
        since = world.problems()[KEY].since
        world.edit({"one": SendingPoller(upstream=upstream), "other": FakePoller(daily("08:00"))})
        world.run(minutes=1)
        assert world.problems()[KEY].since == since
        assert len(world.chats.texts()) == 1


def test_a_text_of_the_config_takes_the_place_of_the_alerts_own(
    tmp_path: Path, clock: FakeClock, upstream: Upstream
) -> None:
    upstream.is_down = True
    texts = AlertSettings.model_validate({"texts": {"unsent": "the {slot} one: {reason}"}})
    with clock, World(tmp_path, clock, SendingPoller(upstream=upstream, alerts=texts), top=top()) as world:
        world.run(minutes=20)
        assert f"one: {DOWN}" in world.chats.texts()[0]


# -- side by side --------------------------------------------------------------------------------------------


def test_once_posts_and_touches_no_slot_no_alert_and_no_memory(
    tmp_path: Path, clock: FakeClock, upstream: Upstream
) -> None:
    upstream.refusals[SSID] = NEVER
    with clock, World(tmp_path, clock, SendingPoller(upstream=upstream)) as world:
        (result,) = world.runner.once(world.task)
        assert result.reading.facts is not None
        assert result.reading.facts["report"] == {"state": "queued", "answer": "HTTP 403", "payload": [1]}
        assert result.out is not None
        assert out(world)["report"] == result.reading.facts["report"]
        assert world.problems() == {}
        assert world.state.readings.memory("one", "report") == {}
        assert world.outcomes() == ["no slot taken"]


def test_while_somebody_else_posts_for_a_poller_its_reports_are_left_to_the_worker(
    tmp_path: Path, clock: FakeClock, upstream: Upstream
) -> None:
    with clock, World(tmp_path, clock, SendingPoller(upstream=upstream)) as world:
        with world.lock("one.sending"):
            world.run(minutes=4.2)
            assert upstream.posts == []
            assert out(world)["report"] == {"state": "queued", "answer": None, "payload": [1]}
        world.run(minutes=1)
        assert upstream.taken == {(SSID, "2026-11-20"): 1}


def test_a_newer_report_that_comes_while_an_older_is_posted_is_posted_next(
    tmp_path: Path, clock: FakeClock, upstream: Upstream
) -> None:
    executor = Threads()
    gate = executor.gate()

    def hang_at_the_first(message: OutboxMessage) -> None:
        if message.body == 1:
            executor.wait_at(gate)

    upstream.then = hang_at_the_first
    upstream.is_down = True
    with clock, World(tmp_path, clock, SendingPoller(upstream=upstream), executor=executor) as world:
        world.run(minutes=4.05)
        upstream.is_down = False
        world.run(minutes=5.5)  # the worker hangs with the first; the second is queued behind it
        assert [body for *_, body in upstream.posts] == [1]
        assert out(world)["report"]["state"] == "queued"
        gate.set()
        assert world.daemon.wait(10)
        assert states(world) == [f"{SSID} 2026-11-20 waiting"]
        world.run(minutes=1)
        assert world.daemon.wait(10)
        assert [body for *_, body in upstream.posts] == [1, 2]
        assert states(world) == [f"{SSID} 2026-11-20 sent"]


# -- several readings of one slot ----------------------------------------------------------------------------


def test_the_last_report_of_a_day_is_committed_with_the_first_of_the_next(
    tmp_path: Path, clock: FakeClock, upstream: Upstream
) -> None:
    with clock, World(tmp_path, clock, SendingPoller(upstream=upstream)) as world:
        world.run(hours=10, minutes=2, least_s=60)
        assert upstream.posts[-2:] == [(SSID, "2026-11-21", 1), (SSID, "2026-11-20", 119)]
        assert upstream.taken == {(SSID, "2026-11-20"): 119, (SSID, "2026-11-21"): 1}
        past, today = [row for row in world.history() if row.due_at == at("2026-11-21 00:00")]
        assert (past.part, past.slot) == ("2026-11-20", f"{today.slot}#2026-11-20")
        assert (today.part, today.body and today.body["day"]) == (None, "2026-11-21")
        assert latest(world)["day"] == "2026-11-21"
        newest = world.state.readings.last("one", now=clock.now())
        assert newest is not None
        assert newest.part is None
        assert world.out_files()[-2:] == [
            "2026-11/2026-11-21T000000+0100-2.json",
            "2026-11/2026-11-21T000000+0100.json",
        ]


def test_logs_say_once_that_a_report_is_not_taken(
    tmp_path: Path, clock: FakeClock, upstream: Upstream, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "tallyd")
    upstream.is_down = True
    poller = SendingPoller(upstream=upstream, when=daily("14:05"))
    with clock, World(tmp_path, clock, poller) as world:
        world.run(minutes=60)
    assert [record.msg for record in caplog.records].count("report not accepted, will retry") == 1


def test_a_file_is_not_written_before_it_is_known_what_became_of_its_report(
    tmp_path: Path, clock: FakeClock, upstream: Upstream
) -> None:
    executor = Threads()
    gate = executor.gate()
    upstream.then = lambda _message: executor.wait_at(gate)
    poller = SendingPoller(upstream=upstream, when=daily("14:05"))
    with clock, World(tmp_path, clock, poller, executor=executor) as world:
        world.run(minutes=6)  # several looks at everything, each of which writes what is not written
        assert len(upstream.posts) == 1
        assert world.taken() == ["2026-11-20 14:05"]
        assert world.out_files() == []
        gate.set()
        assert world.daemon.wait(10)
        assert out(world)["report"]["state"] == "sent"


def test_a_shutdown_during_a_post_leaves_the_report_queued_and_the_file_written(
    tmp_path: Path, clock: FakeClock, upstream: Upstream
) -> None:
    upstream.then = fails_first(1, Stopped())
    poller = SendingPoller(upstream=upstream, when=daily("14:05"))
    with clock, World(tmp_path, clock, poller) as world:
        world.run(minutes=4.01)
        assert out(world)["report"] == {"state": "queued", "answer": None, "payload": [1]}
        assert states(world) == [f"{SSID} 2026-11-20 waiting"]
        world.restart()
        assert len(upstream.posts) == 2


def test_after_two_names_without_an_answer_the_pass_ends(
    tmp_path: Path, clock: FakeClock, upstream: Upstream
) -> None:
    upstream.takes_s = 60.0
    poller = SendingPoller(upstream=upstream, when=daily("14:05"), ssids=("A", "B", "C", "D"))
    with clock, World(tmp_path, clock, poller) as world:
        world.run(minutes=4.1)
        assert len(upstream.tried_at) == 1  # it took all of the twenty seconds
        world.daemon.look_at_everything()
        clock.pass_s(60)
        world.daemon.look_at_everything()
        assert len(upstream.tried_at) == 3
        upstream.takes_s = 0.0
        world.run(minutes=3)
        assert {ssid for ssid, _ in upstream.taken} == {"A", "B", "C", "D"}

"""The notices of the whole daemon: during outages, restarts, failing channels and full disks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import time, timedelta
from pathlib import Path

import pytest

from support.executors import Threads
from support.fakeclock import FakeClock
from support.fakeworld import FakePoller, Killed, World, daily, disk_refuses, one_person
from support.outages import DOWN, ONE_TRY, OPS, PHONE, REFUSED, Source, minutely, top
from support.translations import Use
from tallyd.contract.toolbox import Toolbox
from tallyd.core.alerts.daemon_alerts import NETWORK
from tallyd.core.reading import Reading, Slot
from tallyd.core.schedule.hours import Hours
from tallyd.settings.alerting import AlertSettings, TextSettings

Make = Callable[..., World]


@pytest.mark.parametrize("killed", [False, True], ids=["one life", "killed in between, each minute"])
def test_an_outage_is_notified_once_when_a_slot_is_lost_and_once_when_it_ends(
    tmp_path: Path, clock: FakeClock, killed: bool
) -> None:
    source = Source(DOWN)
    poller = FakePoller(daily("08:00", "12:00", "16:00"), source, retry=ONE_TRY)
    with clock, World(tmp_path, clock, poller, top=top()) as world:
        for _ in range(240):
            world.run(minutes=1, least_s=20)
            if killed:
                world.restart()
        (begins,) = world.chats.texts()
        assert begins == (
            "[box] one: no reading for Fri 08:00: example.org timed out. Next slot 12:00. "
            "Recorded as missing, not zero."
        )
        source.error = None
        for _ in range(10):
            world.run(minutes=1, least_s=20)
            if killed:
                world.restart()
        assert world.chats.texts()[1:] == [
            "[box] one: working again since 12:00, after 4 h; 1 reading missing (08:00)."
        ]
        world.run(hours=6, least_s=300)
        assert len(world.chats.texts()) == 2
        assert world.state.alerts.all() == {}
        assert world.state.notifications.notified() == {}


def test_an_outage_that_is_made_up_for_within_the_catch_up_wakes_nobody(
    tmp_path: Path, clock: FakeClock
) -> None:
    source = Source(DOWN)
    with clock, World(tmp_path, clock, FakePoller(daily("08:00"), source, retry=ONE_TRY), top=top()) as world:
        world.run(minutes=8)
        assert list(world.problems()) == ["one/count/failed"]
        source.error = None
        world.run(minutes=30)
        assert world.taken() == ["2026-11-20 08:00"]
        assert world.chats.texts() == []


def test_with_a_long_catch_up_it_is_notified_after_a_quarter_of_an_hour(
    tmp_path: Path, clock: FakeClock
) -> None:
    poller = FakePoller(daily("08:00"), Source(DOWN), retry=ONE_TRY, catch_up_s=4 * 3600)
    with clock, World(tmp_path, clock, poller, top=top()) as world:
        world.run(minutes=14)
        assert world.chats.texts() == []
        world.run(minutes=6)
        (text,) = world.chats.texts()
        assert "no reading for Fri 08:00: example.org timed out. Retrying until 12:00." in text
        world.run(hours=5, least_s=300)
        assert len(world.chats.texts()) == 1, "that it is given up in the end is in the status"


def test_a_rejected_key_is_notified_at_once_with_a_daily_reminder(tmp_path: Path, clock: FakeClock) -> None:
    poller = FakePoller(daily("08:00", "20:00"), Source(REFUSED))
    with clock, World(tmp_path, clock, poller, top=top()) as world:
        world.run(seconds=5)
        (text,) = world.chats.texts()
        assert "access key refused (HTTP 403). No retry before 20:00." in text
        for _ in range(49):
            world.run(hours=1, least_s=300)
            world.restart()
        assert len(poller.runs) == 5, "no hammering"
        assert len(world.chats.texts()) == 3
        assert world.chats.texts()[1].startswith("[box] still, after 1 d: one: no reading for Sat 08:00: ")


def test_raise_after_counts_lost_slots_and_not_tries(tmp_path: Path, clock: FakeClock) -> None:
    source = Source(DOWN)
    poller = FakePoller(
        daily("08:00", "09:00", "10:00"),
        source,
        retry=ONE_TRY,
        alerts=AlertSettings(channels=("ops",), raise_after=2),
    )
    with clock, World(tmp_path, clock, poller, top=top("phone")) as world:
        world.run(minutes=50, least_s=5)
        assert world.chats.texts() == []
        world.run(minutes=30, least_s=5)
        (text,) = world.chats.texts()
        assert "no reading for Fri 09:00" in text
        source.error = None
        world.run(minutes=50, least_s=5)
        assert world.chats.texts()[1:] == [
            "[box] one: working again since 10:00, after 2 h; 2 readings missing (08:00 and 09:00)."
        ]
        assert world.chats.texts(PHONE) == []


def test_a_channel_that_was_down_gets_the_end_of_an_outage_once_and_delays_no_other(
    tmp_path: Path, clock: FakeClock
) -> None:
    source = Source(below=["gate"])
    with clock, World(tmp_path, clock, minutely(source), top=top("ops", "phone")) as world:
        world.chats.down = {PHONE}
        world.run(minutes=2)
        assert world.chats.texts() == ["[box] one: too few on gate"]
        source.below = []
        world.run(minutes=3)
        assert world.chats.texts()[1:] == ["[box] one: enough on gate since 08:02, after 2 min."]
        assert world.chats.texts(PHONE) == []
        world.restart()
        world.chats.down = set()
        world.run(minutes=1)
        assert world.chats.texts(PHONE) == [
            "[box] one: enough on gate since 08:02, after 2 min. It was: one: too few on gate"
        ]
        world.run(minutes=30)
        assert len(world.chats.texts()) == 2
        assert world.state.alerts.all() == {}


def test_the_pauses_of_a_failing_channel_grow_and_the_others_are_notified(
    tmp_path: Path, clock: FakeClock
) -> None:
    source = Source(below=["gate"])
    with clock, World(tmp_path, clock, minutely(source), top=top("ops", "phone")) as world:
        tries: list[str] = []
        deliver = world.chats.__class__.__call__

        def counted(url: str, message: object) -> None:
            if url == PHONE:
                tries.append(f"{clock.now():%H:%M}")
            deliver(world.chats, url, message)  # type: ignore[arg-type] # handed on as it came

        world.teller_deliver(counted)
        world.chats.down = {PHONE}
        world.run(minutes=60, least_s=5)
        assert 13 <= len(tries) <= 16, tries
        assert len(world.chats.texts()) == 2
        assert world.chats.texts()[1].startswith("[box] channel phone has not accepted messages since 08:00")
        assert "chat.example: connection refused" in world.chats.texts()[1]
        world.chats.down = set()
        world.run(minutes=12, least_s=5)
        assert world.chats.texts()[2:] == [
            world.chats.texts()[2],
        ]
        assert world.chats.texts()[2].startswith("[box] channel phone accepts messages since ")
        assert world.chats.texts(PHONE)[0].endswith("one: too few on gate")


@pytest.mark.parametrize("moment", ["begins", "over"])
def test_a_kill_between_delivery_and_note_repeats_the_notice_and_never_loses_it(
    tmp_path: Path, clock: FakeClock, moment: str
) -> None:
    source = Source(below=["gate"])
    with clock, World(tmp_path, clock, minutely(source), top=top()) as world:
        if moment == "over":
            world.run(minutes=2)
            source.below = []
        notified_before = len(world.chats.texts())
        world.chats.lost = {OPS}
        with pytest.raises(Killed):
            world.run(minutes=5)
        assert len(world.chats.texts()) == notified_before + 1
        world.chats.lost = set()
        world.restart()
        world.run(minutes=5)
        again = world.chats.texts()[notified_before:]
        assert len(again) == 2
        assert again[0] == again[1]


def test_an_outage_while_the_disk_is_full_is_notified_and_each_slot_is_tried_and_given_up(
    tmp_path: Path, clock: FakeClock
) -> None:
    source = Source()
    poller = FakePoller(daily("08:00", "09:00", "10:00"), source, retry=ONE_TRY)
    with clock, World(tmp_path, clock, poller, top=top()) as world:
        world.run(minutes=10, least_s=1)
        with disk_refuses():
            source.error = DOWN
            world.run(hours=3, least_s=30)
            assert [text for text in world.chats.texts() if "no reading for Fri 09:00" in text]
        source.error = None
        world.run(minutes=5, least_s=1)
        assert world.outcomes() == [
            "2026-11-20 08:00 taken",
            "2026-11-20 09:00 missed",
            "2026-11-20 10:00 missed",
        ]


def test_a_channel_is_not_said_to_take_messages_before_it_does(tmp_path: Path, clock: FakeClock) -> None:
    source = Source(below=["gate"])
    with clock, World(tmp_path, clock, minutely(source), top=top("ops", "phone")) as world:
        world.chats.down = {PHONE}
        world.run(minutes=16, least_s=5)
        assert len(world.chats.texts()) == 2
        for _ in range(3):
            world.restart()
            world.run(minutes=12, least_s=5)
        assert len(world.chats.texts()) == 2, "one outage of the channel is one message"
        world.chats.down = set()
        world.run(minutes=12, least_s=5)
        assert world.chats.texts()[2].startswith("[box] channel phone accepts messages since ")


def test_slots_that_were_lost_together_count_as_many_as_they_are(tmp_path: Path, clock: FakeClock) -> None:
    alerts = AlertSettings(channels=("ops",), raise_after=3)
    poller = FakePoller(daily("08:00", "09:00", "10:00", "11:00"), alerts=alerts)
    with clock, World(tmp_path, clock, poller, top=top()) as world:
        world.run(minutes=1)
        world.restart(off_s=2.5 * 3600)
        world.run(minutes=1)
        assert world.chats.texts() == [], "two of three"
        world.restart(off_s=3600)
        world.run(minutes=1)
        (text,) = world.chats.texts()
        assert "no readings for 09:00, 10:00 and 11:00: nothing ran at that time" in text


def test_a_timeout_that_turns_out_to_be_a_wrong_key_is_notified_again(
    tmp_path: Path, clock: FakeClock
) -> None:
    source = Source(DOWN)
    poller = FakePoller(daily("08:00", "09:00", "10:00", "11:00"), source, retry=ONE_TRY)
    with clock, World(tmp_path, clock, poller, top=top()) as world:
        world.run(minutes=30, least_s=30)
        source.error = REFUSED
        world.run(minutes=60, least_s=30)
        source.error = DOWN
        world.run(minutes=60, least_s=30)
        source.error = REFUSED
        world.run(minutes=60, least_s=5)
        assert len(world.chats.texts()) == 2
        assert "access key refused" in world.chats.texts()[1]


def test_a_subject_that_is_no_longer_watched_is_not_reported_as_resolved(
    tmp_path: Path, clock: FakeClock
) -> None:
    source = Source(below=["gate", "door"])
    poller = minutely(source)
    poller.watches = {"below": frozenset({"gate", "door"})}
    with clock, World(tmp_path, clock, poller, top=top()) as world:
        world.run(minutes=2)
        source.below = ["door"]
        world.edit(replace(poller, watches={"below": frozenset({"door"})}))
        world.run(minutes=2)
        assert world.chats.texts()[1:] == [
            "[box] no longer watched: one/gate/below, open since 08:00; it was removed"
        ]


def test_a_subject_that_a_reading_has_forgotten_is_not_reported_as_resolved(
    tmp_path: Path, clock: FakeClock
) -> None:
    source = Source(below=["gate", "gateway", "door"])
    with clock, World(tmp_path, clock, minutely(source), top=top()) as world:
        world.run(minutes=2)
        source.below, source.forgotten = ["door"], frozenset({"one/gate"})
        world.run(minutes=2)
        (text,) = world.chats.texts()[1:]
        assert "no longer watched: one/gate/below, open since 08:00; it was removed" in text
        assert "one: enough on gateway since 08:02" in text
        source.forgotten = frozenset()
        source.below = ["gate", "door"]
        world.run(minutes=2)
        assert len(world.chats.texts()) == 3, "it may come back"


@pytest.mark.parametrize(
    ("moment", "is_open"),
    [("before the run", True), ("during the run", True), ("during the run", False), ("after the run", True)],
)
def test_a_run_that_ends_after_its_subject_was_removed_says_nothing_of_it(
    tmp_path: Path, clock: FakeClock, moment: str, is_open: bool
) -> None:
    source, threads = Source(below=["gate"] if is_open else []), Threads()
    gate, is_slow = threads.gate(), False

    def act(slot: Slot, tools: Toolbox) -> Reading:
        reading = source(slot, tools)
        if is_slow:
            threads.wait_at(gate)
        return reading

    poller = replace(minutely(source), act=act, watches={"below": frozenset({"gate", "door"})})
    without = replace(poller, watches={"below": frozenset({"door"})})
    with clock, World(tmp_path, clock, poller, top=top(), executor=threads) as world:
        world.run(minutes=2)
        if moment == "before the run":
            world.edit(without)
        is_slow = moment == "during the run"
        source.below = ["gate"]
        world.run(minutes=2 if moment == "during the run" else 0.5)
        world.edit(without)
        world.run(minutes=0.5)
        source.below, is_slow = [], False
        gate.set()
        assert world.daemon.wait(10)
        world.run(minutes=5)
        texts = [text for text in world.chats.texts() if "gate" in text]
        over = "[box] no longer watched: one/gate/below, open since 08:00; it was removed"
        assert texts == (["[box] one: too few on gate", over] if is_open else [])


def test_a_new_channel_gets_the_open_alerts_and_a_removed_one_gets_nothing_more(
    tmp_path: Path, clock: FakeClock
) -> None:
    source = Source(below=["gate"])
    poller = minutely(source)
    with clock, World(tmp_path, clock, poller, top=top()) as world:
        world.run(minutes=2)
        poller.alerts = AlertSettings(channels=("phone",))
        world.edit(poller)
        world.run(minutes=2)
        assert world.chats.texts(PHONE) == ["[box] one: too few on gate"]
        source.below = []
        world.run(minutes=2)
        assert len(world.chats.texts(PHONE)) == 2
        assert len(world.chats.texts()) == 2, "it was notified of the begin, so also of the end"
        source.below = ["gate"]
        world.run(minutes=2)
        assert len(world.chats.texts()) == 2


def test_an_alert_that_leaves_the_config_is_notified_as_no_longer_watched(
    tmp_path: Path, clock: FakeClock
) -> None:
    pollers = {"one": minutely(Source(below=["gate"])), "two": minutely(Source())}
    with clock, World(tmp_path, clock, pollers, top=top("ops", "phone")) as world:
        world.chats.down = {PHONE}
        world.run(minutes=2)
        world.edit({"two": pollers["two"]})
        world.run(minutes=2)
        assert world.chats.texts()[1:] == [
            "[box] no longer watched: one/gate/below, open since 08:00; it was removed"
        ]
        world.chats.down = set()
        world.run(minutes=20)
        assert world.chats.texts(PHONE) == [], "what it never heard of is no news to it"
        assert world.state.alerts.all() == {}


def test_two_thousand_problems_at_once_are_one_message(tmp_path: Path, clock: FakeClock) -> None:
    source = Source(below=[f"gate {number}" for number in range(2000)])
    poller = minutely(source)
    poller.watches = {"below": frozenset(f"gate {number}" for number in range(3000))}
    with clock, World(tmp_path, clock, poller, top=top("ops", "phone")) as world:
        world.run(seconds=10)
        for url in (OPS, PHONE):
            (text,) = world.chats.texts(url)
            assert text == (
                "[box] one: 2000 of 3000 subjects below: "
                "gate 0, gate 1, gate 10, gate 100, gate 1000 and 1995 more"
            )
        source.below = []
        world.run(minutes=1)
        (_, over) = world.chats.texts()
        assert over.startswith("[box] resolved: one: 2000 of 3000 subjects below: ")
        world.run(seconds=40)
        assert world.state.alerts.all() == {}


def test_quiet_hours_hold_back_warnings_and_then_send_the_current_state(
    tmp_path: Path, clock: FakeClock
) -> None:
    source = Source(below=["gate", "door"])
    quiet = [{"from": "07:00", "to": "09:00"}]
    with clock, World(tmp_path, clock, minutely(source), top=top(quiet_hours=quiet)) as world:
        world.run(minutes=10)
        source.below = ["gate"]
        world.run(minutes=20)
        assert world.chats.texts() == []
        source.error = REFUSED
        world.run(minutes=2)
        (error,) = world.chats.texts()
        assert "access key refused" in error
        source.error = None
        world.run(minutes=40)
        assert len(world.chats.texts()) == 3
        assert world.chats.texts()[1].startswith("[box] one: working again since 08:32")
        lines = world.chats.texts()[2].split("\n")
        assert lines[0] == "[box] 1 problem, 1 resolved:"
        assert lines[1] == "- one: too few on gate"
        assert lines[2].startswith("- one: enough on door since 08:1")


def test_a_mute_is_notified_holds_everything_back_and_ends_with_the_current_state(
    tmp_path: Path, clock: FakeClock
) -> None:
    source = Source()
    with clock, World(tmp_path, clock, minutely(source), top=top()) as world:
        now = clock.now()
        world.state.notifications.mute(
            "one/*/below", since=now, until=now + timedelta(minutes=30), why="moving", by="ada"
        )
        world.run(minutes=1)
        assert world.chats.texts() == ["[box] muted until 08:29:58 by ada: one/*/below (moving)"]
        source.below = ["gate", "door"]
        world.run(minutes=5)
        source.below = ["gate"]
        world.run(minutes=20)
        assert len(world.chats.texts()) == 1
        world.run(minutes=8)
        assert world.chats.texts()[1:] == ["[box] one: too few on gate"], "door came and went: somebody knew"
        assert world.state.notifications.mutes() == ()


def test_a_subject_may_have_channels_of_its_own(tmp_path: Path, clock: FakeClock) -> None:
    source = Source(below=["gate", "door"])
    poller = replace(minutely(source), own_channels={"gate": ("phone",), "lift": ()})
    with clock, World(tmp_path, clock, poller, top=top()) as world:
        now = clock.now()
        for pattern in ("one/gate/*", "one/do*/below", "one/lift/below", "one/door/below"):
            world.state.notifications.mute(
                pattern, since=now, until=now + timedelta(minutes=3), why="", by="ada"
            )
        world.run(minutes=2)
        (of_gate,), (of_others,) = world.chats.texts(PHONE), world.chats.texts()
        assert ("one/gate/*" in of_gate, "one/do*/below" in of_gate, "one/door" in of_gate) == (
            True,
            True,
            False,
        )
        assert "one/gate/*" not in of_others
        assert "lift" not in of_gate + of_others
        world.run(minutes=3)
        assert world.chats.texts(PHONE)[1:] == ["[box] one: too few on gate"]
        assert world.chats.texts()[1:] == ["[box] one: too few on door"]
        source.below = []
        world.run(minutes=2)
        assert world.chats.texts(PHONE)[2].startswith("[box] one: enough on gate")
        assert world.chats.texts()[2].startswith("[box] one: enough on door")


def test_an_acknowledgement_is_notified_and_ends_the_reminders(tmp_path: Path, clock: FakeClock) -> None:
    source = Source(below=["gate"])
    with clock, World(tmp_path, clock, minutely(source), top=top("ops", "phone", remind_every="5m")) as world:
        world.run(minutes=7)
        (known,) = world.state.alerts.acknowledge("one/*", by="anna", why="on my way", now=clock.now())
        assert known.acknowledged is not None
        world.state.alerts.acknowledge("one/*", by="anna", why="on site", now=clock.now())
        world.run(minutes=20)
        assert world.chats.texts()[2:] == [
            "[box] acknowledged by anna 08:06:58 (on site): one: too few on gate"
        ]
        source.below = []
        world.run(minutes=2)
        for url in (OPS, PHONE):
            assert world.chats.texts(url)[3].startswith("[box] one: enough on gate since 08:2")
        assert world.state.alerts.all() == {}
        source.below = ["gate"]
        world.run(minutes=8)
        assert world.chats.texts()[4:] == [
            "[box] one: too few on gate",
            "[box] still, after 5 min 28 s: one: too few on gate",
        ]


@pytest.mark.parametrize("depends", [True, False], ids=["by default", "not if the config says so"])
def test_while_no_other_machine_answers_that_is_one_message(
    tmp_path: Path, clock: FakeClock, depends: bool
) -> None:
    source = Source()
    poller = minutely(source)
    poller.machines = {(name, "below"): f"{name}.example" for name in ("gate", "door", "yard", "roof")}
    with clock, World(tmp_path, clock, poller, top=top(depends=depends)) as world:
        world.run(minutes=1)
        source.below = ["gate", "door", "yard", "roof"]
        world.run(minutes=5)
        (message,) = world.chats.texts()
        if not depends:
            assert message == "[box] one: 4 subjects below: door, gate, roof and yard"
            return
        assert message == (
            "[box] no other machine answers since 08:01: 4 targets on 4 hosts. "
            "Check the network of this machine. Messages about single targets wait until one answers."
        )
        source.below = ["yard"]
        world.run(minutes=2)
        (_, over) = world.chats.texts()
        assert over.split("\n") == [
            "[box] 1 problem, 1 resolved:",
            "- one: too few on yard",
            "- the network works again since 08:06, after 5 min.",
        ]
        source.below = []
        world.run(minutes=2)
        (end,) = world.chats.texts()[2:]
        assert end.startswith("[box] one: enough on yard since 08:0")
        assert world.state.alerts.all() == {}
        assert world.state.notifications.notified() == {}


def test_a_target_outside_its_hours_does_not_hide_that_no_other_machine_answers(
    tmp_path: Path, clock: FakeClock
) -> None:
    source = Source()
    poller = minutely(source)
    poller.machines = {(name, "below"): f"{name}.example" for name in ("gate", "door", "shop")}
    poller.own_hours = {"shop": (Hours(frozenset(range(7)), time(9), time(18)),)}
    with clock, World(tmp_path, clock, poller, top=top()) as world:
        world.run(minutes=1)
        source.below = ["gate", "door"]
        world.run(minutes=5)
        (message,) = world.chats.texts()
        assert message.startswith("[box] no other machine answers since 08:01: 2 targets on 2 hosts.")


def test_a_muted_network_still_holds_the_messages_about_single_targets(
    tmp_path: Path, clock: FakeClock
) -> None:
    source = Source()
    poller = minutely(source)
    poller.machines = {(name, "below"): f"{name}.example" for name in ("gate", "yard")}
    with clock, World(tmp_path, clock, poller, top=top()) as world:
        world.state.notifications.mute(
            NETWORK.key, since=clock.now(), until=clock.now() + timedelta(hours=1), why="", by="ada"
        )
        world.run(minutes=2)
        source.below = ["gate", "yard"]
        world.run(minutes=5)
        assert world.chats.texts() == ["[box] muted until 08:59:58 by ada: tallyd/network"]
        source.below = ["yard"]
        world.run(minutes=2)
        assert world.chats.texts()[1:] == ["[box] one: too few on yard"]
        source.below = []
        world.run(hours=2, least_s=60)
        assert [text.partition(" since ")[0] for text in world.chats.texts()[2:]] == [
            "[box] one: enough on yard"
        ]


def test_what_stays_open_goes_to_a_further_channel_with_how_to_acknowledge_it(
    tmp_path: Path, clock: FakeClock
) -> None:
    source = Source(below=["gate"])
    steps = [{"after": "30m", "channels": ["phone"]}]
    with clock, World(tmp_path, clock, minutely(source), top=top("ops", escalate=steps)) as world:
        world.run(minutes=29)
        assert world.chats.texts(PHONE) == []
        world.run(minutes=3)
        assert world.chats.texts(PHONE) == [
            "[box] still, after 30 min 28 s: one: too few on gate\nAcknowledge: tallyd ack one/gate/below"
        ]
        source.below = [f"door {number}" for number in range(9)]
        world.run(minutes=32)
        (over, many) = world.chats.texts(PHONE)[1:]
        assert over.startswith("[box] one: enough on gate since 08:3")
        assert many.startswith("[box] still: one: 9 subjects below: door 0, ")
        assert many.endswith(" and 4 more\nAcknowledge: tallyd ack 'one/*/below'")
        world.state.alerts.acknowledge("one/*/below", by="anna", why="", now=clock.now())
        source.below = []
        world.run(minutes=2)
        assert [text.partition(": door")[0] for text in world.chats.texts(PHONE)[3:]] == [
            "[box] acknowledged by anna 09:03:58: one: 9 subjects below",
            "[box] resolved: one: 9 subjects below",
        ]


def test_the_early_end_of_a_mute_is_notified(tmp_path: Path, clock: FakeClock) -> None:
    source = Source(below=["gate"])
    with clock, World(tmp_path, clock, minutely(source), top=top("ops", "phone")) as world:
        now = clock.now()
        world.chats.down = {PHONE}
        world.state.notifications.mute("*", since=now, until=now + timedelta(hours=30), why="", by="ada")
        world.run(minutes=2)
        world.state.notifications.unmute("*", now=clock.now(), by="bob")
        world.run(minutes=2)
        assert world.chats.texts()[1].split("\n")[1:] == [
            "- one: too few on gate",
            "- no longer muted by bob: *",
        ]
        world.chats.down = set()
        world.run(minutes=10)
        assert world.chats.texts(PHONE) == ["[box] one: too few on gate"], "it never heard of the mute"
        assert world.state.notifications.mutes() == ()


def test_while_state_db_cannot_be_written_notices_go_out_from_memory_and_are_not_repeated_later(
    tmp_path: Path, clock: FakeClock
) -> None:
    source = Source()
    with clock, World(tmp_path, clock, minutely(source), top=top()) as world:
        world.run(minutes=2)
        with disk_refuses():
            source.below = ["gate"]
            world.run(minutes=4, least_s=1)
            assert len(world.chats.texts()) == 2
            assert "one: too few on gate" in world.chats.texts()[0]
            assert world.chats.texts()[1].startswith(f"[box] cannot write {tmp_path}/state/state.db: ")
            assert "Sent from memory" in world.chats.texts()[1]
            assert world.state.notifications.notified() == {}
        world.run(minutes=2)
        assert len(world.chats.texts()) == 3
        assert world.chats.texts()[2].startswith("[box] state.db is writable since ")
        world.restart()
        world.run(minutes=2)
        assert len(world.chats.texts()) == 3
        source.below = []
        world.run(minutes=2)
        assert world.chats.texts()[3].startswith("[box] one: enough on gate since ")
        world.run(minutes=2)
        assert world.state.alerts.all() == {}


def test_an_outage_during_a_full_disk_is_notified_from_memory_and_then_forgotten(
    tmp_path: Path, clock: FakeClock
) -> None:
    source = Source()
    with clock, World(tmp_path, clock, minutely(source), top=top()) as world:
        world.run(minutes=2)
        with disk_refuses():
            source.below = ["gate"]
            world.run(minutes=2, least_s=1)
            source.below = []
            world.run(minutes=2, least_s=1)
            said = [text for text in world.chats.texts() if "gate" in text]
            assert len(said) == 2
        world.run(minutes=3)
        assert [text for text in world.chats.texts() if "gate" in text] == said
        assert world.state.alerts.all() == {}
        assert world.state.notifications.notified() == {}


def test_a_short_failure_of_state_db_is_not_notified(tmp_path: Path, clock: FakeClock) -> None:
    with clock, World(tmp_path, clock, minutely(Source()), top=top()) as world:
        world.run(minutes=1)
        with disk_refuses():
            world.run(seconds=20, least_s=1)
        world.run(minutes=3)
        assert world.chats.texts() == []


def test_texts_of_the_config_replace_those_of_tallyd(tmp_path: Path, clock: FakeClock) -> None:
    poller = FakePoller(
        daily("08:00"),
        Source(REFUSED),
        alerts=AlertSettings(
            channels=("ops",), texts={"failed": TextSettings(text="Lücke[ um {slot}]! [[{reason}]]")}
        ),
    )
    with clock, World(tmp_path, clock, poller, top=top()) as world:
        world.run(seconds=5)
        assert world.chats.texts() == ["[box] Lücke um Fri 08:00! [access key refused (HTTP 403)]"]


def test_a_reading_that_is_held_up_never_holds_up_a_message_of_another(
    tmp_path: Path, clock: FakeClock
) -> None:
    pollers = {"one": minutely(Source(below=["gate"])), "two": FakePoller(daily("12:00"), one_person)}
    with clock, World(tmp_path, clock, pollers, top=top()) as world, world.job_lock("two"):
        world.run(minutes=2)
        assert world.chats.texts() == ["[box] one: too few on gate"]


@pytest.mark.parametrize(
    ("web", "link"),
    [
        pytest.param(
            {"public_url": "https://box.example/t/"}, "https://box.example/t/poller/one", id="a page"
        ),
        pytest.param({}, "", id="a page that nobody said how to reach"),
        pytest.param(None, "", id="no page"),
    ],
)
def test_a_message_links_to_the_view_of_its_poller(
    tmp_path: Path, clock: FakeClock, web: dict[str, object] | None, link: str
) -> None:
    poller = FakePoller(daily("08:00"), Source(DOWN), retry=ONE_TRY)
    whole = {**top(), **({} if web is None else {"web": web})}
    with clock, World(tmp_path, clock, poller, top=whole) as world:
        world.run(hours=1, least_s=30)
        (message,) = world.chats.messages["json://ops.example/x"]
    assert message.link == link
    assert "https" not in message.text


def test_each_channel_is_notified_in_its_language_and_the_log_is_english(
    tmp_path: Path, clock: FakeClock, caplog: pytest.LogCaptureFixture, use_translations: Use
) -> None:
    use_translations(tallyd={"{poller}: too few on {subject}": "{poller}: zu wenige auf {subject}"})
    channels = {"ops": OPS, "phone": {"url": PHONE, "language": "de"}}
    caplog.set_level("INFO")
    with (
        clock,
        World(
            tmp_path,
            clock,
            minutely(Source(below=["gate"])),
            top=top("ops", "phone") | {"channels": channels},
        ) as world,
    ):
        world.run(minutes=2)
        assert world.chats.texts() == ["[box] one: too few on gate"]
        assert world.chats.texts(PHONE) == ["[box] one: zu wenige auf gate"]
    logged = [vars(line)["text"] for line in caplog.records if line.message == "notice sent"]
    assert logged == ["[box] one: too few on gate"] * 2

"""What the whole daemon keeps of its alerts: with kills, restarts, slow channels and full disks."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

from support.daemon import wait_until
from support.executors import Threads
from support.fakeclock import FakeClock
from support.fakeworld import World, disk_refuses
from support.outages import DOWN, OPS, PHONE, REFUSED, Source, minutely, top
from tallyd.core.alerts.incidents import Incident
from tallyd.core.alerts.message import Message

ALWAYS = (datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))
BERLIN_H = timedelta(hours=1)


def known(world: World, key: str = "one/gate/below") -> list[Incident]:
    """Return the incidents of a key, oldest first."""
    return [each for each in reversed(world.state.incidents.between(*ALWAYS)) if each.key == key]


def life(incident: Incident) -> str:
    """Return from when to when it lasted, and who was notified of what, at which minutes."""

    def minute(when: datetime | None) -> str:
        return f"{when.astimezone(UTC) + BERLIN_H:%H:%M}" if when else "now"

    notices = [f"{each.channel} {each.news} {minute(each.at)}" for each in incident.notices]
    return f"{minute(incident.raised_at)}-{minute(incident.ended_at)}: {', '.join(notices)}"


def test_each_alert_is_an_incident_with_its_notices_also_through_kills(
    tmp_path: Path, clock: FakeClock
) -> None:
    source = Source(below=["gate"])
    settings = top(remind_every="10m")
    with clock, World(tmp_path, clock, minutely(source), top=settings) as world:
        for _ in range(25):
            world.run(minutes=1)
            world.restart()
        source.below = []
        world.run(minutes=3)
        source.below = ["gate"]
        world.run(minutes=2)
        assert [life(each) for each in known(world)] == [
            "08:00-08:25: ops begins 08:00, ops reminder 08:20, ops over 08:25",
            "08:28-now: ops begins 08:28",
        ]


def test_what_became_worse_was_first_notified_when_it_began(tmp_path: Path, clock: FakeClock) -> None:
    source = Source(DOWN)
    with clock, World(tmp_path, clock, minutely(source), top=top()) as world:
        world.run(minutes=2)
        source.error = REFUSED
        world.run(minutes=2)
        source.error = DOWN
        world.run(minutes=2)
        assert len(world.chats.texts()) == 2
        (incident,) = known(world, "one/count/failed")
        assert incident.fields["reason"] == "access key refused (HTTP 403)"
        assert life(incident) == "08:00-now: ops begins 08:00"


def test_a_slow_delivery_is_noted_at_the_incident_that_it_was_about(tmp_path: Path, clock: FakeClock) -> None:
    source, threads = Source(below=["gate"]), Threads()
    opened = [threads.gate(), threads.gate()]
    gates: dict[str, list[threading.Event]] = {OPS: list(opened)}
    with clock, World(tmp_path, clock, minutely(source), top=top(), executor=threads) as world:

        def deliver(url: str, message: Message) -> None:
            if gates[url]:
                threads.wait_at(gates[url].pop(0))
            world.chats(url, message)

        world.teller_deliver(deliver)
        world.run(minutes=2)  # its message is under way
        source.below = []
        world.run(minutes=2)
        source.below = ["gate"]
        world.run(minutes=2)
        assert [life(each) for each in known(world)] == ["08:00-08:02: ", "08:04-now: "]
        moved = threads.moved()
        opened[0].set()

        def is_second_under_way() -> bool:
            world.run(minutes=1)
            return moved.is_set()

        wait_until(is_second_under_way, what="the second incident's message")
        opened[1].set()

        def is_noted() -> bool:
            world.run(minutes=1)
            return life(known(world)[1]).startswith("08:04-now: ops begins 08:")

        wait_until(is_noted, what="the note of the second message")
        assert life(known(world)[0]).startswith("08:00-08:02: ops begins 08:0")


def test_what_happened_while_state_db_was_away_is_stored_later_with_its_own_times(
    tmp_path: Path, clock: FakeClock
) -> None:
    source = Source()
    with clock, World(tmp_path, clock, minutely(source), top=top("ops", "phone")) as world:
        world.run(minutes=2)
        with disk_refuses():
            world.chats.down = {PHONE}
            source.below = ["gate"]
            world.run(minutes=4, least_s=1)
            source.below = []
            world.run(minutes=3, least_s=1)
            source.below = ["gate"]
            world.run(minutes=3, least_s=1)
            assert known(world) == []
        world.run(minutes=2)
        assert [life(each) for each in known(world)] == [
            "08:02-08:06: ops begins 08:02, ops over 08:06",
            "08:09-now: ops begins 08:09",
        ]
        (state_away,) = known(world, "tallyd/state")
        assert state_away.ended_at is not None
        assert [(each.channel, each.news) for each in state_away.notices] == [
            ("ops", "begins"),
            ("ops", "over"),
        ]


def test_an_incident_that_began_while_state_db_was_away_knows_of_a_mute(
    tmp_path: Path, clock: FakeClock
) -> None:
    source = Source()
    with clock, World(tmp_path, clock, minutely(source), top=top()) as world:
        now = clock.now()
        world.state.notifications.mute("one/*", since=now, until=now + BERLIN_H, why="", by="ada")
        world.run(minutes=2)
        with disk_refuses():
            source.below = ["gate"]
            world.run(minutes=2, least_s=1)
        world.run(minutes=2)
        (incident,) = known(world)
        assert (incident.muted_by, incident.notices) == ("ada", ())

"""One life of a machine: what happens to it, and when, follows from the seed alone.

Of all kinds of events each life has only some ("swarm testing"): where everything happens at once, the bug
that needs quiet is never seen. At the end all troubles are over, and hours later everything must be well.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from simulation.cameras import SOURCES, Cameras
from simulation.chats import Chats
from simulation.clocks import SimClock
from simulation.invariants import Auditor
from simulation.machine import Process, refused
from simulation.network import Network
from simulation.perils import Killed, Perils
from simulation.settings import URLS, SimConfig

BERLIN = ZoneInfo("Europe/Berlin")
COARSE_S = 3600.0
"""Longest time between two ticks, except where nothing is due: a real daemon ticks each second."""
EVENTS = {
    # name: hours between two, on average
    "drop": 0.6,
    "half": 12.0,
    "divera": 5.0,
    "app": 8.0,
    "other": 12.0,
    "upstream": 9.0,
    "everything": 30.0,
    "ops": 12.0,
    "phone": 12.0,
    "camera": 20.0,
    "staff": 6.0,
    "disk": 16.0,
    "out": 14.0,
    "slow_disk": 20.0,
    "records": 14.0,
    "lost_commit": 7.0,
    "kill": 10.0,
    "kill_later": 2.5,
    "stop": 20.0,
    "freeze": 9.0,
    "suspend": 30.0,
    "clock": 30.0,
    "boot": 40.0,
    "edit": 5.0,
    "spoil": 30.0,
    "hangup": 30.0,
}
ALWAYS = frozenset({"drop", "staff"})
RARE = frozenset({"clock", "boot"})


class Life:
    """A machine, its world, and its troubles. `say` is called with each event."""

    def __init__(self, seed: int, folder: Path, *, days: float, say: Callable[[str], None]) -> None:
        self.seed, self.days, self._say = seed, days, say
        self.chance = Random(seed)
        chance = self.chance
        start = datetime(2033, 1, 1, 5, tzinfo=UTC) + timedelta(days=chance.randrange(900))
        if chance.random() < 0.2:  # the days around a change of the clocks
            start = chance.choice(
                [datetime(2033, 3, 26, 5, tzinfo=UTC), datetime(2034, 10, 28, 5, tzinfo=UTC)]
            )
        self.clock = SimClock(start)
        self.perils = Perils(
            folder, pass_s=self.clock.pass_s, now_text=lambda: f"{self.clock.now():%Y-%m-%d %H:%M:%S}"
        )
        self.config = SimConfig(folder / "config.json", chance)
        self.network = Network(self.clock, chance)
        self.chats = Chats(self.clock, chance)
        self.cameras = Cameras(folder / "inbox" / "park", self.clock, chance, BERLIN)
        self.process: Process | None = None
        self.starts = 0
        self.kills = 0
        self._on_at = self._room_at = start
        self._full_since: datetime | None = None
        """Since when the disk is full, or was, and what is in memory is not all stored yet."""
        self.clock_was_wrong = False
        self.is_whole = chance.random() < 0.3
        self.digest = hashlib.sha256()
        self.auditor = Auditor(self, folder)
        kinds = [
            name for name in EVENTS if name in ALWAYS or chance.random() < (0.2 if name in RARE else 0.5)
        ]
        self._next = {name: start + self._gap(name) for name in kinds}
        self.say(f"seed {seed}: {days:g} days from {start:%Y-%m-%d}, with {', '.join(kinds)}")

    @property
    def points(self) -> int:
        """How often it could have died."""
        return self.perils.points

    def say(self, text: str) -> None:
        """Note an event; the digest of all of them tells two lives apart."""
        line = f"{self.clock.true_at:%Y-%m-%d %H:%M:%S} {text}"
        self.digest.update(line.encode())
        self._say(line)

    def live(self) -> None:
        """Live it. Raises `Violation`."""
        with self.clock, self.auditor:
            self.config.write()
            end = self.clock.true_at + timedelta(days=self.days)
            while self.clock.true_at < end:
                self._happen()
                self._step()
            self._settle()
            self.auditor.at_end()
            self._end()

    # -- time --------------------------------------------------------------------------------------------

    def _step(self) -> None:
        """Let time pass until something is due, and let the daemon do it."""
        self._pass_until_due()
        if self.process is None:
            if self.clock.true_at >= self._on_at:
                self._start()
            return
        try:
            with self.perils.armed():
                self.process.work(self.chance)
        except Killed:
            self._died()
        else:
            if not self.perils.is_disk_full and self.clock.true_at - self._room_at > timedelta(minutes=1):
                self._full_since = None
        self.auditor.look()

    def _pass_until_due(self) -> None:
        now_s, waits_s = self.clock.monotonic(), [COARSE_S * self.chance.uniform(0.2, 1.0)]
        if self._next:
            waits_s.append((min(self._next.values()) - self.clock.true_at).total_seconds())
        if self.process is None:
            waits_s.append((self._on_at - self.clock.true_at).total_seconds())
        else:
            if (next_s := self.process.turns.next_s()) is not None:
                waits_s.append(next_s - now_s)
            if self.chance.random() < 0.1:
                waits_s.append(self.chance.uniform(0.5, 35.0))
            waits_s.append(self._until_slot_s())
        self.clock.pass_s(max(min(waits_s), 0.05))

    def _until_slot_s(self) -> float:
        """Return the time until shortly after the next minute in which a slot may be due."""
        now = self.clock.now()
        return (30 - now.minute % 30) * 60 - now.second + self.chance.uniform(0.0, 1.5)

    def _gap(self, name: str) -> timedelta:
        return timedelta(hours=self.chance.expovariate(1 / EVENTS[name]))

    def _happen(self) -> None:
        for name, at in list(self._next.items()):
            if at <= self.clock.true_at:
                act: Callable[[], timedelta | None] = getattr(self, f"_on_{name}", None) or (
                    lambda name=name: self._on_source(name)
                )
                again = act()
                self._next[name] = self.clock.true_at + (again or self._gap(name))

    # -- the process -------------------------------------------------------------------------------------

    def _start(self) -> None:
        self.starts += 1
        self.perils.is_dead, self.perils.kill_in = False, self.perils.kill_in
        try:
            with self.perils.armed():
                self._begin()
        except Killed:
            self._died()
        except OSError as error:
            self.say(f"start failed: {error.strerror}")
            self._off(60.0)

    def _begin(self) -> None:
        wrong = refused(self._load)
        if wrong is not None:
            self.say("start refused: the config is wrong")
            self.process = None
            self._off(120.0)
            return
        assert self.process is not None
        if (trouble := self.process.begin()) is not None:
            self.say(f"start failed: {trouble}")
            self.process.close()
            self.process = None
            self._off(60.0)
            return
        self.say(f"start {self.starts}")
        self.auditor.started()

    def _load(self) -> None:
        self.process = Process(
            self.config.path,
            clock=self.clock,
            network=self.network,
            chats=self.chats,
            perils=self.perils,
            chance=self.chance,
            number=self.starts,
            beats=self.is_whole,
            prunes=self.is_whole,
        )

    def _off(self, seconds: float) -> None:
        self._on_at = self.clock.true_at + timedelta(seconds=seconds)

    def _died(self, off_s: float | None = None) -> None:
        self.kills += 1
        self.say(f"killed at: {self.perils.killed_at or 'rest'}")
        if self._full_since is not None:
            self.chats.forgotten_since(self._full_since)
        self.perils.is_dead, self.perils.killed_at = True, ""
        if self.process is not None:
            with self.perils.armed():
                self.process.turns.end()
            self.process.close()
            self.process = None
        self._off(self.chance.choice([1.0, 5.0, 5.0, 60.0, 900.0, 3 * 3600.0]) if off_s is None else off_s)

    def _end(self) -> None:
        if self.process is not None:
            self.process.close()
            self.process = None

    # -- events: each returns when it happens next, None for its usual time -------------------------------

    def _on_drop(self) -> None:
        if 6 <= self.clock.true_at.astimezone(BERLIN).hour < 22:
            one = self.cameras.drop()
            if one is not None:
                self.say(f"file {one.source}/{one.name}")
                if self.process is not None and self.chance.random() < 0.7:
                    self.process.wakeups.wake("park", "sweep")

    def _on_half(self) -> timedelta | None:
        if self.cameras.is_half:
            self.say("the rest of a file")
            self.cameras.finish_half()
            return None
        self.say("half a file")
        self.cameras.begin_half()
        return timedelta(seconds=self.chance.choice([1, 30, 200, 4000]))

    def _on_source(self, name: str) -> timedelta | None:
        host = "*" if name == "everything" else f"{name}.sim"
        if self.network.modes.pop(host, None) is not None:
            self.say(f"{host} is up")
            return None
        bad: list[Any] = ["down"] if host == "*" else ["down", "slow", "lying", "broken", "refusing", "stuck"]
        if name == "upstream":
            bad.remove("refusing")
        if name == "divera":
            bad = ["down", "slow", "lying", "lying", "broken", "refusing"]
        self.network.modes[host] = self.chance.choice(bad)
        self.say(f"{host} is {self.network.modes[host]}")
        return timedelta(hours=self.chance.choice([0.02, 0.1, 0.5, 2.0, 6.0]))

    def _on_ops(self) -> timedelta | None:
        return self._chat("ops")

    def _on_phone(self) -> timedelta | None:
        return self._chat("phone")

    def _chat(self, name: str) -> timedelta | None:
        modes, url = self.chats.modes, URLS[name]
        if modes.pop(url, None) is not None:
            self.say(f"{name} is up")
            return None
        modes[url] = self.chance.choice(["down", "down", "slow", "unsure"])
        self.say(f"{name} is {modes[url]}")
        return timedelta(hours=self.chance.choice([0.05, 0.5, 3.0]))

    def _on_camera(self) -> timedelta | None:
        source = self.chance.choice(SOURCES)
        self.cameras.is_off ^= {source}
        self.say(f"cameras off: {sorted(self.cameras.is_off)}")
        return timedelta(hours=5) if self.cameras.is_off else None

    def _on_staff(self) -> None:
        self.network.staff = self.chance.randint(0, 12)

    def _on_disk(self) -> timedelta | None:
        self.perils.is_disk_full = not self.perils.is_disk_full
        self._full_since, self._room_at = self._full_since or self.clock.now(), self.clock.true_at
        self.say("disk is full" if self.perils.is_disk_full else "disk has room")
        return timedelta(hours=self.chance.choice([0.02, 0.3, 1.5])) if self.perils.is_disk_full else None

    def _on_out(self) -> timedelta | None:
        self.perils.is_out_full = not self.perils.is_out_full
        self.say("out/ is full" if self.perils.is_out_full else "out/ has room")
        return timedelta(hours=self.chance.choice([0.02, 1.5])) if self.perils.is_out_full else None

    def _on_slow_disk(self) -> timedelta | None:
        self.perils.commit_s = 0.0 if self.perils.commit_s else self.chance.choice([0.2, 3.0])
        self.say(f"a commit takes {self.perils.commit_s:g} s")
        return timedelta(hours=0.5) if self.perils.commit_s else None

    def _on_records(self) -> timedelta | None:
        self.perils.are_records_away = not self.perils.are_records_away
        self.say("records are away" if self.perils.are_records_away else "records are back")
        hours = self.chance.choice([0.01, 0.2, 2.0])
        return timedelta(hours=hours) if self.perils.are_records_away else None

    def _on_lost_commit(self) -> None:
        self.perils.lose_commit = True

    def _on_kill(self) -> None:
        if self.process is not None:
            self._died()

    def _on_kill_later(self) -> None:
        self.perils.kill_in = round(2 ** self.chance.uniform(0.0, 9.0))

    def _on_stop(self) -> None:
        if self.process is None:
            return
        try:
            with self.perils.armed():
                self.process.stop()
        except Killed:
            self._died()
            return
        self.say("stopped")
        self.process = None
        self._off(self.chance.choice([2.0, 60.0, 3600.0]))

    def _on_freeze(self) -> None:
        seconds = self.chance.choice([12.0, 90.0, 600.0])
        self.say(f"frozen for {seconds:g} s")
        self.clock.pass_s(seconds)

    def _on_suspend(self) -> None:
        hours = self.chance.choice([0.2, 2.0, 9.0])
        self.say(f"suspended for {hours:g} h")
        self.clock.suspend(hours)

    def _on_clock(self) -> timedelta | None:
        self.clock_was_wrong = True
        if abs(self.clock.ahead_s) > 1:
            self.clock.set(self.clock.true_at)
            self.say("the clock is right again")
            return None
        off_s = self.chance.choice([-86400.0, -3600.0, -120.0, 120.0, 3600.0, 40 * 86400.0, 40 * 86400.0])
        self.clock.set(self.clock.true_at + timedelta(seconds=off_s))
        self.say(f"the clock is {off_s:g} s ahead")
        return timedelta(hours=self.chance.choice([0.01, 0.5, 7.0]))

    def _on_boot(self) -> None:
        """The power fails, and the clock begins in the past until it is set a minute later."""
        self.clock_was_wrong = True
        if self.process is not None:
            self._died(off_s=20.0)
        self.clock.set(self.clock.true_at)
        self.clock.boot()
        self.clock.set(self.clock.true_at - timedelta(days=400))
        self.say("boot, 400 days in the past")
        self._next["clock"] = self.clock.true_at + timedelta(seconds=90)

    def _on_edit(self) -> None:
        self.say(f"config: {self.config.edit()}")

    def _on_spoil(self) -> timedelta | None:
        if self.config.is_spoilt:
            self.config.write()
            self.say("the config is mended")
            return None
        self.config.spoil()
        self.say("the config is spoilt")
        return timedelta(hours=self.chance.choice([0.01, 0.5]))

    def _on_hangup(self) -> None:
        if self.process is not None:
            self.say("SIGHUP")
            try:
                with self.perils.armed():
                    self.process.tick(reload=True)
            except Killed:
                self._died()

    # -- the end -----------------------------------------------------------------------------------------

    def _settle(self) -> None:
        """End all troubles, and let some hours pass."""
        self.say("all troubles end")
        self._next.clear()
        self.network.modes.clear()
        self.chats.modes.clear()
        self.cameras.is_off.clear()
        self.cameras.finish_half()
        self.network.staff = 14
        perils = self.perils
        perils.kill_in, perils.is_disk_full, perils.are_records_away = None, False, False
        perils.is_out_full, perils.lose_commit, perils.commit_s = False, False, 0.0
        self.clock.set(self.clock.true_at)
        self.config.count_often()
        self._on_at = min(self._on_at, self.clock.true_at + timedelta(seconds=30))
        self._quiet(hours=2)
        self._on_stop()  # so that reports that were rejected for good are taken up
        self._on_at = self.clock.true_at
        self._quiet(hours=8)
        last_sweep = self.clock.true_at + timedelta(minutes=80)
        while (self.cameras.waiting() and self.clock.true_at < last_sweep) or (
            self.process is not None and len(self.process.turns)
        ):
            self._step()

    def _quiet(self, *, hours: int) -> None:
        for _ in range(hours):
            self.cameras.drop_each()
            until = self.clock.true_at + timedelta(hours=1)
            while self.clock.true_at < until:
                self._step()

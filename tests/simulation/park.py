"""One life of a park: two hosts that ingest the files of their cameras, and a centre, on one database.

Each is a whole daemon on a machine of its own, with perils of its own. They have one clock: SQLite, which
stands in for the database that they share, has none. A wrong clock is in `tests/campaigns/centre.py`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, ClassVar

from simulation.cameras import Cameras
from simulation.chats import Chats
from simulation.clocks import SimClock
from simulation.invariants import BERLIN
from simulation.machine import Process
from simulation.network import Network
from simulation.park_invariants import ParkAuditor
from simulation.perils import Killed, Perils

LONGEST_STEP_S = 900.0
PLACES = {"one": "12", "two": "23"}
"""The hosts with cameras, each with its source."""


@dataclass
class Machine:
    """A machine and the daemon on it. It does nothing before `on_at`, nor while it is frozen."""

    name: str
    folder: Path
    perils: Perils
    on_at: datetime
    cameras: Cameras | None = None
    process: Process | None = None
    frozen_at: datetime | None = None
    frozen_until: datetime | None = None
    token: str | None = None
    starts: int = 0
    content: dict[str, Any] = field(default_factory=dict)

    def write_config(self) -> None:
        self.folder.mkdir()
        (self.folder / "config.json").write_text(json.dumps(self.content))


class Park:
    """Their lives. `say` is called with each event. Its shape is that of `Life`."""

    events: ClassVar[dict[str, float]] = {
        # name: hours between two, on average
        "drop": 0.3,
        "drop_on_two": 1.0,
        "camera": 12.0,
        "kill": 5.0,
        "kill_later": 2.0,
        "stop": 15.0,
        "freeze": 6.0,
        "records": 12.0,
        "lost_commit": 4.0,
        "upstream": 9.0,
        "ops": 12.0,
        "disk": 20.0,
    }
    always: ClassVar[frozenset[str]] = frozenset({"drop", "drop_on_two"})

    def __init__(self, seed: int, folder: Path, *, days: float, say: Callable[[str], None]) -> None:
        self.days, self._say = days, say
        self.chance = chance = Random(seed)
        self.start_at = datetime(2033, 1, 1, 5, tzinfo=UTC) + timedelta(days=chance.randrange(900))
        self.clock = SimClock(self.start_at)
        self.network, self.chats = Network(self.clock, chance), Chats(self.clock, chance)
        self.records = folder / "records.db"
        self.machines = self._machines(folder)
        self.hosts = [each for each in self.machines if each.cameras]
        self.centre = self.machines[-1]
        self.kills = self.number = 0
        self.prunes = chance.random() < 0.3
        self.down: list[tuple[str, datetime, datetime]] = []
        """Which machine did nothing, from when to when; "records" is the database."""
        self.settled_at: datetime | None = None
        self.digest = hashlib.sha256()
        self.auditor = ParkAuditor(self)
        kinds = [name for name in self.events if name in self.always or chance.random() < 0.5]
        self._next = {name: self.start_at + self._gap(name) for name in kinds}
        self.say(f"seed {seed}: {days:g} days from {self.start_at:%Y-%m-%d}, with {', '.join(kinds)}")

    @property
    def points(self) -> int:
        """How often one of them could have died."""
        return sum(each.perils.points for each in self.machines)

    @property
    def starts(self) -> int:
        return self.number

    def _machines(self, folder: Path) -> list[Machine]:
        return [self._machine(name, folder / name) for name in (*PLACES, "centre")]

    def _machine(self, name: str, folder: Path) -> Machine:
        perils = Perils(
            folder, pass_s=self.clock.pass_s, now_text=lambda: f"{self.clock.now():%Y-%m-%d %H:%M:%S}"
        )
        found = Machine(name, folder, perils, self.start_at)
        found.content = {
            "name": name,
            "timezone": "Europe/Berlin",
            "database": {"url": f"sqlite:///{self.records}"},
            "pollers": {"park": {"kind": "visitors", "sweep_every": "5m"}},
        }
        park = found.content["pollers"]["park"]
        if name in PLACES:
            first = list(PLACES).index(name) * 10_000_000
            found.cameras = Cameras(
                folder / "inbox", self.clock, self.chance, BERLIN, sources=(PLACES[name],), people=first
            )
            park |= {"inbox": "inbox", "done_keep_days": 36500, "rejected_keep_days": 36500}
            return found
        del park["sweep_every"]
        found.content |= {"channels": {"ops": "json://ops.sim/hook"}, "alerts": {"channels": ["ops"]}}
        report = {"every": "1h", "url": "https://upstream.sim/report", "ssid": "SS-007"}
        success = {"success": {"field": "Desc", "equals": ["OK"]}}
        sources: dict[str, dict[str, str]] = {source: {} for source in PLACES.values()}
        park |= {"sources": sources, "no_files": {"after": "2h"}, "report": report | success}
        return found

    def say(self, text: str) -> None:
        """Note an event; the digest of all of them tells two lives apart."""
        line = f"{self.clock.true_at:%Y-%m-%d %H:%M:%S} {text}"
        self.digest.update(line.encode())
        self._say(line)

    def live(self) -> None:
        """Live them. Raises `Violation`."""
        with self.clock, self.auditor:
            for each in self.machines:
                each.write_config()
            end = self.clock.true_at + timedelta(days=self.days)
            while self.clock.true_at < end:
                self._happen()
                self._step()
            self._settle()
            self.audit_at_end()
            for each in self.machines:
                self._close(each)

    def audit(self) -> None:
        """Check what must hold after every step. Raises `Violation`."""
        self.auditor.look()

    def audit_at_end(self) -> None:
        """Check what must hold in the end. Raises `Violation`."""
        self.auditor.at_end()

    def _gap(self, name: str) -> timedelta:
        return timedelta(hours=self.chance.expovariate(1 / self.events[name]))

    def _happen(self) -> None:
        for name, at in list(self._next.items()):
            if at <= self.clock.true_at:
                act: Callable[[], timedelta | None] = getattr(self, f"_on_{name}")
                self._next[name] = self.clock.true_at + (act() or self._gap(name))

    # -- time --------------------------------------------------------------------------------------------

    def _step(self) -> None:
        """Let time pass, and let each machine do what is due: the hosts first, the centre last."""
        waits_s = [self.chance.uniform(LONGEST_STEP_S / 3, LONGEST_STEP_S)]
        if self._next:
            waits_s.append((min(self._next.values()) - self.clock.true_at).total_seconds())
        for each in self.machines:
            if each.frozen_until is not None:
                waits_s.append((each.frozen_until - self.clock.true_at).total_seconds())
            elif each.process and (next_s := each.process.turns.next_s()) is not None:
                waits_s.append(next_s - self.clock.monotonic())
        self.clock.pass_s(max(min(waits_s), 0.05))
        for each in self.machines:
            if each.frozen_until is None or each.frozen_until <= self.clock.true_at:
                each.frozen_at = each.frozen_until = None
                self._run(each)
            self.audit()

    def _run(self, machine: Machine) -> None:
        if machine.process is None:
            if machine.on_at <= self.clock.true_at:
                self._start(machine)
            return
        try:
            with machine.perils.armed():
                machine.process.work(self.chance)
        except Killed:
            self._died(machine)

    # -- processes ---------------------------------------------------------------------------------------

    def _start(self, machine: Machine) -> None:
        self.number += 1
        machine.starts += 1
        machine.perils.is_dead = False
        try:
            with machine.perils.armed():
                machine.process = Process(
                    machine.folder / "config.json",
                    clock=self.clock,
                    network=self.network,
                    chats=self.chats,
                    perils=machine.perils,
                    chance=self.chance,
                    number=self.number,
                    beats=True,
                    prunes=self.prunes,
                    token=machine.token,
                )
                trouble = machine.process.begin()
        except Killed:
            self._died(machine)
            return
        except OSError as error:
            trouble = str(error.strerror)
        if trouble is not None:
            self.say(f"{machine.name} cannot start: {trouble}")
            self._close(machine)
            self._off(machine, 60.0)
            return
        self.say(f"{machine.name} starts")

    def _close(self, machine: Machine) -> None:
        if machine.process is not None:
            machine.process.close()
            machine.process = None

    def _off(self, machine: Machine, seconds: float) -> None:
        begin = self.clock.true_at
        machine.on_at = begin + timedelta(seconds=seconds)
        self.down.append((machine.name, begin, machine.on_at))

    def _died(self, machine: Machine) -> None:
        self.kills += 1
        self.say(f"{machine.name} is killed at: {machine.perils.killed_at or 'rest'}")
        machine.perils.is_dead, machine.perils.killed_at = True, ""
        if machine.process is not None:
            with machine.perils.armed():
                machine.process.turns.end()
        self._close(machine)
        self._off(machine, self.chance.choice([1.0, 5.0, 60.0, 900.0, 4 * 3600.0]))

    # -- events: each returns when it happens next, None for its usual time -------------------------------

    def _on_drop(self) -> None:
        host = self.chance.choice(self.hosts)
        if host.cameras and (one := host.cameras.drop()):
            self.say(f"file {one.source}/{one.name} on {host.name}")

    def _on_drop_on_two(self) -> None:
        """The same file comes to both hosts."""
        first, second = self.chance.sample([each.cameras for each in self.hosts if each.cameras], 2)
        if one := first.drop():
            second.drop_again(one)
            self.say(f"file {one.source}/{one.name} on both hosts")

    def _on_camera(self) -> timedelta | None:
        cameras = [each.cameras for each in self.hosts if each.cameras]
        if any(each.is_off for each in cameras):
            for each in cameras:
                each.is_off.clear()
            self.say("all cameras are on")
            return None
        off = self.chance.choice(cameras)
        off.is_off.update(off.sources)
        self.say(f"cameras {off.sources} are off")
        return timedelta(hours=self.chance.choice([1.0, 5.0]))

    def _on_kill(self) -> None:
        machine = self.chance.choice(self.machines)
        if machine.process is not None:
            self._died(machine)

    def _on_kill_later(self) -> None:
        self.chance.choice(self.machines).perils.kill_in = round(2 ** self.chance.uniform(0.0, 9.0))

    def _on_stop(self) -> None:
        machine = self.chance.choice(self.machines)
        if machine.process is None or machine.frozen_until:
            return
        try:
            with machine.perils.armed():
                machine.process.stop()
        except Killed:
            self._died(machine)
            return
        self.say(f"{machine.name} is stopped")
        machine.process = None
        self._off(machine, self.chance.choice([2.0, 60.0, 5 * 3600.0]))

    def _on_freeze(self) -> None:
        self._freeze(self.chance.choice(self.machines), self.chance.choice([12.0, 90.0, 600.0, 5 * 3600.0]))

    def _freeze(self, machine: Machine, seconds: float) -> None:
        machine.frozen_at = self.clock.true_at
        machine.frozen_until = self.clock.true_at + timedelta(seconds=seconds)
        self.down.append((machine.name, self.clock.true_at, machine.frozen_until))
        self.say(f"{machine.name} is frozen for {seconds:g} s")

    def _on_records(self) -> timedelta | None:
        is_away = not self.centre.perils.are_records_away
        for each in self.machines:
            each.perils.are_records_away = is_away
        self.say("records are away" if is_away else "records are back")
        if not is_away:
            return None
        again = timedelta(hours=self.chance.choice([0.01, 0.2, 3.0]))
        self.down.append(("records", self.clock.true_at, self.clock.true_at + again))
        return again

    def _on_lost_commit(self) -> None:
        self.chance.choice(self.machines).perils.lose_commit = True

    def _on_upstream(self) -> timedelta | None:
        if self.network.modes.pop("upstream.sim", None):
            return None
        self.network.modes["upstream.sim"] = self.chance.choice(["down", "slow", "lying", "broken"])
        return timedelta(hours=self.chance.choice([0.1, 2.0]))

    def _on_ops(self) -> timedelta | None:
        url = "json://ops.sim/hook"
        if self.chats.modes.pop(url, None):
            return None
        self.chats.modes[url] = self.chance.choice(["down", "slow"])
        return timedelta(hours=self.chance.choice([0.1, 2.0]))

    def _on_disk(self) -> timedelta | None:
        perils = self.chance.choice(self.hosts).perils
        is_any = any(each.perils.is_disk_full for each in self.hosts)
        for each in self.hosts:
            each.perils.is_disk_full = False
        if is_any:
            return None
        perils.is_disk_full = True
        self.down.append(("records", self.clock.true_at, self.clock.true_at + timedelta(hours=1)))
        return timedelta(hours=self.chance.choice([0.1, 0.5]))

    # -- the end -----------------------------------------------------------------------------------------

    def _settle(self) -> None:
        """End all troubles, and let some hours pass."""
        self.say("all troubles end")
        self._next.clear()
        self.network.modes.clear()
        self.chats.modes.clear()
        self.network.staff = 14
        now = self.settled_at = self.clock.true_at
        for each in self.machines:
            perils = each.perils
            perils.kill_in, perils.are_records_away, perils.lose_commit = None, False, False
            perils.is_disk_full = False
            each.frozen_at = each.frozen_until = None
            each.on_at = min(each.on_at, now)
        for _ in range(8):
            for each in self.hosts:
                if each.cameras:
                    each.cameras.is_off.clear()
                    each.cameras.drop_each()
            until = self.clock.true_at + timedelta(minutes=30)
            while self.clock.true_at < until:
                self._step()

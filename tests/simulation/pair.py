"""One life of a leader and its standby: two daemons with one config, and one state.

SQLite stands in for the PostgreSQL that has the state (`SharedState`), with the same fence: a change carries
the token of its leader, and is rejected once there is a newer one. Real are the daemons above it. A leader
that is frozen for longer than the lease is deposed; when it wakes up it goes on until it notices.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any, ClassVar

from simulation.chats import Heard
from simulation.invariants import BERLIN, Violation
from simulation.network import KEY, STATUSES
from simulation.park import Machine, Park
from simulation.park_invariants import OPS
from simulation.perils import Killed, Perils, plain_connect
from support.ledger import expected_slots
from tallyd.adapters.state import postgresql
from tallyd.adapters.state.bodies import unpacked
from tallyd.adapters.state.connection import DeposedError
from tallyd.adapters.state.sqlite import StateFile
from tallyd.core.schedule.timetable import At

LEASE = timedelta(seconds=20)
URL = "postgresql+psycopg://state.sim/tallyd"
HOURS = range(0, 24, 2)


class SharedState(StateFile):
    """Stands in for `StateServer`. `path_of_all` and `leader_token` are those of the life that is lived."""

    path_of_all: ClassVar[Path]
    leader_token: ClassVar[str] = ""

    def __init__(self, _url: str, *, token: str | None = None, reads_only: bool = False) -> None:
        self._token = token
        super().__init__(self.path_of_all, reads_only=reads_only)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        self.confirm()
        with super().transaction() as db:
            yield db

    def confirm(self) -> None:
        if self._token != self.leader_token:
            raise DeposedError(self.place)


class Pair(Park):
    """Their lives. Its shape is that of `Life`."""

    events: ClassVar[dict[str, float]] = {
        "staff": 5.0,
        "kill": 5.0,
        "kill_later": 2.0,
        "stop": 10.0,
        "freeze": 3.0,
        "divera": 6.0,
        "ops": 6.0,
    }
    always = frozenset({"staff", "freeze"})

    def __init__(self, seed: int, folder: Path, *, days: float, say: Callable[[str], None]) -> None:
        postgresql.StateServer = SharedState  # type: ignore[misc, assignment] # its stand-in
        SharedState.path_of_all = folder / "state.db"
        self.leader: Machine | None = None
        self._told: dict[tuple[Any, ...], Heard] = {}
        self._audited = 0
        self._cuts: dict[int, list[datetime]] = {}
        super().__init__(seed, folder, days=days, say=say)

    def _machines(self, folder: Path) -> list[Machine]:
        return [self._of_pair(name, folder / name) for name in ("one", "two")]

    def _of_pair(self, name: str, folder: Path) -> Machine:
        perils = Perils(folder, pass_s=self.clock.pass_s, now_text=lambda: "")
        found = Machine(name, folder, perils, self.start_at)
        found.content = {
            "name": "pair",
            "timezone": "Europe/Berlin",
            "state": {"dir": "state", "url": URL},
            "channels": {"ops": OPS},
            "alerts": {"channels": ["ops"], "raise_after": 1, "resolve_after": 1},
            "pollers": {
                "divera": {
                    "kind": "divera",
                    "url": "https://divera.sim/api/users",
                    "accesskey": KEY,
                    "at": [f"{hour:02}:00" for hour in HOURS],
                    "at_least": [{"statuses": ["50101"], "count": 8}],
                }
            },
        }
        return found

    # -- who works ---------------------------------------------------------------------------------------

    def _run(self, machine: Machine) -> None:
        """Work as the leader, take over, or notice that another one has."""
        if machine.process is None:
            if machine.on_at <= self.clock.true_at and self._is_free():
                SharedState.leader_token = machine.token = f"token{self.number + 1}"
                self.leader = machine
                self._start(machine)
            return
        super()._run(machine)
        if machine is not self.leader and machine.process is not None:
            self.say(f"{machine.name} notices that it was deposed")
            self._stopped(machine)

    def _is_free(self) -> bool:
        """Whether nobody holds the lock, or one who is frozen for longer than the lease."""
        leader = self.leader
        if leader is None or leader.process is None:
            return True
        return leader.frozen_at is not None and self.clock.true_at - leader.frozen_at > LEASE

    def _stopped(self, machine: Machine) -> None:
        assert machine.process is not None
        try:
            with machine.perils.armed():
                machine.process.stop()
        except Killed:
            self._died(machine)
        else:
            machine.process = None

    def _died(self, machine: Machine) -> None:
        if machine.process is not None:
            self._cuts.setdefault(machine.process.number, []).append(self.clock.now())
        super()._died(machine)

    # -- events ------------------------------------------------------------------------------------------

    def _on_staff(self) -> None:
        self.network.staff = self.chance.randint(0, 12)

    def _on_divera(self) -> timedelta | None:
        if self.network.modes.pop("divera.sim", None):
            return None
        self.network.modes["divera.sim"] = self.chance.choice(["down", "slow", "broken"])
        return timedelta(hours=self.chance.choice([0.1, 3.0]))

    def _on_freeze(self) -> None:
        machine = self.leader
        if machine is not None and machine.process is not None and machine.frozen_at is None:
            self._cuts.setdefault(machine.process.number, []).append(self.clock.now())
            self._freeze(machine, self.chance.choice([5.0, 12.0, 90.0, 600.0, 600.0, 5 * 3600.0]))

    # -- what must hold ----------------------------------------------------------------------------------

    def audit(self) -> None:
        """Nobody hears the same news twice, but if it was cut off on its way, or before it was noted."""
        heard = self.chats.heard.get(OPS, [])
        new, self._audited = heard[self._audited :], len(heard)
        for each in new:
            news = (each.key, each.raised_at, each.version, each.news)
            first = self._told.setdefault(news, each)
            if each is first or each.news == "reminder" or self._was_cut(first) or self._was_cut(each):
                continue
            raise Violation(f"told by process {first.process} at {first.at}, and again: {each}")

    def _was_cut(self, heard: Heard) -> bool:
        """Whether its process was killed or frozen from its sending on until it was noted."""
        noted_at = heard.at + timedelta(seconds=60)
        return any(heard.begun_at <= at <= noted_at for at in self._cuts.get(heard.process, ()))

    def audit_at_end(self) -> None:
        """Every slot once or recorded as missed, each answer once, no alert open; out/ has all of it."""
        self.audit()
        leader = self.leader
        if leader is None or leader.process is None:
            raise Violation("nobody works")
        with closing(plain_connect(SharedState.path_of_all)) as db:
            rows = db.execute(
                "SELECT slot, outcome, body, out_name FROM reading WHERE slot IS NOT NULL"
            ).fetchall()
            still = db.execute(
                "SELECT key FROM alert WHERE raised_at IS NOT NULL AND over_at IS NULL"
            ).fetchall()
        # A message that was under way when its leader was frozen arrives late, after what is newer.
        heard = sorted(self.chats.heard.get(OPS, ()), key=lambda each: (each.raised_at, each.version))
        last = {each.key: each for each in heard}
        believed = {key for key, each in last.items() if each.is_open}
        if still or believed:
            raise Violation(f"still open: {still}, {believed}")
        slots = Counter(slot.partition("[")[0] for slot, *_ in rows)
        if twice := [slot for slot, number in slots.items() if number > 1]:
            raise Violation(f"the slot {twice[0]} is stored twice")
        when = At(tuple(time(hour) for hour in HOURS))
        until = self.clock.now() - timedelta(minutes=30)
        for name in expected_slots(when, BERLIN, after=self.start_at + timedelta(hours=1), until=until):
            if name not in slots:
                raise Violation(f"the slot {name} was lost in silence")
        self._check_answers(leader, rows)

    def _check_answers(self, leader: Machine, rows: list[tuple[Any, ...]]) -> None:
        counted: Counter[tuple[int, ...]] = Counter()
        for _, outcome, body, name in rows:
            if outcome == "taken":
                content = json.loads(unpacked(body))
                counted[tuple(content["counts"].get(status, 0) for status in STATUSES)] += 1
                path = leader.folder / "out" / "divera" / name
                if not path.exists() or json.loads(path.read_bytes()) != content:
                    raise Violation(f"{path.name} of the leader is missing, or differs from the state")
        for counts, number in counted.items():
            if number > len(self.network.counted.get(counts, ())):
                raise Violation(f"the answer {counts} was counted {number} times")

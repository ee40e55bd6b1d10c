"""A machine in a box: the real daemon with a real store, on clocks that a test moves by hand.

with FakeClock(at("2026-11-20 07:59")) as clock, World(tmp_path, clock, FakePoller(daily("08:00"))) as world:
    world.run(minutes=5)
    assert world.taken() == ["2026-11-20 08:00"]

Real are the daemon, the scheduler with `schedule`, state.db and the out files. Fake are the clocks (what
`datetime.now` says, too, for `schedule` reads it), the poller, and who runs the runs.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, time
from pathlib import Path
from resource import RLIMIT_FSIZE, getrlimit, setrlimit
from types import TracebackType
from typing import Any, ClassVar, Self
from zoneinfo import ZoneInfo

from support.executors import Inline
from support.fakeclock import FakeClock, FakeStop
from support.toolbox import FakeHttp
from tallyd.adapters.locks import FileLock
from tallyd.adapters.outfiles import OutFiles
from tallyd.adapters.state import State
from tallyd.alerting.heartbeat import Heartbeat
from tallyd.alerting.notifier import Deliver, Notifier
from tallyd.config.jobs import Task, tasks_of
from tallyd.config.load import load
from tallyd.config.model import Config
from tallyd.config.reload import ActiveConfig
from tallyd.contract.http import Http
from tallyd.contract.job import Job
from tallyd.contract.poller import Found
from tallyd.contract.toolbox import Toolbox
from tallyd.core.alerts.alert_kind import AlertKind
from tallyd.core.alerts.message import Message
from tallyd.core.alerts.notices import AlertPolicy
from tallyd.core.alerts.rules import Alert
from tallyd.core.errors import DeliveryError
from tallyd.core.hosts import Neighbours
from tallyd.core.inbox_spec import InboxNeeded
from tallyd.core.reading import Reading, Slot
from tallyd.core.schedule.hours import Hours
from tallyd.core.schedule.timetable import At, Every
from tallyd.core.stored import StoredReading
from tallyd.core.workers_spec import WorkersNeeded
from tallyd.daemon import Daemon, Dependencies
from tallyd.outbox.relay import Relay
from tallyd.outbox.worker import OutboxWorker
from tallyd.runs.runner import Runner
from tallyd.scheduling.wakeups import Wakeups
from tallyd.settings.alerting import AlertSettings
from tallyd.settings.pollers import OutOverride, RetrySettings
from tallyd.storage.host_beats import HostBeats
from tallyd.storage.record_retention import Prunable, RecordRetention
from tallyd.storage.store import Store

BELOW = AlertKind(
    key="<poller>/<subject>/below",
    severity="warning",
    text="{poller}: too few on {subject}",
    over="{poller}: enough on {subject}",
    ends="a reading with enough",
    short="below the minimum",
    many="subjects below",
)


BEAT_BYTES = 4096 + 24
"""What each minute's note that the daemon is on adds to the log of state.db: one page."""


def daily(*times: str) -> At:
    """Return a timetable of these times of day, on every day."""
    return At(tuple(time.fromisoformat(one) for one in times))


class Killed(BaseException):
    """SIGKILL, as near as it comes within a process: nothing catches it, nothing is stored on its way."""


def one_person(_slot: Slot, tools: Toolbox) -> Reading:
    """Count a single person: a run that works."""
    return Reading(taken_at=tools.now(), facts={"total": 1, "counts": {"50101": 1}})


@dataclass
class FakePoller:
    """A poller with one job, `count`. `act` is what its runs do; `runs` are those that were begun."""

    when: At | Every
    act: Callable[[Slot, Toolbox], Reading] = one_person
    catch_up_s: float | None = 900.0
    limit_s: float = 600.0
    timezone: ZoneInfo | None = None
    retry: RetrySettings | None = None
    out: OutOverride | None = None
    alerts: AlertSettings | None = None
    watches: Mapping[str, frozenset[str]] = field(default_factory=dict)
    machines: Mapping[tuple[str, str], str] = field(default_factory=dict)
    own_channels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    own_hours: Mapping[str, tuple[Hours, ...]] = field(default_factory=dict)
    runs: list[Slot] = field(default_factory=list)
    kind: ClassVar[str] = "fake"
    needs_records: ClassVar[bool] = False

    def default_keep_days(self) -> int | None:
        return None

    def hosts(self) -> Mapping[tuple[str, str], str]:
        return self.machines

    def own_policies(self, whole: AlertPolicy) -> Mapping[str, AlertPolicy]:
        return {
            **{subject: replace(whole, channels=names) for subject, names in self.own_channels.items()},
            **{subject: replace(whole, active=hours) for subject, hours in self.own_hours.items()},
        }

    def inbox_needed(self, poller: str) -> InboxNeeded | None:
        return None

    def workers_needed(self) -> WorkersNeeded | None:
        return None

    def jobs(self) -> tuple[Job, ...]:
        job = Job(
            name="count",
            when=self.when,
            evaluates=frozenset({"below"}),
            limit_s=self.limit_s,
            run=self._run,
            catch_up_s=self.catch_up_s,
        )
        return (job,)

    @classmethod
    def alert_kinds(cls) -> tuple[AlertKind, ...]:
        return (BELOW,)

    def watched(self) -> Mapping[str, frozenset[str]]:
        return self.watches

    def view(self, subject: str, what: str) -> Mapping[str, str]:
        return {"about": subject} if what == "below" else {}

    def probe(self, tools: Toolbox) -> tuple[Found, ...]:
        return ()

    def _run(self, slot: Slot, tools: Toolbox) -> tuple[Reading, ...]:
        self.runs.append(slot)
        return (self.act(slot, tools),)


@dataclass
class FakeChats:
    """Takes messages by URL. Those in `down` refuse, those in `lost` take it and then tallyd is killed."""

    messages: dict[str, list[Message]] = field(default_factory=dict)
    down: set[str] = field(default_factory=set)
    lost: set[str] = field(default_factory=set)

    def __call__(self, url: str, message: Message) -> None:
        if url in self.down:
            raise DeliveryError("chat.example: connection refused")
        self.messages.setdefault(url, []).append(message)
        if url in self.lost:
            raise Killed

    def texts(self, url: str = "json://ops.example/x") -> list[str]:
        """Return what a channel was sent, oldest first."""
        return [message.text for message in self.messages.get(url, [])]


class OfferedConfig(ActiveConfig):
    """The active config; a newer one comes from the test instead of the disk."""

    offered: Config | None = None

    def newer(self, *, asked: bool) -> Config | None:
        taken, self.offered = self.offered, None
        return taken


class World:
    """A data folder, a clock, and one daemon at a time. Entered, the daemon has started."""

    def __init__(
        self,
        folder: Path,
        clock: FakeClock,
        poller: FakePoller | Mapping[str, FakePoller],
        *,
        zone: str = "Europe/Berlin",
        executor: Executor | None = None,
        top: Mapping[str, object] | None = None,
        http: Http | None = None,
    ) -> None:
        self.folder = folder
        self.clock = clock
        self.executor = executor or Inline()
        self.shown: list[str] = []  # as the status, to systemd
        self.chats = FakeChats()
        self.http: Http = http or FakeHttp()
        self._deliver: Deliver = self.chats
        self.stop = FakeStop(clock)
        self.wakeups = Wakeups(lambda: None)
        self.prunables: Callable[[datetime], tuple[Prunable, ...]] = lambda _now: ()
        self.host_beat: Callable[[], Neighbours | None] = lambda: None
        path = folder / "config.json"
        path.write_text(json.dumps({"name": "box", **(top or {})}))
        self._base = load(path, environ={})
        self.config = self._config(poller, zone)
        (folder / "state").mkdir(exist_ok=True)

    def _config(self, poller: FakePoller | Mapping[str, FakePoller], zone: str) -> Config:
        pollers = {"one": poller} if isinstance(poller, FakePoller) else dict(poller)
        changed = {"pollers": pollers, "timezone": ZoneInfo(zone)}
        return replace(self._base, settings=self._base.settings.model_copy(update=changed))

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.executor.shutdown()
        self.state.close()

    # -- the process -------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start a daemon as a new process would, with nothing but what is on disk."""
        self.state = State(self.folder / "state" / "state.db")
        self.store = Store(self.state, OutFiles(self.folder / "out"), now=self.clock.now)
        clock = self.clock.clock()
        self.relay = Relay(
            self.store, locks=self.folder / "state" / "locks", now=clock.now, monotonic=clock.monotonic
        )
        self.active_config = OfferedConfig(
            self.config,
            now=clock.now,
            monotonic=clock.monotonic,
            environ={},
            closely=lambda _newer, _known: (),
            restart="start it again",
        )
        self.dependencies = Dependencies(
            store=self.store,
            executor=self.executor,
            clock=clock,
            show_status=self.shown.append,
            active_config=self.active_config,
            runner=lambda _config: self.runner,
            on_config=lambda _config: None,
            notifier=Notifier(
                self.store,
                deliver=lambda url, message: self._deliver(url, message),  # noqa: PLW0108 # it may change
                executor=self.executor,
                now=clock.now,
                monotonic=clock.monotonic,
            ),
            host_beats=HostBeats(
                self.executor,
                lambda: self.host_beat(),  # noqa: PLW0108 # it may change
                state=self.store.state,
                now=clock.now,
            ),
            heartbeat=Heartbeat(self.executor, wait=self.stop.wait, monotonic=clock.monotonic),
            outbox_worker=OutboxWorker(self.store, self.relay, executor=self.executor, now=clock.now),
            wakeups=self.wakeups,
            record_retention=RecordRetention(self.executor, self.prunables, self.stop.is_set),
        )
        self.start_with()

    def start_with(self, **changes: Any) -> None:
        """Start a daemon beside the same state.db, with other dependencies."""
        self.daemon = Daemon(replace(self.dependencies, **changes))
        self.daemon.start()

    @property
    def task(self) -> Task:
        """The first job of the config."""
        return tasks_of(self.config)[0]

    @property
    def runner(self) -> Runner:
        """A runner as the daemon has it."""
        return Runner(
            store=self.store,
            http=self.http,
            stop=self.stop,
            locks=self.folder / "state" / "locks",
            now=self.clock.now,
            monotonic=self.clock.monotonic,
            wake=self.wakeups.wake,
            deliver=self.relay.deliver_now,
        )

    def teller_deliver(self, deliver: Deliver) -> None:
        """Let messages go another way from now on."""
        self._deliver = deliver

    def kill(self) -> None:
        """End the daemon where it stands."""
        self.state.close()

    def restart(self, *, off_s: float = 0.0) -> None:
        """Kill the daemon, and start it again so much later."""
        self.kill()
        self.clock.pass_s(off_s)
        self.start()

    def edit(
        self, poller: FakePoller | Mapping[str, FakePoller] | None = None, *, zone: str | None = None
    ) -> None:
        """Change the config; the daemon takes it at its next tick."""
        pollers = poller if poller is not None else self.pollers
        self.config = self._config(pollers, zone or str(self.config.zone))
        self.active_config.offered = self.config

    @property
    def pollers(self) -> dict[str, FakePoller]:
        found: Any = self.config.settings.pollers
        return dict(found)

    def job_lock(self, poller: str) -> FileLock:
        """Hold the lock of the poller's job, as `tallyd once` in another process does."""
        return self.lock(f"{poller}.count")

    def lock(self, name: str) -> FileLock:
        """Hold one of the locks that processes are kept apart by."""
        locks = self.folder / "state" / "locks"
        locks.mkdir(exist_ok=True)
        return FileLock(locks / f"{name}.lock").take()

    # -- time --------------------------------------------------------------------------------------------

    def run(
        self, *, hours: float = 0.0, minutes: float = 0.0, seconds: float = 0.0, least_s: float = 0.05
    ) -> int:
        """Tick for so long (monotonic) whenever something is due, not more often than each `least_s`.

        The daemon also ticks each second for what comes from outside; here that comes between two calls.
        Return the ticks.
        """
        end_s = self.clock.monotonic() + hours * 3600 + minutes * 60 + seconds
        ticks = 0
        while (left_s := end_s - self.clock.monotonic()) > 0:
            self.daemon.tick()
            ticks += 1
            self.clock.pass_s(min(left_s, max(self.daemon.idle_s(math.inf), least_s)))
        return ticks

    # -- what came of it ---------------------------------------------------------------------------------

    def history(self, poller: str = "one") -> tuple[StoredReading, ...]:
        return self.state.readings.history(poller=poller)

    def outcomes(self, poller: str = "one") -> list[str]:
        """Return what became of each slot, oldest first, as `2026-11-20 08:00 taken` (the config's zone)."""
        return [f"{self._local(row.due_at)} {row.outcome}" for row in self.history(poller)]

    def taken(self, poller: str = "one") -> list[str]:
        """Return the slots that have their reading, as `2026-11-20 08:00` in the config's zone."""
        return [self._local(row.due_at) for row in self.history(poller) if row.outcome == "taken"]

    def origins(self, poller: str = "one") -> list[object]:
        """Return the origin of each reading: live, late or once."""
        return [row.body["origin"] for row in self.history(poller) if row.body]

    def _local(self, instant: datetime | None) -> str:
        if instant is None:
            return "no slot"
        local = instant.astimezone(self.config.zone).replace(tzinfo=None)
        return local.isoformat(" ", "seconds" if local.second else "minutes")

    def problems(self) -> dict[str, Alert]:
        """Return what is open or waits to be raised, by key."""
        return {alert.key: alert for alert in self.state.alerts.all().values() if alert.over_at is None}

    def out_files(self, poller: str = "one") -> list[str]:
        """Return the names of the poller's out files, `latest.json` left out."""
        folder = self.folder / "out" / poller
        return sorted(str(path.relative_to(folder)) for path in folder.glob("*/*"))


@contextmanager
def disk_refuses() -> Iterator[None]:
    """Let every write to any file fail, as on a full or broken disk; reading goes on.

    It is the limit on file sizes of this process (EFBIG): real SQLite fails really, even for root.
    """
    soft, hard = getrlimit(RLIMIT_FSIZE)
    setrlimit(RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        setrlimit(RLIMIT_FSIZE, (soft, hard))

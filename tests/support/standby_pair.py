"""Two daemons on one PostgreSQL, each behind a proxy of its own, and what disturbs them.

A trigger in the database notes at each commit which connection changed something, in which term, and what was
noted as sent. What the two did is compared with the truth in `standby_truth.py`.
"""

from __future__ import annotations

import random
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from adapters.records.servers import Server
from support.chatservers import WebService
from support.daemon import Daemon, wait_until, write_config
from support.divera_server import Client
from support.tcp_proxy import TcpProxy
from tallyd.adapters.records.database import Database
from tallyd.core.naming import instant_text

NAMES = ("a", "b")
STEP_S = 2
SSID = "SS-007"
LONG_S = 90
_SCRIPT = str(Path(__file__).with_name("standby_daemon.py"))
_AUDIT = """
CREATE TABLE public.audit (
  app text, term bigint, folder text, xid xid8, at double precision, name text, was jsonb, now jsonb);
CREATE FUNCTION public.note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  INSERT INTO public.audit SELECT current_setting('application_name'), term, folder, pg_current_xact_id(),
    extract(epoch FROM clock_timestamp()), TG_TABLE_NAME,
    CASE TG_TABLE_NAME WHEN 'notified' THEN to_jsonb(OLD) END,
    CASE TG_TABLE_NAME WHEN 'notified' THEN to_jsonb(NEW) END FROM tallyd_state.leader;
  RETURN NULL; END $$;
"""
_WATCHED = ("reading", "slot", "alert", "notified", "mark", "outbox")
_CHANGES = re.compile(rf"(INSERT INTO|UPDATE) ({'|'.join(_WATCHED)})\b".encode())
"""The late COMMIT of anything else would prove nothing."""
_COME = """
INSERT INTO passage_minute AS known (poller, minute, source, n_in, n_out, n_other, first_at, last_at)
VALUES ('visits', date_trunc('minute', now() AT TIME ZONE 'UTC'), '12', {people}, 0, 0,
  date_trunc('second', now() AT TIME ZONE 'UTC'), date_trunc('second', now() AT TIME ZONE 'UTC'))
ON CONFLICT (poller, minute, source) DO UPDATE SET n_in=known.n_in+excluded.n_in, last_at=excluded.last_at
"""


@dataclass(kw_only=True)
class Window:
    """When a daemon was disturbed, in seconds since 1970: what it was just sending then may be sent again."""

    kind: str
    name: str
    begin_s: float
    end_s: float = float("inf")


@dataclass
class Pair:
    """The two daemons. `variant` and `lease_s` are those of `standby_daemon.py`."""

    folder: Path
    server: Server
    client: Client
    web: WebService
    variant: str = "sound"
    lease_s: int = 20
    lasts_s: int = 3600
    proxies: dict[str, TcpProxy] = field(default_factory=dict)
    daemons: dict[str, Daemon] = field(default_factory=dict)
    took_s: list[tuple[str, float]] = field(default_factory=list)
    windows: list[Window] = field(default_factory=list)
    said_stopping: int = 0
    unnoted: int = 0

    def __post_init__(self) -> None:
        self.database = self.server.new_database()
        with closing(Database(self.server.url(self.database))) as database:
            database.prepare()
        self.server.execute(f"ALTER DATABASE {self.database} SET search_path=tallyd_state, public")
        first = datetime.now(UTC) + timedelta(seconds=15)
        self.due = [first + timedelta(seconds=STEP_S * n) for n in range(self.lasts_s // STEP_S)]
        for name in NAMES:
            self.proxies[name] = proxy = TcpProxy(self.server.port, changes=_CHANGES)
            folder = self.folder / name
            folder.mkdir(parents=True)
            (folder / "url").write_text(self.server.url(self.database, proxy.port))
            (folder / "chat").write_text(f"json://{self.web.host}/chat/{name}")
            (folder / "sender").write_text(f"daemon {name}")
            write_config(folder, self._config())

    def _config(self) -> dict[str, object]:
        """Return the config, the same for both. What tells them apart is in files."""
        divera = {
            "kind": "divera",
            "url": self.client.url,
            "accesskey": "canary-key-8f3a",
            "at": [f"{at:%H:%M:%S}" for at in self.due],
            "catch_up": "1h",
            "retry": {"attempts": 1},
        }
        report = {
            "every": "10s",
            "url": f"http://{self.web.host}/report",
            "headers": {"X-From": "file:sender"},
            "ssid": SSID,
        }
        return {
            "name": "pair",
            "timezone": "UTC",
            "state": {"dir": "state", "url": "file:url"},
            "database": {"url": "file:url"},
            "channels": {"chat": "file:chat"},
            "alerts": {"channels": ["chat"]},
            "pollers": {"divera": divera, "visits": {"kind": "visitors", "report": report}},
        }

    # -- the daemons -------------------------------------------------------------------------------------

    def start(self, name: str) -> None:
        if name in self.daemons:
            self.daemons[name].close()
        config = self.folder / name / "config.json"
        command = (_SCRIPT, self.variant, str(self.lease_s))
        self.daemons[name] = daemon = Daemon(config, python=sys.executable, command=command)
        daemon.wait_ready()

    def begin(self) -> None:
        """Start both, and let the database note who changes what."""
        self.start("a")
        self.server.execute(_AUDIT, self.database)
        for table in _WATCHED:
            self.server.execute(
                f"CREATE CONSTRAINT TRIGGER note AFTER INSERT OR UPDATE ON tallyd_state.{table}"
                " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.note()",
                self.database,
            )
        self.start("b")

    def leader(self) -> tuple[str, int]:
        """Return which daemon took over last, and its term."""
        ((folder, term),) = self.rows("SELECT folder, term FROM leader")
        return Path(str(folder)).parent.name, int(str(term))

    def rows(self, query: str) -> list[tuple[object, ...]]:
        return self.server.execute(query, self.database)

    def wait_for_other(self, kind: str, name: str, term: int) -> None:
        """Wait until the other daemon is the leader, and note how long that took."""
        began_s = time.monotonic()
        wait_until(
            lambda: self._is_led(name, term), within_s=120, what=f"{kind}: nobody took over from {name}"
        )
        self.took_s.append((kind, time.monotonic() - began_s))

    def _is_led(self, name: str, term: int) -> bool:
        leader, now = self.leader()
        return leader != name and now > term

    # -- what disturbs -----------------------------------------------------------------------------------

    def disturb(self, kind: str, rand: random.Random) -> None:
        """Disturb the leader once, and wait until both daemons are well again."""
        name, term = self.leader()
        self.client.status = rand.choice((200, 403))  # something to notify, and to resolve
        self.come(rand.randint(1, 9))
        time.sleep(rand.uniform(0, 1.5))
        getattr(self, f"_{kind}")(name, term)
        self.client.status = 200
        self.come(rand.randint(1, 9))
        time.sleep(STEP_S * 1.5)
        wait_until(self.is_well, within_s=120, what=f"{kind}: both are well")

    def come(self, people: int) -> None:
        """Let a collector store that people came."""
        self.server.execute(_COME.format(people=people), self.database)

    def is_well(self) -> bool:
        """Whether both run and the leader counts."""
        done = self.rows("SELECT max(due_at) FROM reading WHERE poller='divera' AND outcome='taken'")[0][0]
        is_new = str(done) > instant_text(datetime.now(UTC) - timedelta(seconds=3 * STEP_S))
        return is_new and all(each.process.poll() is None for each in self.daemons.values())

    @contextmanager
    def _window(self, kind: str, *names: str) -> Iterator[None]:
        """Note that daemons are disturbed while the block runs."""
        found = [Window(kind=kind, name=name, begin_s=time.time()) for name in names]
        self.windows += found
        yield
        for each in found:
            each.end_s = time.time()

    def _kill(self, name: str, term: int) -> None:
        with self._window("kill", name):
            self.daemons[name].kill()
        self.wait_for_other("kill", name, term)
        self.start(name)

    def _stop(self, name: str, term: int) -> None:
        self.daemons[name].end()
        self.wait_for_other("stop", name, term)
        self.start(name)

    def _freeze(self, name: str, term: int, *, at_least_s: float = 0.0) -> None:
        process = self.daemons[name].process
        until_s = time.monotonic() + at_least_s
        with self._window("freeze", name):
            process.send_signal(signal.SIGSTOP)
            self.wait_for_other("freeze", name, term)
            time.sleep(max(STEP_S * 2, until_s - time.monotonic()))  # the new one works
            process.send_signal(signal.SIGCONT)
        time.sleep(STEP_S * 2)
        self.said_stopping += self.daemons[name].heard("STOPPING=1")

    def _freeze_long(self, name: str, term: int) -> None:
        self._freeze(name, term, at_least_s=LONG_S)

    def _cut(self, name: str, term: int) -> None:
        with self._window("cut", name):
            self.proxies[name].cut()
            self.wait_for_other("cut", name, term)
            time.sleep(STEP_S * 2)
            self.proxies[name].mend()

    def _slow(self, name: str, term: int) -> None:
        self.proxies[name].delay_s = 0.3
        time.sleep(STEP_S * 4)
        self.proxies[name].mend()

    def _hold(self, name: str, term: int) -> None:
        """Hold a COMMIT on its way until the other daemon has tried to take over."""
        proxy = self.proxies[name]
        with self._window("hold", name):
            proxy.hold_next_commit()
            proxy.held.wait(30)
            time.sleep(min(self.lease_s * 0.7, 8.0))
            proxy.mend()

    def _late(self, name: str, term: int) -> None:
        """Hold a COMMIT on its way, and freeze its daemon, until another one has taken over."""
        proxy, process = self.proxies[name], self.daemons[name].process
        with self._window("late", name):
            proxy.hold_next_commit()
            assert proxy.held.wait(30), "no COMMIT came"
            process.send_signal(signal.SIGSTOP)
            self.wait_for_other("late", name, term)
            time.sleep(STEP_S)
            proxy.mend()
            time.sleep(STEP_S)
            process.send_signal(signal.SIGCONT)
        time.sleep(STEP_S * 2)

    def _restart(self, _name: str, _term: int) -> None:
        with self._window("restart", *NAMES):
            self.server.stop()
            time.sleep(1)
            self.server.start()
            for proxy in self.proxies.values():
                proxy.target = self.server.port

    # -- the end -----------------------------------------------------------------------------------------

    def finish(self, is_quiet: Callable[[], bool]) -> None:
        """Let everything come to rest, then end both."""
        self.client.status = 200
        wait_until(self.is_well, within_s=120, what="both are well")
        time.sleep(STEP_S * 3)
        leader, _ = self.leader()
        for name in sorted(NAMES, key=leader.__eq__):  # the standby first: it would take over
            wait_until(is_quiet, within_s=120, what="all is notified and reported")
            self.daemons[name].end()

    def close(self) -> None:
        """End everything, however it went."""
        for daemon in self.daemons.values():
            daemon.kill()
            daemon.close()
        for proxy in self.proxies.values():
            proxy.close()


KINDS: dict[str, Callable[..., None]] = {
    name: getattr(Pair, f"_{name}")
    for name in ("kill", "stop", "freeze", "cut", "slow", "hold", "late", "restart", "freeze_long")
}

"""Two daemons on one PostgreSQL, each behind a proxy of its own; what disturbs them; and the truth.

A trigger in the database notes at each commit which connection changed something, and in which term. No
connection may be seen in two terms, and no term with two: it would be a daemon that went on after another one
had taken over.
"""

from __future__ import annotations

import json
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from adapters.records.servers import Server
from support.chatservers import WebService
from support.daemon import Daemon, wait_until, write_config
from support.divera_server import Client
from support.tcp_proxy import TcpProxy
from tallyd.core.naming import instant_text

NAMES = ("a", "b")
STEP_S = 2
HOOK = "/hook"
_SCRIPT = str(Path(__file__).with_name("standby_daemon.py"))
_AUDIT = """
CREATE TABLE public.audit (app text, term bigint);
CREATE FUNCTION public.note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  INSERT INTO public.audit SELECT current_setting('application_name'), term FROM tallyd_state.leader;
  RETURN NULL; END $$;
"""
_WATCHED = ("reading", "slot", "alert", "notified", "mark")


@dataclass
class Pair:
    """The two daemons. `variant` and `lease_s` are those of `standby_daemon.py`."""

    folder: Path
    server: Server
    client: Client
    chat: WebService
    variant: str = "sound"
    lease_s: int = 20
    lasts_s: int = 3600
    proxies: dict[str, TcpProxy] = field(default_factory=dict)
    daemons: dict[str, Daemon] = field(default_factory=dict)
    took_s: list[tuple[str, float]] = field(default_factory=list)
    said_stopping: int = 0

    def __post_init__(self) -> None:
        self.database = self.server.new_database()
        self.server.execute(f"ALTER DATABASE {self.database} SET search_path=tallyd_state, public")
        first = datetime.now(UTC) + timedelta(seconds=15)
        self.due = [first + timedelta(seconds=STEP_S * n) for n in range(self.lasts_s // STEP_S)]
        poller = {
            "kind": "divera",
            "url": self.client.url,
            "accesskey": "canary-key-8f3a",
            "at": [f"{at:%H:%M:%S}" for at in self.due],
            "catch_up": "1h",
            "retry": {"attempts": 1},
        }
        for name in NAMES:
            self.proxies[name] = proxy = TcpProxy(self.server.port)
            folder = self.folder / name
            folder.mkdir(parents=True)
            url = self.server.url(self.database, proxy.port)
            content = {
                "name": "pair",
                "timezone": "UTC",
                "state": {"dir": "state", "url": url},
                "channels": {"chat": f"http://{self.chat.host}{HOOK}".replace("http", "json", 1)},
                "alerts": {"channels": ["chat"]},
                "pollers": {"divera": poller},
            }
            write_config(folder, content)

    # -- the daemons -------------------------------------------------------------------------------------

    def start(self, name: str) -> None:
        if name in self.daemons:
            self.daemons[name].close()
        config = self.folder / name / "config.json"
        command = (_SCRIPT, self.variant, str(self.lease_s))
        self.daemons[name] = daemon = Daemon(config, python=sys.executable, command=command)
        wait_until(lambda: daemon.heard("READY=1"), within_s=90, what=f"{name} is ready")

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
        time.sleep(rand.uniform(0, 1.5))
        getattr(self, f"_{kind}")(name, term)
        self.client.status = 200
        time.sleep(STEP_S * 1.5)
        wait_until(self.is_well, within_s=120, what=f"{kind}: both are well")

    def is_well(self) -> bool:
        """Whether both run and the leader counts."""
        done = self.rows("SELECT max(due_at) FROM reading WHERE outcome='taken'")[0][0]
        is_new = str(done) > instant_text(datetime.now(UTC) - timedelta(seconds=3 * STEP_S))
        return is_new and all(each.process.poll() is None for each in self.daemons.values())

    def _kill(self, name: str, term: int) -> None:
        self.daemons[name].kill()
        self.wait_for_other("kill", name, term)
        self.start(name)

    def _stop(self, name: str, term: int) -> None:
        self.daemons[name].end()
        self.wait_for_other("stop", name, term)
        self.start(name)

    def _freeze(self, name: str, term: int) -> None:
        process = self.daemons[name].process
        process.send_signal(signal.SIGSTOP)
        self.wait_for_other("freeze", name, term)
        time.sleep(STEP_S * 2)  # the new one works
        process.send_signal(signal.SIGCONT)
        time.sleep(STEP_S * 2)
        self.said_stopping += self.daemons[name].heard("STOPPING=1")

    def _cut(self, name: str, term: int) -> None:
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
        proxy.hold_next_commit()
        proxy.held.wait(30)
        time.sleep(min(self.lease_s * 0.7, 8.0))
        proxy.mend()

    def _late(self, name: str, term: int) -> None:
        """Hold a COMMIT on its way, and freeze its daemon, until another one has taken over."""
        proxy, process = self.proxies[name], self.daemons[name].process
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
        self.server.stop()
        time.sleep(1)
        self.server.start()
        for proxy in self.proxies.values():
            proxy.target = self.server.port

    # -- the truth ---------------------------------------------------------------------------------------

    def finish(self) -> None:
        """Let everything come to rest, then end both."""
        self.client.status = 200
        wait_until(self.is_well, within_s=120, what="both are well")
        time.sleep(STEP_S * 3)
        wait_until(self._is_notified, within_s=120, what="all is notified")
        for daemon in self.daemons.values():
            daemon.end()

    def close(self) -> None:
        """End everything, however it went."""
        for daemon in self.daemons.values():
            daemon.kill()
            daemon.close()
        for proxy in self.proxies.values():
            proxy.close()

    def _is_notified(self) -> bool:
        return not self._unheard()

    def _unheard(self) -> list[str]:
        """Return the last incident of each key if it has ended, and the chat only heard of its beginning.

        One that is followed by another of its key may end unheard: a channel gets the state of now.
        """
        found = self.rows(
            "SELECT key, raised_at FROM incident WHERE ended_at IS NOT NULL AND NOT EXISTS (SELECT 1 FROM"
            " incident_notice AS n WHERE n.key=incident.key AND n.raised_at=incident.raised_at"
            " AND news='over')"
            " AND EXISTS (SELECT 1 FROM incident_notice AS n WHERE n.key=incident.key"
            " AND n.raised_at=incident.raised_at) AND raised_at=(SELECT max(raised_at) FROM incident AS other"
            " WHERE other.key=incident.key)"
        )
        return [f"{key} of {at}" for key, at in found]

    def verdict(self) -> list[str]:
        """Return what is wrong."""
        ended = ["told systemd that it stops, and went on as a standby"] * self.said_stopping
        return [*self._stale(), *self._slots(), *self._files(), *self._notices(), *ended]

    def _stale(self) -> list[str]:
        apps = self.rows("SELECT app FROM public.audit GROUP BY app HAVING count(DISTINCT term) > 1")
        terms = self.rows("SELECT term FROM public.audit GROUP BY term HAVING count(DISTINCT app) > 1")
        return [
            *(f"{app} changed something in several terms" for (app,) in apps),
            *(f"in term {term}, more than one changed something" for (term,) in terms),
        ]

    def _slots(self) -> list[str]:
        rows = Counter(str(at) for (at,) in self.rows("SELECT due_at FROM reading WHERE due_at IS NOT NULL"))
        last = max(rows)
        first = min(rows)
        expected = [
            text for at in self.due if first <= (text := instant_text(at.replace(microsecond=0))) <= last
        ]
        lost = [each for each in expected if not rows[each]]
        return [f"lost in silence: {len(lost)} slots, {lost[:3]}"] * bool(lost) + [
            f"twice: {at}" for at, times in rows.items() if times > 1
        ]

    def _files(self) -> list[str]:
        name, _ = self.leader()
        folder = self.folder / name / "out" / "divera"
        rows = self.rows("SELECT out_name, body FROM reading WHERE out_name IS NOT NULL")
        found = []
        for out_name, body in rows:
            path = folder / str(out_name)
            if "-2" in path.name[17:]:
                found.append(f"a second file: {out_name}")
            if not path.exists():
                found.append(f"{name} lacks {out_name}")
            elif json.loads(path.read_text())["taken_at"] != json.loads(str(body))["taken_at"]:
                found.append(f"{name} has another {out_name}")
        return found

    def _notices(self) -> list[str]:
        heard = len(self.chat.at(HOOK))
        ((noted,),) = self.rows("SELECT count(DISTINCT at) FROM incident_notice")
        self.repeated = heard - int(str(noted))
        return [f"never heard: {each}" for each in self._unheard()]


KINDS: dict[str, Callable[..., None]] = {
    name: getattr(Pair, f"_{name}")
    for name in ("kill", "stop", "freeze", "cut", "slow", "hold", "late", "restart")
}

"""Kills the daemon at a system call as it counts and notifies, starts it again, and says what people heard.

A chat must hear of each thing once, or twice where the kill came between its answer and
the note of it; never not at all, and never again once all is noted. Each incident must be the one of its
alert, and say who was notified.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from support.chatservers import WebService
from support.divera_server import Client
from support.killing import Report, rest, started, traced
from support.site import POLLER, Site, prepare
from support.verdict import incident_violations
from tallyd.adapters.state import State
from tallyd.core.alerts.notices import Notified
from tallyd.core.alerts.rules import Observations
from tallyd.core.alerts.run_alerts import Run, failed_for_good

CHANNEL = "chat"
MISSED, REFUSED, WORKING = "nothing ran at that time", "access key refused", "working again"
WITHIN_S = 60.0


@dataclass(frozen=True)
class Heard:
    """What a chat heard of each thing, and how often, by the end; and by a further start."""

    number: int
    call: tuple[str, str] | None
    times: dict[str, int]
    more: int
    incidents: tuple[str, ...]

    def violations(self) -> list[str]:
        """Return what is wrong with it."""
        found = [f"{what}: heard {times} times" for what, times in self.times.items() if not 1 <= times <= 2]
        found += [f"{self.more} more messages after all was notified"] if self.more else []
        return [*found, *self.incidents]

    def __str__(self) -> str:
        return f"kill {self.number}, before {self.call}: {self.times}, {self.more} more; {self.violations()}"


@dataclass(frozen=True)
class Notifying:
    """A site with a chat. `expected` are the things that the chat must hear of."""

    site: Site
    chat: WebService
    hook: str
    expected: tuple[str, ...]

    def texts(self) -> list[str]:
        return [posted.json["text"] for posted in self.chat.at(self.hook)]

    def at_rest(self, site: Site) -> Callable[[], bool]:
        """Return what says that the runs have ended and everything is notified and noted."""
        runs_ended = rest(site)
        return lambda: runs_ended() and _all_notified(site.database)


def begin(folder: Path, client: Client, chat: WebService) -> Notifying:
    """A site whose next start finds a slot missed and a key refused: two things to notify."""
    client.status = 403
    return Notifying(_with_chat(prepare(folder, client), chat), chat, _hook(folder), (MISSED, REFUSED))


def end(folder: Path, client: Client, chat: WebService) -> Notifying:
    """A site whose next start ends a notified alert: a reading comes, and the chat must hear of it."""
    site = _with_chat(prepare(folder, client), chat)
    run = Run(poller=POLLER, job="count", due_at=site.past, now=site.past, next_at=None)
    problem = failed_for_good(run, "timed out", attempts=1)
    with closing(State(site.database)) as state:
        evaluated = state.alerts.evaluate(
            Observations(named=(problem,), may_resolve=lambda _key: False, now=site.past)
        )
        state.notifications.mark({(CHANNEL, problem.key): Notified(evaluated.raised[0].version, site.past)})
    return Notifying(site, chat, _hook(folder), (WORKING,))


def undisturbed(notifying: Notifying) -> Report:
    """Return the calls of a start that nobody kills."""
    return traced(notifying.site, at_rest=notifying.at_rest)


def kill(notifying: Notifying, number: int) -> Heard:
    """Kill a start before its `number`-th call, start twice more, and say what was heard."""
    report = traced(notifying.site, at=number, at_rest=notifying.at_rest)
    _start_until_notified(notifying)
    texts = notifying.texts()
    _start_until_notified(notifying)
    call = report.calls[-1] if report.killed_before else None
    times = {what: sum(what in text for text in texts) for what in notifying.expected}
    return Heard(number, call, times, len(notifying.texts()) - len(texts), _wrong_incidents(notifying))


def _wrong_incidents(notifying: Notifying) -> tuple[str, ...]:
    """Return what is wrong with the incidents: each says what the chat heard of its last news."""
    with closing(sqlite3.connect(f"file:{notifying.site.database}?mode=ro", uri=True)) as db:
        broken = map(str, incident_violations(db))
        unsaid = db.execute(
            "SELECT key FROM incident WHERE NOT EXISTS (SELECT 1 FROM incident_notice AS notice"
            " WHERE notice.key=incident.key AND notice.raised_at=incident.raised_at"
            " AND news=iif(ended_at IS NULL, 'begins', 'over'))"
        )
        return (*broken, *(f"the incident of {key} does not say who was notified" for (key,) in unsaid))


def _start_until_notified(notifying: Notifying) -> None:
    is_at_rest = notifying.at_rest(notifying.site)
    with started(notifying.site) as daemon:
        until = time.monotonic() + WITHIN_S
        while not is_at_rest() and time.monotonic() < until:
            assert daemon.process.poll() is None, daemon.stderr.read_text()[-2000:]
            time.sleep(0.05)
        daemon.end()


def _hook(folder: Path) -> str:
    return f"/hooks/5f1c0ffee5f1c0ffe/{folder.name}aTokenOfThisTest4711"


def _with_chat(site: Site, chat: WebService) -> Site:
    content = json.loads(site.config.read_text())
    content["channels"] = {CHANNEL: f"http://{chat.host}{_hook(site.folder)}"}
    content["alerts"] = {"channels": [CHANNEL]}
    site.config.write_text(json.dumps(content))
    return site


def _all_notified(database: Path) -> bool:
    """Whether every alert that is or was open is known to the chat as it is now; one that is over is gone."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as db:
        unsaid = db.execute(
            "SELECT count(*) FROM alert LEFT JOIN notified"
            " ON notified.key=alert.key AND version=body ->> 'version'"
            " WHERE body ->> 'raised_at' IS NOT NULL"
            " AND (notified.key IS NULL OR body ->> 'over_at' IS NOT NULL)"
        )
        return bool(unsaid.fetchone() == (0,))

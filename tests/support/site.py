"""A folder as a daemon finds it when it comes back: a config, a past, one slot missed and one due."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from support.divera_server import STATUS_ID, Client
from tallyd.adapters.outfiles import OutFiles
from tallyd.adapters.state import State
from tallyd.config.jobs import Task, tasks_of
from tallyd.config.load import load
from tallyd.core.reading import Facts, Reading, Slot
from tallyd.core.schedule.timetable import slots, watermarks
from tallyd.storage.store import Store

POLLER = "divera"
PAST_TOTAL = 1000
"""What was counted in the past; no answer of the server says so much."""


@dataclass(frozen=True, kw_only=True)
class Site:
    """One daemon's folder and who answers it.

    `past` has its reading. `missed` is older than `due` and gets none; `due` is to be taken at the next
    start. `expected` is what each slot must have come to in the end, `answered` how many answers were given
    before the run that is looked at.
    """

    folder: Path
    client: Client
    past: datetime
    missed: datetime
    due: datetime
    expected: Mapping[datetime, str]
    answered: int = 0

    @property
    def config(self) -> Path:
        return self.folder / "config.json"

    @property
    def database(self) -> Path:
        return self.folder / "state" / "state.db"

    @property
    def out(self) -> Path:
        return self.folder / "out" / POLLER

    @property
    def log(self) -> Path:
        return self.folder / "log" / "tallyd.log"

    def copied(self, folder: Path, client: Client) -> Site:
        """Return a copy of the site as it is now, asking a client of its own that goes on counting."""
        shutil.copytree(self.folder, folder)
        content = json.loads(self.config.read_text())
        content["pollers"][POLLER]["url"] = client.url
        client.answers.extend(self.client.answers)
        copy = replace(self, folder=folder, client=client, answered=len(client.answers))
        copy.config.write_text(json.dumps(content))
        return copy


def prepare(folder: Path, client: Client, *, past_days: int = 32, due_ago_s: int = 30, **poller: Any) -> Site:
    """Make the folder; `poller` are further keys of the poller's config.

    The past lies an hour and so many days back: in another month, so that the next run makes a new folder.
    """
    now = datetime.now(UTC).replace(microsecond=0)
    past, due = now - timedelta(days=past_days, hours=1), now - timedelta(seconds=due_ago_s)
    missed = due - timedelta(seconds=60)
    site = Site(
        folder=folder,
        client=client,
        past=past,
        missed=missed,
        due=due,
        expected={past: "taken", missed: "missed", due: "taken"},
    )
    for part in ("state", "out", "log"):
        (folder / part).mkdir(parents=True)
    settings = {
        "kind": "divera",
        "url": client.url,
        "accesskey": "canary-key-8f3a",
        "at": [f"{at:%H:%M:%S}" for at in (past, missed, due)],
        "catch_up": "6h",
        **poller,
    }
    # DEBUG says when a run begins, which is how its end is waited for.
    content = {"timezone": "UTC", "log": {"level": "DEBUG"}, "pollers": {POLLER: settings}}
    site.config.write_text(json.dumps(content))
    (task,) = tasks_of(load(site.config, environ={}))
    state = State(site.database)
    take(Store(state, OutFiles(folder / "out"), now=lambda: past), task, past, PAST_TOTAL)
    marks = watermarks({}, task.job.when, task.zone, now=missed - timedelta(seconds=30))
    state.slots.set_marks(*task.name, marks, drop=frozenset())
    state.close()
    return site


def take(store: Store, task: Task, at: datetime, total: int) -> None:
    """Take a reading of `total` people in the slot at `at`, as a run would."""
    (due,) = slots(task.job.when, task.zone, after=at - timedelta(seconds=1), until=at)
    facts: Facts = {"source": "users", "total": total, "counts": {str(STATUS_ID): total}, "names": {}}
    readings = [Reading(taken_at=at, facts=facts)]
    store.write(task, store.commit(task, Slot(due.key, due.at), readings, by_daemon=True), {})

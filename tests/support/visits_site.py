"""An inbox with files and a database to take them into; and what must be found there once all is taken.

Looks at what is found as anybody could: plain SQL and the names of files, none of tallyd's own code.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import NullPool, create_engine, text

from support.verdict import Violation
from tallyd.adapters.records.database import Database

Fate = Literal["done", "empty", "repeat", "rejected"]
Query = Callable[[str], list[tuple[Any, ...]]]
WAYS = ("in", "out", "other")
_people = count(1)


class Step(StrEnum):
    """How far the taking of files had come when a process died, by what is found."""

    IDLE = "nothing waits"
    BEFORE = "before a commit"
    COMMITTED = "committed, nothing moved"
    MOVING = "committed, some moved"
    UNTOLD = "rows without a ledger"


@dataclass(frozen=True)
class Dropped:
    """A file that was dropped. `passages` are (person, direction, time) of each record."""

    source: str
    name: str
    content: bytes
    passages: tuple[tuple[int, str, str], ...]
    fate: Fate

    @property
    def sha256(self) -> str:
        return sha256(self.content).hexdigest()


@dataclass
class VisitsSite:
    """A folder with a config, an inbox and, for SQLite, a database whose tables are made.

    `poller` is its own: other databases are shared. `keys` are further ones of the poller's config. The
    machine's clock, by which files are dated, is `ahead_s` ahead.
    """

    folder: Path
    poller: str
    url: str
    dropped: list[Dropped] = field(default_factory=list)
    keys: dict[str, object] = field(default_factory=dict)
    ahead_s: float = 0.0

    @property
    def config(self) -> Path:
        return self.folder / "config.json"

    @property
    def inbox(self) -> Path:
        return self.folder / "inbox" / "visitors"

    @property
    def log(self) -> Path:
        return self.folder / "log" / "tallyd.log"

    def write_config(self) -> None:
        """Write the config; again after `keys` were changed."""
        poller = {"kind": "visitors", "inbox": "inbox/visitors", "settle": "1s", "sweep_every": "1s"}
        content = {
            "timezone": "UTC",
            "log": {"level": "DEBUG"},
            "database": {"url": self.url},
            "pollers": {self.poller: {**poller, **self.keys}},
        }
        self.config.write_text(json.dumps(content))

    def drop(self, source: str, records: int, *, at: datetime | None = None) -> Dropped:
        """Rename a file with so many passages into the inbox; none: a sign of life."""
        return self._put(a_file(source, records, at=at))

    def drop_again(self, dropped: Dropped) -> Dropped:
        """Drop the same content under another name."""
        again = Dropped(dropped.source, f"again-{dropped.name}", dropped.content, (), "repeat")
        return self._put(again)

    def drop_bad(self, source: str) -> Dropped:
        """Drop a file that is refused."""
        content = json.dumps([{"ID": next(_people), "inOut": True, "time": "20261120120000"}]).encode()
        return self._put(Dropped(source, f"bad{next(_people)}.json", content, (), "rejected"))

    def _put(self, dropped: Dropped) -> Dropped:
        folder = self.inbox / dropped.source
        folder.mkdir(parents=True, exist_ok=True)
        beside = folder / f"{dropped.name}.tmp"
        beside.write_bytes(dropped.content)
        before = time.time() + self.ahead_s - 60
        os.utime(beside, (before, before))
        beside.rename(folder / dropped.name)
        self.dropped.append(dropped)
        return dropped

    def waiting(self) -> list[Path]:
        """Return the files that lie in the inbox."""
        return [path for path in self.inbox.glob("*/*.json") if path.parent.name != ".tallyd"]

    def quarantined(self, where: str) -> dict[str, bytes]:
        """Return the files in done/ or rejected/, by their path there."""
        top = self.inbox / ".tallyd" / where
        return {str(path.relative_to(top)): path.read_bytes() for path in top.rglob("*") if path.is_file()}


def a_file(source: str, records: int, *, at: datetime | None = None) -> Dropped:
    """Return a file with so many passages of today, a second apart; none: a sign of life.

    No two passages anywhere have the same number, so that one that is lost or stored twice is known.
    """
    now = datetime.now(UTC).replace(microsecond=0)
    an_hour_ago = now - timedelta(hours=1)
    first = an_hour_ago - timedelta(seconds=records)
    last = at or (an_hour_ago if first.date() == now.date() else now)
    passages, written = [], []
    for number in range(records):
        person, way = next(_people), number % 3
        seen = last - timedelta(seconds=records - number)
        passages.append((person, WAYS[way], f"{seen:%Y-%m-%d %H:%M:%S}"))
        written.append({"ID": person, "inOut": way, "time": f"{seen:%Y%m%d%H%M%S}", "frameNumber": number})
    name = f"{last:%Y%m%d%H%M%S}-{next(_people)}.json"
    fate: Fate = "done" if records else "empty"
    return Dropped(source, name, json.dumps(written).encode(), tuple(passages), fate)


class Sites:
    """Makes sites below a folder, with their tables ready; of `url`, or each with a SQLite file."""

    def __init__(self, root: Path, url: str | None = None) -> None:
        self._root = root
        self._numbers = count(1)
        self._template = root / "template.db"
        self._url = url
        with closing(Database(url or f"sqlite:///{self._template}")) as database:
            database.prepare()

    def new(self, **keys: object) -> VisitsSite:
        poller = f"gate{next(self._numbers)}"
        folder = self._root / poller
        (folder / "state").mkdir(parents=True)
        if self._url is None:
            shutil.copy(self._template, folder / "state" / "records.db")
        site = VisitsSite(folder, poller, self._url or "sqlite:///state/records.db", keys=keys)
        site.inbox.mkdir(parents=True)
        site.write_config()
        return site


def fill(site: VisitsSite) -> VisitsSite:
    """Drop a few files of each kind."""
    site.drop("12", 5)
    first = site.drop("12", 3)
    site.drop("12", 0)
    site.drop_bad("23")
    site.drop("23", 4)
    site.drop_again(first)
    return site


def fill_plainly(site: VisitsSite) -> VisitsSite:
    """Drop a few files with passages, which any loader can take."""
    for records in (5, 3, 4):
        site.drop("12", records)
    return site


# -- what is found -------------------------------------------------------------------------------------------


@contextmanager
def database_of(site: VisitsSite) -> Iterator[Query]:
    """Query the database without changing it: what is left of a dead process belongs to its successor."""
    if not site.url.startswith("sqlite"):
        engine = create_engine(site.url, poolclass=NullPool)
        with engine.connect() as connection:
            yield lambda query: [tuple(map(_plain, row)) for row in connection.execute(text(query))]
        return
    with tempfile.TemporaryDirectory() as beside:
        for part in (site.folder / "state").glob("records.db*"):
            if not part.name.endswith("-shm"):
                shutil.copy(part, beside)
        with closing(sqlite3.connect(Path(beside, "records.db"))) as db:
            yield lambda query: db.execute(query).fetchall()


def _plain(value: object) -> object:
    # PostgreSQL and MariaDB keep instants, SQLite their text.
    return f"{value:%Y-%m-%d %H:%M:%S}" if isinstance(value, datetime) else value


def step_of(site: VisitsSite) -> Step:
    """Say how far the taking had come, for the files that wait."""
    waiting = {sha256(path.read_bytes()).hexdigest() for path in site.waiting()}
    if not waiting:
        return Step.IDLE
    with database_of(site) as query:
        known = _ledger(site, query)
        rows = query(f"SELECT count(*) FROM passage_readable WHERE poller='{site.poller}'")[0][0]
    if not known and rows:
        return Step.UNTOLD
    repeats = {dropped.sha256 for dropped in site.dropped if dropped.fate == "repeat"}
    if not (waiting - repeats) & known.keys():
        return Step.BEFORE
    new = {dropped.sha256 for dropped in site.dropped if dropped.fate in ("done", "rejected")}
    return Step.COMMITTED if new <= waiting else Step.MOVING


def violations(site: VisitsSite) -> list[Violation]:
    """Return every promise broken, once everything that was dropped has been taken."""
    with database_of(site) as query:
        ledger = list(_of_ledger(site, query))
    return [*counted_wrong(site), *ledger, *_of_files(site)]


def counted_wrong(site: VisitsSite) -> list[Violation]:
    """Return which passages and minute counts were lost or doubled: what every loader promises."""
    with database_of(site) as query:
        return [*_passages(site, query), *_minutes(site, query)]


def _passages(site: VisitsSite, query: Query) -> Iterator[Violation]:
    wanted = Counter((each.source, *passage) for each in site.dropped for passage in each.passages)
    columns = "source, person_id, direction, seen_at"
    found = Counter(query(f"SELECT {columns} FROM passage_readable WHERE poller='{site.poller}'"))
    yield from _compared(wanted, found, "passage")
    ((orphans,),) = query("SELECT count(*) FROM passage WHERE file_id NOT IN (SELECT id FROM ingested_file)")
    if orphans:
        yield Violation("twice", f"{orphans} passages of files that the ledger does not have")


def _minutes(site: VisitsSite, query: Query) -> Iterator[Violation]:
    wanted: Counter[tuple[str, str, str]] = Counter()
    for each in site.dropped:
        wanted.update((each.source, f"{seen[:16]}:00", way) for _, way, seen in each.passages)
    found: Counter[tuple[str, str, str]] = Counter()
    columns = "source, minute, n_in, n_out, n_other"
    for source, minute, *counts in query(
        f"SELECT {columns} FROM passage_minute WHERE poller='{site.poller}'"
    ):
        found.update({(source, minute, way): n for way, n in zip(WAYS, counts, strict=True) if n})
    yield from _compared(wanted, found, "minute count")


def _compared(wanted: Counter[Any], found: Counter[Any], what: str) -> Iterator[Violation]:
    lost, twice = wanted - found, found - wanted
    if lost:
        yield Violation("lost", f"{lost.total()} of {wanted.total()} {what}s, such as {next(iter(lost))}")
    if twice:
        yield Violation("twice", f"{twice.total()} {what}s too many, such as {next(iter(twice))}")


def _ledger(site: VisitsSite, query: Query) -> dict[str, tuple[str, int | None]]:
    # A naive loader keeps rows for its sources there, with size 0.
    columns = "sha256, state, records"
    rows = query(f"SELECT {columns} FROM ingested_file WHERE poller='{site.poller}' AND size > 0")
    return {bytes(sha).hex(): (state, records) for sha, state, records in rows}


def _of_ledger(site: VisitsSite, query: Query) -> Iterator[Violation]:
    wanted = {
        dropped.sha256: (dropped.fate, len(dropped.passages) or None)
        for dropped in site.dropped
        if dropped.fate in ("done", "rejected")
    }
    found = _ledger(site, query)
    if found != wanted:
        yield Violation("wrong", f"the ledger has {len(found)} files, not {len(wanted)}, or not these")


def _of_files(site: VisitsSite) -> Iterator[Violation]:
    """Every file lies where it belongs, as it was dropped; nothing waits, nothing temporary is left."""
    if waiting := site.waiting():
        yield Violation("lost", f"{len(waiting)} files still wait, such as {waiting[0].name}")
    done, rejected = site.quarantined("done"), site.quarantined("rejected")
    of_done = Counter(each.content for each in site.dropped if each.fate != "rejected")
    yield from _compared(of_done, Counter(done.values()), "file in done/")
    reasons = {name for name in rejected if name.endswith(".reason.json")}
    of_rejected = Counter(each.content for each in site.dropped if each.fate == "rejected")
    found = Counter(content for name, content in rejected.items() if name not in reasons)
    yield from _compared(of_rejected, found, "file in rejected/")
    if len(reasons) != of_rejected.total():
        yield Violation("wrong", f"{len(reasons)} reasons for {of_rejected.total()} refused files")

"""What must hold in a park after every step, and some hours after all troubles."""

from __future__ import annotations

import sqlite3
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from simulation.invariants import BERLIN, Bugs, Violation, counted_by_day, last_reports
from simulation.perils import plain_connect

if TYPE_CHECKING:
    from simulation.park import Machine, Park

OPS = "json://ops.sim/hook"
AFTER = timedelta(hours=2)
"""`no_files.after` of the centre."""
SLACK = timedelta(minutes=40)
"""A step takes up to a quarter of an hour; then a host must beat, and the centre wait until it is certain."""


class ParkAuditor:
    """Looks at what anybody can see: the files, the databases, the log, the chat, the upstream."""

    def __init__(self, park: Park) -> None:
        self._park = park
        self._bugs = Bugs()
        self._records: sqlite3.Connection | None = None
        self._version = -1
        self._heard = 0
        self._told: Counter[tuple[Any, ...]] = Counter()

    def __enter__(self) -> Self:
        self._bugs.begin()
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._bugs.end()
        if self._records is not None:
            self._records.close()

    # -- after every step --------------------------------------------------------------------------------

    def look(self) -> None:
        """Check what may have changed in the last step. Raises `Violation`."""
        if self._bugs.found:
            raise Violation(self._bugs.found[0])
        heard = self._park.chats.heard.get(OPS, [])
        for each in heard[self._heard :]:
            news = (each.key, each.raised_at, each.version, each.news, each.process)
            self._told[news] += 1
            if self._told[news] > 1 and each.news != "reminder":
                raise Violation(f"heard twice: {each}")
        self._heard = len(heard)
        if self._records is None and self._park.records.exists():
            self._records = plain_connect(self._park.records)
        if self._records is not None:
            self._look_at_passages(self._records)

    def _look_at_passages(self, db: sqlite3.Connection) -> None:
        (version,) = db.execute("PRAGMA data_version").fetchone()
        if version == self._version:
            return
        self._version = version
        try:
            rows, people = db.execute("SELECT count(*), count(DISTINCT person_id) FROM passage").fetchone()
        except sqlite3.OperationalError:
            return  # no tables yet
        if rows != people:
            raise Violation(f"{rows} passages of {people} people: one was counted twice")

    # -- at the end --------------------------------------------------------------------------------------

    def at_end(self) -> None:
        """Check that everything is well, hours after the last trouble. Raises `Violation`."""
        self.look()
        for each in self._park.machines:
            if each.process is None:
                raise Violation(f"the daemon on {each.name} does not run")
        assert self._records is not None
        done = {content for host in self._park.hosts for content in _files(host, "done")}
        rejected = {content for host in self._park.hosts for content in _files(host, "rejected")}
        for host in self._park.hosts:
            self._check_files(host, done, rejected)
        truth = self._truth(done)
        counted = counted_by_day(self._records)
        if wrong := {key for key in truth.keys() | counted.keys() if truth[key] != counted[key]}:
            key = min(wrong)
            raise Violation(f"{key}: {counted[key]} passages are stored, {truth[key]} came")
        self._check_reports(truth)
        self._check_alerts()
        self._check_silences()
        self._check_hosts(self._records)

    def _check_files(self, host: Machine, done: set[bytes], rejected: set[bytes]) -> None:
        assert host.cameras is not None
        if waiting := host.cameras.waiting():
            raise Violation(f"still in an inbox: {waiting[0]}")
        for one in host.cameras.dropped:
            if one.content not in (done if one.is_good else rejected):
                raise Violation(f"the file {one.source}/{one.name} is gone, or is not where it belongs")

    def _truth(self, done: set[bytes]) -> Counter[tuple[str, str, int]]:
        found: Counter[tuple[str, str, int]] = Counter()
        for host in self._park.hosts:
            if host.cameras:
                found += host.cameras.counts(done)
        return found

    def _check_reports(self, truth: Counter[tuple[str, str, int]]) -> None:
        last = last_reports(self._park.network.posted)
        today = self._park.clock.now().astimezone(BERLIN).date().isoformat()
        for day in sorted({day for _, day, _ in truth if min(last, default="9") <= day < today}):
            n_in, n_out = (sum(truth[key] for key in truth if key[1:] == (day, way)) for way in (0, 1))
            said = last.get(day, {})
            if (said.get("CountAccuIn"), said.get("CountAccuOut")) != (n_in, n_out):
                raise Violation(f"the last report of {day} says {said}, and {n_in} came, {n_out} left")

    def _check_alerts(self) -> None:
        with plain_connect(self._park.centre.folder / "state" / "state.db") as db:
            still = db.execute("SELECT key FROM alert WHERE raised_at IS NOT NULL AND over_at IS NULL")
            if found := still.fetchall():
                raise Violation(f"still open: {found}")
            heard = {(each.key, each.raised_at) for each in self._park.chats.heard.get(OPS, ())}
            for key, raised_at, is_unwatched in db.execute(
                "SELECT key, raised_at, is_unwatched FROM incident"
            ):
                if not is_unwatched and (key, datetime.fromisoformat(raised_at)) not in heard:
                    raise Violation(f"ops never heard of {key}, raised at {raised_at}")
        if believed := self._park.chats.believes_open(OPS):
            raise Violation(f"ops still believes in {sorted(believed)}")

    def _check_silences(self) -> None:
        """Each alert about silence has its reason, and no silence goes unnoticed."""
        for host in self._park.hosts:
            assert host.cameras is not None
            for source in host.cameras.sources:
                came = self._came(source)
                raised = self._raised(source)
                self._check_reasons(host, source, came, raised)
                self._check_noticed(source, came, raised)
                self._check_gone(host, source, raised)

    def _check_reasons(
        self, host: Machine, source: str, came: list[datetime], raised: list[datetime]
    ) -> None:
        for at in raised:
            before = [each for each in came if at - AFTER + SLACK < each < at - SLACK]
            if before and not self._was_down(host.name, "centre", "records", since=at - AFTER, until=at):
                raise Violation(f"{source}: silent at {at}, and a file came at {before[-1]}")

    def _check_noticed(self, source: str, came: list[datetime], raised: list[datetime]) -> None:
        for last, following in pairwise(came):
            due = last + AFTER + SLACK
            is_watched = not self._was_down("centre", "records", since=last, until=due + SLACK)
            if following > due + SLACK and is_watched and not any(last < at < following for at in raised):
                raise Violation(f"{source}: nobody heard of the silence from {last} to {following}")

    def _check_gone(self, host: Machine, source: str, raised: list[datetime]) -> None:
        """While a host is gone, nobody ingests its files."""
        others = [each for each in self._park.hosts if each is not host]
        for name, begin, end in self._park.down:
            until = min(end, self._park.settled_at or end)
            is_long = name == host.name and until - begin > AFTER + 2 * SLACK
            is_watched = not self._was_down("centre", "records", since=begin, until=until)
            is_alone = not any(begin - SLACK < at < until for at in self._came(source, others))
            if is_long and is_watched and is_alone and not any(begin < at < until for at in raised):
                raise Violation(f"{source}: nobody heard that {name} was gone from {begin} to {until}")

    def _came(self, source: str, hosts: list[Machine] | None = None) -> list[datetime]:
        """Return when files of a source came, to any of the hosts."""
        names = [
            one.name.removeprefix("again-")
            for host in hosts or self._park.hosts
            if host.cameras
            for one in host.cameras.dropped
            if one.source == source
        ]
        times = {name[:14] for name in names if name[:14].isdigit()}
        return sorted(datetime.strptime(each, "%Y%m%d%H%M%S").replace(tzinfo=UTC) for each in times)

    def _raised(self, source: str) -> list[datetime]:
        """Return when the chat was told of a silence that began then."""
        key = f"park/{source}/no-files"
        heard = self._park.chats.heard.get(OPS, [])
        return sorted({each.raised_at for each in heard if each.key == key and each.raised_at})

    def _was_down(self, *names: str, since: datetime, until: datetime) -> bool:
        return any(
            name in names and begin < until and end + SLACK > since for name, begin, end in self._park.down
        )

    def _check_hosts(self, db: sqlite3.Connection) -> None:
        folders = [Path(folder).parent.name for (folder,) in db.execute("SELECT folder FROM host")]
        if sorted(folders) != sorted(each.name for each in self._park.machines):
            raise Violation(f"these daemons are listed: {sorted(folders)}")
        for source, host in db.execute("SELECT source, host FROM arrival"):
            if not any(f"/{name}/" in host for name in ("one", "two")):
                raise Violation(f"the files of {source} came to {host}")


def _files(host: Machine, where: str) -> list[bytes]:
    top = host.folder / "inbox" / ".tallyd" / where
    return [path.read_bytes() for path in top.rglob("*") if path.is_file()]

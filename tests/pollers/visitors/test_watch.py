"""A centre: what it says of files that come to other hosts, from the database alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest

from adapters.records.samples import rejected_file, visitor_file
from adapters.records.sites import Site
from support.sweeping import at, keys, seconds
from support.toolbox import BERLIN, FakeHttp, once
from support.wording import over_of, text_of
from tallyd.adapters.records.database import Database
from tallyd.adapters.records.hosts import HostTable
from tallyd.contract.arrivals import ArrivalState, Came
from tallyd.contract.passages import seconds_of, seen_text
from tallyd.contract.toolbox import Toolbox
from tallyd.core.errors import RecordsError
from tallyd.core.panels import tables_of
from tallyd.core.reading import Facts, Problem, Reading, Slot
from tallyd.pollers.visitors.poller import VisitorsPoller
from tallyd.pollers.visitors.watch import watch

NOON = at("12:00")
TWO = {"12": {"label": "Gate 12"}, "23": {}}
WATCHED = {"sources": TWO, "no_files": {"after": "5m"}}
DUTIES = {"park": frozenset({"inbox"})}


@dataclass
class Collector:
    """A host that ingests files: its part of the database, and how far its clock is ahead."""

    database: Database
    table: HostTable
    poller: str
    ahead: timedelta = timedelta()

    def beat(self, now: datetime) -> None:
        self.table.beat(version="1", config_digest="", duties=DUTIES, now=lambda: now)

    def note(
        self, now: datetime, source: str, state: ArrivalState = "done", reason: str | None = None
    ) -> None:
        came = [Came(source, now, state, reason)]
        self.database.records(self.poller).ingest((), now=now, keep_rows=True, came=came)

    def reject(self, now: datetime, source: str, name: str, *, by_its_clock: datetime | None = None) -> None:
        file, reason = rejected_file(name, source=source), 'record 1: "inOut" is missing'
        stored_at = by_its_clock or now
        came = [Came(source, stored_at, "rejected", reason)]
        file = file._replace(reason=reason)
        self.database.records(self.poller).ingest([file], now=stored_at, keep_rows=True, came=came)

    def store(self, now: datetime, source: str, name: str) -> None:
        file = visitor_file(name, (1, "in", seen_text(now), None), source=source)
        came = [Came(source, now, "done", None, seconds_of(now))]
        self.database.records(self.poller).ingest([file], now=now, keep_rows=True, came=came)


@dataclass
class Centre:
    """A centre and its collectors on one database. Every ten seconds it watches, and hosts beat."""

    site: Site
    keys: dict[str, Any] = field(default_factory=lambda: dict(WATCHED))
    now: datetime = NOON
    memory: Facts = field(default_factory=dict)
    kept: dict[str, object] = field(default_factory=dict)
    collectors: dict[str, Collector] = field(default_factory=dict)
    trouble: str = ""
    writes: int = 0

    def __post_init__(self) -> None:
        self.poller = self.site.new_poller()
        self.records: Any = self.site.database.records(self.poller)

    @property
    def settings(self) -> VisitorsPoller:
        return VisitorsPoller.model_validate({"kind": "visitors", **self.keys}, context={"base": "/"})

    def host(self, name: str) -> Collector:
        place = f"{name} (/state of {self.poller})"
        database = Database(self.site.url, here=place)
        table = database.hosts(name=name, folder=f"/state of {self.poller}")
        self.collectors[name] = Collector(database, table, self.poller)
        self.collectors[name].beat(self.now)
        return self.collectors[name]

    def run(
        self, *delivering: str, s: float = 10, running: tuple[str, ...] | None = None
    ) -> tuple[Problem, ...]:
        """Let time pass, in which these sources deliver, each to its host; return the problems."""
        until = self.now + seconds(s)
        while self.now < until:
            self.now += seconds(10)
            for name, collector in self.collectors.items():
                if running is None or name in running:
                    collector.beat(self.now)
            for source in delivering:
                self.collectors[f"cam{source}"].note(self.now, source, "empty")
            reading = self.look()
        return reading.problems

    def look(self) -> Reading:
        (reading,) = watch(self.settings, Slot(None, self.now), self.tools())
        if reading.memory is not None:
            self.writes += 1
            self.memory = json.loads(json.dumps(reading.memory))
        self.evaluates = reading.evaluates or frozenset()
        return reading

    def tools(self) -> Toolbox:
        return Toolbox(
            poller="park",
            zone=BERLIN,
            now=lambda: self.now,
            stop=lambda: False,
            alive=lambda: None,
            http=FakeHttp(),
            retry=once,
            memory=lambda: self.memory,
            records=_Away(self.trouble) if self.trouble else self.records,
            kept=self.kept,
        )

    def restart(self) -> None:
        self.kept = {}

    def text(self, problems: tuple[Problem, ...], key: str) -> str:
        (found,) = [text_of(each, now=self.now) for each in problems if each.key == key]
        return found


class _Away:
    """A database that does not answer."""

    def __init__(self, why: str) -> None:
        self.here = ""
        self._why = why

    def __getattr__(self, name: str) -> Any:
        raise RecordsError(self._why)


@pytest.fixture
def centre(sqlite_site: Site) -> Iterator[Centre]:
    """Its clock is that of the database, so that the test decides what time it is."""
    found = Centre(sqlite_site)
    yield found
    for collector in found.collectors.values():
        collector.table.leave()
        collector.database.close()


@pytest.fixture
def both(centre: Centre) -> Centre:
    """Both cameras have delivered for two minutes."""
    centre.host("cam12")
    centre.host("cam23")
    assert centre.run("12", "23", s=120) == ()
    return centre


def test_a_camera_that_is_silent_is_told_from_a_host_that_is_gone(both: Centre) -> None:
    found = both.run("23", s=300)
    assert found == (), "it may have come up to ten seconds later than was noted, and the host may be gone"
    found = both.run("23", s=40)
    assert keys(found) == ["park/12/no-files"]
    assert both.text(found, "park/12/no-files") == (
        "Gate 12: no file for 5 min 30 s, last 13:02. Host cam12 runs: check the camera, and the program "
        "that writes its files there."
    )
    found = both.run("23", s=120, running=("cam23",))
    assert "Host cam12 has not been seen since 13:07:40" in both.text(found, "park/12/no-files")
    assert both.run("12", "23") == ()
    assert both.evaluates >= {"no-files"}


def test_a_host_that_is_gone_is_named_at_once_and_never_as_a_silent_camera(both: Centre) -> None:
    said = set()
    for _ in range(60):
        said |= {
            text_of(each, now=both.now).partition(": check")[2] for each in both.run("23", running=("cam23",))
        }
    assert said == {" that machine, its network and its tallyd."}
    found = both.look().problems
    assert both.text(found, "park/12/no-files").startswith("Gate 12: no file for ")
    assert "Host cam12 has not been seen since 13:02: check that machine" in both.text(
        found, "park/12/no-files"
    )
    assert [each.since for each in found] == [NOON + seconds(130)]


@pytest.mark.parametrize(
    ("after_s", "text"),
    [(20, "has not been seen since 13:02"), (600, "has not been seen since 13:02")],
    ids=["short", "long"],
)
def test_however_short_the_patience_an_alert_waits_until_the_host_is_known(
    both: Centre, after_s: int, text: str
) -> None:
    both.keys["no_files"] = {"after": f"{after_s}s"}
    for _ in range(80):
        found = both.run("23", running=("cam23",))
        if found:
            break
    assert text in both.text(found, "park/12/no-files")


def test_a_host_on_which_tallyd_was_stopped_is_named(both: Centre) -> None:
    both.collectors.pop("cam12").table.leave()
    found = both.run("23", s=330)
    assert "tallyd does not run on host cam12: start it there." in both.text(found, "park/12/no-files")


def test_a_host_that_does_not_see_its_inbox_is_named_with_the_reason(both: Centre) -> None:
    both.run("12", "23")
    both.collectors["cam12"].note(both.now, "12", "away", "nothing is mounted on the inbox")
    found = both.run("23", s=330)
    assert both.text(found, "park/12/no-files").endswith("On host cam12: nothing is mounted on the inbox.")


def test_a_source_that_no_host_has_delivered_is_named(both: Centre) -> None:
    both.keys["sources"] = {**TWO, "99": {}}
    assert both.run("12", "23", s=300) == ()
    found = both.run("12", "23", s=10)
    assert both.text(found, "park/99/no-files") == (
        "99: no file for 5 min, none since tallyd started to watch. No host has delivered it: check the "
        "inboxes of the hosts, and the names in them."
    )


@pytest.mark.parametrize(
    ("running", "text"),
    [
        (("cam12", "cam23"), "These hosts run: cam12 and cam23."),
        (("cam23",), "These hosts run: cam23. These do not: cam12."),
        ((), "These do not: cam12 and cam23."),
    ],
    ids=["both", "one", "none"],
)
def test_without_sources_all_are_watched_as_a_whole(
    both: Centre, running: tuple[str, ...], text: str
) -> None:
    both.keys = {"no_files": {"after": "5m"}}
    both.run("23", s=20)
    assert both.run("12", s=300) == ()
    found = both.run(s=330, running=running)
    assert keys(found) == ["park/inbox/no-files"]
    assert both.text(found, "park/inbox/no-files").endswith(text)


def test_outside_the_active_hours_nothing_is_named_and_nothing_ends(both: Centre) -> None:
    both.keys["no_files"] = {"after": "5m", "active": [{"from": "09:00", "to": "13:10"}]}
    assert keys(both.run("23", s=340)) == ["park/12/no-files"]
    assert both.run("23", s=200) == ()
    assert "no-files" not in both.evaluates


def test_hosts_with_the_same_name_are_told_apart(centre: Centre) -> None:
    centre.host("cam12")
    other = Database(centre.site.url, here="cam12 (/other)")
    with closing(other):
        table = other.hosts(name="cam12", folder="/other")
        table.beat(version="1", config_digest="", duties=DUTIES, now=lambda: NOON)
        centre.run("12", s=120)
        found = centre.run(s=340)
        assert f"Host cam12 (/state of {centre.poller}) runs" in centre.text(found, "park/12/no-files")
        table.leave()


# -- restarts and the database -------------------------------------------------------------------------------


def test_a_restart_tells_no_silence_twice_and_none_too_early(both: Centre) -> None:
    both.run("23", s=340)
    both.restart()
    assert keys(both.run("23", s=10)) == ["park/12/no-files"], "it goes on"
    both.run("12", "23", s=60)
    both.restart()
    both.now += timedelta(hours=2)
    found = both.run("12", "23", s=10)
    assert found == (), "hosts had no time to say what came while the database was away with this centre"


def test_after_an_outage_hosts_have_time_to_say_what_came(both: Centre) -> None:
    both.trouble = "PostgreSQL at db:5432 does not answer"
    for _ in range(60):
        both.now += seconds(10)
        found = both.look().problems
        assert "no-files" not in [key.rsplit("/", 1)[-1] for key in keys(found)]
    assert both.text(found, "park/database/unreachable") == (
        "park: nothing known of the files of other hosts since 13:02:10: PostgreSQL at db:5432 does not "
        "answer. Nothing is lost: files wait in their inboxes until this is fixed. Check the database, its "
        "disk and the network. Test it with: tallyd check --online"
    )
    both.trouble = ""
    assert both.run(s=60) == (), "the hosts are still ingesting"
    assert both.run("12", "23", s=120) == ()
    assert keys(both.run("23", s=340)) == ["park/12/no-files"]


def test_a_centre_that_starts_without_the_database_says_so_and_judges_nothing(centre: Centre) -> None:
    centre.trouble = "PostgreSQL at db:5432 does not answer"
    centre.look()
    centre.now += seconds(61)
    assert keys(centre.look().problems) == ["park/database/unreachable"]
    assert centre.evaluates == {"rejected", "unreachable"}


def test_an_idle_watch_writes_nothing(both: Centre) -> None:
    before = both.writes
    both.run("12", "23", s=600)
    assert both.writes == before


# -- rejected files, and clocks ------------------------------------------------------------------------------


def test_rejected_files_are_told_with_their_host_until_good_ones_come(both: Centre) -> None:
    host = both.collectors["cam23"]
    for number in range(3):
        both.run("12")
        host.reject(both.now, "23", f"{number}.json")
    (found,) = both.run("12")
    assert (found.key, found.severity) == ("park/23/rejected", "error"), "no other file came"
    assert text_of(found, now=both.now) == (
        '23: all 3 files since 13:02:10 rejected: record 1: "inOut" is missing. Reasons: '
        ".tallyd/rejected/23/*.reason.json in the inbox. Fix that host, or fields and time_format in the "
        "config, then on host cam23: tallyd replay --all --source 23"
    )
    host.store(both.now, "23", "good.json")
    (found,) = both.run("12")
    assert (found.severity, over_of(found)) == ("warning", "23: good files arrive again")
    assert both.run("12", "23", s=3600) == ()


def test_files_that_are_replayed_on_their_host_end_the_problem(both: Centre) -> None:
    host = both.collectors["cam23"]
    host.reject(both.now, "23", "a.json")
    assert keys(both.run("12")) == ["park/23/rejected"]
    both.site.run(f"DELETE FROM ingested_file WHERE poller='{both.poller}'")
    host.store(both.now, "23", "a.json")
    assert both.run("12", "23") == ()


def test_a_host_whose_clock_is_hours_behind_rejects_all_files_and_is_named_for_both(both: Centre) -> None:
    host = both.collectors["cam23"]
    # On SQLite all hosts have one clock, so what the database makes of this one's is written as it would be.
    behind = timedelta(hours=3)
    for number in range(6):
        both.run("12")
        host.reject(both.now, "23", f"{number}.json", by_its_clock=both.now - behind)
        both.site.run(
            f"UPDATE arrival SET last_file_at='{seen_text(both.now)}', seen_at='{seen_text(both.now)}'"
            f" WHERE poller='{both.poller}' AND source='23'"
        )
        both.site.run(f"UPDATE host SET ahead_s={-behind.total_seconds()} WHERE name='cam23'")
        found = both.look().problems
    assert keys(found) == ["park/23/rejected", "park/cam23/clock"]
    assert both.text(found, "park/cam23/clock") == (
        "cam23: its clock is 3 h behind the clock of the database. Files may be rejected or counted at a "
        "wrong time. Set it, and check it with: timedatectl"
    )
    assert found[0].since == NOON + seconds(130), "it is one problem, from its beginning on"
    both.run("12", "23", s=20)
    assert "clock" in both.evaluates


def test_the_clock_of_a_host_that_is_gone_is_not_right_again(both: Centre) -> None:
    both.site.run("UPDATE host SET ahead_s=600 WHERE name='cam23'")
    assert keys(both.look().problems) == ["park/cam23/clock"]
    both.now += seconds(600)
    assert "park/cam23/clock" in keys(both.look().problems)


def test_once_shows_when_the_newest_files_came_and_where(both: Centre) -> None:
    both.collectors["cam23"].reject(both.now, "23", "a.json")
    summary = both.look().summary or {}
    assert summary["trouble"] is None
    board = both.settings.summary_board(summary)
    (table,) = tables_of(board.panels)
    assert [(row[0], row[1], str(row[3]).partition(" ")[0], row[4]) for row in table.rows] == [
        ("12", "without records", "cam12", ""),
        ("23", "rejected", "cam23", 'record 1: "inOut" is missing'),
    ]
    assert both.settings.summary_board({"sources": {}, "trouble": None}).notes == (
        "No host has noted a file yet.",
    )
    both.trouble = "PostgreSQL at db:5432 does not answer"
    assert (both.look().summary or {})["trouble"] == "the database cannot be read: " + both.trouble

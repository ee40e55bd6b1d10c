"""The four weeks before the demo began: believable, over, and the same for every start at the same time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from statistics import mean
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.long import some
from tallyd.adapters.records.database import Database
from tallyd.adapters.state import State
from tallyd.config.jobs import Task, tasks_of
from tallyd.config.model import Config
from tallyd.contract.passages import read_seen
from tallyd.contract.toolbox import Toolbox
from tallyd.core.reading import Slot
from tallyd.core.schedule.days import day_span
from tallyd.core.stored import StoredReading
from tallyd.core.texts import listed
from tallyd.demo.folder import DemoFolder
from tallyd.demo.past.divera import DiveraOfThen
from tallyd.demo.past.month import DAYS, Month, Span
from tallyd.demo.past.strength import statuses_at
from tallyd.demo.past.visits import totals, visits_of
from tallyd.demo.past.writer import write_past
from tallyd.demo.world.crowd import HOSTS, QUIET_HOST
from tallyd.demo.world.people import MEMBERS, OUT, READY, WITHOUT_STATUS
from tallyd.reporting.chapters import Wanted, read_chapters

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 20, 14, 7, 33, tzinfo=BERLIN).astimezone(UTC)
TODAY = date(2026, 11, 20)


@dataclass(frozen=True)
class Written:
    """The demo's folder after its past was written."""

    folder: DemoFolder
    config: Config
    state: State
    database: Database
    month: Month

    def readings(self, poller: str) -> tuple[StoredReading, ...]:
        return tuple(each for each in self.state.readings.history() if each.poller == poller)

    def task(self, job: str) -> Task:
        return next(task for task in tasks_of(self.config) if task.job.name == job)


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Written]:
    """A past that is written once: no test changes it."""
    folder = DemoFolder(tmp_path_factory.mktemp("past") / "demo-data")
    with folder.taken():
        config = folder.config_of_past(str(BERLIN))
        write_past(config, now=NOW)
    state = State(config.state_dir / "state.db")
    database = Database(config.database_url)
    yield Written(folder, config, state, database, Month(NOW, BERLIN))
    database.close()
    state.close()


def spans_of(month: Month) -> tuple[Span, ...]:
    return (
        month.divera_is_down,
        month.tallyd_is_off,
        month.camera_is_silent,
        month.stage_stands_still,
        month.batch_is_unreachable,
        *month.alarms,
    )


@pytest.mark.parametrize("poller", ["divera", "visitors", "servers"])
def test_files_are_as_large_as_check_expects(past: Written, poller: str) -> None:
    expected = past.config.settings.pollers[poller].growth().file_bytes
    sizes = [path.stat().st_size for path in (past.config.out_dir / poller).glob("*/*.json")]
    assert expected / 1.5 < mean(sizes) < expected * 1.5


# -- what it says --------------------------------------------------------------------------------------------


@given(
    st.datetimes(
        datetime(2000, 1, 1),  # noqa: DTZ001 # hypothesis wants it so
        datetime(2060, 1, 1),  # noqa: DTZ001 # see above
        timezones=st.just(UTC),
    ),
    st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Apia"]),
)
def test_whenever_the_demo_starts_everything_is_over_for_a_day_and_lasted_some_time(
    now: datetime, zone: str
) -> None:
    month = Month(now, ZoneInfo(zone))
    for span in spans_of(month):
        assert month.begin < span.begin < span.end < now - timedelta(days=1)


def test_there_are_more_people_at_night_than_on_a_working_day() -> None:
    ready: dict[str, list[int]] = defaultdict(list)
    for day in range(DAYS):
        for hour in range(24):
            local = datetime(2026, 11, 2, hour, tzinfo=BERLIN) + timedelta(days=day)
            at_work = local.weekday() < 5 and 8 <= hour < 16
            part = "at work" if at_work else "at night" if hour < 6 else ""
            ready[part].append(list(statuses_at(local).values()).count(READY))
    assert mean(ready["at night"]) > mean(ready["at work"]) + 4
    assert min(ready["at work"]) >= 2


def test_an_alarm_calls_most_of_those_who_are_ready_and_nobody_without_a_status() -> None:
    local = datetime(2026, 11, 14, 3, tzinfo=BERLIN)
    before, during = statuses_at(local), statuses_at(local, is_alarm=True)
    called = [member for member in MEMBERS if during[member] is OUT]
    assert len(called) > list(before.values()).count(READY) / 2
    assert all(before[member] is READY for member in called)
    assert {member.number for member in MEMBERS if during[member] is None} == set(WITHOUT_STATUS)


@given(st.dates(date(2020, 1, 1), date(2060, 1, 1)))
def test_whoever_comes_leaves_and_nobody_leaves_who_has_not_come(day: date) -> None:
    counts = visits_of(day, BERLIN)
    inside = 0
    for minute in sorted({minute for host in HOSTS for minute in counts[host]}):
        here = [counts[host][minute] for host in HOSTS if minute in counts[host]]
        inside += sum(each.n_in - each.n_out for each in here)
        assert inside >= 0
    assert inside == 0
    assert sum(each.n_in for each in totals(counts).values()) > 1000


def test_weekends_are_busier() -> None:
    comes = {
        day.weekday(): sum(each.n_in for each in totals(visits_of(day, BERLIN)).values())
        for day in (date(2026, 11, 2) + timedelta(days=number) for number in range(7))
    }
    assert min(comes[5], comes[6]) > max(comes[day] for day in range(5))


# -- what is written -----------------------------------------------------------------------------------------


def test_divera_was_counted_every_hour_but_in_the_outage_and_while_tallyd_was_off(past: Written) -> None:
    readings = past.readings("divera")
    slots = [each.due_at for each in readings if each.due_at]
    assert len(slots) == len(set(slots)) == DAYS * 24 + 14
    missed = {each.due_at: each.reason for each in readings if each.due_at and each.outcome == "missed"}
    down, off = past.month.divera_is_down, past.month.tallyd_is_off
    assert set(missed) == {at for at in slots if down.holds(at) or off.holds(at)}
    assert len({reason for at, reason in missed.items() if down.holds(at)}) == 1
    bodies = [each.body for each in readings if each.body]
    assert all(body["total"] == len(MEMBERS) for body in bodies)
    assert {body["names"][str(READY.id)] for body in bodies} == {READY.name.strip()}  # type: ignore[index, call-overload] # JSON


def test_every_reading_has_its_out_file_and_the_newest_is_latest(past: Written) -> None:
    for poller in past.config.settings.pollers:
        taken = [each for each in past.readings(poller) if each.outcome == "taken"]
        names = {
            str(file.relative_to(past.folder.out / poller)) for file in (past.folder.out / poller).glob("*/*")
        }
        assert names == {each.out_name for each in taken}
        newest = past.folder.out / poller / (taken[-1].out_name or "")
        latest = (past.folder.out / poller / "latest.json").read_text()
        assert latest.startswith(newest.read_text().rstrip("\n} "))
    assert past.state.out_files.unwritten() == ()


def test_no_gate_is_counted_while_its_camera_is_silent(past: Written) -> None:
    silent = past.month.camera_is_silent
    counts = past.database.records("visitors").counts(silent.begin + timedelta(minutes=5), silent.end)
    assert sorted(counts) == sorted(set(HOSTS) - {QUIET_HOST})


def test_today_is_counted_up_to_now(past: Written) -> None:
    records = past.database.records("visitors")
    counts = records.counts(*day_span(TODAY, BERLIN))
    assert sorted(counts) == sorted(HOSTS)
    assert records.counts(NOW, NOW + timedelta(days=1)) == {}
    assert all(each.n_in > each.n_out > 0 for each in counts.values())


def test_servers_were_checked_except_while_tallyd_was_off(past: Written) -> None:
    records, month = past.database.records("servers"), past.month
    off, still = month.tallyd_is_off, month.stage_stands_still
    assert records.server_sums(off.begin + timedelta(hours=1), off.end - timedelta(hours=1)) == {}
    night = records.server_sums(still.begin + timedelta(hours=1), still.end - timedelta(hours=1))
    assert (night["STAGE"].fresh_s, night["STAGE"].stale_s) == (0, night["PROD"].fresh_s)
    lost = month.batch_is_unreachable
    (batch,) = (each for name, each in records.server_sums(month.begin, NOW).items() if name == "BATCH")
    assert batch.unreachable_s == (lost.end - lost.begin).total_seconds()
    assert batch.known_s == (NOW - month.begin - (off.end - off.begin)).total_seconds()
    assert (night["STAGE"].lag_s_max or 0) > 3 * 3600
    assert sum(each.checks for each in records.server_sums(month.begin, NOW).values()) > 1_000_000


def test_a_target_has_the_changes_of_its_state(past: Written) -> None:
    records, span = past.database.records("servers"), past.month.stage_is_stale
    rows = records.server_lags(("STAGE",), past.month.begin, NOW, most=10_000)
    states = [rows[0].state, *(row.state for before, row in pairwise(rows) if row.state != before.state)]
    assert [state for state in states if state != "late"] == ["fresh", "stale", "fresh"]
    stale = [read_seen(row.checked_at) for row in rows if row.state == "stale"]
    assert span.begin <= stale[0] < span.begin + timedelta(seconds=2)


def test_a_daemon_that_starts_here_has_nothing_to_say_about_the_past(past: Written) -> None:
    assert past.state.alerts.all() == {}
    assert past.state.outbox.waiting("visitors") == ()
    assert {row.state for row in past.state.outbox.all("visitors")} == {"sent"}
    assert past.state.slots.pending("divera", "count") == ()


def test_each_alert_began_was_notified_and_ended(past: Written) -> None:
    incidents = past.state.incidents.between(past.month.begin, NOW)
    assert {each.key for each in incidents} == {
        "divera/50101/below",
        "divera/count/failed",
        "divera/count/missed",
        f"visitors/{QUIET_HOST}/no-files",
        "servers/STAGE/stale",
        "servers/BATCH/unreachable",
        "servers/NIGHTLY/stale",
    }
    for each in incidents:
        assert each.ended_at is not None
        assert [(notice.channel, notice.news) for notice in each.notices] == [
            ("chat", "begins"),
            ("chat", "over"),
        ]
        began, over = (notice.at for notice in each.notices)
        assert each.raised_at < began < each.ended_at + timedelta(seconds=3)
        assert each.ended_at < over < each.ended_at + timedelta(minutes=1)
    (stale,) = (each for each in incidents if each.key == "servers/STAGE/stale")
    assert stale.since == past.month.stage_is_stale.begin
    assert stale.ended_at == past.month.stage_is_stale.end
    assert 4 < len([each for each in incidents if each.key == "divera/50101/below"]) < 30


def test_tallyd_was_on_but_for_one_night(past: Written) -> None:
    off = past.month.tallyd_is_off
    on = past.state.uptime.between(past.month.begin, NOW, now=NOW)
    assert on == ((past.month.begin, off.begin), (off.end, NOW))


def test_the_next_report_is_of_today_alone(past: Written) -> None:
    task, at = past.task("report"), NOW + timedelta(seconds=10)
    tools = Toolbox(
        poller=task.poller,
        zone=task.zone,
        now=lambda: at,
        stop=lambda: False,
        alive=lambda: None,
        http=DiveraOfThen(past.month, lambda: at),
        retry=lambda attempt: attempt(),
        memory=lambda: past.state.readings.memory(*task.name),
        records=past.database.records(task.poller),
    )
    readings = task.job.run(Slot(at.isoformat(), at), tools)
    assert [message.day for each in readings for message in each.outbox] == [TODAY]


def test_it_can_be_written_at_any_time_of_a_day(tmp_path: Path) -> None:
    for number, clock in enumerate(some(["00:00:01", "08:59:59"])):
        folder = DemoFolder(tmp_path / str(number))
        with folder.taken():
            config = folder.config_of_past("UTC")
            now = datetime.fromisoformat(f"2026-03-29T{clock}+00:00")
            write_past(config, now=now)
        state = State(config.state_dir / "state.db")
        try:
            assert state.alerts.all() == {}, listed(list(state.alerts.all()))
        finally:
            state.close()


@pytest.mark.parametrize(
    ("poller", "options"),
    [
        pytest.param("divera", {}, id="divera"),
        pytest.param("divera", {"fulfilment": "yes"}, id="fulfilment"),
        pytest.param("visitors", {}, id="visitors"),
        pytest.param("servers", {}, id="servers"),
        pytest.param("servers", {"target": "PROD"}, id="target"),
    ],
)
def test_a_report_may_name_each_table_that_there_is(
    past: Written, poller: str, options: dict[str, str]
) -> None:
    known = past.config.settings.pollers[poller].known("table", options, poller=poller)
    assert known is not None
    for by in ("", "day"):
        for start in ("2026-10-30", "2026-11-19"):
            wanted = Wanted(start=start, end="2026-11-19", poller=poller, by=by, options=options)
            (chapter,), _ = read_chapters(past.config, wanted, NOW)
            assert {table.key for table in chapter.tables} <= {*known}

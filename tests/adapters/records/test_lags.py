"""Checks of servers in each kind of database: stored at once and exactly, or from memory after an outage."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from adapters.records.relay import Relay
from adapters.records.sites import Site
from support.long import tries
from support.past import minutely
from tallyd.adapters.records.database import Database
from tallyd.adapters.records.engine.transactions import Access
from tallyd.adapters.records.poller_records import PollerRecords
from tallyd.adapters.records.server_checks import CheckStore
from tallyd.contract.lags import HourCount, LagRow, StoreOutcome
from tallyd.core.errors import RecordsError

NOW = datetime(2026, 11, 20, 14, 0, tzinfo=UTC)
HOUR = "2026-11-20 14:00:00"
NEXT = "2026-11-20 15:00:00"
LATER = "2026-11-20 16:00:00"
EVER = (datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))

ROW = LagRow("PROD", "2026-11-20 14:03:12", "2026-11-20 14:01:00.500", 131.5, "fresh", 60.25)
SILENT = LagRow("PROD", "2026-11-20 14:04:12", None, None, "unreachable", None)


def stored(records: PollerRecords, server: str = "PROD") -> tuple[LagRow, ...]:
    return records.server_lags([server], *EVER, most=1000)


def hours(records: PollerRecords) -> dict[tuple[str, str], HourCount]:
    return {(server, hour): found for server, hour, found in records.server_hours(*EVER)}


def row(server: str, second: int) -> LagRow:
    at = (NOW + timedelta(seconds=second)).strftime("%Y-%m-%d %H:%M:%S")
    return replace(ROW, server=server, checked_at=at)


def test_rows_come_back_as_they_were(site: Site, records: PollerRecords) -> None:
    assert records.note_checks([ROW, SILENT], {(HOUR, "PROD"): minutely(2, 1, 0, 131.5)}) == StoreOutcome()

    assert stored(records) == (ROW, SILENT)
    assert hours(records) == {("PROD", HOUR): minutely(2, 1, 0, 131.5)}
    assert stored(site.records()) == ()
    query = "SELECT state, lag_s, advanced_s FROM server_lag WHERE poller=:poller ORDER BY checked_at"
    assert site.query(query, poller=records.poller) == [("fresh", 131.5, 60.25), ("unreachable", None, None)]


def test_the_hours_of_a_span_are_summed_up_for_each_server(site: Site, records: PollerRecords) -> None:
    hours = {
        ("2026-11-20 10:00:00", "PROD"): minutely(60, 40, 20, 12.0),
        ("2026-11-20 11:00:00", "PROD"): minutely(60, 30, 5, 900.5),
        ("2026-11-20 11:00:00", "TEST"): minutely(60, 0, 0, None),
        ("2026-11-12 11:00:00", "PROD"): minutely(60, 0, 0, 5000.0),
        (HOUR, "PROD"): minutely(60, 0, 0, 5000.0),
    }
    assert records.note_checks([], hours) == StoreOutcome()
    sums = records.server_sums(NOW - timedelta(days=7), NOW)
    assert sums == {"PROD": minutely(120, 70, 25, 900.5), "TEST": minutely(60, 0, 0, None)}
    assert site.records().server_sums(NOW - timedelta(days=7), NOW) == {}
    of_one = records.server_hours(NOW - timedelta(days=7), NOW, servers=["TEST"])
    assert of_one == (("TEST", "2026-11-20 11:00:00", minutely(60, 0, 0, None)),)


def test_an_hour_is_added_to_and_keeps_its_largest_lag(records: PollerRecords) -> None:
    for lag_s in (5.0, None, 7.5, 6.0):
        records.note_checks([], {(HOUR, "A"): minutely(1, 1, 0, lag_s), (HOUR, "B"): minutely(1, 0, 0, None)})
    assert hours(records) == {("A", HOUR): minutely(4, 4, 0, 7.5), ("B", HOUR): minutely(4, 0, 0, None)}


def test_names_are_compared_by_their_bytes(records: PollerRecords) -> None:
    names = ["Gate", "gate", "Gate ", "Ga\u0308te", "Gäte", "🚪", "'; --", "x" * 200]
    for _ in range(2):
        counts = {(HOUR, name): minutely(1, 1, 0, 1.0) for name in names}
        records.note_checks([row(name, 1) for name in names], counts)
    assert hours(records) == {(name, HOUR): minutely(2, 2, 0, 1.0) for name in names}
    assert [len(stored(records, name)) for name in names] == [1] * len(names)


def test_the_newest_rows_of_a_span_are_given_oldest_first(records: PollerRecords) -> None:
    records.note_checks([row("PROD", second) for second in (30, 10, 20)], {})
    found = records.server_lags(["PROD"], NOW + timedelta(seconds=10), NOW + timedelta(seconds=30), most=9)
    assert [each.checked_at[-2:] for each in found] == ["10", "20"]
    found = records.server_lags(["PROD"], *EVER, most=2)
    assert [each.checked_at[-2:] for each in found] == ["20", "30"]


def test_the_same_check_twice_is_one_row_the_later_one(records: PollerRecords) -> None:
    """After a clock was set back, a second may come again."""
    records.note_checks([ROW], {})
    records.note_checks([replace(ROW, state="late")], {})
    assert [each.state for each in stored(records)] == ["late"]


def test_another_process_continues_where_one_ended(site: Site) -> None:
    poller = site.new_poller()
    site.database.records(poller).note_checks([], {(HOUR, "A"): minutely(3, 2, 0, 9.0)})
    other = Database(site.url)
    other.records(poller).note_checks([], {(HOUR, "A"): minutely(1, 1, 0, 4.0)})
    assert hours(other.records(poller)) == {("A", HOUR): minutely(4, 3, 0, 9.0)}
    other.close()


def test_all_who_ask_for_the_records_of_a_poller_share_what_waits(site: Site) -> None:
    poller = site.new_poller()
    for _ in range(3):
        site.database.records(poller).note_checks([], {(HOUR, "A"): minutely(1, 1, 0, 1.0)})
    assert hours(site.database.records(poller)) == {("A", HOUR): minutely(3, 3, 0, 1.0)}


# -- the database is away ------------------------------------------------------------------------------------


class Away(Access):
    """A database that can be down, and whose commits may succeed without the client knowing it."""

    is_away = False
    loses_commits = False
    answers_after_s = 0.0
    clock_s = 0.0

    def writing(self) -> Any:
        self.clock_s += self.answers_after_s
        if self.is_away:
            raise RecordsError("away")
        return _LosesCommit(super().writing()) if self.loses_commits else super().writing()


class _LosesCommit:
    def __init__(self, real: Any) -> None:
        self._real = real

    def __enter__(self) -> Connection:
        connection: Connection = self._real.__enter__()
        return connection

    def __exit__(self, *error: object) -> None:
        self._real.__exit__(*error)
        raise RecordsError("the connection was lost")


@pytest.fixture
def away(tmp_path: Path) -> Iterator[Away]:
    url = f"sqlite:///{tmp_path / 'records.db'}"
    database = Database(url)
    database.prepare()
    database.close()
    access = Away(url)
    yield access
    access.close()


def found(access: Access) -> tuple[list[str], dict[tuple[str, str], HourCount]]:
    records = PollerRecords(access, "apps")
    return [each.checked_at[-5:] for each in stored(records)], hours(records)


def test_what_waits_is_stored_once_the_database_is_back(away: Away) -> None:
    checks = CheckStore(away, "apps")
    away.is_away = True
    for second in range(3):
        outcome = checks.note([row("PROD", second)], {(HOUR, "PROD"): minutely(1, 1, 0, 1.0)})
    assert outcome == StoreOutcome(waiting=3 + 1, dropped=0, trouble="away")
    away.is_away = False

    assert checks.note([row("PROD", 3)], {(NEXT, "PROD"): minutely(1, 0, 0, 2.0)}) == StoreOutcome()

    assert found(away) == (
        ["00:00", "00:01", "00:02", "00:03"],
        {("PROD", HOUR): minutely(3, 3, 0, 1.0), ("PROD", NEXT): minutely(1, 0, 0, 2.0)},
    )


def test_a_database_that_hangs_makes_few_rounds_late_and_loses_nothing(away: Away) -> None:
    checks = CheckStore(away, "apps", monotonic=lambda: away.clock_s)
    away.is_away, away.answers_after_s = True, 12.0
    late = []
    for second in range(0, 150, 10):
        begin = away.clock_s = max(away.clock_s, float(second))
        assert checks.note([row("PROD", second)], {}).trouble == "away"
        late.append(away.clock_s - begin)
    assert late == [12.0, *[0.0] * 7, 12.0, *[0.0] * 6]
    away.is_away, away.clock_s = False, away.clock_s + 60.0

    assert checks.note([], {}) == StoreOutcome()
    assert len(found(away)[0]) == 15


def test_what_waits_is_counted_for_each_poller(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'missing' / 'records.db'}")
    assert database.waiting() == {}
    for poller in ("apps", "idle"):
        records = database.records(poller)
        if poller == "apps":
            assert (
                records.note_checks([row("PROD", 0)], {(HOUR, "PROD"): minutely(1, 1, 0, 1.0)}).waiting == 2
            )
    assert database.waiting() == {"apps": 2}
    database.close()


def test_of_too_many_rows_the_oldest_are_dropped_and_counted(away: Away) -> None:
    checks = CheckStore(away, "apps", most_waiting=10)
    away.is_away = True
    dropped = [checks.note([row("PROD", second)], {}).dropped for second in range(14)]
    assert dropped == [0] * 10 + [1, 2, 3, 4]
    away.is_away = False

    assert checks.note([], {}) == StoreOutcome(dropped=4)
    assert checks.note([], {}) == StoreOutcome()
    assert [text[-2:] for text in found(away)[0]] == [f"{second:02}" for second in range(4, 14)]


def test_of_too_many_hours_the_oldest_are_dropped_but_never_the_one_that_goes_on(away: Away) -> None:
    checks = CheckStore(away, "apps", most_waiting=10)
    away.is_away = True
    for hour in (HOUR, NEXT, LATER):
        outcome = checks.note([], {(hour, f"S{number}"): minutely(1, 1, 0, 1.0) for number in range(7)})
    assert outcome == StoreOutcome(waiting=10 + 7, dropped=4, trouble="away")
    away.is_away = False
    checks.note([], {(LATER, "S1"): minutely(1, 1, 0, 1.0)})
    _, counts = found(away)
    assert sorted(hour for _, hour in counts) == [HOUR] * 3 + [NEXT] * 7 + [LATER] * 7


def test_what_was_stored_though_nobody_knew_is_not_counted_again(away: Away) -> None:
    checks = CheckStore(away, "apps")
    checks.note([], {(HOUR, "PROD"): minutely(1, 1, 0, 1.0)})
    CheckStore(away, "apps").note([], {(NEXT, "PROD"): minutely(5, 5, 0, 9.0)})
    away.loses_commits = True
    for hour in (HOUR, NEXT, NEXT):
        outcome = checks.note([ROW], {(hour, "PROD"): minutely(1, 0, 0, 2.0)})
        assert outcome.trouble == "the connection was lost"
    away.loses_commits = False

    assert checks.note([], {(NEXT, "PROD"): minutely(1, 1, 0, 1.0)}).trouble is None

    rows, counts = found(away)
    assert rows == ["03:12"]
    assert counts == {("PROD", HOUR): minutely(2, 1, 0, 2.0), ("PROD", NEXT): minutely(8, 6, 0, 9.0)}


@pytest.mark.parametrize("cut", ["before", "after"])
def test_a_connection_that_is_lost_during_the_commit_loses_and_doubles_nothing(
    served: Site, cut: Literal["before", "after"]
) -> None:
    assert served.server
    poller = served.new_poller()
    with Relay(served.server.port) as relay:
        database = Database(served.server.url(served.url.rpartition("/")[2], relay.port), patience_s=2.0)
        records = database.records(poller)
        assert records.note_checks([ROW], {(HOUR, "PROD"): minutely(1, 1, 0, 1.0)}) == StoreOutcome()
        relay.cut = cut
        outcome = records.note_checks([SILENT], {(HOUR, "PROD"): minutely(1, 0, 0, None)})
        assert (outcome.waiting, outcome.dropped, bool(outcome.trouble)) == (2, 0, True)
        relay.cut = None

        assert records.note_checks([], {(HOUR, "PROD"): minutely(1, 1, 0, 1.0)}).trouble is None

        database.close()
    assert hours(served.database.records(poller)) == {("PROD", HOUR): minutely(3, 2, 0, 1.0)}
    assert stored(served.database.records(poller)) == (ROW, SILENT)


_numbers = count()
servers = st.sampled_from(["A", "B", "C"])
rounds = st.tuples(
    st.sampled_from(["stored", "away", "lost"]),
    st.sampled_from([HOUR, NEXT, LATER]),
    st.dictionaries(
        servers,
        st.tuples(st.integers(0, 1), st.integers(0, 1), st.none() | st.integers(0, 9).map(float)),
        max_size=3,
    ),
)


@settings(max_examples=tries(30), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(plan=st.lists(rounds, max_size=12))
def test_whatever_fails_in_between_the_hours_add_up(away: Away, plan: list[tuple[Any, ...]]) -> None:
    poller = f"apps{next(_numbers)}"
    store, model = CheckStore(away, poller), dict[tuple[str, str], HourCount]()
    for how, hour, checks in [*plan, ("stored", LATER, {})]:
        away.is_away, away.loses_commits = how == "away", how == "lost"
        counts = {(hour, name): minutely(1, fresh, late, lag) for name, (fresh, late, lag) in checks.items()}
        for (_, name), added in counts.items():
            known = model.get((name, hour))
            model[name, hour] = added if known is None else known + added
        outcome = store.note([], counts)
        assert (outcome.trouble is None) is (how == "stored" or not outcome.waiting)
    away.is_away = away.loses_commits = False
    assert hours(PollerRecords(away, poller)) == model


# -- forgetting ----------------------------------------------------------------------------------------------


def test_old_rows_are_forgotten_a_few_at_a_time_and_hours_stay(records: PollerRecords) -> None:
    rows = [row("PROD", second) for second in range(2500)]
    records.note_checks(rows, {(HOUR, "PROD"): minutely(1, 1, 0, 1.0)})
    before = NOW + timedelta(seconds=2400)

    assert records.prune(before, most=0) == 0
    assert records.prune(before, most=100) == 100
    assert stored(records)[0].checked_at.endswith("14:25:00")  # the oldest of the newest thousand
    assert records.prune(before, most=10_000) == 2300
    assert records.prune(before, most=10_000) == 0
    assert len(stored(records)) == 100
    assert hours(records) == {("PROD", HOUR): minutely(1, 1, 0, 1.0)}


def test_forgetting_leaves_the_rows_of_other_pollers(site: Site, records: PollerRecords) -> None:
    other = site.records()
    for each in (records, other):
        each.note_checks([ROW], {})
    assert records.prune(EVER[1], most=10) == 1
    assert (stored(records), stored(other)) == ((), (ROW,))

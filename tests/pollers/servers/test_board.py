"""What people are shown of targets: now, of past days, and by `once`."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from support.past import FakePast, FakeRecords, minutely
from tallyd.contract.board import Asked, AskedError
from tallyd.contract.lags import HourCount, LagRow
from tallyd.core.errors import RecordsError
from tallyd.core.panels import Board, Chart, Gap, Limit, StateTimeline, Table, tables_of
from tallyd.core.periods import By
from tallyd.core.reading import Facts
from tallyd.core.states import State, Timeline
from tallyd.core.stored import LastReading, StoredReading
from tallyd.pollers.servers.boards.board import MOST_BARS, MOST_CHOICES
from tallyd.pollers.servers.boards.metrics import MOST_NAMED
from tallyd.pollers.servers.freshness import Known
from tallyd.pollers.servers.poller import ServersPoller
from tallyd.pollers.servers.rounds.target_memory import TargetMemory

NOW = datetime(2026, 11, 20, 13, 0, tzinfo=UTC)
TODAY = date(2026, 11, 20)
HOUR = timedelta(hours=1)


def poller(*names: str, **keys: Any) -> ServersPoller:
    targets = {name: {"url": "http://127.0.0.1:9/"} for name in names}
    return ServersPoller.model_validate_json(json.dumps({"kind": "servers", "targets": targets, **keys}))


def known(state: Any, lag_s: float | None = 30.0, since: datetime = NOW) -> Known:
    return Known(
        state=state, since=since, computed_at=None if lag_s is None else NOW - timedelta(seconds=lag_s)
    )


def past_of(found: Mapping[str, Known], **keys: Any) -> FakePast:
    """Return a past in which a round knows these targets."""
    memory = TargetMemory(known=dict(found))
    return FakePast(poller="apps", now=NOW, in_memory={"check": {"memory": memory}}, **keys)


def table_of(board: Board, place: int = 0) -> Table:
    return tables_of((*board.panels, *board.details))[place]


def stats_of(board: Board) -> dict[str, object]:
    return {stat.key: stat.value for stat in board.stats}


# -- now ----------------------------------------------------------------------------------------------------


def test_each_target_has_its_state_its_lag_and_its_limit() -> None:
    board = poller("PROD", "NEW", defaults={"stale_after": "10m"}).now_board(
        past_of({"PROD": known("late", 400.0, NOW - HOUR)})
    )
    assert table_of(board).rows == (
        ("NEW", State("unknown", "not checked yet"), None, Gap.UNKNOWN, 600.0, None, Gap.UNKNOWN),
        (
            *("PROD", State("warning", "late"), NOW - HOUR, 400.0, 600.0, NOW - timedelta(seconds=400)),
            Gap.UNKNOWN,
        ),
    )
    assert stats_of(board) == {"late": 1, "unchecked": 1}
    assert [stat.name for stat in board.stats] == ["Late", "Not checked yet"]


def test_a_target_that_is_due_has_its_next_due_time_instead_of_a_limit() -> None:
    targets = {
        "JOB": {"url": "http://127.0.0.1:9/", "due": [{"by": "06:00"}]},
        "PROD": {"url": "http://127.0.0.1:9/"},
    }
    content = {"kind": "servers", "targets": targets}
    past = past_of({"JOB": known("fresh")})
    table = table_of(ServersPoller.model_validate_json(json.dumps(content)).now_board(past))
    keys = [column.key for column in table.columns]
    shown = [(row[0], row[keys.index("limit_s")], row[keys.index("next_due")]) for row in table.rows]
    due_at = datetime(2026, 11, 21, 6, tzinfo=past.zone)
    assert shown == [("PROD", 900.0, None), ("JOB", None, due_at)]


def test_the_last_day_is_read_only_of_the_rows_that_are_shown() -> None:
    hours = [(name, "2026-11-20 08:00:00", minutely(60, 50, 10, 9.0)) for name in ("A", "B", "C")]
    asked: list[Collection[str] | None] = []

    class Records(FakeRecords):
        def server_hours(
            self, since: datetime, until: datetime, *, servers: Collection[str] | None = None
        ) -> Sequence[tuple[str, str, HourCount]]:
            asked.append(servers)
            return super().server_hours(since, until, servers=servers)

    past = past_of({name: known("fresh") for name in "ABC"}, held=Records(hours=hours))
    table = table_of(poller("A", "B", "C").now_board(past))
    assert asked == []
    first, second = table.whole(table.rows[:2])
    assert asked == [["A", "B"]]
    assert isinstance(first[-1], Timeline)
    worst = [(each.begin, each.worst.word) for each in first[-1].spans if each.seconds]
    assert worst == [(datetime(2026, 11, 20, 8, tzinfo=UTC), "late")]
    assert len(first[-1].spans) == 24
    assert second[-1] == first[-1]


def test_a_database_that_cannot_be_read_leaves_the_last_day_unknown() -> None:
    table = table_of(poller("A").now_board(past_of({"A": known("fresh")}, trouble="it is away")))
    assert table.whole(table.rows)[0][-1] == Gap.UNKNOWN


def test_the_most_serious_stand_first_and_fresh_ones_by_name() -> None:
    found = {
        "a": known("fresh", 10.0),
        "b": known("fresh", 90.0),
        "c": known("stale", 2000.0),
        "d": known("late", 500.0),
        "e": known("stale", 9000.0),
        "f": known("future", -300.0),
        "g": known("invalid", None),
        "h": known("unreachable", 20.0),
    }
    board = poller(*reversed(found), "i").now_board(past_of(found))
    assert "".join(map(str, table_of(board).cells("target"))) == "ihgecfdab"
    assert [str(each) for each in stats_of(board)] == [
        *("fresh", "late", "stale", "unreachable", "invalid", "future", "unchecked"),
    ]


def test_a_target_that_never_sent_a_time_has_no_lag() -> None:
    board = poller("PROD").now_board(past_of({"PROD": known("unreachable", None)}))
    assert table_of(board).cells("lag_s") == (Gap.UNKNOWN,)
    assert table_of(board).cells("computed_time") == (None,)


def test_now_needs_no_database_and_only_targets_of_the_config_count() -> None:
    past = past_of({"PROD": known("fresh"), "GONE": known("stale")}, trouble="the database is away")
    board = poller("PROD").now_board(past)
    assert (table_of(board).cells("target"), stats_of(board)) == (("PROD",), {"fresh": 1})
    assert board.troubles == ()


def test_outside_the_daemon_the_last_stored_state_counts() -> None:
    stored = TargetMemory(known={"PROD": known("stale", 2000.0)}).to_store()
    past = FakePast(poller="apps", now=NOW, memories={"check": stored})
    assert stats_of(poller("PROD").now_board(past)) == {"stale": 1}


def test_outside_the_daemon_data_grows_no_older_than_it_was_when_the_file_was_written() -> None:
    found = {"PROD": Known(state="fresh", since=NOW - HOUR, computed_at=NOW - timedelta(minutes=12))}
    stored = TargetMemory(known=found, written_at=NOW - timedelta(minutes=10)).to_store()
    board = poller("PROD").now_board(FakePast(poller="apps", now=NOW, memories={"check": stored}))
    assert table_of(board).cells("lag_s") == (120.0,)
    assert board.notes == (
        "As of 13:50, when the last file was written. The page of a running tallyd has later checks.",
    )
    memory = TargetMemory(known=found, written_at=NOW - HOUR, checked_at={"PROD": NOW})
    board = poller("PROD").now_board(
        FakePast(poller="apps", now=NOW, in_memory={"check": {"memory": memory}})
    )
    assert (table_of(board).cells("lag_s"), board.notes) == ((720.0,), ())


# -- the last check -----------------------------------------------------------------------------------------


def reading(at: datetime, *, is_by_hand: bool = False) -> StoredReading:
    return StoredReading(
        poller="apps",
        kind="servers",
        job="check",
        slot=None if is_by_hand else "x",
        outcome="taken",
        reason=None,
        due_at=None if is_by_hand else at,
        taken_at=at,
        body={},
        out_name=None,
    )


@pytest.mark.parametrize(
    ("memory", "readings", "last"),
    [
        pytest.param(TargetMemory(), (), None, id="never"),
        pytest.param(
            TargetMemory(checked_at={"a": NOW - HOUR, "b": NOW}, written_at=NOW - 2 * HOUR),
            (reading(NOW - 2 * HOUR),),
            LastReading(NOW),
            id="the newest check, though it changed nothing",
        ),
        pytest.param(
            TargetMemory(written_at=NOW - HOUR), (), LastReading(NOW - HOUR), id="before the first round"
        ),
        pytest.param(
            TargetMemory(checked_at={"a": NOW - HOUR}),
            (reading(NOW, is_by_hand=True),),
            LastReading(NOW, is_by_hand=True),
            id="by hand since then",
        ),
    ],
)
def test_the_last_check(
    memory: TargetMemory, readings: tuple[StoredReading, ...], last: LastReading | None
) -> None:
    past = FakePast(poller="apps", now=NOW, in_memory={"check": {"memory": memory}}, stored=readings)
    assert (poller("PROD").last(past), poller("PROD").last_label()) == (last, "Last check")


# -- past days of all targets -------------------------------------------------------------------------------

HOURS = (
    ("PROD", "2026-10-01 08:00:00", minutely(60, 60, 0, 61.0)),
    ("PROD", "2026-11-19 08:00:00", minutely(60, 60, 0, 61.5)),
    ("PROD", "2026-11-20 08:00:00", minutely(60, 30, 15, 4000.0)),
    ("GONE", "2026-11-20 08:00:00", minutely(60, 0, 0, None)),
)


def shown(
    settings: ServersPoller,
    *,
    hours: tuple[tuple[str, str, HourCount], ...] = HOURS,
    lags: tuple[LagRow, ...] = (),
    first: date | None = None,
    last: date = TODAY,
    by: By | None = None,
    target: str = "",
    group: str = "",
) -> Board:
    """Return the board of some days; without `first` those that are shown if nobody asks for others."""
    first = first or last - timedelta(days=settings.default_days(by) - 1)
    past = FakePast(poller="apps", now=NOW, held=FakeRecords(hours=hours, lags=lags))
    return settings.past_board(
        past, Asked(first=first, last=last, by=by, options={"target": target, "group": group})
    )


def test_a_week_has_a_row_for_each_target_with_bars_the_least_within_its_limit_first() -> None:
    board = shown(poller("PROD"))
    (chart,) = board.panels
    assert isinstance(chart, Chart)
    assert (chart.x, chart.top) == ("target", 1)
    assert chart.series == {"within_limit_share": "bars", "fresh_share": "bars"}
    assert [column.key for column in chart.table.columns] == [
        *("target", "within_limit_share", "fresh_share", "no_data_share", "lag_s_max", "checks"),
    ]
    passed_h = 6 * 24 + 14
    assert chart.table.rows == (
        ("GONE", 0.0, 0.0, 1 - 1 / passed_h, Gap.UNKNOWN, 60),
        ("PROD", 0.875, 0.75, 1 - 2 / passed_h, 4000.0, 120),
    )
    assert board.said == "2 targets, 180 checks, 58.33% within the limit, 50.00% fresh, 99.05% no data"


@pytest.mark.parametrize(
    ("by", "rows"),
    [
        pytest.param(
            "hour",
            [
                ("GONE", "2026-11-20", "09:00", "Fri", 0.0, 60),
                ("PROD", "2026-11-20", "09:00", "Fri", 0.75, 60),
            ],
            id="hours of today",
        ),
        pytest.param(
            "day",
            [
                ("GONE", "2026-11-20", "Fri", 0.0, 60),
                ("PROD", "2026-11-19", "Thu", 1.0, 60),
                ("PROD", "2026-11-20", "Fri", 0.75, 60),
            ],
            id="days of a week",
        ),
        pytest.param(
            "month", [("GONE", "2026-11", 0.0, 60), ("PROD", "2026-11", 0.875, 120)], id="months of a week"
        ),
    ],
)
def test_by_a_period_each_target_has_a_row_for_each_and_none_is_drawn(
    by: By, rows: list[tuple[object, ...]]
) -> None:
    (table,) = shown(poller("PROD"), by=by).panels
    assert isinstance(table, Table)
    wanted = [
        place
        for place, column in table.shown
        if column.unit == "text" or column.key in ("checks", "within_limit_share")
    ]
    assert [tuple(row[place] for place in wanted) for row in table.rows] == rows


@pytest.mark.parametrize(("targets", "is_drawn"), [(MOST_BARS, True), (MOST_BARS + 1, False)])
def test_many_targets_are_a_table_without_bars(targets: int, *, is_drawn: bool) -> None:
    hours = tuple((f"T{number}", "2026-11-20 08:00:00", minutely(1, 1, 0, 1.0)) for number in range(targets))
    (panel,) = shown(poller("T0"), hours=hours).panels
    assert isinstance(panel, Chart) is is_drawn


def test_the_choice_has_the_targets_of_the_config_and_those_that_have_left_it() -> None:
    (choice,) = shown(poller("PROD", "TEST")).choices
    assert (choice.option, choice.values) == (
        "target",
        (("", "All targets"), ("PROD", "PROD"), ("TEST", "TEST"), ("GONE", "GONE")),
    )


OF_GROUPS = ServersPoller.model_validate_json(
    json.dumps(
        {
            "kind": "servers",
            "targets": {
                "PROD": {"url": "http://127.0.0.1:9/", "group": "shop", "tags": ["java", "team blue"]},
                "JOBS": {
                    "url": "http://127.0.0.1:9/",
                    "group": "jobs",
                    "each": {"items": "jobs", "name": "name", "time": "at"},
                },
                "TEST": {"url": "http://127.0.0.1:9/"},
            },
        }
    )
)
HOURS_OF_ITEMS = (*HOURS, ("JOBS/import", "2026-11-20 08:00:00", minutely(60, 60, 0, 9.0)))


@pytest.mark.parametrize("by", [None, "hour", "day"])
def test_a_group_has_its_targets_and_their_items_alone(by: By | None) -> None:
    board = shown(OF_GROUPS, hours=HOURS_OF_ITEMS, by=by, group="jobs")
    assert {*table_of(board).cells("target")} == {"JOBS/import"}
    assert board.said.startswith("jobs: 1 target, 60 checks, ")
    assert [(choice.option, [value for value, _ in choice.values]) for choice in board.choices] == [
        ("group", ["", "shop", "jobs"]),
        ("target", ["", "JOBS", "JOBS/import"]),
    ]
    one = shown(OF_GROUPS, hours=HOURS_OF_ITEMS, by=by, group="jobs", target="JOBS/import")
    assert one.said.startswith("JOBS/import: 60 checks")
    past = FakePast(poller="apps", now=NOW)
    asked = Asked(first=TODAY, last=TODAY, options={"group": "jobs"})
    assert OF_GROUPS.states(past, asked) is None


UNFIT = {
    "near": (OF_GROUPS, {"group": "shopp"}, 'no group "shopp" in the config; did you mean "shop"?'),
    "far": (OF_GROUPS, {"group": "x"}, "; there is: shop, jobs"),
    "none": (poller("PROD"), {"group": "x"}, "; there is none"),
    "of another": (OF_GROUPS, {"group": "jobs", "target": "PROD"}, '"PROD" is not in the group "jobs"'),
}


@pytest.mark.parametrize(("settings", "asked", "why"), UNFIT.values(), ids=UNFIT)
def test_a_group_that_does_not_fit_says_why(settings: ServersPoller, asked: dict[str, str], why: str) -> None:
    with pytest.raises(AskedError, match=re.escape(why)):
        settings.past_board(FakePast(poller="apps", now=NOW), Asked(first=TODAY, last=TODAY, options=asked))


def test_of_a_group_the_targets_are_shown_as_they_are_now() -> None:
    found = {name: known("fresh") for name in ("PROD", "JOBS", "JOBS/import", "TEST")}
    table = table_of(OF_GROUPS.now_board(past_of(found)))
    assert [*zip(table.cells("target"), table.cells("group"), table.cells("tags"), strict=True)] == [
        ("JOBS", "jobs", ""),
        ("JOBS/import", "jobs", ""),
        ("PROD", "shop", "java, team blue"),
        ("TEST", "", ""),
    ]
    board = OF_GROUPS.group_board(past_of(found), "jobs")
    assert table_of(board).cells("target") == ("JOBS", "JOBS/import")
    assert stats_of(board) == {"fresh": 2}
    metrics = {each.name: each for each in OF_GROUPS.metrics(past_of(found))}
    assert dict(metrics["tallyd_target_info"].samples) == {
        ("apps", "PROD", "shop", ",java,team blue,"): 1,
        ("apps", "JOBS", "jobs", ""): 1,
        ("apps", "JOBS/import", "jobs", ""): 1,
    }


@pytest.mark.parametrize(("targets", "choices"), [(MOST_CHOICES, 1), (MOST_CHOICES + 1, 0)])
def test_of_very_many_targets_there_is_no_choice(targets: int, choices: int) -> None:
    settings = poller(*(f"T{number}" for number in range(targets)))
    assert len(shown(settings, hours=()).choices) == choices
    assert len(shown(settings, hours=(), target="T0").choices) == choices


@pytest.mark.parametrize(
    ("settings", "last", "nothing"),
    [
        pytest.param(
            poller("PROD"), TODAY, "No checks in these days. Targets are checked every 1 min.", id="today"
        ),
        pytest.param(poller("PROD"), date(2026, 11, 1), "No checks in these days.", id="days that are over"),
        pytest.param(ServersPoller.former(), TODAY, "No checks in these days.", id="a former poller"),
    ],
)
@pytest.mark.parametrize("by", [None, "day"])
def test_days_without_a_check_say_so(
    settings: ServersPoller, last: date, nothing: str, by: By | None
) -> None:
    board = shown(settings, hours=(), last=last, by=by)
    assert (table_of(board).rows, table_of(board).nothing, board.said) == ((), nothing, "no checks")


@pytest.mark.parametrize(
    ("by", "rows"),
    [("hour", 2 * 2 * 25), ("day", 2 * 2), ("weekday", 2 * 2), ("week", 2), ("month", 2), ("year", 2)],
)
def test_more_rows_than_are_wanted_are_not_made(by: By, rows: int) -> None:
    past = FakePast(poller="apps", now=NOW, held=FakeRecords(hours=HOURS))
    days = Asked(first=TODAY - timedelta(days=1), last=TODAY, by=by)
    assert table_of(poller("PROD").past_board(past, replace(days, most_rows=rows))).rows
    with pytest.raises(AskedError, match=f"these are more than {rows - 1} rows; choose fewer days"):
        poller("PROD").past_board(past, replace(days, most_rows=rows - 1))


def test_days_that_have_not_come_are_not_asked_for() -> None:
    asked: list[datetime] = []

    class Records(FakeRecords):
        def server_sums(self, since: datetime, until: datetime) -> Mapping[str, HourCount]:
            asked.append(since)
            return super().server_sums(since, until)

    past = FakePast(poller="apps", now=NOW, held=Records(hours=HOURS))
    board = poller("PROD").past_board(past, Asked(first=TODAY, last=date(9998, 12, 31), by="day"))
    assert (len(table_of(board).rows), len(asked)) == (2, 2)


def test_a_database_that_cannot_be_read_is_raised() -> None:
    past = FakePast(poller="apps", now=NOW, trouble="the database is away")
    with pytest.raises(RecordsError, match="away"):
        poller("PROD").past_board(past, Asked(first=TODAY, last=TODAY))


# -- past days of one target --------------------------------------------------------------------------------


def test_a_week_of_one_target_is_its_lag_by_the_hour_with_its_checks_by_day() -> None:
    board = shown(poller("PROD", defaults={"stale_after": "20m"}), target="PROD")
    states, chart = board.panels
    assert isinstance(states, StateTimeline)
    assert [
        (each.begin, each.worst.word, each.worst_s) for each in states.timeline.spans if each.seconds
    ] == [
        (datetime(2026, 11, 19, 8, tzinfo=UTC), "fresh", 3600.0),
        (datetime(2026, 11, 20, 8, tzinfo=UTC), "stale", 900.0),
    ]
    assert isinstance(chart, Chart)
    assert (chart.table.key, chart.x, chart.series) == ("lag", "at", {"lag_s_max": "line"})
    assert chart.limit == Limit("stale above", 1200.0)
    begin = datetime(2026, 11, 13, 23, tzinfo=UTC)
    ats, lags = chart.table.cells("at"), chart.table.cells("lag_s_max")
    assert (ats[0], ats[-1]) == (begin, NOW - HOUR)
    assert {at: lag for at, lag in zip(ats, lags, strict=True) if lag is not Gap.UNKNOWN} == {
        datetime(2026, 11, 19, 8, tzinfo=UTC): 61.5,
        datetime(2026, 11, 20, 8, tzinfo=UTC): 4000.0,
    }
    (checks,) = board.details
    assert isinstance(checks, Table)
    assert checks.cells("date") == ("2026-11-19", "2026-11-20")
    assert checks.cells("within_limit_share") == (1.0, 0.75)
    assert board.said == "PROD: 120 checks, 87.50% within the limit, 75.00% fresh, 98.73% no data"


def test_a_day_of_one_target_is_its_lag_by_the_quarter_of_an_hour_with_its_checks_by_hour() -> None:
    change = LagRow("PROD", "2026-11-20 08:20:00", None, 60.0, "fresh", 60.0)
    board = shown(poller("PROD"), lags=(change,), first=TODAY, target="PROD")
    at_nine = datetime(2026, 11, 20, 8, tzinfo=UTC)
    quarters = [at_nine + timedelta(minutes=15 * number) for number in range(5)]
    lag = table_of(board, 1)
    found = dict(zip(lag.cells("at"), lag.cells("lag_s_max"), strict=True))
    assert [found[at] for at in quarters] == [4000.0, 4000.0, 1560.0, 2460.0, Gap.UNKNOWN]
    assert table_of(board, 2).cells("hour") == ("09:00",)


def test_of_one_target_by_a_period_its_shares_are_drawn() -> None:
    board = shown(poller("PROD"), by="day", target="PROD")
    _, chart = board.panels
    assert isinstance(chart, Chart)
    assert (chart.x, chart.table.cells("date"), chart.table.cells("fresh_share")) == (
        "begin",
        ("2026-11-19", "2026-11-20"),
        (1.0, 0.5),
    )
    assert board.details == ()


@pytest.mark.parametrize(
    ("hours", "nothing"),
    [
        pytest.param((), "No checks in these days. Targets are checked every 1 min.", id="no check"),
        pytest.param(
            (("PROD", "2026-11-20 08:00:00", minutely(60, 0, 0, None)),),
            "None of its 60 checks found the time of its data.",
            id="no time",
        ),
    ],
)
def test_a_target_without_a_lag_says_why(hours: tuple[tuple[str, str, HourCount], ...], nothing: str) -> None:
    chart = shown(poller("PROD"), hours=hours, target="PROD").panels[-1]
    assert isinstance(chart, Chart)
    assert (chart.has_numbers, chart.table.rows, chart.table.nothing, chart.nothing) == (
        False,
        (),
        nothing,
        nothing,
    )


@pytest.mark.parametrize("settings", [pytest.param(poller("PROD"), id="it has left"), ServersPoller.former()])
def test_a_target_that_has_left_the_config_is_shown_without_a_limit(settings: ServersPoller) -> None:
    hours = (("GONE", "2026-11-20 08:00:00", minutely(60, 60, 0, 70.0)),)
    board = shown(settings, hours=hours, target="GONE")
    _, chart = board.panels
    assert isinstance(chart, Chart)
    assert (chart.limit, chart.has_numbers) == (None, True)
    assert ("GONE", "GONE") in board.choices[0].values


@pytest.mark.parametrize(
    ("settings", "hint"),
    [
        pytest.param(poller("PROD", "TEST"), "; there are PROD and TEST", id="some"),
        pytest.param(poller("PROD"), "; there is PROD", id="one"),
        pytest.param(ServersPoller.former(), "; there are GONE and PROD", id="a former poller"),
    ],
)
def test_a_target_that_never_was_is_an_error_that_names_those_there_are(
    settings: ServersPoller, hint: str
) -> None:
    with pytest.raises(AskedError) as raised:
        shown(settings, target="PORD\n")
    assert str(raised.value) == r'no target "PORD\n" was checked in these days' + hint


def test_of_one_target_only_its_own_hours_are_read_and_once() -> None:
    asked: list[Collection[str] | None] = []

    class Records(FakeRecords):
        def server_hours(
            self, since: datetime, until: datetime, *, servers: Collection[str] | None = None
        ) -> Sequence[tuple[str, str, HourCount]]:
            asked.append(servers)
            return super().server_hours(since, until, servers=servers)

    past = FakePast(poller="apps", now=NOW, held=Records(hours=HOURS))
    poller("PROD").past_board(past, Asked(first=TODAY, last=TODAY, options={"target": "PROD"}))
    assert asked == [("PROD",)]


def test_the_options_and_the_days_if_nobody_asks() -> None:
    assert ServersPoller.options() == ("group", "target")
    assert {by: ServersPoller.default_days(by) for by in (None, "hour", "day", "year")} == {
        None: 7,
        "hour": 1,
        "day": 7,
        "year": 7,
    }


# -- once ---------------------------------------------------------------------------------------------------


def test_a_reading_is_how_many_targets_are_in_each_state() -> None:
    content: Facts = {"counts": {"fresh": 3, "late": 0, "stale": 1, "unreachable": 0}, "targets": {}}
    board = poller("PROD").reading_board(content)
    assert [(stat.key, stat.name, stat.value) for stat in board.stats] == [
        ("fresh", "Fresh", 3),
        ("stale", "Stale", 1),
    ]


def test_the_summary_of_a_round_is_a_row_for_each_target() -> None:
    summary: Facts = {
        "targets": [
            {"target": "A", "state": "unreachable", "lag_s": None, "since": "2026-11-20T14:00:00+01:00"},
            {"target": "B", "state": "fresh", "lag_s": 61.2, "since": "2026-11-20T13:00:00+01:00"},
        ]
    }
    assert table_of(poller("A", "B").summary_board(summary)).rows == (
        ("A", State("error", "unreachable"), Gap.UNKNOWN, NOW),
        ("B", State("fine", "fresh"), 61.2, NOW - HOUR),
    )


# -- metrics ------------------------------------------------------------------------------------------------


def test_metrics_are_how_old_each_target_is_now() -> None:
    found = {
        "A": known("fresh", 30.0),
        "B": known("unreachable", None),
        "C": known("stale", 1000.0),
        "GONE": known("stale"),
    }
    metrics = {each.name: each for each in poller("C", "B", "A", "NEW").metrics(past_of(found))}
    assert {name: each.labels for name, each in metrics.items()} == {
        "tallyd_target_lag_seconds": ("poller", "target"),
        "tallyd_target_limit_seconds": ("poller", "target"),
        "tallyd_target_due_timestamp_seconds": ("poller", "target"),
        "tallyd_target_fresh": ("poller", "target"),
        "tallyd_target_info": ("poller", "target", "group", "tags"),
        "tallyd_targets": ("poller", "state"),
        "tallyd_targets_unnamed": ("poller",),
        "tallyd_last_check_timestamp_seconds": ("poller",),
    }
    assert metrics["tallyd_target_lag_seconds"].samples == [(("apps", "C"), 1000.0), (("apps", "A"), 30.0)]
    limits = metrics["tallyd_target_limit_seconds"].samples
    assert [names for names, _ in limits] == [("apps", "C"), ("apps", "B"), ("apps", "A")]
    assert {limit for _, limit in limits} == {900}
    assert metrics["tallyd_target_fresh"].samples == [
        (("apps", "C"), 0),
        (("apps", "B"), 0),
        (("apps", "A"), 1),
    ]
    assert dict(metrics["tallyd_targets"].samples) == {
        ("apps", "fresh"): 1,
        ("apps", "late"): 0,
        ("apps", "stale"): 1,
        ("apps", "unreachable"): 1,
        ("apps", "invalid"): 0,
        ("apps", "future"): 0,
    }
    assert metrics["tallyd_target_due_timestamp_seconds"].samples == []
    assert metrics["tallyd_targets_unnamed"].samples == [(("apps",), 0)]
    assert metrics["tallyd_last_check_timestamp_seconds"].samples == []


def test_metrics_of_a_target_that_is_due_are_its_next_due_time_and_how_old_its_data_may_be_now() -> None:
    settings = poller("A", defaults={"due": [{"by": "06:00"}]})
    metrics = {each.name: each for each in settings.metrics(past_of({"A": known("fresh")}))}
    day = timedelta(days=1)
    due_at = datetime(2026, 11, 20, 6, tzinfo=FakePast(poller="apps", now=NOW).zone)
    assert metrics["tallyd_target_due_timestamp_seconds"].samples == [
        (("apps", "A"), (due_at + day).timestamp())
    ]
    ((_, limit_s),) = metrics["tallyd_target_limit_seconds"].samples
    assert limit_s == pytest.approx((NOW - (due_at - day)).total_seconds(), abs=0.001)


def test_a_metric_is_when_any_target_was_last_checked() -> None:
    at = {"A": NOW - timedelta(minutes=5), "B": NOW - timedelta(seconds=5)}
    memory = TargetMemory(known={name: known("fresh") for name in at}, checked_at=at)
    past = FakePast(poller="apps", now=NOW, in_memory={"check": {"memory": memory}})
    (last,) = (each for each in poller("A", "B").metrics(past) if "last_check" in each.name)
    assert last.samples == [(("apps",), at["B"].timestamp())]


def test_only_the_first_thousand_targets_have_metrics_of_their_own() -> None:
    names = [f"T{number}" for number in range(MOST_NAMED + 2)]
    found = {name: known("fresh") for name in names}
    metrics = {each.name: each.samples for each in poller(*names).metrics(past_of(found))}
    assert len(metrics["tallyd_target_fresh"]) == len(metrics["tallyd_target_lag_seconds"]) == MOST_NAMED
    assert metrics["tallyd_targets_unnamed"] == [(("apps",), 2)]
    assert (("apps", "fresh"), MOST_NAMED + 2) in metrics["tallyd_targets"]

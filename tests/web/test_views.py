"""What the page shows, as values: no HTTP, no disk."""

from __future__ import annotations

import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from tallyd.contract.lags import HourCount, LagRow
from tallyd.contract.passages import seen_text
from tallyd.core.alerts.notices import AlertPolicy
from tallyd.core.alerts.rules import Alert
from tallyd.core.history import reading, statuses
from tallyd.core.reading import Facts
from tallyd.core.stored import LastReading
from tallyd.pollers.servers.freshness import Known, Limits
from tallyd.pollers.servers.lag_history import lag_points
from tallyd.pollers.servers.target_settings import Target
from tallyd.web.http.cache import MOST_ENTRIES, Costly, Fresh
from tallyd.web.plots import day_plot, lags_plot
from tallyd.web.svg import HEIGHT, line
from tallyd.web.view_lags import lags_view
from tallyd.web.view_readings import newest_view
from tallyd.web.view_servers import PLOT_STEPS, SORTS, servers_view, small_plot
from tallyd.web.views import MOST_PROBLEMS, Standing, card

NOW = datetime(2026, 11, 20, 13, 0, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


def target(name: str) -> Target:
    return Target(
        name=name,
        url="http://127.0.0.1/",
        field="computed_time",
        path=("computed_time",),
        form="iso",
        zone=None,
        limits=Limits(450, 900),
        remind_every_s=None,
        has_reminder=False,
        is_recorded=True,
        is_notified=True,
        is_logged=True,
        headers={},
        timeout_s=5,
        ca_file=None,
    )


KNOWN = {
    "a": Known(state="fresh", since=NOW, computed_at=NOW - timedelta(seconds=30)),
    "b": Known(state="stale", since=NOW, computed_at=NOW - timedelta(hours=1)),
    "c": Known(state="unreachable", since=NOW),
    "d": Known(state="late", since=NOW, computed_at=NOW - timedelta(minutes=10)),
}
SHARES = {
    "a": HourCount(100, 99, 0, 30.0),
    "b": HourCount(100, 33, 67, 4000.0),
    "d": HourCount(0, 0, 0, None),
}


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        pytest.param("state", "ecbda", id="the most serious first"),
        pytest.param("name", "abcde", id="by name"),
        pytest.param("lag", "cebda", id="the oldest data first, of what is not known nobody knows"),
        pytest.param("within", "cdeab", id="the least within their limit first, late is within it"),
    ],
)
def test_targets_are_sorted(sort: str, order: str) -> None:
    targets = [target(name) for name in "abcde"]
    assert sort in SORTS
    view = servers_view(targets, KNOWN, SHARES, zone=BERLIN, now=NOW, sort=sort)
    assert "".join(view.names) == order


def test_fresh_targets_keep_their_places_from_look_to_look() -> None:
    known = {
        name: Known(state="fresh", since=NOW, computed_at=NOW - timedelta(seconds=ago_s))
        for name, ago_s in (("a", 1), ("b", 9), ("c", 5))
    }
    view = servers_view([target(name) for name in "bca"], known, {}, zone=BERLIN, now=NOW)
    assert view.names == ("a", "b", "c")


def test_a_table_of_ten_thousand_targets_is_shown_a_page_at_a_time() -> None:
    targets = [target(f"T{number:05}") for number in range(10_000)]
    view = servers_view(targets, {}, {}, zone=BERLIN, now=NOW, sort="name", page=200)
    assert (view.pages, view.page, view.total, len(view.rows)) == (200, 200, 10_000, 50)
    assert view.names[-1] == "T09999"
    beyond = servers_view(targets, {}, {}, zone=BERLIN, now=NOW, sort="name", page=999_999)
    assert beyond.page == 200
    assert view.counts[-1] == ("unknown", "not checked yet", 10_000)


def test_a_row_tells_lag_limit_and_shares_and_nothing_where_nothing_is_known() -> None:
    view = servers_view([target("b"), target("c")], KNOWN, SHARES, zone=BERLIN, now=NOW, sort="name")
    b, c = view.rows
    assert (b.state, b.lag, b.limit, b.within, b.fresh) == ("stale", "1 h", "15 min", "100.0%", "33.0%")
    assert (c.state, c.lag, c.within, c.computed) == ("unreachable", "", "", None)


def lag(minutes_ago: float, lag_s: float | None) -> LagRow:
    at = seen_text(NOW - timedelta(minutes=minutes_ago))
    return LagRow("a", at, None, lag_s, "fresh" if lag_s is not None else "unreachable", None)


def test_a_lag_grows_by_a_second_each_second_until_a_newer_time_is_told() -> None:
    points = lag_points([lag(10, 5.0), lag(4, 2.0)], first=NOW - timedelta(hours=1), last=NOW)
    found = [(round((NOW - at).total_seconds() / 60), lag_s) for at, lag_s in points]
    assert found == [(10, 5.0), (4, 365.0), (4, 2.0), (0, 242.0)]


def test_the_longest_lag_of_each_hour_is_told_also_where_no_point_lies_in_it() -> None:
    points = [
        (NOW - timedelta(minutes=150), 0.0),  # 11:30, and then for two hours no newer time
        (NOW - timedelta(minutes=30), 7200.0),
        (NOW - timedelta(minutes=30), 60.0),
        (NOW, 1860.0),
    ]
    view = lags_view(points, stale_after_s=1800, zone=BERLIN, now=NOW)
    found = [(hour.begin.text, hour.longest, hour.is_stale) for hour in view.hours]
    assert found == [
        ("14:00", "31 min", True),
        ("13:00", "2 h", True),
        ("12:00", "1 h 30 min", True),
        ("11:00", "30 min", False),
    ]
    assert lags_view([], stale_after_s=1800, zone=BERLIN, now=NOW).hours == ()
    india = lags_view(points[:1], stale_after_s=1800, zone=ZoneInfo("Asia/Kolkata"), now=NOW)
    assert [hour.begin.text for hour in india.hours] == ["16:00"]


def test_while_no_time_can_be_read_the_data_goes_on_growing_older() -> None:
    points = lag_points([lag(10, 5.0), lag(8, None)], first=NOW - timedelta(hours=1), last=NOW)
    assert points[-1] == (NOW, 605.0)
    assert lag_points([lag(8, None)], first=NOW - timedelta(hours=1), last=NOW) == []


def test_a_small_plot_of_very_many_points_keeps_each_height() -> None:
    points = [(NOW - timedelta(seconds=number), 5.0) for number in range(3000, 0, -1)]
    points[1500] = (points[1500][0], 500.0)
    plot = small_plot(points, now=NOW, stale_after_s=400)
    assert plot is not None
    pairs = [tuple(map(float, pair.split(","))) for pair in plot.points.split()]
    assert len(pairs) <= PLOT_STEPS + 1
    assert min(y for _, y in pairs) < HEIGHT / 8 < (plot.limit_y or 0)
    assert small_plot([], now=NOW, stale_after_s=400) is None


def test_a_line_stays_within_its_drawing() -> None:
    found = line([(0, -5), (5, 10), (20, 3)], first=0, last=10)
    assert found is not None
    for pair in found.points.split():
        x, y = map(float, pair.split(","))
        assert 0 <= x <= found.width
        assert 0 <= y <= found.height
    assert line([(0, 1)], first=0, last=10) is None


def test_hidden_counts_are_words_and_have_no_bar() -> None:
    body: Facts = {"source": "users", "counts": {"50101": 12, "50103": None}, "total": None, "hide_below": 5}
    view = newest_view(reading(NOW, taken_at=NOW, body=body), {"50101": "Einsatzbereit"})
    assert view is not None
    assert [(each.name, each.shown, each.share) for each in view.counts] == [
        ("Einsatzbereit", "12", 100),
        ("50103", "hidden", None),
    ]
    assert (view.total, view.hides_below) == ("hidden", 5)


def test_the_plot_of_a_day_has_mean_least_and_most_of_each_hour() -> None:
    entries = [
        reading(at, taken_at=at, body={"source": "users", "counts": {"50101": count}, "total": count})
        for at, count in ((NOW - timedelta(days=1), 10), (NOW, 13), (NOW + timedelta(minutes=20), 14))
    ]
    chart = day_plot(entries, statuses(entries, {}), zone=BERLIN)
    (column,) = chart.columns
    assert (chart.places, column.values) == (("14:00",), (12.3,))
    assert (column.low, column.high) == ((10,), (14,))


@pytest.mark.parametrize(
    ("longest_s", "unit"), [(90.0, "seconds"), (1800.0, "minutes"), (7200.0, "hours"), (9e5, "days")]
)
def test_a_lag_is_drawn_in_the_unit_that_fits(longest_s: float, unit: str) -> None:
    assert lags_plot([(NOW, longest_s)], stale_after_s=12, zone=BERLIN).unit == unit


def test_of_very_many_problems_some_are_shown_and_the_others_counted() -> None:
    alerts = {
        f"apps/T{number}/stale": Alert(
            key=f"apps/T{number}/stale", severity="warning", text="", over="", since=NOW, raised_at=NOW
        )
        for number in range(MOST_PROBLEMS + 7)
    }
    standing = Standing(alerts, (), NOW, lambda _key: AlertPolicy())
    found = card("apps", BERLIN, standing, last=LastReading(NOW), last_label="Last check", next_at=None)
    assert (len(found.problems), found.more_problems, found.state.level) == (MOST_PROBLEMS, 7, "warning")


def test_many_who_ask_at_once_wait_for_one_who_makes_it() -> None:
    made: Counter[str] = Counter()
    gate = threading.Event()

    def make() -> bytes:
        made["/"] += 1
        gate.wait(10)
        return b"x" * 2000

    fresh = Fresh(time.monotonic)
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(fresh.get, "/", make, for_s=60) for _ in range(8)]
        gate.set()
        bodies = {each.result() for each in asked}
    assert (made["/"], bodies) == (1, {b"x" * 2000})


def test_what_failed_is_tried_again_and_old_answers_are_forgotten() -> None:
    fresh, now_s = Fresh(lambda: now[0]), 0.0
    now = [now_s]

    def fail() -> bytes:
        raise ValueError("not now")

    with pytest.raises(ValueError, match="not now"):
        fresh.get("/", fail, for_s=1)
    assert fresh.get("/", lambda: b"first", for_s=1) == b"first"
    assert fresh.get("/", lambda: b"second", for_s=1) == b"first"
    now[0] = 1.5
    assert fresh.get("/", lambda: b"third", for_s=1) == b"third"
    for number in range(MOST_ENTRIES):
        fresh.get(str(number), lambda: b"", for_s=1)
    assert fresh.get("/", lambda: b"fourth", for_s=99) == b"fourth"


def test_what_took_long_is_given_again_for_twenty_times_as_long_and_what_took_nothing_is_not() -> None:
    now_s, made = 0.0, 0

    def make() -> int:
        nonlocal now_s, made
        now_s, made = now_s + took_s, made + 1
        return made

    costly: Costly[int] = Costly(lambda: now_s)
    took_s = 0.5
    assert costly.get("key", make) == 1
    now_s += 9.9
    assert costly.get("key", make) == 1
    assert costly.get("another", make) == 2
    now_s += 0.2
    took_s = 0.0
    assert [costly.get("key", make) for _ in range(3)] == [3, 4, 5]


def test_what_could_not_be_made_is_tried_again() -> None:
    costly: Costly[int] = Costly(lambda: 0.0)

    def fail() -> int:
        raise KeyError

    with pytest.raises(KeyError):
        costly.get("key", fail)
    assert costly.get("key", lambda: 1) == 1

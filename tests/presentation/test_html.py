"""Boards as HTML: what a chart is drawn from, which rows a table shows, and that text stays text."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.browser import AXE
from tallyd.contract.board import AskedError
from tallyd.core.panels import (
    Board,
    Cell,
    Chart,
    Column,
    Gap,
    Heatmap,
    Interval,
    Limit,
    Spread,
    Stat,
    StateTimeline,
    Table,
    Unit,
)
from tallyd.core.states import State, StateSpan, Timeline
from tallyd.presentation.boards import Chapter
from tallyd.presentation.html import report
from tallyd.presentation.html.charts import MOST_BARS, MOST_POINTS, chart_json
from tallyd.presentation.html.report import report_html
from tallyd.presentation.html.templates import ASSETS, environment
from tallyd.presentation.html.view import ROWS_A_PAGE, View

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 20, 13, 0, tzinfo=UTC)
HOSTILE = """<script>alert(1)</script>"><img src=x onerror=alert(2)>{{ 7*7 }}' &amp;"""


def at(hour: float) -> datetime:
    return datetime(2026, 11, 20, tzinfo=UTC) + timedelta(hours=hour)


def table(rows: Sequence[tuple[Cell, ...]], *, unit: Unit = "number", **further: Any) -> Table:
    """A table with the columns `name` and `value`."""
    columns = (Column(key="name", heading="Name"), Column(key="value", heading="Value", unit=unit))
    return Table(key="t", title="Values", columns=columns, rows=tuple(rows), **further)


def drawn(rows: Sequence[tuple[Cell, ...]], *, unit: Unit = "number", **further: Any) -> dict[str, Any]:
    """Return what is drawn of the column `value` over the column `name`."""
    chart = Chart(table=table(rows, unit=unit), x="name", series={"value": "dots"}, **further)
    return chart_json(chart, BERLIN)


class TestCharts:
    def test_times_are_seconds_in_order_with_the_zone_to_show_them_in(self) -> None:
        found = drawn([(at(8), 3), (at(6), 1), (at(7), 2)])
        assert found["times"] == [int(at(hour).timestamp()) for hour in (6, 7, 8)]
        assert (found["zone"], found["names"]) == ("Europe/Berlin", [])
        assert found["columns"] == [
            {"name": "Value", "shape": "dots", "values": [1, 2, 3], "low": [], "high": []}
        ]

    def test_names_keep_their_order(self) -> None:
        found = drawn([("Mon", 2), ("Fri", 1)])
        assert (found["times"], found["names"], found["columns"][0]["values"]) == ([], ["Mon", "Fri"], [2, 1])

    def test_a_single_instant_is_drawn_under_its_name(self) -> None:
        found = drawn([(at(8), 3)])
        assert (found["times"], found["names"]) == ([], ["2026-11-20 09:00"])
        columns = (
            Column(key="begin", heading="begin", unit="instant", is_for_programs=True),
            Column(key="date", heading="Date", is_vital=True),
            Column(key="hour", heading="Hour", is_vital=True),
            Column(key="value", heading="Value", unit="number", is_vital=True),
        )
        rows = Table(key="t", title="", columns=columns, rows=((at(8), "2026-11-20", "09:00", 3),))
        found = chart_json(Chart(table=rows, x="begin", series={"value": "bars"}), BERLIN)
        assert (found["times"], found["names"]) == ([], ["2026-11-20 09:00"])

    def test_of_very_many_bars_the_newest_are_drawn_and_of_names_the_first(self) -> None:
        many = MOST_BARS + 2
        rows = table([(at(number), number) for number in range(many)])
        found: Any = chart_json(Chart(table=rows, x="name", series={"value": "bars"}), BERLIN)
        assert (found["columns"][0]["values"][0], len(found["times"])) == (2, MOST_BARS)
        found = drawn([(str(number), number) for number in range(many)])
        assert (found["names"][-1], len(found["names"])) == (str(MOST_BARS - 1), MOST_BARS)
        chart = Chart(
            table=table([(str(number), 1) for number in range(many)]), x="name", series={"value": "dots"}
        )
        assert f"The chart shows {MOST_BARS} of {many} rows." in shown(Board(panels=(chart,)), view()).text

    def test_of_very_many_points_the_least_and_the_most_of_each_stretch_stay_and_so_do_gaps(self) -> None:
        numbers: list[Cell] = [50 + number % 7 for number in range(3 * MOST_POINTS)]
        numbers[100], numbers[700], numbers[900] = 1, 99, Gap.UNKNOWN
        numbers[400:500] = [None] * 100
        rows = [(at(number), number_) for number, number_ in enumerate(numbers)]
        found = drawn(rows)
        values = dict(zip(found["times"], found["columns"][0]["values"], strict=True))
        assert MOST_POINTS / 2 < len(values) < MOST_POINTS + 60
        assert {int(at(100).timestamp()): 1, int(at(700).timestamp()): 99}.items() <= values.items()
        assert values[int(at(900).timestamp())] is None
        assert None in [values.get(int(at(number).timestamp()), 0) for number in range(440, 460)]
        assert [*values] == sorted(values)
        chart = Chart(table=table(rows), x="name", series={"value": "line"})
        said = f"shows {len(values)} of {len(rows)} rows: the least and the most of each stretch of time."
        assert said in shown(Board(panels=(chart,)), view()).text

    def test_a_mean_stays_for_its_least_or_its_most(self) -> None:
        rows: list[tuple[Cell, ...]] = [(at(number), Spread(5, 4, 6, 2)) for number in range(2 * MOST_POINTS)]
        rows[300] = (at(300), Spread(5, 1, 9, 2))
        (column,) = drawn(rows)["columns"]
        assert (min(column["low"]), max(column["high"])) == (1, 9)

    def test_a_column_is_taken_from_the_table_once_and_not_for_each_point(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        taken: list[str] = []
        cells_of = Table.cells

        def cells(table: Table, key: str) -> tuple[Cell, ...]:
            taken.append(key)
            return cells_of(table, key)

        monkeypatch.setattr(Table, "cells", cells)
        drawn([(at(number), number) for number in range(50)])
        assert taken.count("value") == 1

    @pytest.mark.parametrize("gap", [Gap.HIDDEN, Gap.UNKNOWN, None, "text"])
    def test_what_is_no_number_is_a_gap_and_no_zero(self, gap: Cell) -> None:
        assert drawn([("a", 5), ("b", gap), ("c", 0)])["columns"][0]["values"] == [5, None, 0]

    def test_a_mean_is_drawn_with_least_and_most(self) -> None:
        (column,) = drawn([("a", Spread(2.5, 1, 4, 2)), ("b", None)])["columns"]
        assert (column["values"], column["low"], column["high"]) == ([2.5, None], [1, None], [4, None])

    @pytest.mark.parametrize(
        ("longest_s", "unit", "shown", "limit"),
        [
            (90.0, "seconds", 90.0, "45 s"),
            (1800.0, "minutes", 30.0, "15 min"),
            (7200.0, "hours", 2.0, "1 h"),
            (864_000.0, "days", 10.0, "5 d"),
        ],
    )
    def test_durations_and_their_limit_are_in_the_unit_that_fits(
        self, longest_s: float, unit: str, shown: float, limit: str
    ) -> None:
        found = drawn([(at(1), longest_s)], unit="seconds", limit=Limit("stale above", longest_s / 2))
        assert (found["unit"], found["columns"][0]["values"]) == (unit, [shown])
        assert found["limit"] == {"name": f"stale above {limit}", "value": shown / 2}

    def test_a_limit_above_all_numbers_chooses_the_unit(self) -> None:
        assert drawn([(at(1), 5.0)], unit="seconds", limit=Limit("stale above", 7200))["unit"] == "hours"

    def test_a_share_is_in_percent_and_so_is_the_end_of_the_axis(self) -> None:
        found = drawn([("Mon", 0.98765)], unit="share", top=1.0)
        assert (found["unit"], found["top"], found["columns"][0]["values"]) == ("%", 100, [98.77])

    @pytest.mark.parametrize(
        ("values", "is_whole"),
        [([1, 2, None], True), ([1, 2.5], False), ([Spread(2.0, 1, 3, 2)], False)],
    )
    def test_only_whole_numbers_have_an_axis_of_whole_numbers(
        self, values: list[Cell], is_whole: bool
    ) -> None:
        assert drawn([("a", value) for value in values])["is_whole"] is is_whole

    def test_names_from_outside_act_on_nothing(self) -> None:
        found = drawn([("\u202eevil\n", 1)])
        assert found["names"] == ["\\u202eevil\\n"]

    @given(
        st.lists(
            st.one_of(st.none(), st.integers(-(10**9), 10**9), st.floats(-1e9, 1e9), st.just(Gap.HIDDEN)),
            max_size=20,
        ),
        st.sampled_from(["number", "seconds", "share"]),
    )
    def test_every_row_has_its_place_and_every_number_is_drawn(self, values: list[Cell], unit: Unit) -> None:
        found = drawn([("first", 1), *(("x", value) for value in values)], unit=unit)
        (column,) = found["columns"]
        assert len(column["values"]) == len(found["names"]) == len(values) + 1
        known = [isinstance(value, int | float) for value in values]
        assert [value is not None for value in column["values"][1:]] == known
        assert json.loads(json.dumps(found)) == found


def view(**query: str) -> View:
    """The view of a poller's page."""
    return View(zone=BERLIN, now=NOW, path="", query=query, options={"target": "A"})


def names(rows: Sequence[tuple[Cell, ...]]) -> list[Cell]:
    return [row[0] for row in rows]


class TestRows:
    @pytest.mark.parametrize(
        ("query", "order"),
        [
            pytest.param({}, "bacde", id="as the board has them"),
            pytest.param({"sort": "t.name"}, "abcde", id="by name"),
            pytest.param({"sort": "t.name", "down": "1"}, "edcba", id="by name, from the end"),
            pytest.param({"sort": "t.value"}, "dabce", id="by number, what is not known comes last"),
            pytest.param({"sort": "t.value", "down": "1"}, "badce", id="largest first, the same"),
            pytest.param({"sort": "other.value"}, "bacde", id="another table"),
            pytest.param({"sort": "t.nothing"}, "bacde", id="a column that there is not"),
        ],
    )
    def test_a_table_is_sorted_as_it_is_asked(self, query: dict[str, str], order: str) -> None:
        rows: list[tuple[Cell, ...]] = [
            ("b", 9),
            ("a", Spread(4.0, 0, 99, 3)),
            ("c", Gap.UNKNOWN),
            ("d", 1.5),
            ("e", None),
        ]
        assert "".join(map(str, names(view(**query).rows(table(rows), "t").shown))) == order

    def test_states_are_sorted_by_how_serious_they_are(self) -> None:
        states = [
            State("fine", "fresh"),
            State("unknown", "?"),
            State("error", "stale"),
            State("warning", "late"),
        ]
        found = view(sort="t.value").rows(table([("x", state) for state in states]), "t").shown
        assert [row[1].word for row in found if isinstance(row[1], State)] == ["stale", "late", "?", "fresh"]

    @pytest.mark.parametrize(("page", "first", "last"), [("1", 0, 49), ("3", 100, 119), ("999999", 100, 119)])
    def test_a_long_table_has_pages(self, page: str, first: int, last: int) -> None:
        found = view(page=f"t.{page}").rows(table([(number, number) for number in range(120)]), "t")
        assert (found.shown[0][0], found.shown[-1][0], found.pages) == (first, last, 3)

    def test_the_newest_row_comes_first_where_the_board_has_it_last(self) -> None:
        rows = [(number, number) for number in range(60)]
        assert names(view().rows(table(rows, is_newest_last=True), "t").shown) == [*range(59, 9, -1)]

    @pytest.mark.parametrize(
        "query",
        [
            {"page": "t"},
            {"page": "t.x"},
            {"page": "t.-1"},
            {"page": "t.\u0663"},
            {"sort": "t"},
            {"sort": "t."},
        ],
    )
    def test_what_makes_no_sense_is_refused(self, query: dict[str, str]) -> None:
        with pytest.raises(AskedError):
            view(**query).rows(table([("a", 1)]), "t")

    def test_a_card_has_only_some_rows(self) -> None:
        card = View(zone=BERLIN, now=NOW, most_rows=8, path="x")
        assert names(card.rows(table([(number, 1) for number in range(9)]), "t").shown) == [*range(8)]
        newest = card.rows(table([(number, 1) for number in range(9)], is_newest_last=True), "t").shown
        assert names(newest) == [*range(8, 0, -1)]

    @given(st.lists(st.one_of(st.none(), st.integers(), st.floats(allow_nan=False), st.text(max_size=3))))
    def test_sorting_loses_no_row(self, values: list[Cell]) -> None:
        rows = [(number, value) for number, value in enumerate(values[:ROWS_A_PAGE])]
        for down in ("", "1"):
            found = view(sort="t.value", down=down).rows(table(rows), "t").shown
            assert sorted(map(repr, found)) == sorted(map(repr, rows))
            assert [value is None for _, value in found] == sorted(value is None for _, value in found)


# -- as HTML ------------------------------------------------------------------------------------------------


class Parsed(HTMLParser):
    """The tags and the text of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.texts)).strip()

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def shown(board: Board, by: View, *, is_whole: bool = True) -> Parsed:
    """Return a board as HTML."""
    source = '{% from "panels.html" import board %}{{ board(shown, view, "x", is_whole) }}'
    return Parsed(
        environment(tallyd="tallyd").from_string(source).render(shown=board, view=by, is_whole=is_whole)
    )


CELLS: list[tuple[Cell, Unit, str]] = [
    (12, "number", "12"),
    (2.5, "number", "2.5"),
    (90.0, "seconds", "1 min 30 s"),
    (0.9806, "share", "98.06%"),
    (Gap.HIDDEN, "number", "hidden"),
    (Gap.UNKNOWN, "number", "\u2013"),
    (None, "number", ""),
    (State("error", "stale"), "text", "stale"),
    (NOW - timedelta(minutes=5), "instant", "13:55 (5 min ago)"),
    (NOW + timedelta(hours=2), "instant", "16:00 (in 2 h)"),
    (Spread(12.5, 10, 14, 3), "number", "12.5 (10\u201314)"),
]


@pytest.mark.parametrize(("cell", "unit", "text"), CELLS, ids=[text or "nothing" for _, _, text in CELLS])
def test_a_cell_and_a_stat_say_the_same(cell: Cell, unit: Unit, text: str) -> None:
    stat = Stat(key="s", name="Stat", value=cell, unit=unit)
    assert shown(Board(panels=(stat,)), view()).text == f"Stat {text}".strip()
    row = shown(Board(panels=(table([("row", cell)], unit=unit),)), view()).text
    assert row == f"Values Name Value row {text}".strip()


def test_what_a_number_means_stands_at_its_name() -> None:
    stat = Stat(key="s", name="Inside", value=3, note="in minus out")
    page = shown(Board(panels=(stat,)), view())
    assert (page.text, len(page.all("dt"))) == ("Inside in minus out 3", 1)


def test_a_file_that_is_read_later_has_whole_dates_and_no_distance() -> None:
    board = Board(panels=(table([("row", NOW)], unit="instant"),))
    assert shown(board, View(zone=BERLIN, most_rows=9)).text == "Values Name Value row 2026-11-20 14:00"


def test_a_state_has_a_shape_for_those_who_see_no_colors() -> None:
    page = shown(Board(panels=(table([("row", State("warning", "late"))]),)), view())
    assert [each["class"] for each in page.all("svg")] == ["shape warning"]


def test_the_dash_for_what_nobody_knows_has_words_for_those_who_cannot_see_it() -> None:
    page = shown(Board(panels=(table([("row", Gap.UNKNOWN)]),)), view())
    assert [each["aria-label"] for each in page.all("span") if "aria-label" in each] == ["not known"]


def test_without_a_row_a_table_says_why() -> None:
    assert shown(Board(panels=(table([], nothing="No file yet."),)), view()).text == "No file yet."


def test_a_chart_holds_its_values_and_its_table_stands_open_behind_it() -> None:
    chart = Chart(table=table([("a", 1), ("b", 2)]), x="name", series={"value": "bars"})
    page = shown(Board(panels=(chart,)), view())
    (plot,) = [each for each in page.all("div") if "data-chart" in each]
    assert json.loads(plot["data-chart"] or "") == chart_json(chart, BERLIN)
    (behind,) = page.all("details")
    assert "open" in behind
    assert page.text == "Values As a table Values Name Value a 1 b 2"


def test_a_timeline_is_an_image_with_words_and_a_table_behind_it() -> None:
    hour = StateSpan(begin=at(8), end=at(9), seconds={State("error", "<b>"): 900.0})
    nothing = StateTimeline(key="e", title="Else", timeline=Timeline(()), nothing="Nothing yet.")
    shown_ = StateTimeline(key="gate", title="The gate", timeline=Timeline((hour,)))
    page = shown(Board(panels=(shown_, nothing)), view())
    (image,) = [each for each in page.all("svg") if each.get("role") == "img"]
    assert (image["role"], image["aria-label"]) == ("img", "<b> 15 min (25.00%), no data 45 min (75.00%)")
    assert not [each for tag in ("svg", "rect", "path") for each in page.all(tag) if "style" in each]
    (behind,) = page.all("details")
    assert "open" not in behind
    cells = "09:00 (5 h ago) 10:00 (4 h ago) <b> 15 min 45 min"
    assert page.text.endswith(f"from to worst state for no data {cells} Nothing yet.")


def test_a_timeline_in_a_table_is_an_image_and_no_row_is_sorted_by_it() -> None:
    hour = StateSpan(begin=at(8), end=at(9), seconds={State("fine", "open"): 3600.0})
    rows = [("a", Timeline((hour,))), ("b", Timeline((hour,)))]
    page = shown(Board(panels=(table(rows, unit="timeline"),)), view())
    assert [each["aria-label"] for each in page.all("svg")] == ["open all the time"] * 2
    assert len(page.all("a")) == 1


def test_without_a_number_there_is_no_chart_but_the_reason() -> None:
    chart = Chart(
        table=table([("a", Gap.HIDDEN)]), x="name", series={"value": "dots"}, nothing="All counts are hidden."
    )
    page = shown(Board(panels=(chart,)), view())
    assert not [each for each in page.all("div") if "data-chart" in each]
    assert page.text == "Values Name Value a hidden All counts are hidden."


def test_notes_and_troubles_are_shown_and_details_only_where_there_is_room() -> None:
    board = Board(
        panels=(Stat(key="a", name="A", value=1),),
        details=(Stat(key="b", name="B", value=2),),
        notes=("Small numbers are hidden.",),
        troubles=("The numbers can't be read now.",),
    )
    assert shown(board, view()).text == "The numbers can't be read now. A 1 B 2 Small numbers are hidden."
    assert "B 2" not in shown(board, view(), is_whole=False).text


def test_headings_sort_and_numbers_begin_with_the_largest() -> None:
    board = Board(panels=(table([("a", 1), ("b", 2)]),))
    links = [each["href"] for each in shown(board, view(page="x-t.1", by="day")).all("a")]
    assert links == [
        "?by=day&target=A&sort=x-t.name#x-t",
        "?by=day&target=A&sort=x-t.value&down=1#x-t",
    ]
    again = shown(board, view(sort="x-t.value", down="1"))
    assert [each["href"] for each in again.all("a")][1] == "?sort=x-t.value&target=A#x-t"
    assert [each.get("aria-sort") for each in again.all("th")][1] == "descending"


def test_a_cell_of_an_option_leads_to_it_on_the_pollers_page() -> None:
    columns = (Column(key="name", heading="Name", option="target"), Column(key="value", heading="Value"))
    board = Board(panels=(replace(table([("A & B", 1)]), columns=columns),))
    assert [each["href"] for each in shown(board, view(by="day")).all("a")] == ["?by=day&target=A+%26+B#past"]
    card = View(zone=BERLIN, now=NOW, most_rows=8, path="./poller/apps")
    assert [each["href"] for each in shown(board, card).all("a")] == ["./poller/apps?target=A+%26+B#past"]
    assert not shown(board, View(zone=BERLIN, most_rows=8)).all("a")


def test_pages_lead_to_each_other() -> None:
    board = Board(panels=(table([(number, 1) for number in range(120)]),))
    page = shown(board, view(sort="x-t.name", page="x-t.2"))
    pages = [each["href"] for each in page.all("a") if "page=" in (each["href"] or "")]
    assert pages == ["?sort=x-t.name&page=x-t.1&target=A#x-t", "?sort=x-t.name&page=x-t.3&target=A#x-t"]
    assert "Page 2 of 3, 120 rows" in page.text


def test_a_card_says_how_many_rows_there_are() -> None:
    card = View(zone=BERLIN, now=NOW, most_rows=8, path="./poller/apps")
    page = shown(Board(panels=(table([(number, 1) for number in range(9)]),)), card)
    assert page.text.endswith("All 9")
    assert [each["href"] for each in page.all("a")] == ["./poller/apps"]


def test_a_card_has_only_the_vital_columns() -> None:
    columns = (
        Column(key="a", heading="A"),
        Column(key="b", heading="B"),
        Column(key="c", heading="C", is_vital=True),
    )
    values = Table(key="t", title="Values", columns=columns, rows=(("1", "2", "3"),))
    board = Board(panels=(values,))
    card = View(zone=BERLIN, now=NOW, most_rows=8, is_card=True)
    assert [shown(board, each).text for each in (card, view())] == ["Values A C 1 3", "Values A B C 1 2 3"]


def test_only_programs_see_the_columns_that_are_for_them() -> None:
    columns = (
        Column(key="name", heading="Name"),
        Column(key="value", heading="Value", is_for_programs=True),
    )
    board = Board(panels=(replace(table([("a", "secret")]), columns=columns),))
    assert shown(board, view()).text == "Values Name a"


def hostile_board() -> Board:
    """A board all of whose texts come from somebody else."""
    columns = (
        Column(key="name", heading=HOSTILE, option="target"),
        Column(key="value", heading=HOSTILE, unit="number"),
    )
    plain = replace(table([(HOSTILE, 1), (HOSTILE, State("error", HOSTILE))]), columns=columns, title=HOSTILE)
    chart = Chart(
        table=replace(plain, key="c"), x="name", series={"value": "dots"}, limit=Limit(HOSTILE, 1.0)
    )
    return Board(
        panels=(Stat(key="s", name=HOSTILE, value=HOSTILE, unit="text"), plain, chart),
        notes=(HOSTILE,),
        troubles=(HOSTILE,),
        said=HOSTILE,
    )


def test_hostile_texts_show_as_the_text_they_are() -> None:
    page = shown(hostile_board(), view())
    assert not page.all("script")
    assert not page.all("img")
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]
    assert "49" not in page.text
    (plot,) = [each for each in page.all("div") if "data-chart" in each]
    assert json.loads(plot["data-chart"] or "")["names"] == [HOSTILE, HOSTILE]


# -- the report as one file ---------------------------------------------------------------------------------


def chapter(board: Board, **further: Any) -> Chapter:
    days = {"first": date(2026, 11, 19), "last": date(2026, 11, 20), "zone": BERLIN}
    return Chapter(**{"poller": "park", "kind": "visitors", "board": board, **days, **further})


def file_of(*chapters: Chapter, troubles: Sequence[str] = ()) -> str:
    return report_html("florian-pi", "2026-11-20 15:00", chapters, troubles)


def test_the_title_of_a_report_names_tallyd_the_poller_the_days_and_the_zone() -> None:
    one = Parsed(file_of(chapter(Board(said="5 in, 2 out"))))
    assert "florian-pi: park, 2026-11-19 to 2026-11-20 (Europe/Berlin) · tallyd" in one.text
    assert "park 2026-11-19 to 2026-11-20 (Europe/Berlin) : 5 in, 2 out" in one.text.replace("):", ") :")
    assert "Made 2026-11-20 15:00" in one.text
    other = chapter(Board(), poller="apps", zone=ZoneInfo("UTC"), first=date(2026, 11, 20))
    both = Parsed(file_of(chapter(Board()), other))
    assert "florian-pi: 2026-11-19 to 2026-11-20 (Europe/Berlin, UTC)" in both.text
    assert [each["href"] for each in both.all("a")][1:] == ["#poller-1", "#poller-2"]


def test_what_is_missing_in_a_report_is_named_in_it() -> None:
    assert (
        "Something is missing: state.db: disk I/O error"
        in Parsed(file_of(troubles=["state.db: disk I/O error"])).text
    )
    assert "No poller is configured" in Parsed(file_of()).text


def test_a_report_loads_nothing_and_runs_only_its_own_scripts() -> None:
    text = file_of(chapter(hostile_board(), poller=HOSTILE), troubles=[HOSTILE])
    page = Parsed(text)
    (policy,) = [each["content"] or "" for each in page.all("meta") if "http-equiv" in each]
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    inline = re.findall(r"<(script|style)>(.*?)</\1>", text, re.DOTALL)
    assert [tag for tag, _ in inline] == ["style", "script", "script"]
    for tag, content in inline:
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in re.findall(rf"{tag}-src ([^;]*)", policy)[0].split()
    sources = [each[name] for _, each in page.tags for name in ("src", "href", "action") if each.get(name)]
    assert all(str(source).startswith(("#", "data:")) for source in sources)
    assert not page.all("img")


def test_of_very_many_rows_a_report_shows_the_newest_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "MOST_ROWS", 3)
    rows = [(f"row {number}", number) for number in range(5)]
    text = Parsed(file_of(chapter(Board(panels=(table(rows, is_newest_last=True),))))).text
    assert "3 of 5 rows. To see all:" in text
    assert "report --format csv" in text
    assert re.findall(r"row \d", text) == ["row 4", "row 3", "row 2"]


def test_of_a_long_table_paper_has_only_the_command_that_prints_it() -> None:
    words = ("--poller", "park", "--group", "zone five")
    for count in (40, 41):
        rows = [(f"row {number}", number) for number in range(count)]
        page = Parsed(file_of(replace(chapter(Board(panels=(table(rows),))), words=words)))
        classes = [each.get("class") for each in page.all("div") if each.get("id", "") == "poller-1-t"]
        assert classes == ["scroll" if count == 40 else "scroll on-screen"]
        said = "41 rows are not printed. To get them:" in page.text
        assert said == (count == 41)
        command = "tallyd report --format csv --poller park --group 'zone five' --table t"
        assert (command in page.text) == (count == 41)


def test_control_characters_are_shown_and_do_nothing() -> None:
    text = unescape(file_of(chapter(Board(said="\u202eevil\n"))))
    assert "\\u202eevil\\n" in text
    assert "\u202e" not in text


@pytest.mark.parametrize(
    ("folder", "script", "begins", "known_license"),
    [
        (ASSETS / "uplot", "uPlot.iife.min.js", "/*! https://github.com/leeoniya/uPlot (v{})", "MIT"),
        (AXE, "axe.min.js", "/*! axe v{}", "MPL-2.0"),
    ],
    ids=["on the page", "in tests"],
)
def test_what_is_vendored_is_the_release_that_is_said_with_its_license(
    folder: Path, script: str, begins: str, known_license: str
) -> None:
    said = json.loads((folder / "vendored.json").read_text())
    files = {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "vendored.json"}
    assert {name: hashlib.sha256(content).hexdigest() for name, content in files.items()} == said["sha256"]
    assert files[script].startswith(begins.format(said["version"]).encode())
    assert said["license"] == known_license
    assert {"MIT": b"The MIT License", "MPL-2.0": b"Mozilla Public License"}[known_license] in files[
        "LICENSE"
    ]


# -- heatmaps -----------------------------------------------------------------------------------------------


def heatmap(*rows: tuple[Cell, ...]) -> Heatmap:
    """A heatmap of spreads, of which only the mean is given; other cells stay as they are."""
    spreads = (
        tuple(Spread(each, 1, 9, 2) if isinstance(each, float) else each for each in row) for row in rows
    )
    return Heatmap(table=table([*spreads]))


def steps(*means: float) -> list[int]:
    """Return the color of each mean."""
    found = heatmap(*(("row", mean) for mean in means))
    return [view().step(Spread(mean, mean, mean, 1), found) for mean in means]


@pytest.mark.parametrize(
    ("means", "expected"),
    [
        ([0.0, 1.9, 2.0, 4.5, 7.9, 10.0], [1, 1, 2, 3, 4, 5]),
        ([-5.0, 5.0], [1, 5]),
        ([7.0, 7.0], [3, 3]),
    ],
)
def test_colors_are_equal_steps_from_the_least_mean_to_the_most(
    means: list[float], expected: list[int]
) -> None:
    assert steps(*means) == expected


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20))
def test_a_larger_mean_never_has_a_weaker_color(means: list[float]) -> None:
    found = steps(*sorted(means))
    assert found == sorted(found)
    assert {*found} <= {*view().steps}


def test_a_heatmap_has_its_numbers_in_its_cells() -> None:
    rows: list[tuple[Cell, ...]] = [
        ("08:00", Spread(5.5, 2, 9, 4)),
        ("12:00", Spread(6.0, 6, 6, 1)),
        ("16:00", Gap.HIDDEN),
        ("20:00", None),
    ]
    page = shown(Board(panels=(Heatmap(table=table(rows)),)), view())
    assert page.text == (
        "Values Values Name Value 08:00 5.5 2\u20139 12:00 6.0 6\u20136 16:00 hidden 20:00 "
        "Mean, and below it the least and the most. Low high"
    )
    assert [each.get("class") for each in page.all("td")] == ["heat-1", "heat-5", "quiet", "quiet"]
    assert not [attributes for _, attributes in page.tags if "style" in attributes]


def test_a_heatmap_of_shares_is_colored_from_0_to_100_percent_by_what_is_certain() -> None:
    rows: list[tuple[Cell, ...]] = [
        ("08:00", Interval(5 / 7, 5 / 7)),
        ("12:00", Interval(0.31, 0.885)),
        ("16:00", Interval(1.0, 1.0)),
        ("20:00", Interval(0.998, 0.998)),
        ("21:00", Gap.UNKNOWN),
    ]
    page = shown(Board(panels=(Heatmap(table=table(rows), note="Share met."),)), view())
    assert page.text == (
        "Values Values Name Value 08:00 71% 12:00 31\u201389% 16:00 100% 20:00 99% 21:00 not known "
        "Share met. Low high"
    )
    assert [each.get("class") for each in page.all("td")] == ["heat-4", "heat-2", "heat-5", "heat-5", "quiet"]


def test_two_charts_of_one_table_have_it_once_behind_the_second() -> None:
    second = Chart(table=table([("a", 1)]), x="name", series={"value": "bars"})
    first = replace(second, key="first", title="First")
    page = shown(Board(panels=(first, second)), view())
    assert [each["id"] for each in page.all("div") if "data-chart" in each] == ["x-first-chart", "x-t-chart"]
    assert page.text == "First Values As a table Values Name Value a 1"


def test_only_where_a_chart_has_whiskers_it_is_said_what_they_are() -> None:
    chart = Chart(table=table([("a", Spread(2.0, 1, 3, 2))]), x="name", series={"value": "dots"})
    assert "The thin line beside it" in shown(Board(panels=(chart,)), view()).text


def test_a_legend_is_the_short_name_of_a_column() -> None:
    columns = (Column(key="at", heading="at"), Column(key="7", heading="Ready (7)", legend="Ready"))
    chart = Chart(
        table=Table(key="t", title="T", columns=columns, rows=(("a", 1),)), x="at", series={"7": "dots"}
    )
    assert [each["name"] for each in chart_json(chart, BERLIN)["columns"]] == ["Ready"]  # type: ignore[union-attr, index, call-overload] # JSON

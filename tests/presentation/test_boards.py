"""Boards on a terminal, as JSON and as CSV."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from tallyd.core.panels import (
    Board,
    Cell,
    Chart,
    Column,
    Gap,
    Heatmap,
    Interval,
    Spread,
    Stat,
    StateTimeline,
    Table,
)
from tallyd.core.states import State, StateSpan, Timeline
from tallyd.presentation.boards import BoardPrinter, Chapter, board_json, chapters_csv, period_text

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 20, 13, 0, tzinfo=UTC)
PRINTER = BoardPrinter(zone=BERLIN, now=NOW, see_columns="--wide", see_rows="tallyd status --json")
COLUMNS = (
    Column(key="begin", heading="begin", unit="instant", is_for_programs=True),
    Column(key="gate", heading="gate", is_vital=True),
    Column(key="lag", heading="largest lag", unit="seconds"),
    Column(key="share", heading="within limit", unit="share"),
    Column(key="note", heading="note", is_note=True),
)
ROWS: tuple[tuple[Cell, ...], ...] = (
    (NOW, "north", 61.54, 0.5, None),
    (NOW, "south", Gap.UNKNOWN, 1, "=late"),
    (NOW, "west", Gap.HIDDEN, 0.25, None),
)
TABLE = Table(key="gates", title="Gates", columns=COLUMNS, rows=ROWS, nothing="No gate yet.")
IN = Stat(key="in", name="In today", value=12)
INSIDE = Stat(key="inside", name="Inside now", value=Gap.UNKNOWN)


def printed(capsys: pytest.CaptureFixture[str], board: Board, printer: BoardPrinter = PRINTER) -> list[str]:
    printer.show("park", board, board.panels)
    return capsys.readouterr().out.splitlines()


def chapter(poller: str, table: Table, zone: ZoneInfo = BERLIN) -> Chapter:
    return Chapter(
        poller=poller,
        kind="gates",
        zone=zone,
        first=date(2026, 11, 19),
        last=date(2026, 11, 20),
        board=Board(panels=(table,)),
    )


HOUR = StateSpan(
    begin=NOW,
    end=NOW + timedelta(hours=1),
    seconds={State("fine", "open"): 3000.0, State("error", "shut"): 600.0},
)
NEXT = StateSpan(begin=HOUR.end, end=HOUR.end + timedelta(hours=1), seconds={})
GATE = StateTimeline(key="gate", title="The gate", timeline=Timeline((HOUR, NEXT)))


class TestOnATerminal:
    def test_a_timeline_is_a_line_of_bars_with_its_ends_and_how_long_each_state_held(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        empty = StateTimeline(key="e", title="Another", timeline=Timeline(()), nothing="Nothing yet.")
        assert printed(capsys, Board(panels=(GATE, empty))) == [
            "park",
            "The gate",
            "█·",
            "14:00 to 16:00: shut 10 min (8.33%), open 50 min (41.67%), no data 1 h (50.00%)",
            "Another",
            "Nothing yet.",
        ]

    def test_a_table_alone_has_no_title_and_notes_stand_below_it(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        board = Board(
            panels=(TABLE,), said="3 gates", notes=("A note.",), troubles=("A trouble.",), details=(IN,)
        )
        assert printed(capsys, board) == [
            "park: 3 gates",
            "gate   largest lag  within limit  note",
            "north    1 min 1 s        50.00%",
            "south    not known       100.00%  =late",
            "west        hidden        25.00%",
            "A note.",
            "A trouble.",
        ]

    def test_shares_of_a_heatmap_are_in_whole_percent_as_on_the_page(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        days = tuple(Column(key=day, heading=day, unit="share") for day in ("Mon", "Tue"))
        row = ("08:00", Interval(0.506375, 0.587931), Interval(0.5, 0.5))
        table = replace(TABLE, columns=(COLUMNS[1], *days), rows=(row,))
        *_, shown = printed(capsys, Board(panels=(Heatmap(table=table),)))
        assert shown.split() == ["08:00", "50\u201359%", "50%"]

    def test_stats_are_one_table_and_each_other_table_has_its_title(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        chart = Chart(table=replace(TABLE, columns=COLUMNS[1:2], rows=(("north",),)), x="gate", series={})
        assert printed(capsys, Board(panels=(IN, chart, INSIDE))) == [
            "park",
            "name            value",
            "In today           12",
            "Inside now  not known",
            "Gates",
            "gate",
            "north",
        ]

    def test_without_a_row_it_is_said_why(self, capsys: pytest.CaptureFixture[str]) -> None:
        nothing = replace(TABLE, rows=())
        assert printed(capsys, Board(panels=(nothing,))) == ["park", "No gate yet."]
        assert printed(capsys, Board(panels=(replace(nothing, nothing=""),))) == ["park"]

    @pytest.mark.parametrize(
        ("is_newest_last", "shown"),
        [
            pytest.param(False, ["north", "south"], id="first"),
            pytest.param(True, ["west", "south"], id="newest"),
        ],
    )
    def test_of_a_long_table_some_rows_are_printed_and_how_to_see_the_others(
        self, capsys: pytest.CaptureFixture[str], is_newest_last: bool, shown: list[str]
    ) -> None:
        table = replace(TABLE, is_newest_last=is_newest_last)
        _, _, *lines, more = printed(capsys, Board(panels=(table,)), replace(PRINTER, most_rows=2))
        assert [line.split()[0] for line in lines] == shown
        assert more == "1 more: tallyd status --json"


class TestAsJson:
    def test_stats_and_tables_stand_by_their_keys_and_programs_see_every_column(self) -> None:
        board = Board(
            panels=(IN, INSIDE, TABLE), said="3 gates", notes=("A note.",), troubles=("A trouble.",)
        )
        assert board_json(board, BERLIN) == {
            "said": "3 gates",
            "notes": ["A note."],
            "troubles": ["A trouble."],
            "stats": {"in": 12},
            "tables": {
                "gates": {
                    "columns": {
                        "begin": "begin",
                        "gate": "gate",
                        "lag": "largest lag",
                        "share": "within limit",
                        "note": "note",
                    },
                    "rows": [
                        {"begin": "2026-11-20T14:00:00+01:00", "gate": "north"}
                        | {"lag": 61.5, "share": 0.5, "note": None},
                        {"begin": "2026-11-20T14:00:00+01:00", "gate": "south", "share": 1, "note": "=late"},
                        {"begin": "2026-11-20T14:00:00+01:00", "gate": "west"}
                        | {"lag": None, "share": 0.25, "note": None},
                    ],
                }
            },
        }

    def test_details_and_the_tables_of_charts_are_in_it(self) -> None:
        other = replace(TABLE, key="others", columns=COLUMNS[1:2], rows=(("north",),))
        chart = Chart(table=other, x="gate", series={})
        found = board_json(Board(panels=(TABLE,), details=(chart, IN)), BERLIN)
        assert (found["stats"], found["tables"]["others"]["rows"]) == ({"in": 12}, [{"gate": "north"}])  # type: ignore[call-overload, index] # JSON


class TestAsCsv:
    def lines(self, *chapters: Chapter, excel: bool = False, name_pollers: bool = False) -> Sequence[str]:
        return chapters_csv(chapters, excel=excel, name_pollers=name_pollers).splitlines()

    def test_durations_say_their_unit_missing_numbers_are_empty_and_notes_are_the_last_column(self) -> None:
        columns = (COLUMNS[4], *COLUMNS[:4])
        rows = tuple((row[4], *row[:4]) for row in ROWS)
        assert self.lines(chapter("park", replace(TABLE, columns=columns, rows=rows))) == [
            "gate,largest lag (s),within limit,note",
            "north,61.5,0.5,",
            "south,,1,'=late",
            "west,,0.25,",
        ]

    def test_a_mean_is_followed_by_the_least_and_the_most_with_a_comma_for_excel(self) -> None:
        columns = (Column(key="in", heading="in", unit="number"),)
        table = replace(TABLE, columns=columns, rows=((Spread(10.5, 9, 12, 2),), (None,), (Gap.HIDDEN,)))
        assert self.lines(chapter("park", table), excel=True) == [
            *("\ufeffin;in least;in most", "10,5;9;12", ";;", ";;"),
        ]

    def test_an_interval_has_its_bounds_and_a_number_only_if_it_is_exact(self) -> None:
        columns = (Column(key="share", heading="share", unit="share"),)
        table = replace(TABLE, columns=columns, rows=((Interval(0.506375, 0.587931),), (Interval(1.0, 1.0),)))
        assert self.lines(chapter("unit", table)) == [
            *("share,share least,share most", ",0.5063,0.588", "1.0,1.0,1.0"),
        ]

    def test_several_pollers_share_one_line_of_headings(self) -> None:
        def table(*columns: Column, row: tuple[Cell, ...]) -> Table:
            return Table(key="readings", title="", columns=columns, rows=(row,))

        note = Column(key="note", heading="note", is_note=True)
        first = table(Column(key="7", heading="7"), note, row=(1, "once"))
        second = table(
            Column(key="7", heading="Ready (7)"), Column(key="9", heading="9"), note, row=(2, 3, None)
        )
        assert self.lines(chapter("a", first), chapter("b", second), name_pollers=True) == [
            "poller,Ready (7),9,note",
            "a,1,,once",
            "b,2,3,",
        ]

    def test_an_instant_is_local_time_and_a_state_its_word(self) -> None:
        columns = (Column(key="at", heading="slot", unit="instant"), Column(key="state", heading="state"))
        table = replace(TABLE, columns=columns, rows=((NOW, State("error", "stale")),))
        assert self.lines(chapter("park", table, ZoneInfo("Asia/Tokyo"))) == [
            "slot,state",
            "2026-11-20 22:00:00,stale",
        ]


def test_the_days_of_chapters_are_shown_with_their_zones() -> None:
    park, other = chapter("park", TABLE), chapter("other", TABLE, ZoneInfo("UTC"))
    assert period_text([park]) == "2026-11-19 to 2026-11-20 (Europe/Berlin)"
    assert period_text([replace(park, last=park.first)]) == "2026-11-19 (Europe/Berlin)"
    assert period_text([park, other, park]) == "2026-11-19 to 2026-11-20 (Europe/Berlin, UTC)"


def test_a_timeline_is_a_table_of_its_spans_for_programs_and_left_out_of_csv() -> None:
    found = board_json(Board(panels=(GATE,)), BERLIN)
    assert found["tables"] == {
        "gate": {
            "columns": {"from": "from", "to": "to", "state": "worst state", "state_s": "for"}
            | {"no_data_s": "no data"},
            "rows": [
                {"from": "2026-11-20T14:00:00+01:00", "to": "2026-11-20T15:00:00+01:00", "state": "shut"}
                | {"state_s": 600.0, "no_data_s": 0.0},
                {"from": "2026-11-20T15:00:00+01:00", "to": "2026-11-20T16:00:00+01:00", "state": "no data"}
                | {"state_s": 3600.0, "no_data_s": 3600.0},
            ],
        }
    }
    bars = Column(key="bars", heading="bars", unit="timeline")
    table = Table(key="gates", title="Gates", columns=(COLUMNS[1], bars), rows=(("north", GATE.timeline),))
    assert chapters_csv([chapter("park", table)], excel=False, name_pollers=False) == "gate\r\nnorth\r\n"

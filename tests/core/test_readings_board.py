"""The boards of readings: every reading is a row, and means are of known numbers alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import get_args
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.test_history import at, missed
from core.test_history import taken as plainly_taken
from tallyd.core.history import Entry, Group, Value
from tallyd.core.panels import Board, Cell, Chart, Gap, Heatmap, Limit, Spread, Table, tables_of
from tallyd.core.periods import LABELS, By
from tallyd.core.readings_board import newest_board, number_metric, readings_board

BERLIN = ZoneInfo("Europe/Berlin")
NAMES = {"50101": "Ready"}


def taken(when: str, counts: Mapping[str, Value] | None = None, **more: object) -> Entry:
    return plainly_taken(when, counts, **{"total": 1, "unlisted": 0, **more})


def board(entries: Sequence[Entry], by: By | None = None, next_at: datetime | None = None) -> Board:
    return readings_board(entries, NAMES, by=by, zone=BERLIN, next_at=next_at)


def group_board(
    entries: Sequence[Entry], group: Group, by: By | None = None
) -> tuple[Board, Sequence[tuple[str, Chart]]]:
    """Return the board with a group, and its charts, each with its title."""
    found = readings_board(entries, NAMES, by=by, zone=BERLIN, next_at=None, group=group)
    charts = [each for each in found.panels if isinstance(each, Chart)]
    return found, [(each.title or each.table.title, each) for each in charts]


def table(entries: Sequence[Entry], by: By | None = None) -> Table:
    """Return the main table."""
    return tables_of(board(entries, by).panels)[0]


def cells(row: Sequence[Cell], found: Table) -> dict[str, Cell]:
    return {column.key: cell for column, cell in zip(found.columns, row, strict=True)}


DAY = [
    taken("2026-11-20T08:00", {"50101": 3}, total=5),
    taken("2026-11-20T12:00", {"7": 6}, total=6),
    taken("2026-11-20T16:00", {"50101": Gap.HIDDEN, "7": 4}, total=Gap.HIDDEN, hide_below=3),
    missed("2026-11-20T20:00"),
]


class Counted(list[Entry]):
    """Entries that count how often they are gone through."""

    times = 0

    def __iter__(self) -> Iterator[Entry]:
        self.times += 1
        return super().__iter__()


@pytest.mark.parametrize("by", [None, "day"])
def test_readings_are_gone_through_a_few_times_however_many_there_are(by: By | None) -> None:
    entries = Counted(taken("2026-11-20T08:00", {"7": number}) for number in range(100))
    assert len(tables_of(board(entries, by).panels)[0].rows) in (100, 1)
    assert entries.times < 20


class TestOneByOne:
    def test_every_reading_is_a_row_and_no_gap_is_a_zero(self) -> None:
        found = table(DAY)
        assert [column.heading for _, column in found.shown] == [
            *("date", "time", "weekday", "total", "Ready (50101)", "7", "note")
        ]
        numbers = ("time", "total", "50101", "7", "note")
        assert [tuple(cells(row, found)[key] for key in numbers) for row in found.rows] == [
            ("08:00", 5, 3, 0, ""),
            ("12:00", 6, 0, 6, ""),
            ("16:00", Gap.HIDDEN, Gap.HIDDEN, 4, "hidden (hide_below 3): total, 50101"),
            ("20:00", None, None, None, "missed: off"),
        ]

    def test_it_is_said_how_many_there_are_and_that_numbers_are_hidden(self) -> None:
        assert board(DAY).said == "3 readings, 1 missed"
        assert board(DAY).notes == ("Numbers below 3 are hidden, and so is what would give them away.",)
        assert board(DAY[:1]).notes == ()

    def test_programs_also_see_instants_and_where_a_reading_comes_from(self) -> None:
        late = taken("2026-11-20T08:00", taken_at=at("2026-11-20T08:05"), origin="late")
        found = table([late])
        row = cells(found.rows[0], found)
        assert (row["at"], row["taken_at"], row["origin"]) == (
            at("2026-11-20T08:00"),
            at("2026-11-20T08:05"),
            "late",
        )

    def test_a_total_is_a_column_only_if_every_reading_knows_of_one(self) -> None:
        assert "total" not in {
            column.key for column in table([taken("2026-11-20T08:00", total=Gap.UNKNOWN)]).columns
        }

    def test_the_number_of_a_reading_may_be_called_like_a_column(self) -> None:
        found = table([taken("2026-11-20T08:00", {"total": 2, "time": 3}, total=5)])
        row = cells(found.rows[0], found)
        assert (row["total"], row["total_"], row["time"], row["time_"]) == (5, 2, "08:00", 3)

    def test_without_a_number_it_is_said_why_and_when_one_comes(self) -> None:
        found = board([missed("2026-11-20T08:00")], next_at=at("2026-11-20T20:00")).panels[0]
        assert isinstance(found, Chart)
        assert found.nothing == (
            "No number in these days: the only slot was missed. Next reading: 2026-11-20 20:00."
        )
        assert not found.has_numbers
        assert board([]).said == "no readings"
        found = board([missed("2026-10-24T08:00")], next_at=at("2026-10-25T02:30")).panels[0]
        assert isinstance(found, Chart)
        assert found.nothing.endswith("Next reading: 2026-10-25 02:30 UTC+02:00.")

    def test_of_several_days_there_are_means_by_time_of_day(self) -> None:
        days = [*DAY, taken("2026-11-21T08:30", {"50101": 4}), taken("2026-11-21T08:45", origin="once")]
        (found,) = board(days).details
        assert isinstance(found, Chart)
        assert found.table.cells("time") == ("08:00", "08:30", "12:00", "16:00", "20:00")
        assert found.table.cells("50101") == (
            *(Spread(3.0, 3, 3, 1), Spread(4.0, 4, 4, 1), Spread(0.0, 0, 0, 1), None, None),
        )
        assert board(DAY).details == ()


class TestMeans:
    @pytest.mark.parametrize(
        ("by", "labels"),
        [
            pytest.param(
                "hour",
                [
                    ("2026-11-20", "08:00", "Fri"),
                    ("2026-11-20", "20:00", "Fri"),
                    ("2026-12-03", "20:00", "Thu"),
                ],
                id="hour",
            ),
            pytest.param("day", [("2026-11-20", "Fri"), ("2026-12-03", "Thu")], id="day"),
            pytest.param("weekday", [("Thu",), ("Fri",)], id="weekday-from-monday-on"),
            pytest.param("week", [("2026-W47",), ("2026-W49",)], id="week"),
            pytest.param("month", [("2026-11",), ("2026-12",)], id="month"),
            pytest.param("year", [("2026",)], id="year"),
        ],
    )
    def test_readings_are_put_together_by_local_time(self, by: By, labels: list[tuple[str, ...]]) -> None:
        found = table([taken("2026-11-20T08:15"), taken("2026-11-20T20:00"), taken("2026-12-03T20:00")], by)
        assert [tuple(cells(row, found)[label] for label in LABELS[by]) for row in found.rows] == labels

    def test_an_hour_that_comes_twice_is_two_rows_of_one_day(self) -> None:
        times = ("2026-10-25T02:10+02:00", "2026-10-25T02:50+02:00", "2026-10-25T02:10+01:00")
        entries = [taken(time) for time in times]
        assert table(entries, "hour").cells("hour") == ("02:00 UTC+02:00", "02:00 UTC+01:00")
        assert table(entries, "hour").cells("readings") == (2, 1)
        assert table(entries, "day").cells("readings") == (3,)

    def test_means_are_of_known_numbers_alone(self) -> None:
        found = table(DAY, "day")
        (row,) = found.rows
        assert cells(row, found) == {
            "begin": at("2026-11-20T00:00"),
            "date": "2026-11-20",
            "weekday": "Fri",
            "readings": 3,
            "missed": 1,
            "total": Spread(mean=5.5, low=5, high=6, known=2),
            "50101": Spread(mean=1.5, low=0, high=3, known=2),
            "7": Spread(mean=3.3, low=0, high=6, known=3),
        }

    def test_where_no_number_is_known_there_is_no_mean(self) -> None:
        found = table([missed("2026-11-20T08:00")], "day")
        row = cells(found.rows[0], found)
        assert (row["readings"], row["missed"], row["total"], row["50101"]) == (0, 1, None, None)

    def test_readings_outside_the_timetable_are_left_out_and_that_is_said(self) -> None:
        entries = [taken("2026-11-20T08:00", total=4), taken("2026-11-20T09:00", total=90, origin="once")]
        assert board(entries, "day").said == "1 reading, 0 missed; 1 by once left out"
        assert table(entries, "day").cells("total") == (Spread(4.0, 4, 4, 1),)

    def test_slots_that_were_missed_stand_in_a_table_with_their_reasons(self) -> None:
        (found,) = tables_of(board(DAY, "week").details)
        assert found.rows == ((at("2026-11-20T20:00"), "off"),)
        assert board(DAY[:1], "week").details == ()

    def test_of_hidden_counts_it_is_said_that_means_are_too_high(self) -> None:
        assert board(DAY, "day").notes[-1] == (
            "Hidden counts are left out of the means, so the means are too high."
        )
        assert board(DAY[:2], "day").notes == ()

    @given(
        st.lists(st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1)), max_size=20),  # noqa: DTZ001 # in UTC below
        st.sampled_from(get_args(By)),
    )
    def test_every_reading_is_in_one_row_and_no_two_rows_have_the_same_labels(
        self, times: list[datetime], by: By
    ) -> None:
        entries = [taken(f"{time.isoformat()}+00:00", {"7": 1}) for time in sorted(times)]
        found = table(entries, by)
        assert sum(count for count in found.cells("readings") if isinstance(count, int)) == len(entries)
        labels = {tuple(cells(row, found)[label] for label in LABELS[by]) for row in found.rows}
        assert len(labels) == len(found.rows)

    @given(st.lists(st.sampled_from([Gap.HIDDEN, Gap.UNKNOWN, 0, 3, 7]), min_size=1, max_size=8))
    def test_a_mean_lies_between_the_known_numbers_and_is_of_all_of_them(self, values: list[Value]) -> None:
        begin = at("2026-11-20T00:30")
        entries = [
            Entry(at=begin + timedelta(hours=hour), taken_at=begin, origin="live", counts={"7": value})
            for hour, value in enumerate(values)
        ]
        known = [value for value in values if not isinstance(value, Gap)]
        (cell,) = table(entries, "year").cells("7")
        if not known:
            assert cell is None
        else:
            assert isinstance(cell, Spread)
            assert (cell.low, cell.high, cell.known) == (min(known), max(known), len(known))
            assert min(known) <= cell.mean <= max(known)


class TestGroup:
    BOTH = Group(("50101", "7"), "Ready + 7", Limit("minimum", 4))
    ONE = Group(("50101",), "Ready")
    DAYS = (*DAY, *(taken(f"2026-11-{day}T08:00", {"50101": 2, "7": day - 20}) for day in range(21, 29)))

    @pytest.mark.parametrize("by", [None, "day"])
    def test_it_has_a_chart_of_its_own_with_the_minimum_and_both_draw_one_table(self, by: By | None) -> None:
        found, charts = group_board(self.DAYS, self.BOTH, by)
        (first, course), (second, others) = charts
        assert first.startswith("Ready + 7: ")
        assert second.startswith("All statuses: ")
        assert (course.series, course.limit) == ({"group": "dots"}, Limit("minimum", 4))
        assert ([*others.series], others.limit) == (["50101", "7"], None)
        assert course.table is others.table
        assert [each.key for each in tables_of(found.panels)] == ["readings", "weekly"]

    def test_it_is_the_sum_of_its_statuses_where_all_of_them_are_known(self) -> None:
        _, charts = group_board(self.DAYS, self.BOTH)
        assert charts[0][1].table.cells("group")[:5] == (3, 6, Gap.HIDDEN, None, 3)

    def test_of_one_status_it_is_the_number_of_the_status(self) -> None:
        _, charts = group_board(self.DAYS, self.ONE)
        assert (charts[0][1].series, charts[0][1].limit) == ({"50101": "dots"}, None)
        assert "group" not in {column.key for column in charts[0][1].table.columns}

    def test_where_there_is_one_status_alone_there_is_one_chart(self) -> None:
        entries = [taken("2026-11-20T08:00", {"50101": 3})]
        assert [title for title, _ in group_board(entries, self.ONE)[1]] == ["Readings"]

    def test_over_more_than_a_week_it_stands_by_weekday_and_time_of_day(self) -> None:
        once = taken("2026-11-21T09:00", {"50101": 90}, origin="once")
        found, _ = group_board((*self.DAYS, once), self.BOTH)
        heatmap = found.panels[-1]
        assert isinstance(heatmap, Heatmap)
        assert heatmap.table.rows == (
            (
                *("08:00", Spread(5.0, 5, 5, 1), Spread(6.0, 6, 6, 1), Spread(7.0, 7, 7, 1)),
                *(Spread(8.0, 8, 8, 1), Spread(6.0, 3, 9, 2), Spread(6.5, 3, 10, 2), Spread(4.0, 4, 4, 1)),
            ),
            ("12:00", None, None, None, None, Spread(6.0, 6, 6, 1), None, None),
            ("16:00", None, None, None, None, Gap.HIDDEN, None, None),
            ("20:00", None, None, None, None, Gap.UNKNOWN, None, None),
        )
        assert "Hidden counts are left out of the means, so the means are too high." in found.notes

    def test_within_a_week_no_weekday_comes_twice(self) -> None:
        found, _ = group_board(self.DAYS[:-2], self.BOTH)
        assert not any(isinstance(each, Heatmap) for each in found.panels)

    def test_without_a_number_of_it_nothing_of_it_is_drawn(self) -> None:
        hidden: dict[str, Value] = {"50101": Gap.HIDDEN, "7": 4}
        entries = [taken(f"2026-11-{day}T08:00", hidden, hide_below=3) for day in range(10, 21)]
        found, charts = group_board(entries, self.BOTH)
        assert [title for title, _ in charts] == ["Readings"]
        assert not any(isinstance(each, Heatmap) for each in found.panels)

    def test_a_legend_has_the_name_alone_unless_two_have_the_same(self) -> None:
        entries = [taken("2026-11-20T08:00", {"50101": 1, "7": 2, "8": 3}, names={"7": "Away", "8": "Away"})]
        columns = {column.key: column for column in table(entries).columns}
        assert [columns[key].legend for key in ("50101", "7", "8")] == ["Ready", "", ""]


class TestNewest:
    def test_each_number_is_a_stat_and_the_total_is_the_last(self) -> None:
        found = newest_board(taken("2026-11-20T08:00", {"7": Gap.HIDDEN}, total=5, hide_below=3), NAMES)
        assert [(stat.key, stat.name, stat.value) for stat in found.stats] == [
            ("50101", "Ready", 0),
            ("7", "7", Gap.HIDDEN),
            ("total", "Total", 5),
        ]
        assert len(found.notes) == 1

    def test_a_reading_that_has_no_total_has_none(self) -> None:
        found = newest_board(taken("2026-11-20T08:00", {"temperature": 21.5}, total=Gap.UNKNOWN), {})
        assert [(stat.key, stat.value) for stat in found.stats] == [("temperature", 21.5)]

    def test_the_metric_has_the_known_numbers(self) -> None:
        reading = taken("2026-11-20T08:00", {"temperature": 21.5, "hidden": Gap.HIDDEN})
        assert number_metric("room", reading).samples == [(("room", "temperature"), 21.5)]
        assert number_metric("room", None).samples == []

"""What people are shown of visitors: today, past days, one report, one sweep, and the metrics."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.past import BERLIN, FakePast, FakeRecords, arrival, instant
from tallyd.contract.board import Asked, AskedError
from tallyd.contract.corrections import Correction
from tallyd.contract.passages import Count, seen_text
from tallyd.core.alerts.incidents import Incident
from tallyd.core.errors import RecordsError
from tallyd.core.metric import Metric
from tallyd.core.panels import Board, Cell, Chart, Gap, Table, tables_of
from tallyd.core.periods import By
from tallyd.core.reading import Json, OutboxMessage
from tallyd.core.states import State
from tallyd.core.stored import LastReading, OutboxRow, RowState, StoredReading
from tallyd.pollers.visitors.boards.metrics import MOST_NAMED
from tallyd.pollers.visitors.boards.past_days import MOST_OF_MONTH
from tallyd.pollers.visitors.poller import VisitorsPoller
from tallyd.pollers.visitors.report.report_table import MOST_REPORTS

SourceMinute: TypeAlias = "tuple[str, str, Count]"
"""A source, the first second of a minute (UTC), and its count."""
NOW = instant("2026-11-20T10:30")
TROUBLE = "PostgreSQL at 127.0.0.1:5432 does not answer"
UNKNOWN = Gap.UNKNOWN
ALWAYS_ON = ((instant("2015-01-01T00:00"), NOW),)
DELIVERS, SILENT = State("fine", "delivers"), State("error", "silent")
NO_FILE = State("unknown", "no file yet")
NOT_KNOWN = State("unknown", "last file not known")
WAITS, ACCEPTED = State("warning", "waits"), State("fine", "accepted")


def poller(**keys: Json) -> VisitorsPoller:
    given: dict[str, Json] = {
        "kind": "visitors",
        "inbox": "inbox",
        "sources": {"12": {"label": "Gate 12"}, "23": {}},
        "groups": {"zone five": ["23", "24"]},
    }
    return VisitorsPoller.model_validate({**given, **keys}, context={"base": "/"})


def minute(at: str, n_in: int = 0, n_out: int = 0, n_other: int = 0, *, source: str = "12") -> SourceMinute:
    seen = seen_text(instant(at))
    return source, seen, Count(n_in, n_out, n_other, seen, seen)


ROWS = (
    minute("2026-10-25T02:30", 7),
    minute("2026-11-19T12:00", 50),
    minute("2026-11-20T08:15", 3),
    minute("2026-11-20T09:00", 0, 2),
    minute("2026-11-20T09:59", 0, 0, 1),
    minute("2026-11-20T08:20", 1, source="23"),
    minute("2026-11-20T08:59", 0, 1, source="23"),
    minute("2026-11-20T10:00", 2, source="back door"),
)


def past(*rows: SourceMinute, **more: Any) -> FakePast:
    held = FakeRecords(rows=rows, files={"done": 4, "rejected": 1})
    return FakePast(poller="park", now=NOW, held=held, **{"was_on": ALWAYS_ON, **more})


def kept(**arrivals: str) -> dict[str, dict[str, object]]:
    """Return what a sweep keeps in memory: when the newest file of each source came."""
    return {
        "sweep": {"arrivals": {source.strip("_"): arrival(instant(at)) for source, at in arrivals.items()}}
    }


def table(board: Board, key: str) -> Table:
    (found,) = (each for each in tables_of((*board.panels, *board.details)) if each.key == key)
    return found


def stats(board: Board) -> dict[str, Cell]:
    return {stat.key: stat.value for stat in board.stats}


def asked(
    first: str = "2026-11-20", last: str = "", by: By | None = None, options: Mapping[str, str] | None = None
) -> Asked:
    days = (date.fromisoformat(first), date.fromisoformat(last or first))
    return Asked(first=days[0], last=days[1], by=by, options=options or {})


def sources_of(board: Board) -> tuple[tuple[Cell, ...], ...]:
    """Return the rows of the sources, without their last day, which is read only where it is shown."""
    return tuple(row[:-1] for row in table(board, "sources").rows)


class TestToday:
    def test_counts_are_of_all_of_each_source_and_of_each_group(self) -> None:
        board = poller().now_board(past(*ROWS, in_memory=kept(_12="2026-11-20T10:29:53")))
        assert stats(board) == {"inside": 3, "in": 6, "out": 3, "files_done": 4, "files_rejected": 1}
        assert sources_of(board) == (
            ("12", "Gate 12", DELIVERS, instant("2026-11-20T10:29:53"), 3, 2, 1),
            ("23", None, NOT_KNOWN, None, 1, 1, 0),
            ("back door", None, NOT_KNOWN, None, 2, 0, 2),
        )
        assert table(board, "groups").rows == (("zone five", 1, 1, 0),)
        assert (board.notes, board.troubles) == ((), ())

    def test_a_source_without_a_record_has_no_zero(self) -> None:
        board = poller().now_board(past(minute("2026-11-20T08:15", 3)))
        assert sources_of(board)[1] == ("23", None, NO_FILE, None, UNKNOWN, UNKNOWN, UNKNOWN)
        assert table(board, "groups").rows == (("zone five", UNKNOWN, UNKNOWN, UNKNOWN),)

    @pytest.mark.parametrize(
        ("in_memory", "came"),
        [
            pytest.param({}, "no file has come yet", id="never"),
            pytest.param(kept(_12="2026-11-19T18:00"), "the last file came Thu 18:00", id="yesterday"),
        ],
    )
    def test_without_a_record_of_today_it_says_why_there_is_no_number_and_when_one_comes(
        self, in_memory: dict[str, dict[str, object]], came: str
    ) -> None:
        board = poller().now_board(past(minute("2026-11-19T12:00", 50), in_memory=in_memory))
        assert {stats(board)[key] for key in ("inside", "in", "out")} == {UNKNOWN}
        assert board.notes == (
            f"No record of today: {came}. Numbers appear with the first file that has records of today.",
        )

    def test_without_the_database_it_says_so_and_shows_when_each_source_last_delivered(self) -> None:
        in_memory = kept(_12="2026-11-20T10:29")
        board = poller().now_board(past(*ROWS, trouble=TROUBLE, in_memory=in_memory))
        assert (board.troubles, board.notes) == ((f"The numbers can't be read now: {TROUBLE}.",), ())
        assert set(stats(board).values()) == {UNKNOWN}
        first, second = sources_of(board)
        assert first == ("12", "Gate 12", DELIVERS, instant("2026-11-20T10:29"), UNKNOWN, UNKNOWN, UNKNOWN)
        assert second[2:4] == (NO_FILE, None)

    @pytest.mark.parametrize(
        ("alerts", "states"),
        [
            pytest.param(["park/23/no-files"], [DELIVERS, SILENT], id="one source"),
            pytest.param(["park/inbox/no-files"], [SILENT, SILENT], id="the inbox as a whole"),
            pytest.param(["park/inbox/inbox-gone"], [SILENT, SILENT], id="no inbox"),
            pytest.param(["park/23/rejected"], [DELIVERS, DELIVERS], id="another alert"),
        ],
    )
    def test_a_source_is_silent_while_an_alert_says_so(self, alerts: list[str], states: list[State]) -> None:
        in_memory = kept(_12="2026-11-20T10:00", _23="2026-11-20T10:00")
        board = poller().now_board(past(*ROWS[:1], open_alerts=frozenset(alerts), in_memory=in_memory))
        assert [*table(board, "sources").cells("state")] == states

    def test_outside_the_daemon_and_before_its_first_sweep_arrivals_are_those_that_are_noted(self) -> None:
        found = past()
        found.held.arrived = {"12": arrival(instant("2026-11-20T09:58"))}
        board = poller().now_board(found)
        assert table(board, "sources").cells("last_file") == (instant("2026-11-20T09:58"), None)

    def test_a_centre_says_to_which_host_the_files_of_each_source_come(self) -> None:
        centre = VisitorsPoller.model_validate({"kind": "visitors", "sources": {"12": {}, "23": {}}})
        arrivals = {
            "12": arrival(instant("2026-11-20T10:29"), host="cam (/a)"),
            "23": arrival(instant("2026-11-20T10:28"), host="cam (/b)"),
            "24": arrival(instant("2026-11-20T10:27"), host="pi2 (/a)"),
        }
        kept_by_watch = {"watch": {"arrivals": arrivals}}
        board = centre.now_board(
            past(*ROWS, in_memory=kept_by_watch, open_alerts=frozenset({"park/23/no-files"}))
        )
        assert table(board, "sources").cells("host") == ("cam (/a)", "cam (/b)", "pi2", None)
        assert table(board, "sources").cells("state") == (DELIVERS, SILENT, DELIVERS, NOT_KNOWN)
        assert centre.last(past(in_memory=kept_by_watch)) == LastReading(instant("2026-11-20T10:29"))
        assert centre.last(past(trouble=TROUBLE)) is None
        stats_of_12 = centre.subject_board(past(in_memory=kept_by_watch), "12").stats
        assert {stat.key: stat.value for stat in stats_of_12}["host"] == "cam (/a)"

    def test_a_former_poller_has_a_board_too(self) -> None:
        board = VisitorsPoller.former().now_board(past(*ROWS))
        assert stats(board)["inside"] == 3
        assert table(board, "sources").cells("source") == ("12", "23", "back door")
        assert [each.key for each in tables_of((*board.panels, *board.details))] == ["sources"]


def payload(ssid: str, n_inside: int, n_in: int, n_out: int) -> list[Json]:
    numbers = {"Count": n_inside, "CountAccuIn": n_in, "CountAccuOut": n_out}
    return [{"SSID": ssid, "TagType": tag, "TagValue": str(number)} for tag, number in numbers.items()]


def stored_report(at: str, state: str, answer: str | None = None, ssid: str = "SS-1") -> StoredReading:
    report: Json = {"state": state, "answer": answer, "payload": payload(ssid, 7, 12, 5)}
    return StoredReading(
        poller="park",
        kind="visitors",
        job="report",
        slot=at,
        outcome="taken",
        reason=None,
        due_at=instant(at),
        taken_at=instant(at) + timedelta(seconds=1),
        body={"day": at[:10], "report": report},
        out_name=None,
    )


def in_outbox(at: str, state: RowState, *, ssid: str = "SS-1", answer: str | None = None) -> OutboxRow:
    return OutboxRow(
        poller="park",
        message=OutboxMessage(ssid=ssid, day=date.fromisoformat(at[:10]), body=payload(ssid, 1, 2, 1)),
        version=1,
        slot_at=instant(at),
        state=state,
        tries=3,
        turn=1,
        failing_since=None,
        last_tried_at=None,
        said=None,
        answer=answer,
        sent_at=None,
    )


class TestReports:
    POLLER = poller(
        report={"every": "5m", "url": "https://127.0.0.1/", "ssid": "SS-1", "success": None}, groups={}
    )

    def rows(
        self, *readings: StoredReading, outbox: Iterable[OutboxRow] = ()
    ) -> tuple[tuple[Cell, ...], ...]:
        found = past(stored=readings, messages=tuple(outbox))
        return table(self.POLLER.now_board(found), "reports").rows

    def test_each_has_its_numbers_and_the_answer_of_the_upstream(self) -> None:
        (row,) = self.rows(stored_report("2026-11-20T10:25", "sent", "OK"))
        at = instant("2026-11-20T10:25")
        assert row == (at, "2026-11-20", "SS-1", ACCEPTED, None, "inside 7, in 12, out 5", "OK")

    @pytest.mark.parametrize(
        ("state", "shown"),
        [
            ("sent", ACCEPTED),
            ("queued", WAITS),
            ("skipped", State("unknown", "nobody came: not sent")),
            ("off", State("unknown", "not sent: switched off")),
            ("of a later version", State("unknown", "not known")),
        ],
    )
    def test_a_state_is_said_in_words(self, state: str, shown: State) -> None:
        (row,) = self.rows(stored_report("2026-11-20T10:25", state))
        assert row[3] == shown

    def test_what_became_of_the_newest_is_in_the_outbox(self) -> None:
        rows = self.rows(
            stored_report("2026-11-20T10:20", "sent", "OK"),
            stored_report("2026-11-20T10:25", "queued"),
            outbox=[in_outbox("2026-11-20T10:25", "sent", answer="taken")],
        )
        assert [row[3:] for row in rows] == [
            (ACCEPTED, 3, "inside 1, in 2, out 1", "taken"),
            (ACCEPTED, None, "inside 7, in 12, out 5", "OK"),
        ]

    def test_each_name_has_a_row_of_its_own(self) -> None:
        outbox = [in_outbox("2026-11-20T10:25", "sent", ssid=ssid) for ssid in ("SS-1", "SS-2")]
        rows = self.rows(stored_report("2026-11-20T10:25", "queued"), outbox=outbox)
        assert [row[2] for row in rows] == ["SS-1", "SS-2"]

    def test_what_is_not_sent_comes_first_however_old_it_is_and_however_much_there_is(self) -> None:
        waiting = [in_outbox("2026-11-01T23:00", "parked"), in_outbox("2026-11-02T23:00", "waiting")]
        sent = [in_outbox("2026-11-20T10:25", "sent", ssid=f"SS-{each}") for each in range(50)]
        rows = self.rows(outbox=[*sent, *waiting])
        assert len(rows) == MOST_REPORTS + 2
        assert [row[3] for row in rows[:3]] == [WAITS, State("error", "rejected for good"), ACCEPTED]

    @pytest.mark.parametrize(
        ("next_at", "nothing"),
        [
            pytest.param(
                instant("2026-11-20T10:35"), "No report since 08:50. Next report: 10:35.", id="next"
            ),
            pytest.param(None, "No report since 08:50.", id="no next"),
        ],
    )
    def test_without_one_it_says_when_the_next_one_comes(self, next_at: datetime, nothing: str) -> None:
        found = table(self.POLLER.now_board(past(next_at=next_at)), "reports")
        assert (found.rows, found.nothing) == ((), nothing)

    def test_a_poller_without_reports_has_no_such_table_unless_some_still_wait(self) -> None:
        assert not [each for each in poller().now_board(past()).details if isinstance(each, Table)]
        found = past(messages=(in_outbox("2026-11-20T10:25", "waiting"),))
        assert len(table(poller().now_board(found), "reports").rows) == 1

    @pytest.mark.parametrize(
        ("reports", "label", "last"),
        [
            pytest.param(True, "Last report", instant("2026-11-20T10:25:01"), id="of a report"),
            pytest.param(False, "Last file", instant("2026-11-20T10:29"), id="without reports"),
        ],
    )
    def test_the_last_reading_is_the_last_report_or_file(
        self, reports: bool, label: str, last: datetime
    ) -> None:
        stored = (stored_report("2026-11-20T10:25", "sent"),)
        found = past(stored=stored, in_memory=kept(_12="2026-11-20T10:29"))
        which = self.POLLER if reports else poller()
        assert (which.last_label(), which.last(found)) == (label, LastReading(last))
        assert which.last(past()) is None


def numbers(board: Board) -> list[dict[str, Cell]]:
    """Return the rows of the main table, by key, without the first instants of periods."""
    found = table(board, "visits")
    keys = [column.key for column in found.columns]
    return [{key: cell for key, cell in zip(keys, row, strict=True) if key != "begin"} for row in found.rows]


class TestBeside:
    """A day beside the same weekday a week before, and the month by day."""

    ROWS = (
        *ROWS,
        minute("2026-11-13T07:59", 9),
        minute("2026-11-13T10:29", 5),
        minute("2026-11-13T10:30", 6),
        minute("2026-11-13T20:00", 8, source="23"),
    )

    def test_today_stands_beside_the_same_weekday_up_to_now_and_as_a_whole(self) -> None:
        board = poller().past_board(past(*self.ROWS), asked())
        assert [(stat.name, stat.value) for stat in board.stats] == [
            ("In on Fri 2026-11-20", 6),
            ("In on Fri 2026-11-13 until 10:30", 14),
            ("In on Fri 2026-11-13", 28),
        ]
        found = table(board, "week_before")
        assert [column.heading for column in found.columns] == [
            *("hour", "in on Fri 2026-11-20", "in on Fri 2026-11-13"),
        ]
        assert found.rows[:4] == (("07:00", 0, 9), ("08:00", 4, 0), ("09:00", 0, 0), ("10:00", 2, 11))
        assert found.rows[4:] == (
            *((f"{hour}:00", None, 0) for hour in range(11, 20)),
            ("20:00", None, 8),
        )
        assert not [note for note in board.notes if "compare" in note]

    def test_a_past_day_is_compared_as_a_whole(self) -> None:
        board = poller().past_board(past(*self.ROWS, minute("2026-11-06T09:00", 2)), asked("2026-11-13"))
        assert stats(board) == {"in": 28, "in_week_before": 2}

    def test_a_source_is_compared_with_itself(self) -> None:
        board = poller().past_board(past(*self.ROWS), asked(options={"source": "23"}))
        assert stats(board) == {"in": 1, "in_week_before_by_now": 0, "in_week_before": 8}

    def test_a_day_without_records_has_no_zero_beside_the_other(self) -> None:
        board = poller().past_board(past(*self.ROWS[-4:]), asked())
        assert stats(board)["in"] is UNKNOWN
        assert {*table(board, "week_before").cells("in")} == {UNKNOWN}

    def test_an_hour_in_which_tallyd_was_off_is_not_known_unless_it_has_records(self) -> None:
        on = ((instant("2026-11-13T00:00"), instant("2026-11-13T12:00")), (instant("2026-11-20T10:10"), NOW))
        board = poller().past_board(past(*self.ROWS, was_on=on), asked())
        found = table(board, "week_before")
        assert found.rows[:4] == (
            *(("07:00", UNKNOWN, 9), ("08:00", 4, 0), ("09:00", 0, 0), ("10:00", 2, 11)),
        )
        assert found.rows[4] == ("11:00", None, 0)
        assert {row[2] for row in found.rows[5:-1]} == {UNKNOWN}

    @pytest.mark.parametrize(
        ("on_from", "by_now"),
        [
            pytest.param("2026-11-13T00:00", 14, id="on since midnight"),
            pytest.param("2026-11-13T09:00", UNKNOWN, id="off in the morning"),
            pytest.param("2026-11-13T16:00", UNKNOWN, id="off until the afternoon"),
        ],
    )
    def test_a_week_before_has_no_sum_up_to_now_while_an_hour_until_then_is_not_known(
        self, on_from: str, by_now: Cell
    ) -> None:
        board = poller().past_board(past(*self.ROWS, was_on=((instant(on_from), NOW),)), asked())
        assert stats(board) == {"in": 6, "in_week_before_by_now": by_now, "in_week_before": 28}

    def test_the_month_stands_by_day_without_the_days_that_have_no_records(self) -> None:
        month = table(poller().past_board(past(*self.ROWS), asked()), "month")
        assert month.title == "2026-11 by day"
        assert [row[1:] for row in month.rows] == [
            ("2026-11-13", "Fri", 28, 0),
            ("2026-11-19", "Thu", 50, 0),
            ("2026-11-20", "Fri", 6, 3),
        ]

    def test_of_very_many_sources_the_month_is_not_read(self) -> None:
        many = (minute("2026-11-20T09:00", 1, source=f"s{number}") for number in range(MOST_OF_MONTH + 1))
        board = poller().past_board(past(*many), asked())
        assert "month" not in {each.key for each in tables_of(board.details)}

    @pytest.mark.parametrize("days", [asked(by="day"), asked("2026-11-19", "2026-11-20")])
    def test_other_days_and_periods_stand_alone(self, days: Asked) -> None:
        board = poller().past_board(past(*self.ROWS), days)
        assert (len(board.panels), board.details) == (1, ())


class TestReset:
    """With `reset_at` in the night, guests stay inside past midnight."""

    ROWS = (
        minute("2026-11-18T23:00", 100),
        minute("2026-11-19T05:00", 40, 0, source="23"),
        minute("2026-11-19T22:00", 9),
        minute("2026-11-20T01:10", 0, 4),
        minute("2026-11-20T05:00", 3),
    )

    def test_today_they_are_inside_although_nobody_came_since_midnight(self) -> None:
        night = replace(past(*self.ROWS[:3]), now=instant("2026-11-20T00:30"))
        board = poller(reset_at="04:00").now_board(night)
        assert [stats(board)[key] for key in ("inside", "in", "out")] == [49, UNKNOWN, UNKNOWN]
        assert board.stats[0].note == "in minus out since 04:00; cameras miss people"
        assert board.notes[0].startswith("No record of today: no file has come yet.")
        assert [row[-3:] for row in sources_of(board)] == [(UNKNOWN, UNKNOWN, 9), (UNKNOWN, UNKNOWN, 40)]

    def test_hours_go_on_from_the_evening_before_and_nobody_is_inside_after_the_reset(self) -> None:
        found = numbers(poller(reset_at="04:00").past_board(past(*self.ROWS), asked()))
        assert [(row["hour"], row["in"], row["inside"], row["most_inside"]) for row in found] == [
            ("01:00", 0, 45, 49),
            ("02:00", 0, 45, 45),
            ("03:00", 0, 45, 45),
            ("04:00", 0, 0, 0),
            ("05:00", 3, 3, 3),
        ]

    def test_in_the_running_hour_the_reset_is_not_yet_done(self) -> None:
        found = numbers(poller(reset_at="10:45").past_board(past(*ROWS), asked()))
        assert (found[-1]["hour"], found[-1]["inside"]) == ("10:00", 53)

    def test_a_source_has_only_its_own_evening(self) -> None:
        board = poller(reset_at="04:00").past_board(past(*self.ROWS), asked(options={"source": "12"}))
        assert [row["inside"] for row in numbers(board)] == [5, 5, 5, 0, 3]

    def test_days_end_with_those_who_stay(self) -> None:
        board = poller(reset_at="04:00").past_board(
            past(*self.ROWS), asked("2026-11-19", "2026-11-20", by="day")
        )
        assert [row["inside"] for row in numbers(board)] == [49, 3]

    def test_metrics_have_them_too(self) -> None:
        night = replace(past(*self.ROWS[:3]), now=instant("2026-11-20T00:30"))
        samples = {each.name: each.samples for each in poller(reset_at="04:00").metrics(night)}
        assert samples["tallyd_visitors_inside"] == [(("park", "12"), 9), (("park", "23"), 40)]
        assert samples["tallyd_visitors_inside_all"] == [(("park",), 49)]


class TestCorrections:
    """What a person counted stands beside what the cameras counted."""

    def past(self, *corrected: tuple[str, str, int]) -> FakePast:
        said = [
            Correction(
                source=source,
                at=instant(at),
                inside=inside,
                why="counted at the gates",
                by="anna",
                noted_at=instant(at),
            )
            for source, at, inside in corrected
        ]
        found = past(*ROWS)
        return replace(found, held=replace(found.held, corrected=said))

    def test_today_shows_who_is_inside_and_by_how_much_the_counts_were_off(self) -> None:
        board = poller().now_board(self.past(("12", "2026-11-20T09:30", 7)))
        assert (stats(board)["inside"], stats(board)["in"]) == (9, 6)
        assert board.stats[0].note == "in minus out since midnight, corrected by +6; cameras miss people"
        assert [row[-4:] for row in sources_of(board)] == [(3, 2, 7, 6), (1, 1, 0, 0), (2, 0, 2, 0)]
        assert table(board, "groups").rows == (("zone five", 1, 1, 0, 0),)

    def test_a_source_that_was_only_counted_by_hand_has_no_counts(self) -> None:
        board = poller().now_board(self.past(("24", "2026-11-20T09:30", 7)))
        assert sources_of(board)[2][-4:] == (UNKNOWN, UNKNOWN, 7, 7)
        assert NO_FILE in sources_of(board)[2]

    def test_a_source_says_since_when_it_was_corrected(self) -> None:
        board = poller().subject_board(self.past(("12", "2026-11-20T09:30", 7)), "12")
        shown = {each.name: each.value for each in board.stats}
        assert (shown["In today"], shown["Inside now"], shown["Corrected since the reset"]) == (3, 7, 6)

    def test_the_past_has_each_correction_and_the_sum_of_each_period(self) -> None:
        corrected = self.past(
            ("12", "2026-11-19T12:30", 40), ("12", "2026-11-20T09:30", 7), ("23", "2026-11-20T09:31", 0)
        )
        found = numbers(poller().past_board(corrected, asked()))
        assert [(row["hour"], row["inside"], row["most_inside"], row["corrections"]) for row in found] == [
            ("08:00", 3, 4, 0),
            ("09:00", 7, 7, 6),
            ("10:00", 9, 9, 0),
        ]
        days = poller().past_board(corrected, asked("2026-11-19", "2026-11-20", by="month"))
        assert [row["corrections"] for row in numbers(days)] == [-4]
        assert table(days, "corrections").rows[:2] == (
            (instant("2026-11-19T12:30"), "12", 50, 40, -10, "anna", "counted at the gates"),
            (instant("2026-11-20T09:30"), "12", 1, 7, 6, "anna", "counted at the gates"),
        )
        of_one = poller().past_board(corrected, asked(options={"source": "23"}))
        assert [row[1] for row in table(of_one, "corrections").rows] == ["23"]
        assert [row["inside"] for row in numbers(of_one)] == [0]

    def test_an_hour_with_a_correction_is_shown_although_nobody_counted_in_it(self) -> None:
        corrected = replace(self.past(("12", "2026-11-20T06:30", 7)), was_on=())
        first = numbers(poller().past_board(corrected, asked()))[0]
        assert [first[key] for key in ("hour", "in", "corrections")] == ["06:00", UNKNOWN, 7]

    def test_a_day_with_only_a_correction_is_in_the_report(self) -> None:
        corrected = replace(self.past(("12", "2026-11-18T09:30", 7)), was_on=())
        asked_for = asked("2026-11-18", "2026-11-18")
        board = poller().past_board(corrected, replace(asked_for, options={"source": "12"}))
        (hour,) = numbers(board)
        assert (hour["in"], hour["inside"], hour["corrections"]) == (UNKNOWN, 7, 7)
        days = poller().past_board(corrected, asked("2026-11-18", "2026-11-20", by="day"))
        first, *others = numbers(days)
        assert (first["in"], first["inside"], first["corrections"]) == (UNKNOWN, 7, 7)
        assert [row["corrections"] for row in others] == [0, 0]
        assert days.said.endswith("on 2 days with records")
        (month,) = numbers(poller().past_board(corrected, asked("2026-11-18", "2026-11-20", by="month")))
        assert (month["days"], month["corrections"]) == (2, 7)

    def test_without_a_correction_there_is_no_column_for_it(self) -> None:
        assert "corrections" not in numbers(poller().past_board(past(*ROWS), asked()))[0]

    def test_metrics_say_how_many_people_the_counts_were_off(self) -> None:
        corrected = self.past(("12", "2026-11-20T09:30", 7))
        samples = {each.name: each.samples for each in poller().metrics(corrected)}
        assert samples["tallyd_visitors_corrected"][:1] == [(("park", "12"), 6)]
        assert samples["tallyd_visitors_inside"][:1] == [(("park", "12"), 7)]
        assert samples["tallyd_visitors_inside_all"] == [(("park",), 9)]


class TestPastDays:
    def test_hours_in_between_are_zero_where_tallyd_was_on_and_else_not_known(self) -> None:
        rows = [minute("2026-11-20T06:00", 1), minute("2026-11-20T09:00", 1)]
        on = [(instant("2026-11-20T07:05"), NOW)]
        board = poller().past_board(past(*rows, was_on=on), asked())
        assert [row["in"] for row in numbers(board)] == [1, 0, 0, 1]
        on = [(instant("2026-11-20T07:06"), NOW)]
        board = poller().past_board(past(*rows, was_on=on), asked())
        assert [[*row.values()][3:] for row in numbers(board)][1] == [UNKNOWN] * 5
        assert board.notes[0] == "1 hour without records is not known: tallyd was off, or no file came."

    @pytest.mark.parametrize(
        ("key", "source", "hours"),
        [
            pytest.param("inbox/inbox-gone", "", [UNKNOWN, 0], id="the inbox was gone"),
            pytest.param("inbox/no-files", "12", [UNKNOWN, 0], id="no source delivered"),
            pytest.param("12/no-files", "12", [UNKNOWN, 0], id="the source did not deliver"),
            pytest.param("12/no-files", "", [0, 0], id="one of several did not deliver"),
            pytest.param("23/no-files", "12", [0, 0], id="another did not deliver"),
            pytest.param("12/rejected", "12", [0, 0], id="some files were bad"),
        ],
    )
    def test_an_hour_in_which_no_file_came_is_no_zero(self, key: str, source: str, hours: list[Cell]) -> None:
        rows = [minute("2026-11-20T06:00", 1), minute("2026-11-20T09:00", 1)]
        began, ended = instant("2026-11-20T06:10"), instant("2026-11-20T07:10")
        incident = Incident(
            key=f"park/{key}",
            severity="error",
            text="",
            over="",
            since=began,
            raised_at=began,
            severities=((began, "error"),),
            ended_at=ended,
        )
        board = poller().past_board(past(*rows, happened=[incident]), asked(options={"source": source}))
        assert [row["in"] for row in numbers(board)] == [1, *hours, 1]

    def test_an_hour_with_a_minute_of_uptime_is_no_zero(self) -> None:
        rows = [minute("2026-11-20T06:00", 1), minute("2026-11-20T08:00", 1)]
        on = [(instant("2026-11-20T07:10"), instant("2026-11-20T07:11"))]
        board = poller().past_board(past(*rows, was_on=on), asked())
        assert [row["in"] for row in numbers(board)] == [1, UNKNOWN, 1]

    def test_the_hour_that_goes_on_is_known_as_far_as_it_has_come(self) -> None:
        rows = [minute("2026-11-20T09:00", 1), minute("2026-11-13T10:00", 1)]
        for left_s, value in ((290, 0), (310, UNKNOWN)):
            on = [(instant("2026-11-20T00:00"), NOW - timedelta(seconds=left_s))]
            board = poller().past_board(past(*rows, was_on=on), asked())
            assert table(board, "week_before").cells("in")[-1] == value

    def test_more_rows_than_are_wanted_are_not_made(self) -> None:
        assert numbers(poller().past_board(past(*ROWS), replace(asked(), most_rows=3)))
        with pytest.raises(AskedError, match="these are more than 2 rows; choose fewer days"):
            poller().past_board(past(*ROWS), replace(asked(), most_rows=2))

    def test_a_day_is_shown_by_the_hour_from_the_first_to_the_last_one_with_records(self) -> None:
        board = poller().past_board(past(*ROWS), asked())
        rows = numbers(board)
        assert [[*row.values()] for row in rows] == [
            ["2026-11-20", "08:00", "Fri", 4, 1, 3, 4, 0],
            ["2026-11-20", "09:00", "Fri", 0, 2, 1, 3, 1],
            ["2026-11-20", "10:00", "Fri", 2, 0, 3, 3, 0],
        ]
        assert [*rows[0]] == ["date", "hour", "weekday", "in", "out", "inside", "most_inside", "other"]
        assert board.said == "all together: 6 in, 3 out"
        assert board.notes == (
            "Inside: in minus out since midnight; cameras miss people.",
            "No records of Fri 2026-11-13, so there is nothing to compare with.",
        )
        assert table(board, "visits").cells("begin")[0] == instant("2026-11-20T08:00")

    @pytest.mark.parametrize(
        ("by", "headings", "first"),
        [
            pytest.param("day", ["date", "weekday"], ["2026-10-25", "Sun", 7, 0, 7, 7, 0], id="day"),
            pytest.param("weekday", ["weekday", "days"], ["Thu", 1, 50, 0, 50, 0], id="weekday"),
            pytest.param("week", ["week", "days"], ["2026-W43", 1, 7, 0, 7, 0], id="week"),
            pytest.param("month", ["month", "days"], ["2026-10", 1, 7, 0, 7, 0], id="month"),
            pytest.param("year", ["year", "days"], ["2026", 3, 63, 3, 50, 1], id="year"),
        ],
    )
    def test_days_are_put_together(self, by: By, headings: list[str], first: list[Cell]) -> None:
        board = poller().past_board(past(*ROWS), asked("2026-10-22", "2026-11-20", by))
        row = numbers(board)[0]
        within = ["inside"] if by == "day" else []
        assert [*row] == [*headings, "in", "out", *within, "most_inside", "other"]
        assert [*row.values()] == first
        assert board.said == "all together: 63 in, 3 out on 3 days with records"
        assert board.notes[0] == (
            "27 days have no records: nobody knows whether nobody came then, or nobody counted."
        )

    @pytest.mark.parametrize(
        ("by", "x", "series"),
        [
            pytest.param("hour", "begin", {"in": "bars", "out": "bars", "inside": "dots"}, id="hour"),
            pytest.param("day", "begin", {"in": "bars", "out": "bars"}, id="day"),
            pytest.param("week", "week", {"in": "bars", "out": "bars"}, id="week"),
        ],
    )
    def test_what_came_and_left_is_drawn_as_bars_and_inside_where_it_is_known(
        self, by: By, x: str, series: dict[str, str]
    ) -> None:
        chart = poller().past_board(past(*ROWS), asked(by=by)).panels[0]
        assert isinstance(chart, Chart)
        assert (chart.x, chart.series, chart.has_numbers) == (x, series, True)

    @pytest.mark.parametrize(
        ("options", "said", "counts"),
        [
            pytest.param({"source": "12"}, "Gate 12 (12): 3 in, 2 out", (3, 2), id="a source with a label"),
            pytest.param({"source": "23"}, "23: 1 in, 1 out", (1, 1), id="a source without"),
            pytest.param({"source": "back door"}, "back door: 2 in, 0 out", (2, 0), id="not configured"),
            pytest.param({"source": "park"}, "park: no records", (0, 0), id="files directly in the inbox"),
            pytest.param({"source": "7"}, "7: no records", (0, 0), id="all its files were rejected"),
            pytest.param({"group": "zone five"}, "zone five: 1 in, 1 out", (1, 1), id="a group"),
            pytest.param({"source": "", "group": ""}, "all together: 6 in, 3 out", (6, 3), id="all"),
        ],
    )
    def test_one_source_or_group_can_be_looked_at_alone(
        self, options: dict[str, str], said: str, counts: tuple[int, int]
    ) -> None:
        found = past(*ROWS, in_memory=kept(_7="2026-11-20T10:00"))
        board = poller().past_board(found, asked(options=options))
        assert board.said == said
        rows = table(board, "visits")
        assert tuple(sum(int(str(cell)) for cell in rows.cells(way)) for way in ("in", "out")) == counts
        source = options.get("source") or ""
        (choice,) = (choice for choice in board.choices if choice.option == "source")
        assert source in dict(choice.values)

    def test_what_can_be_chosen_has_a_label(self) -> None:
        group, source = poller().past_board(past(*ROWS), asked()).choices
        assert (group.option, group.values) == ("group", (("", "All together"), ("zone five", "zone five")))
        assert (source.option, source.values) == (
            "source",
            (("", "All together"), ("12", "Gate 12 (12)"), ("23", "23"), ("back door", "back door")),
        )
        assert VisitorsPoller.former().past_board(past(), asked()).choices == ()

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            pytest.param(
                {"source": "2"},
                'no source "2" is configured, and none of that name has records then; did you mean "23"?',
                id="unknown source",
            ),
            pytest.param(
                {"source": "roof"},
                'no source "roof" is configured, and none of that name has records then; '
                "there is: 12, 23, back door, park",
                id="far from all",
            ),
            pytest.param(
                {"group": "zone fivee"},
                'there is no group "zone fivee" in the config; did you mean "zone five"?',
                id="unknown group",
            ),
            pytest.param(
                {"source": "12", "group": "zone five"},
                "a source and a group can't go together; choose one of them",
                id="both",
            ),
        ],
    )
    def test_what_does_not_exist_is_named(self, options: dict[str, str], said: str) -> None:
        with pytest.raises(AskedError) as error:
            poller().past_board(past(*ROWS), asked(options=options))
        assert str(error.value) == said

    def test_a_poller_without_groups_says_so(self) -> None:
        with pytest.raises(AskedError, match='there is no group "all" in the config; there is none'):
            poller(groups={}).past_board(past(), asked(options={"group": "all"}))

    @pytest.mark.parametrize(
        ("days", "nothing"),
        [
            pytest.param(
                asked(),
                "No records of today yet. Numbers appear with the first file that has records of today.",
                id="today",
            ),
            pytest.param(
                asked("2026-11-18"),
                "No records of that day. Nobody knows whether nobody came, or nobody counted.",
                id="a day",
            ),
            pytest.param(
                asked("2026-11-01", "2026-11-18"),
                "No records in these days. Nobody knows whether nobody came, or nobody counted.",
                id="several days",
            ),
        ],
    )
    def test_without_records_there_is_no_row_but_a_reason(self, days: Asked, nothing: str) -> None:
        board = poller().past_board(past(), days)
        (chart,) = board.panels
        assert isinstance(chart, Chart)
        assert (chart.table.rows, chart.nothing, chart.table.nothing) == ((), nothing, nothing)
        assert (board.said, board.notes) == ("all together: no records", ())

    @pytest.mark.parametrize(
        ("day", "hours", "labels"),
        [
            pytest.param("2026-03-29", 23, ["01:00", "03:00", "04:00"], id="23 hours"),
            pytest.param("2026-10-25", 25, ["01:00", "02:00 UTC+02:00", "02:00 UTC+01:00"], id="25 hours"),
        ],
    )
    def test_a_day_is_as_long_as_its_clocks_make_it(self, day: str, hours: int, labels: list[str]) -> None:
        found = past(minute(f"{day}T00:10", 1), minute(f"{day}T23:50", 2))
        board = poller().past_board(found, asked(day))
        rows = numbers(board)
        assert (len(rows), [row["hour"] for row in rows[1:4]]) == (hours, labels)
        begins = table(board, "visits").cells("begin")
        assert len(set(begins)) == hours
        assert board.said == "all together: 3 in, 0 out"

    def test_days_are_those_of_the_pollers_own_zone(self) -> None:
        found = past(*ROWS, zone=ZoneInfo("Pacific/Auckland"))
        board = poller().past_board(found, asked("2026-11-20", "2026-11-21", "day"))
        assert [(row["date"], row["in"]) for row in numbers(board)] == [("2026-11-20", 56)]

    def test_years_are_read_month_by_month_and_not_beyond_tomorrow(self) -> None:
        found = past(*ROWS)
        board = poller().past_board(found, asked("2016-01-01", "9998-12-31", "year"))
        assert board.said == "all together: 63 in, 3 out on 3 days with records"
        spans = found.held.asked
        assert all(until - since <= timedelta(days=31, hours=1) for since, until in spans)
        assert [until for _, until in spans[:-1]] == [since for since, _ in spans[1:]]
        assert (spans[0][0], spans[-1][1]) == (instant("2016-01-01"), instant("2026-11-22"))

    def test_a_former_poller_still_has_its_days(self) -> None:
        former = VisitorsPoller.former()
        board = former.past_board(past(*ROWS), asked(options={"source": "12"}))
        assert board.said == "12: 3 in, 2 out"
        assert (former.options(), former.default_days(None)) == (("source", "group"), 1)

    def test_without_the_database_there_is_no_board(self) -> None:
        with pytest.raises(RecordsError, match="does not answer"):
            poller().past_board(past(trouble=TROUBLE), asked())

    @pytest.mark.parametrize(("by", "days"), [(None, 1), ("hour", 1), ("day", 30), ("year", 30)])
    def test_hours_are_shown_of_one_day_and_everything_else_of_a_month(self, by: By, days: int) -> None:
        assert VisitorsPoller.default_days(by) == days


MINUTES = st.builds(
    lambda at, source, each: minute((NOW - timedelta(minutes=at)).isoformat(), *each, source=source),
    st.integers(0, 60 * 24 * 60),
    st.sampled_from(["12", "23", "24"]),
    st.tuples(*[st.integers(0, 9)] * 3),
)


@given(
    rows=st.lists(MINUTES, max_size=30),
    zone=st.sampled_from([BERLIN, ZoneInfo("Australia/Lord_Howe"), ZoneInfo("Asia/Kathmandu")]),
    options=st.sampled_from([{}, {"source": "12"}, {"group": "zone five"}]),
)
def test_sums_are_the_same_by_hour_day_week_month_and_year(
    rows: list[SourceMinute], zone: ZoneInfo, options: Mapping[str, str]
) -> None:
    wanted = {"source": {"12"}, "group": {"23", "24"}}
    chosen = {source for option in options for source in wanted[option]} or {"12", "23", "24"}
    counts = [count for source, _, count in rows if source in chosen]
    sums = [sum(each) for each in zip(*((c.n_in, c.n_out, c.n_other) for c in counts), strict=True)]
    bys: tuple[By, ...] = ("hour", "day", "weekday", "week", "month", "year")
    for by in bys:
        days = asked("2026-09-01", "2026-11-20", by, options)
        found = numbers(poller().past_board(past(*rows, zone=zone), days))
        ways = [[int(str(row[way])) for way in ("in", "out", "other")] for row in found]
        assert [sum(each) for each in zip(*ways, strict=True)] == sums


def samples(found: Iterable[Metric]) -> dict[tuple[str, ...], float]:
    return {(each.name, *names): value for each in found for names, value in each.samples}


class TestMetrics:
    def test_they_are_of_today_by_source_and_together(self) -> None:
        found = samples(poller().metrics(past(*ROWS, in_memory=kept(_12="2026-11-20T10:29:53"))))
        assert found["tallyd_source_last_file_age_seconds", "park", "12"] == 7
        assert found["tallyd_visitors_today", "park", "12", "in"] == 3
        assert found["tallyd_visitors_today", "park", "12", "out"] == 2
        assert found["tallyd_visitors_today", "park", "12", "other"] == 1
        assert found["tallyd_visitors_today", "park", "back door", "in"] == 2
        assert found["tallyd_visitors_inside", "park", "12"] == 1
        assert found["tallyd_visitors_inside_all", "park"] == 3
        assert found["tallyd_source_info", "park", "12", "Gate 12"] == 1
        assert found["tallyd_files_today", "park", "done"] == 4
        assert found["tallyd_files_today", "park", "rejected"] == 1
        assert found["tallyd_sources_unnamed", "park"] == 0

    def test_nobody_came_until_a_configured_source_has_a_record(self) -> None:
        found = samples(poller().metrics(past()))
        assert found["tallyd_visitors_today", "park", "23", "in"] == 0
        assert found["tallyd_visitors_inside_all", "park"] == 0

    def test_without_the_database_the_ages_of_files_are_still_there(self) -> None:
        found = iter(poller().metrics(past(trouble=TROUBLE, in_memory=kept(_12="2026-11-20T10:29:53"))))
        assert samples([next(found)]) == {("tallyd_source_last_file_age_seconds", "park", "12"): 7}
        with pytest.raises(RecordsError):
            next(found)

    def test_of_too_many_sources_only_the_first_are_named_and_all_are_counted(self) -> None:
        sources: dict[str, Json] = {f"{number:05}": {} for number in range(MOST_NAMED + 7)}
        found = samples(poller(sources=sources).metrics(past(minute("2026-11-20T08:00", 5, source="01006"))))
        named = {names[2] for names in found if names[0] == "tallyd_visitors_inside"}
        assert named == {f"{number:05}" for number in range(MOST_NAMED)}
        assert found["tallyd_sources_unnamed", "park"] == 7
        assert found["tallyd_visitors_inside_all", "park"] == 5


class TestOnce:
    CONTENT: Mapping[str, Json] = {
        "day": "2026-11-20",
        "counts": {"in": 6, "out": 3, "inside": 3, "other": 1, "balance": 3, "corrected": 0},
        "by_source": {"12": {"in": 3, "out": 2, "inside": 1, "other": 1, "balance": 1, "corrected": 0}},
        "by_group": {"zone five": {"in": 1, "out": 1, "inside": 0, "other": 0, "balance": 0, "corrected": 0}},
        "names": {"12": "Gate 12"},
        "report": {"state": "queued", "answer": "HTTP 500", "payload": None},
    }

    def test_a_report_has_all_counts_and_what_the_upstream_said(self) -> None:
        board = poller().reading_board(dict(self.CONTENT))
        assert stats(board) == {"in": 6, "out": 3, "inside": 3, "other": 1}
        assert table(board, "sources").rows == (("12", "Gate 12", 3, 2, 1, 1),)
        assert table(board, "groups").rows == (("zone five", 1, 1, 0, 0),)
        assert (board.said, board.notes) == ("2026-11-20", ("report: queued: HTTP 500",))

    def test_the_last_report_of_a_day_is_called_final(self) -> None:
        unsent: Json = {"state": "off", "answer": None, "payload": None}
        board = poller().reading_board({**self.CONTENT, "final": True, "by_group": {}, "report": unsent})
        assert (board.said, board.notes) == ("2026-11-20, final", ("report: off",))
        assert [each.key for each in tables_of(board.panels)] == ["sources"]

    def test_a_sweep_says_what_became_of_the_files(self) -> None:
        files: Json = {"done": 2, "repeat": 1, "empty": 0, "rejected": 1, "waiting": 0, "unsettled": 3}
        refused: Json = [{"name": "a.json", "source": "12", "reason": "is no JSON"}]
        board = poller().summary_board({"files": files, "records": 12, "skipped": 4, "refused": refused})
        assert stats(board) == {
            "files_done": 2,
            "files_repeat": 1,
            "files_rejected": 1,
            "files_unsettled": 3,
            "records": 12,
        }
        assert table(board, "rejected").rows == (("12", "a.json", "is no JSON"),)
        assert board.notes == ("4 records cannot be read and were skipped",)

    def test_a_sweep_that_found_nothing_says_so(self) -> None:
        files: Json = dict.fromkeys(("done", "repeat", "empty", "rejected", "waiting", "unsettled"), 0)
        board = poller().summary_board({"files": files, "records": 0, "skipped": 0, "refused": []})
        assert stats(board) == {"files_done": 0, "records": 0}
        assert (tables_of(board.panels), board.notes) == ((), ())


@pytest.mark.parametrize(
    ("subject", "what", "query"),
    [
        pytest.param("12", "no-files", {"source": "12"}, id="a silent source"),
        pytest.param("12", "rejected", {"source": "12"}, id="files of a source"),
        pytest.param("7", "rejected", {}, id="a source that is not in the config"),
        pytest.param("inbox", "no-files", {}, id="the inbox"),
        pytest.param("database", "unreachable", {}, id="the database"),
    ],
)
def test_the_link_of_a_notice_leads_to_its_source(subject: str, what: str, query: dict[str, str]) -> None:
    assert poller().view(subject, what) == query

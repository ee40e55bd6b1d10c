"""Fulfilment: a share holds whatever the unknown slots were, and each slot is in exactly one cell."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.long import tries
from support.toolbox import BERLIN
from tallyd.contract.board import Asked, AskedError
from tallyd.core.history import Entry, missed_slot
from tallyd.core.panels import Board, Gap, Heatmap, Interval, Table
from tallyd.core.periods import By
from tallyd.core.states import State
from tallyd.pollers.divera.board import entry_of, names_of
from tallyd.pollers.divera.fulfilment import Fulfilment, Verdict, WeakHours, judged, verdict, weakest
from tallyd.pollers.divera.fulfilment_board import (
    RequirementSlots,
    fulfilment_board,
    with_fulfilment,
    with_requirements,
)
from tallyd.pollers.divera.requirement import Requirement

MONDAY = datetime(2026, 11, 2, 12, tzinfo=BERLIN)
AT = tuple(map(time, (2, 8, 9, 12, 20)))
WORK = [{"days": ["mon-fri"], "from": "06:00", "to": "18:00"}]


def requirement(*statuses: str, count: int = 6, **keys: Any) -> Requirement:
    return Requirement.model_validate({"statuses": statuses, "count": count, **keys})


def slot(at: str, counts: Mapping[str, int | None] | None, **facts: Any) -> Entry:
    """Return the reading of a slot, at a local time; `counts` None: it was missed."""
    due_at = datetime.fromisoformat(at).replace(tzinfo=BERLIN).astimezone(UTC)
    if counts is None:
        return missed_slot(due_at, reason=None)
    body = {"origin": "live", "source": "monitor", "counts": dict(counts), **facts}
    return entry_of(due_at, taken_at=due_at, body=body)


VERDICTS = {
    "exactly-enough": (requirement("1"), slot("2026-11-20T08:00", {"1": 6}), "met"),
    "one-too-few": (requirement("1"), slot("2026-11-20T08:00", {"1": 5}), "below"),
    "missed": (requirement("1"), slot("2026-11-20T08:00", None), "unknown"),
    "visible-is-enough": (requirement("1", "2"), slot("2026-11-20T08:00", {"1": None, "2": 6}), "met"),
    "hidden": (requirement("1", "2"), slot("2026-11-20T08:00", {"1": None, "2": 5}), "unknown"),
    "not-on-the-monitor": (requirement("1"), slot("2026-11-20T08:00", {"2": 9}), "unknown"),
    "not-in-the-list-of-users": (
        requirement("1"),
        slot("2026-11-20T08:00", {"2": 9}, source="users"),
        "below",
    ),
    "qualified": (
        requirement("1", qualification="2"),
        slot("2026-11-20T08:00", {"1": 9}, qualifications={"1": {"2": 6}}),
        "met",
    ),
    "not-qualified": (
        requirement("1", qualification="2"),
        slot("2026-11-20T08:00", {"1": 9}, qualifications={"1": {"3": 9}}),
        "below",
    ),
    "qualification-hidden": (
        requirement("1", qualification="2"),
        slot("2026-11-20T08:00", {"1": 9}, qualifications={"1": {"2": None}}),
        "unknown",
    ),
    "no-more-qualified-people-than-people": (
        requirement("1", qualification="2"),
        slot("2026-11-20T08:00", {"1": 5}, qualifications={"1": {"2": None}}),
        "below",
    ),
    "not-counted": (requirement("1", qualification="2"), slot("2026-11-20T08:00", {"1": 9}), "unknown"),
}


@pytest.mark.parametrize(("needed", "entry", "expected"), VERDICTS.values(), ids=VERDICTS)
def test_a_slot_is_met_or_below_only_if_that_is_certain(
    needed: Requirement, entry: Entry, expected: Verdict
) -> None:
    assert verdict(needed, entry) == expected


def test_only_slots_of_the_timetable_within_its_hours_are_judged() -> None:
    entries = [
        slot("2026-11-20T05:00", {"1": 1}),
        slot("2026-11-20T06:00", {"1": 6}),
        slot("2026-11-20T07:00", {"1": 1}, origin="once"),
        slot("2026-11-20T08:00", None),
        slot("2026-11-21T08:00", {"1": 1}),
    ]
    found = judged(requirement("1", when=WORK), entries, AT, BERLIN)
    assert [(f"{each.local:%H:%M}", each.verdict) for each in found] == [
        ("06:00", "met"),
        ("08:00", "unknown"),
    ]


@pytest.mark.parametrize(
    ("found", "share"),
    [
        (Fulfilment(37, 6, 9), Interval(37 / 52, 46 / 52)),
        (Fulfilment(3, 1, 0), Interval(0.75, 0.75)),
        (Fulfilment(0, 0, 4), Gap.UNKNOWN),
        (Fulfilment(0, 0, 0), Gap.UNKNOWN),
    ],
)
def test_the_share_lies_between_its_bounds(found: Fulfilment, share: Interval | Gap) -> None:
    assert found.share == share


# -- against an independent computation ---------------------------------------------------------------------


def invented_year(seed: int, *, days: int = 366) -> tuple[list[Entry], list[dict[str, Any]]]:
    """Return a year of slots as they are stored, and as they truly were: a third of them hide something."""
    chance = random.Random(seed)
    begin = datetime(2024 + seed % 4, 1 + seed % 12, 1, tzinfo=BERLIN)
    stored: list[Entry] = []
    true: list[dict[str, Any]] = []
    for day in range(days):
        for hour in (2, 8, 12, 20):
            local = (begin + timedelta(days=day)).replace(hour=hour, tzinfo=BERLIN)
            counts = {status: chance.randrange(7) for status in ("1", "2", "3")}
            having = {status: {"9": chance.randint(0, people)} for status, people in counts.items()}
            true.append({"local": local, "counts": counts, "having": having})
            shown: dict[str, int | None] = dict(counts)
            listed: dict[str, Any] = {status: dict(row) for status, row in having.items() if row["9"]}
            match chance.randrange(12):
                case 0:
                    stored.append(missed_slot(local.astimezone(UTC), reason=None))
                    continue
                case 1:
                    shown["1"] = None
                    listed["1"] = None
                case 2:
                    del shown["2"]
                    listed.pop("2", None)
                case 3:
                    listed = {status: {"9": None} for status, people in counts.items() if people}
            body = {"origin": "live", "source": "monitor", "counts": shown, "qualifications": listed}
            at = local.astimezone(UTC)
            stored.append(entry_of(at, taken_at=at, body=body))  # type: ignore[arg-type] # JSON values
    return stored, true


@settings(max_examples=tries(20))  # each is a whole year
@given(st.integers(0, 10**6), st.integers(1, 12), st.booleans(), st.booleans())
def test_over_a_year_the_true_share_lies_within_and_is_exact_where_nothing_is_hidden(
    seed: int, count: int, is_qualified: bool, is_by_day: bool
) -> None:
    stored, true = invented_year(seed)
    keys: dict[str, Any] = {"qualification": "9"} if is_qualified else {}
    needed = requirement("1", "2", count=count, when=WORK if is_by_day else [], **keys)
    slots = judged(needed, stored, AT, BERLIN)
    expected = []
    for each in true:
        if is_by_day and (each["local"].weekday() > 4 or not 6 <= each["local"].hour < 18):
            continue
        people = (
            each["having"]["1"]["9"] + each["having"]["2"]["9"]
            if is_qualified
            else (each["counts"]["1"] + each["counts"]["2"])
        )
        expected.append(people >= count)
    assert len(slots) == len(expected)
    assert all(
        found.verdict in ("unknown", "met" if truth else "below")
        for found, truth in zip(slots, expected, strict=True)
    )
    share = Fulfilment.of(each.verdict for each in slots).share
    assert isinstance(share, Interval)
    assert share.low <= sum(expected) / len(expected) <= share.high


@given(st.integers(0, 10**6), st.sampled_from(["hour", "day", "weekday", "week", "month", "year"]))
def test_each_judged_slot_is_in_one_row_of_any_period_and_in_one_cell_of_the_week(seed: int, by: By) -> None:
    stored, _ = invented_year(seed, days=40)
    slots = judged(requirement("1", "2"), stored, AT, BERLIN)
    table, heatmap = (
        each.table if isinstance(each, Heatmap) else each
        for each in board(slots, by=by).panels
        if isinstance(each, Table | Heatmap) and getattr(each, "key", "") != "requirements"
    )
    sums = Fulfilment.of(each.verdict for each in slots)
    assert [sum(table.cells(key)) for key in ("met", "below", "unknown")] == [  # type: ignore[arg-type] # numbers
        sums.met,
        sums.below,
        sums.unknown,
    ]
    shown = [cell for row in heatmap.rows for cell in row[1:]]
    times = {(each.local.weekday(), each.local.hour) for each in slots}
    assert len([cell for cell in shown if cell is not None]) == len(times)


# -- what people are shown ----------------------------------------------------------------------------------


def board(slots: Sequence[Any], *, by: By | None = None, **options: str) -> Board:
    asked = Asked(
        first=date(2026, 1, 1),
        last=date(2026, 12, 31),
        by=by,
        options={"fulfilment": "yes", **options},
    )
    found = [
        RequirementSlots(id="Engine", name="Engine", slots=slots),
        RequirementSlots(id="7", name="Ready", slots=()),
    ]
    timetable = [each.local for each in slots]
    return fulfilment_board([*found][: None if options else 1], timetable, asked)


TUESDAYS = [
    slot(f"2026-11-{day:02}T{hour:02}:00", counts)
    for day, counts in ((3, {"1": 2}), (10, {"1": 9}), (17, {"1": 2}), (24, None))
    for hour in (9, 12)
] + [slot("2026-11-04T12:00", {"1": 9})]


def test_the_weakest_hours_last_until_the_next_slot_of_their_day() -> None:
    slots = judged(requirement("1"), TUESDAYS[::2], AT, BERLIN)  # of 09:00, and one on a Wednesday
    timetable = [entry.at.astimezone(BERLIN) for entry in TUESDAYS]
    assert weakest(slots, timetable) == (WeakHours(1, "09:00", "12:00", Interval(0.25, 0.5), 4),)
    assert [each.end for each in weakest(judged(requirement("1"), TUESDAYS, AT, BERLIN), timetable)] == [
        "12:00",
        "24:00",
    ]


def test_a_slot_that_clocks_move_has_the_name_of_its_time_in_the_timetable() -> None:
    nights = [  # on the last Sunday of March there is no 02:00: that slot is at 03:00
        slot(f"2026-{day}T02:00", {"1": people}) for day, people in (("03-22", 9), ("03-29", 1), ("04-05", 9))
    ]
    days = [slot(f"2026-{day}T08:00", {"1": 9}) for day in ("03-22", "03-29", "04-05")]
    slots = judged(requirement("1"), [*nights, *days], AT, BERLIN)
    (weak,) = weakest(slots, [each.local for each in slots])
    assert (weak.begin, weak.end, weak.slots) == ("02:00", "08:00", 3)
    assert f"{judged(requirement('1'), nights, (), BERLIN)[1].local:%H:%M}" == "03:00", "not in the timetable"


def test_the_report_says_the_bounds_the_unknown_slots_and_the_weakest_hours() -> None:
    found = board(judged(requirement("1"), TUESDAYS, AT, BERLIN))
    assert found.said == "Engine: between 33.33% and 55.56%, 2 of 9 slots unknown"
    summary, heatmap = found.panels
    assert isinstance(summary, Table)
    assert isinstance(heatmap, Heatmap)
    assert summary.rows == (
        (
            "Engine",
            "Engine",
            Interval(3 / 9, 5 / 9),
            *(9, 3, 4, 2),
            ", ".join(
                f"Tue {hours}: between 25.00% and 50.00% of 4 slots"
                for hours in ("09:00 to 12:00", "12:00 to 24:00")
            ),
        ),
    )
    assert heatmap.table.rows == (
        ("09:00", Interval(0.25, 0.5), None),
        ("12:00", Interval(0.25, 0.5), Interval(1.0, 1.0)),
    )


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        pytest.param(TUESDAYS[2:4], "Engine: 100.00% of 2 slots", id="exact"),
        pytest.param(TUESDAYS[6:8], "Engine: not known, all 2 slots unknown", id="unknown"),
        pytest.param([], "Engine: no slot in its hours", id="none"),
    ],
)
def test_a_share_in_words(entries: Sequence[Entry], said: str) -> None:
    assert board(judged(requirement("1"), entries, AT, BERLIN)).said == said


def test_an_hour_that_comes_twice_is_two_rows_in_order_of_time() -> None:
    begin = datetime(2026, 10, 25, 0, tzinfo=UTC)  # 02:00 in Berlin, an hour before clocks go back
    entries = [
        entry_of(at, taken_at=at, body={"source": "monitor", "counts": {"1": people}})
        for at, people in ((begin + timedelta(minutes=30), 9), (begin + timedelta(minutes=60), 1))
    ]
    table = board(judged(requirement("1"), entries, AT, BERLIN), by="hour").panels[0]
    assert isinstance(table, Table)
    assert table.cells("hour") == ("02:00 UTC+02:00", "02:00 UTC+01:00")
    assert table.cells("met") == (1, 0)


def test_one_requirement_alone_can_be_asked_for() -> None:
    slots = judged(requirement("1"), TUESDAYS, AT, BERLIN)
    found = board(slots, group="7")
    assert found.said == "Ready: no slot in its hours"
    empty = found.panels[-1]
    assert isinstance(empty, Heatmap)
    assert (empty.table.key, empty.table.rows) == ("weekly_share:7", ())
    assert empty.table.nothing == "No slot of these days lies in the hours of a requirement."
    with pytest.raises(AskedError, match=r'^there is no requirement "8"; there is: Engine, 7$'):
        board(slots, group="8")


def test_two_requirements_with_one_name_have_a_row_each() -> None:
    named, unnamed = requirement("2", name="Ready"), requirement("1")
    shown = names_of([named, unnamed], {"1": "Ready"})
    assert shown == {"Ready": "Ready", "1": "Ready (1)"}
    slots = {
        "Ready": judged(unnamed, TUESDAYS[:2], AT, BERLIN),
        "1": judged(unnamed, TUESDAYS[2:4], AT, BERLIN),
    }
    found = [RequirementSlots(id=each, name=shown[each], slots=slots[each]) for each in slots]
    day = date(2026, 11, 3)
    asked = Asked(first=day, last=day, by="month", options={"fulfilment": "yes"})
    timetable = [entry.at.astimezone(BERLIN) for entry in TUESDAYS]
    by_month, summary, *_ = fulfilment_board(found, timetable, asked).panels
    assert isinstance(by_month, Table)
    assert isinstance(summary, Table)
    for table in (by_month, summary):
        assert list(zip(table.cells("id"), table.cells("requirement"), table.cells("met"), strict=True)) == [
            ("Ready", "Ready", 0),
            ("1", "Ready (1)", 2),
        ]


@pytest.mark.parametrize(
    ("options", "text"),
    [({"fulfilment": "yes"}, r"the config has none \(at_least\)"), ({"fulfilment": "1"}, "must be yes")],
)
def test_what_cannot_be_shown_is_said(options: dict[str, str], text: str) -> None:
    day = date(2026, 11, 20)
    with pytest.raises(AskedError, match=text):
        fulfilment_board([], [], Asked(first=day, last=day, options=options))


def test_the_newest_reading_has_a_row_for_each_requirement() -> None:
    entry = slot("2026-11-20T20:00", {"1": 4, "2": None}, qualifications={"1": {"9": 3}})
    needed = [
        requirement("1", count=4),
        requirement("1", name="Engine", qualification="9"),
        requirement("1", "2", count=9),
        requirement("1", name="By day", when=WORK),
    ]
    (table,) = with_requirements(Board(), entry, needed, {"1": "Ready"}, BERLIN).panels
    assert isinstance(table, Table)
    assert table.rows == (
        ("1", "Ready", 4, 4, State("fine", "met")),
        ("Engine", "Engine", 3, 6, State("warning", "below")),
        ("1+2", "Ready + 2", Gap.HIDDEN, 9, State("unknown", "not known")),
        ("By day", "By day", 4, 6, State("fine", "outside its hours")),
    )
    assert with_requirements(Board(), entry, [], {}, BERLIN) == Board()


def test_beside_the_numbers_there_is_a_row_for_each_judged_requirement() -> None:
    slots = judged(requirement("1"), TUESDAYS, AT, BERLIN)
    some_days = [each.local for each in slots]
    timetable = [*some_days, *(MONDAY + timedelta(days=day) for day in range(8))]
    found = [
        RequirementSlots(id="7", name="Ready", slots=()),
        RequirementSlots(id="Engine", name="Engine", slots=slots),
    ]
    shown = with_fulfilment(Board(), found, timetable, "Engine")
    (summary,), (heatmap,) = shown.panels, shown.details
    assert isinstance(summary, Table)
    assert isinstance(heatmap, Heatmap)
    assert summary.cells("id") == ("Engine",)
    assert heatmap.table.title == "Engine: share met by weekday and time of day"
    assert with_fulfilment(Board(), found, some_days, "").details == (), "no weekday comes twice"
    assert with_fulfilment(Board(), [], timetable, "") == Board()

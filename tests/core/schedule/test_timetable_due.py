"""What is due, what was missed and what is caught up: the rule, step by step, in tables."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

import pytest

from support.ledger import Ledger, times
from tallyd.core.schedule.timetable import (
    INTERRUPTED,
    MOST_MISSED,
    NOT_STARTED,
    OVERTAKEN,
    At,
    Every,
    Pending,
    Plan,
    due,
    watermarks,
)

UTC_ZONE = ZoneInfo("UTC")
EIGHT, NOON, FOUR = "08:00", "12:00", "16:00"
DAY = timedelta(days=1)
DAILY, FRIDAYS = At(times(EIGHT)), At(times(EIGHT), frozenset({4}))  # the day of these tests is a Friday


def on(clock: str, day: int = 20) -> datetime:
    """Return an instant of 20 November 2026 (or another day of that month), UTC."""
    return datetime.combine(date(2026, 11, day), time.fromisoformat(clock), UTC)


def begun(
    clock: str,
    state: Literal["claimed", "failed"] = "claimed",
    *,
    starts: int = 1,
    not_before: str | None = None,
) -> Pending:
    reason = "the source was down" if state == "failed" else None
    again_at = on(not_before) if not_before else None
    return Pending(key(clock), on(clock), state, starts, reason, again_at)


def key(clock: str, day: int = 20) -> str:
    return f"2026-11-{day}T{clock}:00[UTC]"


def plan(
    now: str,
    *,
    pending: tuple[Pending, ...] = (),
    settled: tuple[str, ...] = (),
    looked: str = "07:00",
    catch_up_s: float = 900.0,
) -> Plan:
    """Look at `now`, with the times 08:00, 12:00 and 16:00, all of them first seen at `looked`."""
    when = At(times(EIGHT, NOON, FOUR))
    return due(
        when,
        UTC_ZONE,
        now=on(now),
        marks=watermarks({}, when, UTC_ZONE, now=on(looked)),
        pending=pending,
        settled_since=lambda _since: {key(one) for one in settled},
        catch_up_s=catch_up_s,
    )


def outcome(found: Plan) -> tuple[str | None, list[str]]:
    """Return the time of day that is to be run, and those that were missed."""
    run = f"{found.run.due_at:%H:%M}" if found.run else None
    return run, [f"{one.due_at:%H:%M}" for one in found.missed]


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        pytest.param("07:59:59.999999", (None, []), id="before"),
        pytest.param("08:00:00", ("08:00", []), id="to-the-instant"),
        pytest.param("08:00:01", ("08:00", []), id="a-second-late"),
        pytest.param("08:15:00", ("08:00", []), id="the-last-instant-of-the-catch-up"),
        pytest.param("08:15:00.000001", (None, ["08:00"]), id="just-after-the-catch-up"),
        pytest.param("12:00:30", ("12:00", ["08:00"]), id="only-the-newest-is-caught-up"),
        pytest.param("12:30:00", (None, ["08:00", "12:00"]), id="all-too-late"),
        pytest.param("23:00:00", (None, ["08:00", "12:00", "16:00"]), id="oldest-first"),
    ],
)
def test_the_newest_open_slot_is_run_while_it_can_be_caught_up_and_every_other_is_missed(
    now: str, expected: tuple[str | None, list[str]]
) -> None:
    assert outcome(plan(now)) == expected


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        pytest.param("08:01:00", ("08:00", []), id="a-minute-late"),
        pytest.param("08:01:00.000001", (None, ["08:00"]), id="later-than-a-minute"),
    ],
)
def test_a_slot_may_always_be_a_minute_late_however_short_the_catch_up(
    now: str, expected: tuple[str | None, list[str]]
) -> None:
    assert outcome(plan(now, catch_up_s=1.0)) == expected


BEGUN = {
    "its-process-died": ("08:10", begun(EIGHT), ("08:00", [])),
    "its-process-died-twice": ("08:10", begun(EIGHT, starts=2), ("08:00", [])),
    "its-process-died-three-times": ("08:10", begun(EIGHT, starts=3), (None, ["08:00"])),
    "its-process-died-and-it-is-too-late": ("08:16", begun(EIGHT), (None, ["08:00"])),
    "in-the-pause": ("08:02", begun(EIGHT, "failed", not_before="08:03"), (None, [])),
    "after-the-pause": ("08:03", begun(EIGHT, "failed", not_before="08:03"), ("08:00", [])),
    "failed-for-good": ("08:16", begun(EIGHT, "failed", not_before="08:03"), (None, ["08:00"])),
    "failures-are-no-deaths-of-the-process": ("08:10", begun(EIGHT, "failed", starts=9), ("08:00", [])),
    "a-newer-one-goes-first": ("12:01", begun(EIGHT), ("12:00", ["08:00"])),
    "the-clock-was-set-back-before-it": ("07:30", begun(EIGHT), (None, [])),
    "one-of-the-future-waits-and-disturbs-nobody": ("08:05", begun(FOUR), ("08:00", [])),
}


@pytest.mark.parametrize(("now", "pending", "expected"), BEGUN.values(), ids=BEGUN)
def test_a_slot_that_was_begun_is_repeated_while_it_can_be(
    now: str, pending: Pending, expected: tuple[str | None, list[str]]
) -> None:
    assert outcome(plan(now, pending=(pending,))) == expected


@pytest.mark.parametrize(
    ("now", "pending", "reason"),
    [
        pytest.param("09:00", (), NOT_STARTED, id="nothing-ran"),
        pytest.param("09:00", (begun(EIGHT),), INTERRUPTED, id="interrupted"),
        pytest.param("09:00", (begun(EIGHT, "failed"),), "the source was down", id="failed"),
    ],
)
def test_a_missed_slot_says_why(now: str, pending: tuple[Pending, ...], reason: str) -> None:
    (missed,) = plan(now, pending=pending).missed
    assert missed.reason == reason


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        pytest.param("08:00:02", {"08:00:00": OVERTAKEN, "08:00:01": OVERTAKEN}, id="at-once"),
        pytest.param("08:01:00", {"08:00:00": OVERTAKEN, "08:00:01": OVERTAKEN}, id="to-the-minute"),
        pytest.param("08:01:00.5", {"08:00:00": NOT_STARTED, "08:00:01": OVERTAKEN}, id="a-minute-on"),
        pytest.param("08:10:00", {"08:00:00": NOT_STARTED, "08:00:01": NOT_STARTED}, id="nobody-was-there"),
    ],
)
def test_a_slot_that_could_have_begun_in_time_was_overtaken_by_the_next(
    now: str, expected: dict[str, str]
) -> None:
    when = At(times("08:00:00", "08:00:01", "08:00:02"))
    found = due(
        when,
        UTC_ZONE,
        now=on(now),
        marks=watermarks({}, when, UTC_ZONE, now=on("07:00")),
        pending=(),
        settled_since=lambda _since: (),
        catch_up_s=900.0,
    )
    assert {f"{one.due_at:%H:%M:%S}": one.reason for one in found.missed} == expected
    assert found.run is not None
    assert found.run.due_at == on("08:00:02")


def test_a_settled_slot_is_neither_run_nor_missed() -> None:
    assert outcome(plan("08:05", settled=(EIGHT,))) == (None, [])
    assert outcome(plan("12:05", settled=(EIGHT, NOON))) == (None, [])
    assert outcome(plan("12:05", settled=(NOON,))) == (None, ["08:00"])


def test_the_slot_to_run_says_how_late_it_is_and_which_watermark_moves_past_it() -> None:
    found = plan("08:00:07.5")
    assert found.run is not None
    assert (found.run.key, found.run.late_s) == (key(EIGHT), 7.5)
    again = plan("08:00:07.5", pending=(begun(EIGHT),))
    assert found.watermark is not None
    assert again.watermark is None, "it was moved when the slot was begun"


# -- watermarks --------------------------------------------------------------------------------------------


def test_at_the_first_look_nothing_earlier_is_due_or_missed() -> None:
    ledger = Ledger(At(times(EIGHT, NOON)), UTC_ZONE)
    assert ledger.look(on("08:00")) is None
    assert ledger.look(on("11:59")) is None
    assert not ledger.settled


def test_a_time_that_is_added_counts_from_then_on_and_the_others_keep_their_memory() -> None:
    ledger = Ledger(At(times(EIGHT)), UTC_ZONE)
    ledger.look(on("07:00"))
    ledger.when = At(times("07:30", EIGHT, "08:30", "08:55"))
    assert ledger.look(on("09:00")) is None, "though 08:55 could still be caught up"
    assert [found.due_at for found in ledger.settled.values()] == [on(EIGHT)]
    assert ledger.look(on("07:30:20", day=21)) is not None


@pytest.mark.parametrize(
    ("before", "when", "zone"),
    [
        pytest.param(DAILY, DAILY, ZoneInfo("Europe/Berlin"), id="zone"),
        pytest.param(DAILY, FRIDAYS, UTC_ZONE, id="days"),
        pytest.param(FRIDAYS, replace(FRIDAYS, once_a="week"), UTC_ZONE, id="once a week"),
    ],
)
def test_with_another_zone_or_other_days_a_time_counts_as_new(before: At, when: At, zone: ZoneInfo) -> None:
    ledger = Ledger(before, UTC_ZONE)
    ledger.look(on("06:00"))
    ledger.when, ledger.zone = when, zone
    assert ledger.look(on("09:00")) is None
    assert not ledger.settled


def test_a_clock_set_back_takes_the_watermarks_back_so_that_what_comes_is_due() -> None:
    ledger = Ledger(At(times(EIGHT)), UTC_ZONE)
    ledger.look(on("07:00"))
    slot = ledger.look(on("08:00", day=27))  # a week ahead
    assert slot is not None
    ledger.take(slot, on("08:01", day=27))
    assert len(ledger.settled) == 8
    ledger.look(on("07:02"))
    for day in range(20, 27):
        found = ledger.look(on("08:00", day=day))
        assert found is not None, f"what a wrong clock said was missed is taken when it comes, {day}"
        ledger.take(found, on("08:00", day=day))
    assert ledger.look(on("08:00", day=27)) is None, "this one was taken by the wrong clock"
    assert ledger.takes == [key(EIGHT, day) for day in (27, *range(20, 27))]


def test_after_a_boot_in_the_past_nothing_from_before_the_first_start_is_missed() -> None:
    ledger = Ledger(At(times(EIGHT)), UTC_ZONE)
    ledger.look(on("07:00", day=18))
    for day in (18, 19):
        found = ledger.look(on("08:00", day=day))
        assert found is not None
        ledger.take(found, on("08:00", day=day))
    past = datetime(2020, 1, 1, tzinfo=UTC)
    assert ledger.look(past) is None
    assert ledger.look(past + timedelta(hours=5)) is None
    assert ledger.look(on("12:00")) is None
    states = {slot: found.state for slot, found in ledger.settled.items()}
    assert states == {key(EIGHT, 18): "taken", key(EIGHT, 19): "taken", key(EIGHT): "missed"}


def test_after_a_boot_in_the_past_a_slot_from_just_before_the_first_start_may_run_but_not_be_missed() -> None:
    ledger = Ledger(Every(300.0, grid=True), UTC_ZONE)
    ledger.look(on("08:31"))
    ledger.look(datetime(2020, 1, 1, tzinfo=UTC))
    slot = ledger.look(on("08:31"))
    assert slot is not None
    assert slot.due_at == on("08:30")
    assert not ledger.settled, "08:20 and 08:25 could be caught up as well, but are not missed"
    assert ledger.older_since is None, "and the years before are not even looked at"


def test_what_is_older_than_the_readings_that_are_kept_is_not_found_missed_again() -> None:
    when = At(times(EIGHT))
    found = due(
        when,
        UTC_ZONE,
        now=on("12:00"),
        marks=watermarks({}, when, UTC_ZONE, now=on("12:00") - 100 * DAY),
        pending=(),
        settled_since=lambda _since: (),
        catch_up_s=900.0,
        kept_from=on("12:00") - 3 * DAY,
    )
    assert [one.due_at for one in found.missed] == [on(EIGHT, day=18), on(EIGHT, day=19), on(EIGHT)]


@pytest.mark.parametrize(
    "when",
    [
        pytest.param(Every(300.0, grid=True), id="grid"),
        pytest.param(At(tuple(time(hour, minute) for hour in range(24) for minute in (0, 30))), id="times"),
    ],
)
def test_a_clock_that_is_years_ahead_does_not_fill_the_disk_with_missed_slots(when: At | Every) -> None:
    ledger = Ledger(when, UTC_ZONE, catch_up_s=60.0)
    ledger.look(on("07:00"))
    ledger.look(on("07:03") + 1000 * DAY)
    assert len(ledger.settled) == MOST_MISSED
    assert ledger.older_since == on("07:00")
    assert max(found.due_at for found in ledger.settled.values()) > on("06:00") + 1000 * DAY
    ledger.look(on("07:04") + 1000 * DAY)
    assert (len(ledger.settled), ledger.last.older_since) == (MOST_MISSED, None), "once is enough"

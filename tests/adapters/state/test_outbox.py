"""Reports to upstreams in the state: a newer report replaces an older one, and each try is noted."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from adapters.state.damage import expect_damage
from tallyd.adapters.state import JobRef, OutFile, Recorded, State
from tallyd.core.alerts.rules import Observations, closed_by_reading
from tallyd.core.out_document import Heading
from tallyd.core.reading import Facts, Json, OutboxMessage, Problem, Reading, Slot
from tallyd.core.stored import OutboxRow

WHOSE = JobRef(poller="park", kind="visitors", job="report")
AT = datetime(2026, 11, 20, 13, 5, tzinfo=UTC)
TODAY, YESTERDAY = date(2026, 11, 20), date(2026, 11, 19)


def later(minutes: float) -> datetime:
    return AT + timedelta(minutes=minutes)


def message(body: Json = 1, *, ssid: str = "SS", day: date = TODAY) -> OutboxMessage:
    return OutboxMessage(ssid=ssid, day=day, body=body)


def reading(
    *messages: OutboxMessage,
    part: str | None = None,
    problems: tuple[Problem, ...] = (),
    memory: Facts | None = None,
) -> Reading:
    return Reading(
        taken_at=AT, facts={"total": 3}, part=part, outbox=messages, problems=problems, memory=memory
    )


def record(state: State, *readings: Reading, at: datetime = AT, key: str | None = "slot") -> Recorded:
    headed = [
        (
            each,
            Heading(
                poller="park",
                kind="visitors",
                origin="live",
                due_at=at if key else None,
                taken_at=each.taken_at,
                zone=UTC,
                part=each.part,
            ),
        )
        for each in readings
    ]
    observations = Observations(
        named=tuple(problem for each in readings for problem in each.problems),
        may_resolve=closed_by_reading("park", "report", frozenset()),
        now=at,
    )
    return state.readings.record(
        WHOSE,
        Slot(key and f"{key} {at:%H:%M}", at),
        headed,
        observations=observations if key else None,
        is_taken=lambda _name: False,
    )


def row(state: State, *, ssid: str = "SS", day: date = TODAY) -> OutboxRow:
    return next(each for each in state.outbox.all("park") if each.key == (day, ssid))


# -- what waits ----------------------------------------------------------------------------------------------


def test_what_a_reading_sends_waits_with_the_slot_it_is_of(state: State) -> None:
    record(state, reading(message([{"TagValue": "ä"}])))
    (found,) = state.outbox.waiting("park")
    assert found == row(state)
    assert (found.message.body, found.version, found.slot_at) == ([{"TagValue": "ä"}], 1, AT)
    assert (found.state, found.tries, found.turn, found.said) == ("waiting", 0, 0, None)
    assert state.outbox.waiting("other") == ()


def test_a_newer_body_takes_the_place_of_an_older_one(state: State) -> None:
    record(state, reading(message(1)))
    record(state, reading(message(2)), at=later(5))
    (found,) = state.outbox.waiting("park")
    assert (found.message.body, found.version, found.slot_at) == (2, 2, later(5))


def test_a_slot_that_has_its_reading_queues_nothing_a_second_time(state: State) -> None:
    record(state, reading(message(1)))
    record(state, reading(message(2)))
    assert row(state).message.body == 1


def test_the_newest_day_comes_first_and_of_one_day_what_was_tried_longest_ago(state: State) -> None:
    for ssid in ("A", "B", "C"):
        record(state, reading(message(ssid=ssid), message(ssid=ssid, day=YESTERDAY)), at=later(ord(ssid)))
    state.outbox.note_failed(row(state, ssid="A"), at=later(1), answer="down", was_refused=False)
    state.outbox.note_failed(row(state, ssid="B"), at=later(0), answer="down", was_refused=False)
    assert [each.message.ssid for each in state.outbox.waiting("park")][:3] == ["C", "A", "B"]
    assert [each.message.day for each in state.outbox.waiting("park")] == [TODAY] * 3 + [YESTERDAY] * 3


# -- what came of it -----------------------------------------------------------------------------------------


def test_what_was_taken_waits_no_more_until_the_next_slot(state: State) -> None:
    record(state, reading(message(1)))
    state.outbox.note_sent(row(state), at=later(1), answer="OK")
    assert state.outbox.waiting("park") == ()
    found = row(state)
    assert (found.state, found.answer, found.sent_at, found.tries) == ("sent", "OK", later(1), 1)
    record(state, reading(message(1)), at=later(5))
    assert [each.version for each in state.outbox.waiting("park")] == [2]


@pytest.mark.parametrize("note", ["note_sent", "park"])
def test_what_came_of_an_older_body_says_nothing_of_a_newer_one(state: State, note: str) -> None:
    record(state, reading(message(1)))
    older = row(state)
    record(state, reading(message(2)), at=later(5))
    getattr(state.outbox, note)(older, at=later(6), answer="said of the older")
    (found,) = state.outbox.waiting("park")
    assert (found.message.body, found.answer) == (2, "said of the older")


def test_a_report_rejected_for_good_is_sent_again_with_the_next_one_of_its_day_or_on_request(
    state: State,
) -> None:
    record(state, reading(message({"a": [1, 2]})))
    state.outbox.park(row(state), at=AT, answer="HTTP 403")
    assert state.outbox.waiting("park") == ()
    record(state, reading(message({"a": [1, 2]})), at=later(5))
    assert [each.said for each in state.outbox.waiting("park")] == ["never"]
    state.outbox.park(row(state), at=later(5), answer="HTTP 403")
    state.outbox.take_up("other")
    assert state.outbox.waiting("park") == ()
    state.outbox.take_up("park")
    assert len(state.outbox.waiting("park")) == 1


def test_a_name_fails_since_its_first_failure_whatever_body_and_day_that_was_of(state: State) -> None:
    record(state, reading(message(1, day=YESTERDAY)))
    state.outbox.note_failed(row(state, day=YESTERDAY), at=AT, answer="down", was_refused=False)
    record(state, reading(message(2, day=YESTERDAY)), at=later(5))
    state.outbox.note_failed(row(state, day=YESTERDAY), at=later(6), answer="no", was_refused=True)
    record(state, reading(message(1)), at=later(10))
    assert row(state).failing_since is None
    state.outbox.note_failed(row(state), at=later(11), answer="no", was_refused=True)
    assert row(state).failing_since == AT
    assert (row(state).said, row(state).tries) == ("refused", 1)


def test_a_name_works_once_anything_of_it_was_taken_and_the_others_go_on_failing(state: State) -> None:
    record(state, reading(message(day=YESTERDAY), message(), message(ssid="other")))
    for each in state.outbox.all("park"):
        state.outbox.note_failed(each, at=AT, answer="down", was_refused=False)
    state.outbox.note_sent(row(state), at=later(1), answer="OK")
    assert row(state, day=YESTERDAY).failing_since is None
    assert row(state, ssid="other").failing_since == AT


def test_the_row_that_was_tried_last_is_known_although_the_clock_is_set_back(state: State) -> None:
    record(state, reading(message(day=YESTERDAY), message()))
    state.outbox.note_failed(row(state), at=later(60), answer="down", was_refused=False)
    state.outbox.note_sent(row(state, day=YESTERDAY), at=AT, answer="OK")
    assert row(state, day=YESTERDAY).turn > row(state).turn > 0


def test_what_is_noted_of_a_forgotten_row_changes_nothing(state: State) -> None:
    record(state, reading(message()))
    found = row(state)
    assert state.outbox.forget("park") == 1
    assert state.outbox.find(found) is None
    state.outbox.note_sent(found, at=AT, answer="OK")
    assert state.outbox.pollers() == frozenset()


def test_forgetting_keeps_the_wanted_names_and_writes_only_if_something_goes(
    state: State, watcher: State
) -> None:
    record(state, reading(message(ssid="A"), message(ssid="B"), message(ssid="B", day=YESTERDAY)))
    assert state.outbox.forget("park", but=frozenset({"A"})) == 2
    watcher.was_changed_elsewhere()
    assert state.outbox.forget("park", but=frozenset({"A"})) == 0
    assert not watcher.was_changed_elsewhere()


def test_old_rows_go_but_what_waits_and_what_was_tried_last_stay(state: State) -> None:
    days = [YESTERDAY - timedelta(days=number) for number in range(4)]
    record(state, reading(*(message(day=day) for day in days)))
    waiting, parked, sent, last = days
    state.outbox.park(row(state, day=parked), at=AT, answer="HTTP 403")
    state.outbox.note_sent(row(state, day=sent), at=AT, answer="OK")
    state.outbox.note_sent(row(state, day=last), at=AT, answer="OK")
    assert state.outbox.prune(before=TODAY) == 2
    assert {each.message.day for each in state.outbox.all("park")} == {waiting, last}


# -- several readings of one slot ----------------------------------------------------------------------------


def test_the_readings_of_one_slot_are_stored_together_each_under_its_own_name(state: State) -> None:
    record(state, reading(part="2026-11-19", memory={"n": 1}), reading(memory={"n": 2}))
    assert [(each.part, each.slot) for each in state.readings.history()] == [
        ("2026-11-19", "slot 13:05#2026-11-19"),
        (None, "slot 13:05"),
    ]
    assert [out.name for out in state.out_files.unwritten()] == [
        "2026-11/2026-11-20T130500+0000.json",
        "2026-11/2026-11-20T130500+0000-2.json",
    ]
    assert state.readings.memory("park", "report") == {"n": 2}
    assert "slot 13:05" in state.slots.settled("park", "report", since=AT, now=AT)


def test_the_newest_reading_is_the_slots_own(state: State) -> None:
    recorded = record(state, reading(), reading(part="2026-11-19"))
    newest = state.readings.last("park", now=AT)
    assert newest is not None
    assert newest.part is None
    own, other = recorded.outs
    assert own is not None
    assert other is not None
    assert (state.out_files.is_last(own), state.out_files.is_last(other)) == (True, False)


def test_each_out_file_has_its_own_standing_problems(state: State) -> None:
    first = Problem(key="park/a/odd", text="odd", since=AT)
    second = Problem(key="park/b/odd", text="odd", since=AT)
    record(state, reading(part="x", problems=(first,)), reading(problems=(second,)))
    found = [each.body["problems"] for each in state.readings.history() if each.body]
    assert [[one["key"] for one in each] for each in found if isinstance(each, list)] == [  # type: ignore[index,call-overload] # JSON
        ["park/a/odd"],
        ["park/b/odd"],
    ]
    assert set(state.alerts.all()) == {"park/a/odd", "park/b/odd"}


def test_a_run_that_finds_nothing_to_say_settles_its_slot(state: State) -> None:
    slot = Slot("slot 13:05", AT)
    state.slots.claim(WHOSE, slot, "mark")
    assert record(state).outs == ()
    assert state.slots.pending("park", "report") == ()


def test_what_became_of_a_report_is_noted_only_while_its_out_file_is_not_written(state: State) -> None:
    (out,) = record(state, reading()).outs
    assert isinstance(out, OutFile)
    (before,) = [each.body for each in state.readings.history()]
    state.out_files.note_report(out, {"state": "sent"})
    assert state.out_files.to_write(out) == (out, {**(before or {}), "report": {"state": "sent"}}, {})
    state.out_files.mark_written(out)
    state.out_files.note_report(out, {"state": "other"})
    assert [each.body for each in state.readings.history()] == [
        {**(before or {}), "report": {"state": "sent"}}
    ]
    assert state.out_files.to_write(out) is None


# -- damage, and an older version ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "statement",
    [
        pytest.param("UPDATE outbox SET body='{'", id="body"),
        pytest.param("UPDATE outbox SET day='yesterday'", id="day"),
        pytest.param("UPDATE outbox SET slot_at='noon'", id="slot"),
        pytest.param("UPDATE outbox SET failing_since='long ago'", id="since"),
        pytest.param("DROP TABLE outbox", id="table"),
    ],
)
def test_rows_that_make_no_sense_are_damage(state: State, statement: str) -> None:
    record(state, reading(message()))
    expect_damage(state, statement)


def test_bytes_where_there_should_be_text_are_damage(state_file: State) -> None:
    record(state_file, reading(message()))
    expect_damage(state_file, "UPDATE outbox SET body=x'ff'")

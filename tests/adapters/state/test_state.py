"""The state: what one transaction commits, what is unique, and what happens with a file that is not a
database.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from adapters.state.conftest import sqlite_of
from adapters.state.damage import execute, expect_damage
from tallyd.adapters.state import (
    JobRef,
    NewReading,
    OutFile,
    Recorded,
    State,
    StateDamagedError,
    StateError,
    StateTooNewError,
)
from tallyd.adapters.state.history import ReadingHistory
from tallyd.core.alerts.rules import Observations, closed_by_reading
from tallyd.core.out_document import Heading, stored_text
from tallyd.core.reading import Json, Problem, Reading, Slot
from tallyd.core.schedule.timetable import Missed
from tallyd.core.stored import LastReading

AT = datetime(2026, 11, 20, 7, 0, tzinfo=UTC)
WHOSE = JobRef(poller="divera", kind="divera", job="count")
NOTHING_SAID = Observations(named=(), may_resolve=lambda _key: False, now=AT)


def _record(
    state: State,
    slot: Slot,
    *problems: Problem,
    total: int = 3,
    taken: frozenset[str] = frozenset(),
    taken_at: datetime = AT + timedelta(seconds=1),
) -> Recorded:
    reading = Reading(taken_at=taken_at, facts={"total": total}, problems=problems, memory={"n": total})
    heading = Heading(
        poller="divera",
        kind="divera",
        origin="live" if slot.key else "once",
        due_at=slot.due_at if slot.key else None,
        taken_at=reading.taken_at,
        zone=UTC,
    )
    observations = Observations(
        named=problems,
        may_resolve=closed_by_reading("divera", "count", frozenset({"below"})),
        now=reading.taken_at,
    )
    return state.readings.record(
        WHOSE,
        slot,
        [(reading, heading)],
        observations=observations if slot.key else None,
        is_taken=taken.__contains__,
    )


def _out(recorded: Recorded) -> OutFile:
    """Return the only out file."""
    (out,) = recorded.outs
    assert out is not None
    return out


def _slot(key: str = "a", minutes: int = 0) -> Slot:
    return Slot(key, AT + timedelta(minutes=minutes))


def test_a_reading_settles_its_slot_and_reserves_its_file(state: State) -> None:
    state.slots.claim(WHOSE, _slot(), "mark")
    recorded = _record(state, _slot())
    assert _out(recorded).name == "2026-11/2026-11-20T070000+0000.json"
    assert state.slots.pending("divera", "count") == ()
    assert "a" in state.slots.settled("divera", "count", since=AT, now=AT)
    assert state.slots.marks("divera", "count") == {"mark": AT}
    assert [out.name for out in state.out_files.unwritten()] == [_out(recorded).name]
    state.out_files.mark_written(_out(recorded))
    assert state.out_files.unwritten() == ()


def test_a_slot_has_one_reading_for_ever(state: State) -> None:
    _record(state, _slot(), total=3)
    assert _record(state, _slot(), total=4) == Recorded()
    (row,) = state.readings.history()
    assert row.body is not None
    assert row.body["total"] == 3


def test_two_readings_of_one_second_have_two_names(state: State) -> None:
    names = [_out(_record(state, Slot(None, AT))).name for _ in range(2)]
    assert names == ["2026-11/2026-11-20T070001+0000.json", "2026-11/2026-11-20T070001+0000-2.json"]


def test_a_name_on_disk_is_not_reserved(state: State) -> None:
    recorded = _record(state, _slot(), taken=frozenset({"2026-11/2026-11-20T070000+0000.json"}))
    assert _out(recorded).name == "2026-11/2026-11-20T070000+0000-2.json"


def test_once_touches_no_problem_and_remembers_nothing(state: State) -> None:
    problem = Problem(key="divera/50101/below", text="few", since=AT)
    _record(state, Slot(None, AT), problem)
    assert state.alerts.open() == ()
    assert state.readings.memory("divera", "count") == {}


def test_a_problem_goes_on_with_its_beginning_and_ends_with_the_reading_that_does_not_name_it(
    state: State,
) -> None:
    first = Problem(key="divera/50101/below", text="4 of 6", since=AT)
    (raised,) = _record(state, _slot("a"), first).evaluation.raised
    assert (raised.text, raised.since) == (first.text, first.since)
    later = Problem(key="divera/50101/below", text="3 of 6", since=AT + timedelta(hours=4))
    evaluation = _record(state, _slot("b", 240), later).evaluation
    assert evaluation.raised == ()
    assert [(one.text, one.since) for one in evaluation.standing] == [("3 of 6", AT)]
    assert [one.key for one in _record(state, _slot("c", 480)).evaluation.closed] == ["divera/50101/below"]
    assert state.alerts.open() == ()


def test_a_missed_slot_is_settled_unless_a_clock_that_ran_ahead_said_so(state: State) -> None:
    state.slots.miss(
        WHOSE, (Missed("a", AT, "why", "mark"),), now=AT + timedelta(hours=1), observations=NOTHING_SAID
    )
    assert "a" in state.slots.settled("divera", "count", since=AT, now=AT + timedelta(hours=2))
    assert "a" not in state.slots.settled("divera", "count", since=AT, now=AT)
    _record(state, _slot("a"))
    (row,) = state.readings.history()
    assert (row.outcome, row.reason) == ("taken", None)


def test_missing_a_slot_never_undoes_its_reading(state: State) -> None:
    _record(state, _slot("a"))
    state.slots.miss(WHOSE, (Missed("a", AT, "why", None),), now=AT, observations=NOTHING_SAID)
    (row,) = state.readings.history()
    assert row.outcome == "taken"


def test_claims_are_counted_and_a_failure_keeps_the_count(state: State) -> None:
    state.slots.claim(WHOSE, _slot(), "mark")
    state.slots.fail(WHOSE, _slot(), reason="timed out", not_before=AT, observations=NOTHING_SAID)
    state.slots.claim(WHOSE, _slot(), None)
    (pending,) = state.slots.pending("divera", "count")
    assert (pending.state, pending.starts, pending.reason) == ("claimed", 2, "timed out")


def test_missed_slots_are_counted_from_the_last_reading_on(state: State) -> None:
    for key, minutes in (("a", 0), ("c", 20), ("d", 30)):
        slot = _slot(key, minutes)
        state.slots.miss(WHOSE, (Missed(key, slot.due_at, "why", None),), now=AT, observations=NOTHING_SAID)
    _record(state, _slot("b", 10))
    minutes_missed = [
        (at - AT).total_seconds() / 60
        for at in state.readings.missed_since_taken("divera", "count", now=AT + timedelta(days=1))
    ]
    assert minutes_missed == [20, 30]


def test_missed_slots_are_found_from_an_instant_up_to_another(state: State) -> None:
    for key, minutes in (("a", 0), ("b", 10), ("d", 30)):
        slot = _slot(key, minutes)
        state.slots.miss(WHOSE, (Missed(key, slot.due_at, "why", None),), now=AT, observations=NOTHING_SAID)
    _record(state, _slot("c", 20))
    found = state.readings.missed_between("divera", "count", AT, AT + timedelta(minutes=30))
    assert found == (AT, AT + timedelta(minutes=10))
    assert state.readings.missed_between("divera", "other", AT, AT + timedelta(days=1)) == ()


def test_a_run_without_a_reading_raises_its_problem_together_with_its_slot(state: State) -> None:
    problem = Problem(key="divera/count/failed", text="timed out", over="works", since=AT)
    tried = Observations(named=(problem,), may_resolve=lambda _key: False, now=AT, counts=False)
    failed = state.slots.fail(WHOSE, _slot(), reason="timed out", not_before=AT, observations=tried)
    assert failed.evaluation.raised == ()
    assert [alert.is_waiting for alert in state.alerts.all().values()] == [True]
    given_up = Observations(named=(problem,), may_resolve=lambda _key: False, now=AT)
    missed = state.slots.miss(WHOSE, (Missed("a", AT, "why", None),), now=AT, observations=given_up)
    assert missed.evaluation.raised == state.alerts.open()
    (closed,) = _record(state, _slot("b", 10)).evaluation.closed
    assert (closed.key, closed.over) == ("divera/count/failed", "works")


def test_a_slot_that_has_its_reading_evaluates_nothing_a_second_time(state: State) -> None:
    _record(state, _slot("a"))
    _record(state, _slot("a"), Problem(key="divera/50101/below", text="few", since=AT))
    assert state.alerts.all() == {}


def test_readings_from_before_a_day_are_forgotten_in_batches_but_never_unwritten_ones(state: State) -> None:
    for number in range(5):
        out = _out(_record(state, _slot(str(number), number)))
        if number:
            state.out_files.mark_written(out)
    later = AT + timedelta(days=1)
    assert [state.readings.prune("divera", before=later, most=3) for _ in range(3)] == [3, 1, 0]
    assert len(state.readings.history()) == 1


def test_a_history_is_cut_by_poller_and_time(state: State) -> None:
    for number in range(4):
        _record(state, _slot(str(number), number * 60))
    found = state.readings.history(
        poller="divera", since=AT + timedelta(hours=1), until=AT + timedelta(hours=3)
    )
    assert [row.slot for row in found] == ["1", "2"]
    assert state.readings.history(poller="other") == ()


def test_an_idle_evaluation_writes_nothing(state: State, watcher: State) -> None:
    problem = Problem(key="tallyd/log", text="full", since=AT)
    observations = Observations(named=(problem,), may_resolve=lambda _key: True, now=AT)
    state.alerts.evaluate(observations)
    watcher.was_changed_elsewhere()
    state.alerts.evaluate(observations)
    assert not watcher.was_changed_elsewhere()


def _begin_and_fail(state: State) -> None:
    with state.together():
        _record(state, _slot("c", 2))
        state.set_note("name", "value")
        raise ZeroDivisionError


def test_changes_together_are_all_committed_or_none(state: State, watcher: State) -> None:
    with state.together():
        _record(state, _slot("a"))
        _record(state, _slot("b", 1))
        assert watcher.readings.history() == ()
    assert len(state.readings.history()) == 2
    with pytest.raises(ZeroDivisionError):
        _begin_and_fail(state)
    assert len(state.readings.history()) == 2
    assert state.note("name") is None


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"garbage" * 1000, id="garbage"),
        pytest.param(b"SQLite format 3\0" + b"\xff" * 5000, id="header only"),
    ],
)
def test_a_file_that_is_not_a_database_counts_as_damaged(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "state.db").write_bytes(content)
    with pytest.raises(StateDamagedError):
        State(tmp_path / "state.db")


def test_a_database_of_a_newer_tallyd_is_rejected_and_not_changed(state: State, place: Path | str) -> None:
    is_file = isinstance(place, Path)
    execute(state, "PRAGMA user_version=99" if is_file else "UPDATE leader SET schema_version=99")
    with pytest.raises(StateTooNewError, match="newer tallyd"):
        State(place)


def test_tables_without_a_version_are_damage(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "state.db")) as db:
        db.execute("CREATE TABLE mine (x)")
    with pytest.raises(StateDamagedError, match="it has tables but no version"):
        State(tmp_path / "state.db")


def test_a_table_that_refuses_what_is_restored_is_damage(state: State, place: Path | str) -> None:
    refuse_here = "CREATE TRIGGER t BEFORE INSERT ON reading BEGIN SELECT RAISE(ABORT, 'malformed'); END"
    refuse_there = "ALTER TABLE reading ADD CHECK (poller='') NOT VALID"
    execute(state, refuse_here if isinstance(place, Path) else refuse_there)
    found = NewReading(
        ref=WHOSE, slot="a", part=None, due_at=AT, taken_at=AT, name="2026-11/a.json", text="{}"
    )
    with pytest.raises(StateDamagedError):
        state.readings.restore([found], {})


def test_a_memory_that_is_no_json_is_damage(state: State) -> None:
    _record(state, _slot())
    expect_damage(state, "UPDATE memory SET value='{'")


def test_the_name_of_a_file_that_is_no_text_is_damage(state_file: State) -> None:
    _record(state_file, _slot())
    assert state_file.out_files.newest_names("divera") == {"2026-11/2026-11-20T070000+0000.json"}
    execute(state_file, "UPDATE reading SET out_name=x'00ff'")
    with pytest.raises(StateDamagedError):
        state_file.out_files.newest_names("divera")


def test_all_that_is_stored_can_be_searched(state: State) -> None:
    for minutes in range(3):
        _record(state, _slot(str(minutes), minutes), total=minutes)
    state.set_note("config", "a note")
    texts = list(state.texts())
    numbers = [number for table, number, text in texts if table == "reading" and '"total": ' in text]
    assert numbers == [1, 2, 3]
    assert [text for table, _, text in texts if table == "meta" and "a note" in text] == ["config\na note"]


def test_a_state_that_cannot_be_read_says_so_and_nothing_of_others(state: State) -> None:
    assert state.answers()
    assert state.is_in_place()
    state.close()
    assert not state.answers()
    assert not state.was_changed_elsewhere()


def test_a_missing_folder_is_reported_with_its_path(tmp_path: Path) -> None:
    with pytest.raises(StateError, match=str(tmp_path / "absent" / "state.db")):
        State(tmp_path / "absent" / "state.db")


def test_a_database_that_is_locked_by_another_is_an_error_that_changes_nothing(
    state: State, place: Path | str
) -> None:
    is_file = isinstance(place, Path)
    with state._connection.reading() as db:
        db.execute("PRAGMA busy_timeout=50" if is_file else "SET lock_timeout='50ms'")
    with closing(State(place)) as other, other.together(), pytest.raises(StateError, match="locked"):
        _record(state, _slot())
    assert _out(_record(state, _slot())) == OutFile(
        id=1,
        poller="divera",
        job="count",
        name="2026-11/2026-11-20T070000+0000.json",
    )


def test_the_last_reading_is_the_one_that_was_taken_last_of_a_slot_or_by_hand(state: State) -> None:
    def last() -> tuple[LastReading | None, LastReading | None]:
        now = AT + timedelta(hours=9)
        return state.readings.last_taken("divera", now=now), state.readings.last_taken(
            "divera", now=now, in_timetable=True
        )

    assert last() == (None, None)
    slot = LastReading(AT + timedelta(seconds=1))
    _record(state, Slot("s", AT))
    assert last() == (slot, slot)
    by_hand = LastReading(AT + timedelta(minutes=5), is_by_hand=True)
    _record(state, Slot(None, AT), taken_at=by_hand.at)
    assert last() == (by_hand, slot)
    caught_up = LastReading(AT + timedelta(minutes=10))
    _record(state, Slot("s2", AT + timedelta(minutes=2)), taken_at=caught_up.at)
    assert last() == (caught_up, caught_up)
    stored = state.readings.last("divera", now=AT + timedelta(hours=9))
    assert stored is not None
    assert (stored.taken, stored.slot) == (caught_up, "s2")


LATER = AT + timedelta(days=1)
LOOKS: dict[str, Callable[[ReadingHistory], object]] = {
    "last": lambda past: past.last("divera", now=AT),
    "last of a slot": lambda past: past.last("divera", now=AT, in_timetable=True),
    "when taken last": lambda past: past.last_taken("divera", now=AT),
    "missed since": lambda past: past.missed_since_taken("divera", "count", now=AT),
    "missed since, for a reason": lambda past: past.missed_since_taken("divera", "count", now=AT, reason="x"),
    "missed between": lambda past: past.missed_between("divera", "count", AT, LATER),
    "oldest": lambda past: past.history(most=100),
    "oldest of a poller": lambda past: past.history(poller="divera", most=100),
    "a day": lambda past: past.history(since=AT, until=LATER),
    "from a day on": lambda past: past.history(since=AT, most=100),
    "a day of a poller": lambda past: past.history(poller="divera", since=AT, until=LATER),
    "how many fit": lambda past: past.fitting(poller=None, since=AT, until=None, most_chars=100),
    "how many of a poller fit": lambda past: past.fitting(
        poller="divera", since=AT, until=LATER, most_chars=100
    ),
}


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS.keys())
def test_no_look_at_the_past_reads_or_sorts_all_of_it(
    state_file: State, look: Callable[[ReadingHistory], object]
) -> None:
    asked: list[str] = []
    state, db = state_file, sqlite_of(state_file)  # it alone can tell what it is asked
    with state._connection.reading():
        db.set_trace_callback(asked.append)
        look(state.readings)
        db.set_trace_callback(None)
        plans = [row[3] for text in asked for row in db.execute(f"EXPLAIN QUERY PLAN {text}")]
    assert plans
    for step in plans:
        assert "USE TEMP B-TREE FOR ORDER BY" not in step, plans
        if " reading " in step:
            assert re.search(r"USING INDEX reading_(by_slot|of_poller|of_all)\b", step), plans


def test_what_fits_is_counted_from_the_oldest_on(state: State) -> None:
    for number in range(4):
        _record(state, Slot(f"s{number}", AT + timedelta(hours=number)))
    lengths = [len(json.dumps(dict(row.body or {}))) for row in state.readings.history()]
    everything = {"poller": None, "since": None, "until": None}
    stored = state.readings.fitting(**everything, most_chars=10**9)
    assert stored == len(lengths) == 4
    assert state.readings.fitting(**everything, most_chars=0) == 0
    some = state.readings.fitting(**everything, most_chars=2 * max(lengths) + max(lengths) // 2)
    assert 1 <= some <= 2


def test_a_long_content_is_stored_small_and_comes_back_whole(state: State) -> None:
    facts: dict[str, Json] = {
        "targets": {f"größe {number}": {"state": "fresh", "checks": number} for number in range(1000)}
    }
    heading = Heading(poller="apps", kind="servers", origin="live", due_at=None, taken_at=AT, zone=UTC)
    ref = JobRef(poller="apps", kind="servers", job="check")
    recorded = state.readings.record(
        ref,
        Slot(None, AT),
        [(Reading(taken_at=AT, facts=facts), heading)],
        observations=None,
        is_taken=lambda _name: False,
    )
    (out,) = (each for each in recorded.outs if each is not None)
    found = state.out_files.to_write(out)
    assert found is not None
    assert found[1]["targets"] == facts["targets"]
    (row,) = state.readings.history()
    assert dict(row.body or {}) == found[1]
    length = len(stored_text(found[1]))
    everything = {"poller": None, "since": None, "until": None}
    assert [state.readings.fitting(**everything, most_chars=length - less) for less in (0, 1)] == [1, 0]
    ((stored,),) = execute(state, "SELECT length(body) FROM reading")
    assert isinstance(stored, int)
    assert stored < length / 5
    execute(state, "UPDATE reading SET body='ff'")
    with pytest.raises(ValueError, match="not a compressed text"):
        state.out_files.check()


def test_alerts_are_read_again_only_after_a_change_by_whomever_and_a_rollback_leaves_nothing(
    state: State, place: Path | str
) -> None:
    def raising(key: str) -> Observations:
        problem = Problem(key=key, text="", over="", since=AT, severity="error")
        return Observations(named=(problem,), may_resolve=lambda _key: False, now=AT)

    state.alerts.evaluate(raising("divera/a/failed"))
    first = state.alerts.all()
    assert state.alerts.all() is first
    with closing(State(place)) as other:
        other.alerts.evaluate(raising("divera/b/failed"))
    assert set(state.alerts.all()) == {"divera/a/failed", "divera/b/failed"}

    def raise_one_and_fail() -> None:
        with state.together():
            state.alerts.evaluate(raising("divera/c/failed"))
            assert "divera/c/failed" in state.alerts.all()
            raise KeyError

    with pytest.raises(KeyError):
        raise_one_and_fail()
    assert set(state.alerts.all()) == {"divera/a/failed", "divera/b/failed"}

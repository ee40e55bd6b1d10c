"""`tallyd status`: what it says of a slot of which nothing became."""

from __future__ import annotations

import json
import re
from contextlib import closing
from dataclasses import replace
from datetime import time
from pathlib import Path

import pytest
import time_machine

from support.past import BERLIN, Past, instant, write_config
from tallyd.adapters.locks import FileLock
from tallyd.adapters.state import JobRef, State
from tallyd.cli.status import status
from tallyd.config.reload import ActiveConfigNote, JobNote, read_note
from tallyd.core.alerts.rules import Observations
from tallyd.core.reading import Slot
from tallyd.core.schedule.timetable import EVERY_DAY, At, Every, Missed


@pytest.fixture
def past(tmp_path: Path) -> Past:
    """A config in force since the 19th, with a count at 08:00 and 20:00."""
    path, past = write_config(tmp_path), Past(tmp_path)
    job = JobNote(
        poller="divera", kind="divera", job="count", when=At((time(8), time(20)), EVERY_DAY), zone=BERLIN
    )
    note = ActiveConfigNote(
        path=str(path),
        since=instant("2026-11-19T07:00:00"),
        digest="",
        zone=BERLIN,
        rejected=None,
        jobs=(job,),
    )
    with closing(State(tmp_path / "state" / "state.db")) as state:
        state.set_note("config", note.dumped())
    return past


def said(past: Past, now: str, capsys: pytest.CaptureFixture[str]) -> str:
    """Return what status says at that time while a daemon holds its lock."""
    with FileLock(past.folder / "state" / "lock").take(), time_machine.travel(instant(now), tick=False):
        assert status(past.folder / "config.json", as_json=False) == 0
    return capsys.readouterr().out


def test_a_reading_taken_by_hand_is_the_last_one_and_says_so(
    past: Past, capsys: pytest.CaptureFixture[str]
) -> None:
    past.taken("2026-11-19T09:30:00", {"50101": 21}, origin="once")
    row = re.search(
        r"^divera +count +09:30 by hand +21 +20:00$", said(past, "2026-11-19T09:45:00", capsys), re.M
    )
    assert row is not None
    past.taken("2026-11-19T20:00:00", {"50101": 3})
    assert re.search(r"^divera +count +20:00 +3 ", said(past, "2026-11-19T21:00:00", capsys), re.M)


def test_a_job_without_slots_has_its_interval_in_the_place_of_a_next_run(
    past: Past, capsys: pytest.CaptureFixture[str]
) -> None:
    job = JobNote(poller="apps", kind="servers", job="check", when=Every(3600.0), zone=BERLIN)
    with closing(State(past.folder / "state" / "state.db")) as state:
        note = read_note(state)
        assert note is not None
        state.set_note("config", replace(note, jobs=(job,)).dumped())
    assert re.search(r"^apps +check +none yet +every 1 h$", said(past, "2026-11-19T08:05:00", capsys), re.M)


def test_as_json_a_reading_taken_by_hand_is_told_as_such(
    past: Past, capsys: pytest.CaptureFixture[str]
) -> None:
    past.taken("2026-11-19T09:30:00", {"50101": 21}, origin="once")
    with time_machine.travel(instant("2026-11-19T09:45:00"), tick=False):
        assert status(past.folder / "config.json", as_json=True) == 0
    (job,) = json.loads(capsys.readouterr().out)["jobs"]
    assert (job["last_taken_at"], job["last_by_hand"]) == ("2026-11-19T09:30:00+01:00", True)
    assert job["last_file"] == "divera/2026-11/2026-11-19T093000+0100.json"


def test_before_the_first_start_readings_by_hand_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, past = write_config(tmp_path), Past(tmp_path)
    past.taken("2026-11-19T09:30:00", {"50101": 21}, origin="once")
    assert status(path, as_json=False) == 1
    error = capsys.readouterr().err
    assert f"tallyd run has not been started with {path} yet" in error
    assert "readings taken by hand: divera 2026-11-19 09:30" in error


def test_a_slot_of_which_nothing_became_is_told(past: Past, capsys: pytest.CaptureFixture[str]) -> None:
    assert "divera count: no reading known for 08:00\n" in said(past, "2026-11-19T08:05:00", capsys)


@pytest.mark.parametrize("now", ["2026-11-19T07:59:00", "2026-11-19T08:00:30"], ids=["before it", "just due"])
def test_a_slot_to_come_is_not(past: Past, now: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert "no reading known" not in said(past, now, capsys)


@pytest.mark.parametrize("fate", ["begun", "missed"])
def test_a_slot_that_was_begun_or_missed_is_not(
    past: Past, fate: str, capsys: pytest.CaptureFixture[str]
) -> None:
    at, key = instant("2026-11-19T08:00:00"), "2026-11-19T08:00:00[Europe/Berlin]"
    ref = JobRef(poller="divera", kind="divera", job="count")
    with closing(State(past.folder / "state" / "state.db")) as state:
        if fate == "begun":
            state.slots.claim(ref, Slot(key, at), None)
        else:
            observations = Observations(named=(), may_resolve=lambda _key: False, now=at)
            state.slots.miss(ref, (Missed(key, at, "off", None),), now=at, observations=observations)
    assert "no reading known" not in said(past, "2026-11-19T08:05:00", capsys)

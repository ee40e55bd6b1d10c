"""`tallyd status`: jobs, a slot of which nothing became, and how things are with each poller."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from datetime import date, time
from pathlib import Path

import pytest
import time_machine

from adapters.records.samples import visitor_file
from support.past import BERLIN, Past, instant, write_config
from support.rows import Passage
from tallyd.adapters.locks import FileLock
from tallyd.adapters.records.database import Database
from tallyd.adapters.state import JobRef, State
from tallyd.cli.views.status import status
from tallyd.config.active_file import write_active
from tallyd.config.load import load
from tallyd.config.reload import ActiveConfigNote, JobNote, read_note
from tallyd.core.alerts.rules import Observations
from tallyd.core.out_document import Heading
from tallyd.core.reading import Facts, Json, OutboxMessage, Reading, Slot
from tallyd.core.schedule.timetable import EVERY_DAY, At, Every, Missed


@pytest.fixture
def past(tmp_path: Path) -> Past:
    """A config that is active since the 19th, with a count at 08:00 and 20:00."""
    path, past = write_config(tmp_path), Past(tmp_path)
    job = JobNote(
        poller="divera", kind="divera", job="count", when=At((time(8), time(20)), EVERY_DAY), zone=BERLIN
    )
    note = ActiveConfigNote(
        path=str(path),
        since=instant("2026-11-19T07:00:00"),
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
    row = re.search(r"^divera +count +09:30 by hand +20:00$", said(past, "2026-11-19T09:45:00", capsys), re.M)
    assert row is not None
    past.taken("2026-11-19T20:00:00", {"50101": 3})
    shown = said(past, "2026-11-19T21:00:00", capsys)
    assert re.search(r"^divera +count +20:00 ", shown, re.M)
    assert re.search(r"^Total +3$", shown, re.M)


def test_a_job_without_slots_has_its_interval_in_the_place_of_a_next_run(
    past: Past, capsys: pytest.CaptureFixture[str]
) -> None:
    job = JobNote(poller="apps", kind="servers", job="check", when=Every(3600.0), zone=BERLIN)
    with closing(State(past.folder / "state" / "state.db")) as state:
        note = read_note(state)
        assert note is not None
        state.set_note("config", replace(note, jobs=(job,)).dumped())
    assert re.search(r"^apps +check +none yet +every 1 h$", said(past, "2026-11-19T08:05:00", capsys), re.M)


def test_as_json_a_reading_taken_by_hand_is_marked_as_such(
    past: Past, capsys: pytest.CaptureFixture[str]
) -> None:
    past.taken("2026-11-19T09:30:00", {"50101": 21}, origin="once")
    with time_machine.travel(instant("2026-11-19T09:45:00"), tick=False):
        assert status(past.folder / "config.json", as_json=True) == 0
    (job,) = json.loads(capsys.readouterr().out)["jobs"]
    assert (job["last_taken_at"], job["last_by_hand"]) == ("2026-11-19T09:30:00+01:00", True)
    assert job["last_file"] == "divera/2026-11/2026-11-19T093000+0100.json"


def test_before_the_first_start_readings_by_hand_are_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, past = write_config(tmp_path), Past(tmp_path)
    past.taken("2026-11-19T09:30:00", {"50101": 21}, origin="once")
    assert status(path, as_json=False) == 1
    error = capsys.readouterr().err
    assert f"tallyd run has not been started with {path} yet" in error
    assert "readings taken by hand: divera 2026-11-19 09:30" in error


def test_a_slot_of_which_nothing_became_is_named(past: Past, capsys: pytest.CaptureFixture[str]) -> None:
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


# -- how things are with each poller ------------------------------------------------------------------------

DIVERA: Json = {
    "kind": "divera",
    "accesskey": "canary-key-8f3a",
    "at": ["08:00", "20:00"],
    "status_names": {"50101": "Einsatzbereit"},
}
PARK: Json = {
    "kind": "visitors",
    "inbox": "inbox",
    "sources": {f"gate-{number:02}": {} for number in range(10)},
    "report": {
        "every": "5m",
        "ssid": "SS-7",
        "url": "https://upstream.example/",
        "success": {"field": "Desc", "equals": ["OK"]},
    },
}


@pytest.fixture
def park(past: Past) -> Path:
    """Ten sources of which one delivered, and a report that the upstream does not accept."""
    path = write_config(past.folder, pollers={"park": PARK, "divera": DIVERA})
    past.taken("2026-11-19T08:00:00", {"50101": 12, "7": None}, hide_below=3)
    with closing(Database(load(path, environ={}).database_url, prepares=True)) as database:
        rows: list[Passage] = [(number, "in", "2026-11-19 06:00:00", None) for number in range(3)]
        files = [visitor_file("a.json", *rows, source="gate-09")]
        database.records("park").ingest(files, now=instant("2026-11-19T07:30:00"), keep_rows=True)
    at = instant("2026-11-19T08:00:00")
    heading = Heading(poller="park", kind="visitors", origin="live", due_at=at, taken_at=at, zone=BERLIN)
    facts: Facts = {"day": "2026-11-19", "report": {"state": "queued", "answer": None, "payload": []}}
    messages = (OutboxMessage(ssid="SS-7", day=date(2026, 11, 19), body=[]),)
    reading = Reading(taken_at=at, facts=facts, outbox=messages)
    ref = JobRef(poller="park", kind="visitors", job="report")
    with closing(State(past.folder / "state" / "state.db")) as state:
        state.readings.record(
            ref, Slot("8", at), [(reading, heading)], observations=None, is_taken=lambda _name: False
        )
        (row,) = state.outbox.all("park")
        state.outbox.note_failed(row, at=at, answer="HTTP 503", was_refused=False)
    return past.folder


def shown(folder: Path, capsys: pytest.CaptureFixture[str], *, as_json: bool = False) -> str:
    with time_machine.travel(instant("2026-11-19T08:05:00"), tick=False):
        assert status(folder / "config.json", as_json=as_json) == 0
    return capsys.readouterr().out


def test_each_poller_has_a_board_with_its_details_and_only_some_rows_of_a_long_table(
    park: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, boards, unit, _ = shown(park, capsys).split("\n\n")
    lines = boards.splitlines()
    assert lines[:6] == [
        "park",
        "name                  value  note",
        "Inside now                3  in minus out since midnight; cameras miss people",
        "In today                  3",
        "Out today                 0",
        "Files ingested today      1",
    ]
    assert [line.split()[0] for line in lines if line.startswith("gate-")] == [
        f"gate-{number:02}" for number in range(8)
    ]
    assert re.fullmatch("2 more: .*tallyd.* status --json", lines[lines.index("Last reports") - 1])
    assert re.fullmatch(r"08:00 .* SS-7 +waits +1 +HTTP 503", lines[-1])
    assert unit.splitlines() == [
        "divera",
        "name            value",
        "Einsatzbereit      12",
        "7              hidden",
        "Total          hidden",
        "Numbers below 3 are hidden, and so is what would give them away.",
    ]


def test_as_json_there_is_all_of_it(park: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = json.loads(shown(park, capsys, as_json=True))
    assert found["reports"] == [
        {
            "poller": "park",
            "ssid": "SS-7",
            "day": "2026-11-19",
            "slot_at": "2026-11-19T08:00:00+01:00",
            "state": "waiting",
            "tries": 1,
            "answer": "HTTP 503",
            "sent_at": None,
        }
    ]
    assert found["now"]["divera"]["stats"] == {"50101": 12, "7": None, "total": None}
    stats = found["now"]["park"]["stats"]
    assert (stats["files_done"], stats["files_rejected"]) == (1, 0)
    assert len(found["now"]["park"]["tables"]["sources"]["rows"]) == 10


def test_while_the_database_is_away_everything_else_is_shown(
    park: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (park / "state" / "records.db").write_bytes(b"SQLite format 3\0" + b"\xff" * 5000)
    text = shown(park, capsys)
    assert re.search(r"^The numbers can't be read now: SQLite \(.*records.db\)", text, re.M)
    assert re.search(r" SS-7 +waits +1 +HTTP 503$", text, re.M)
    assert "Einsatzbereit" in text
    now = json.loads(shown(park, capsys, as_json=True))["now"]["park"]
    assert "files_done" not in now["stats"], "what is not known is never a zero"
    assert "records.db" in now["troubles"][0]


def test_while_the_config_on_disk_is_broken_there_are_jobs_and_reports_but_no_boards(
    park: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_active(load(park / "config.json", environ={}), restart="")
    (park / "config.json").write_text("{")
    found = json.loads(shown(park, capsys, as_json=True))
    assert [job["poller"] for job in found["jobs"]] == ["divera"]
    assert (len(found["reports"]), found["now"]) == (1, {})
    assert found["config"]["on_disk"]
    text = shown(park, capsys)
    assert re.search(r"^park: report SS-7 of \S+ is not sent; tries: 1, HTTP 503$", text, re.M)


def test_status_imports_no_library_that_it_does_not_need(past: Past) -> None:
    needless = ("sqlalchemy", "jinja2", "tallyd.web", "requests", "rich.console", "msgspec", "babel")
    program = (
        "import sys; from tallyd.cli.main import main; main()\n"
        f"print([name for name in sys.modules if name.startswith({needless})])"
    )
    past.taken("2026-11-19T08:00:00", {"50101": 12})
    command = [sys.executable, "-c", program, "--config", str(past.folder / "config.json"), "status"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert "Einsatzbereit" in done.stdout
    assert done.stdout.splitlines()[-1] == "[]"

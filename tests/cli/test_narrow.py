"""Tables on a real terminal of 80 columns: no value is torn, and what has no room is named."""

from __future__ import annotations

import json
import re
import textwrap
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

import pytest
from rich.cells import cell_len

from support.gates import Gates
from support.past import BERLIN, Past, minutely
from support.terminal import at_terminal
from tallyd.adapters.records.database import Database
from tallyd.adapters.state import State
from tallyd.config.load import load
from tallyd.config.reload import ActiveConfigNote, JobNote
from tallyd.core.alerts.rules import Observations
from tallyd.core.reading import Problem
from tallyd.core.schedule.timetable import EVERY_DAY, At

COLUMNS = 80
_PASSING = re.compile(r"[\d.]+(?=% no data)")
"""It grows from one look to the next."""
NAMES = {
    "50101": "Einsatzbereit",
    "50102": "Bedingt einsatzbereit",
    "50103": "Nicht einsatzbereit",
    "50104": "Im Einsatz",
    "50105": "在岗待命人员",
    "50106": "Beurlaubt bis auf Weiteres",
}
LONG_TARGET = "a-target-with-a-name-that-is-rather-long-for-a-table"
TARGETS = ("PROD", "東門の計算サーバー第一号機・予備系統", LONG_TARGET)
LONG_FILE = "camera-23-of-the-northern-parking-deck-20261120T090000.json"
DAYS = ("--from", "2026-11-19", "--to", "2026-11-20")


@dataclass(frozen=True)
class Folder:
    """Where commands are run."""

    gates: Gates

    def piped(self, *arguments: str) -> str:
        done = self.gates.tallyd(*arguments)
        return done.stdout + done.stderr

    def shown(self, *arguments: str) -> str:
        """Return what a terminal of 80 columns shows."""
        command = ("-m", "tallyd", "--config", str(self.gates.config), *arguments)
        with at_terminal(*command, cwd=self.gates.folder, columns=COLUMNS) as terminal:
            terminal.status()
            return terminal.said


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """All three kinds, with long names, of which some are Chinese or Japanese; nothing runs."""
    path = tmp_path_factory.mktemp("narrow")
    gates = Gates(path, sources={"12": {"label": "Northern gate, beside the old ticket office"}, "東門": {}})
    config = json.loads(gates.config.read_text())
    divera = {"kind": "divera", "accesskey": "canary-key-8f3a", "at": ["08:00"], "status_names": NAMES}
    apps = {"kind": "servers", "targets": {name: {"url": "http://127.0.0.1:9/"} for name in TARGETS}}
    config["pollers"] |= {"divera": divera, "apps": apps}
    gates.config.write_text(json.dumps(config))
    past = Past(path)
    past.taken("2026-11-19T08:00:00", dict.fromkeys(NAMES, 12), names=NAMES)
    past.missed("2026-11-19T20:00:00", reason="tallyd or the machine was off or asleep")
    past.taken("2026-11-20T11:12:13", dict.fromkeys(NAMES, 7), origin="once", names=NAMES)
    hour = f"{datetime.now(UTC):%Y-%m-%d %H}:00:00"
    with closing(Database(load(gates.config, environ={}).database_url, prepares=True)) as database:
        checks = {(hour, name): minutely(60, 40, 15, 1234.5) for name in TARGETS}
        database.records("apps").note_checks([], checks)
    fill_state(gates)
    gates.drop("12", "in", "in", "out")
    gates.drop("東門", "in")
    gates.write("東門", b'[{"ID": true}]', name=LONG_FILE)
    gates.tallyd("once", "visitors")
    return Folder(gates)


def fill_state(gates: Gates) -> None:
    """Let a daemon have run, and raised an alert with a long key."""
    now = datetime.now(UTC)
    job = JobNote(poller="divera", kind="divera", job="count", when=At((time(8),), EVERY_DAY), zone=BERLIN)
    note = ActiveConfigNote(path=str(gates.config), since=now, zone=BERLIN, rejected=None, jobs=(job,))
    key = f"apps/{LONG_TARGET}/unreachable"
    # So long ago that "lasted" stays the same for an hour.
    since = now - timedelta(days=3)
    problem = Problem(key=key, text="not there", over="there", since=since, severity="error")
    with closing(State(gates.folder / "state" / "state.db")) as state:
        state.set_note("config", note.dumped())
        state.alerts.evaluate(Observations(named=(problem,), may_resolve=lambda _key: False, now=now))


BELOW = re.compile(r"^    (note|reason|notified|text):")
LEFT_OUT = re.compile(
    r"^Left out, for lack of room: .*?To\s+see\s+all:\s+--wide,?(\s+or\s+--(json|format\s+csv))?\s*$",
    re.DOTALL | re.MULTILINE,
)
COMMANDS = {
    "readings": ("report", "--poller", "divera", *DAYS),
    "readings by hour": ("report", "--poller", "divera", "--by", "hour", *DAYS),
    "visitors": ("report", "--poller", "visitors"),
    "servers": ("report", "--poller", "apps", "--by", "hour"),
    "one target": ("report", "--poller", "apps", "--target", LONG_TARGET),
    "status": ("status",),
    "files": ("files",),
    "refused files": ("files", "--rejected"),
    "alerts": ("alerts",),
    "check": ("check",),
}


def timeless(text: str) -> str:
    """Return an output without what changes from one second to the next: now, and shares until now."""
    text = re.sub(r"(?<= to )(\S+) \d\d:\d\d(:\d\d)?", "...", text)
    return re.sub(r"[\d.]+%", lambda found: "." * len(found[0]), text)


@pytest.mark.parametrize("arguments", COMMANDS.values(), ids=COMMANDS.keys())
def test_no_line_of_a_table_is_too_long_and_no_word_is_torn_and_wide_shows_what_a_pipe_gets(
    folder: Folder, arguments: tuple[str, ...]
) -> None:
    piped, shown = timeless(folder.piped(*arguments)), timeless(folder.shown(*arguments))
    for line in LEFT_OUT.sub("", shown).splitlines():
        if line not in piped.splitlines() and not set(line) <= set("█▆▃▁·"):
            assert cell_len(line) <= COLUMNS, line
            assert set(BELOW.sub("", line).split()) <= set(piped.split()), line
    wide = timeless(folder.shown(*arguments, "--wide"))
    assert sorted(wide.splitlines()) == sorted(piped.splitlines())


def test_what_finds_no_room_is_named_and_notes_stand_below_their_row(folder: Folder) -> None:
    assert folder.shown(*COMMANDS["readings"]).splitlines() == [
        "divera, 2026-11-19 to 2026-11-20 (UTC): 2 readings, 1 missed",
        "date        time      total  Einsatzbereit (50101)        Bedingt          Nicht",
        "                                                    einsatzbereit  einsatzbereit",
        "                                                          (50102)        (50103)",
        "2026-11-19  07:00        72                     12             12             12",
        "2026-11-19  19:00",
        "    note: missed: tallyd or the machine was off or asleep",
        "2026-11-20  10:12:13     42                      7              7              7",
        "    note: once, outside the timetable",
        "Left out, for lack of room: weekday, Im Einsatz (50104), 在岗待命人员 (50105) ",
        "and Beurlaubt bis auf Weiteres (50106). To see all: --wide, or --format csv",
    ]


def test_a_long_heading_of_a_report_is_broken_between_words(folder: Folder) -> None:
    shown = folder.shown(*COMMANDS["servers"]).splitlines()
    heading = " ".join(shown[:2])  # not that of a second command: time passes, and with it a share
    assert cell_len(heading) > COLUMNS
    wanted = textwrap.wrap(heading, COLUMNS)
    assert [_PASSING.sub("", line) for line in shown[:2]] == [_PASSING.sub("", line) for line in wanted]


def test_names_of_double_width_stand_in_line_and_a_share_is_shown_beside_a_long_name(folder: Folder) -> None:
    _, *lines = folder.shown(*COMMANDS["servers"]).splitlines()
    rows = [cell_len(line) for line in lines if "  91.67%" in line]
    assert len(rows) == len(TARGETS)
    assert max(rows) <= COLUMNS
    assert any(line.startswith("Left out, for lack of room: weekday, ") for line in lines)


def test_a_reason_stands_below_its_file(folder: Folder) -> None:
    _, _, file, reason, _ = folder.shown(*COMMANDS["refused files"]).splitlines()
    assert file.endswith(f"  東門/{LONG_FILE}  14 B")
    assert reason == '    reason: record 1: "ID" is not a whole number from 0 to 2^63 - 1'

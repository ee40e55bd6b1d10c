"""Reports that come by themselves: when, to whom, and what they say."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, time
from pathlib import Path
from typing import Any, Literal

import pytest

from support.fakeclock import BERLIN, FakeClock, at
from support.fakeworld import Killed, World
from tallyd.adapters.reads.reads import TimedReads
from tallyd.config.jobs import Task
from tallyd.config.load import load
from tallyd.contract.job import Job
from tallyd.contract.poller import Found, Poller
from tallyd.contract.reads import Reads
from tallyd.contract.toolbox import Toolbox
from tallyd.core.alerts.daemon_alerts import CLOCK
from tallyd.core.alerts.incident_view import IncidentView
from tallyd.core.alerts.incidents import Incident
from tallyd.core.alerts.message import Message
from tallyd.core.alerts.notices import AlertPolicy
from tallyd.core.errors import SourceError
from tallyd.core.panels import Board
from tallyd.core.reading import Reading, Slot
from tallyd.core.schedule.timetable import At
from tallyd.core.states import State
from tallyd.pollers.visitors.alerts.alert_kinds import NO_FILES
from tallyd.presentation.boards import Chapter
from tallyd.reporting import reporter
from tallyd.reporting.reporter import StoredReporter
from tallyd.reporting.summary import Summary, message_of
from tallyd.reporting.table import reports_table

OPS, MAIL = "json://ops.example/x", "json://mail.example/x"
WEEKLY = {"at": "07:00", "period": "last-week", "channels": ["ops"], "dir": "reports"}
QUIET = """\
[box] report weekly, 2026-11-16 to 2026-11-22 (Europe/Berlin): nothing was wrong
- door: 1 reading, 0 missed. Nothing was wrong."""


class Door(Poller):
    """Counts on Sundays at noon, or fails to."""

    kind: Literal["door"] = "door"
    fails: bool = False

    def jobs(self) -> tuple[Job, ...]:
        when = At((time(12),), frozenset({6}))
        return (
            Job(name="count", when=when, evaluates=frozenset(), limit_s=60, catch_up_s=60.0, run=self._run),
        )

    def probe(self, tools: Toolbox) -> tuple[Found, ...]:
        return ()

    def _run(self, slot: Slot, tools: Toolbox) -> tuple[Reading, ...]:
        if self.fails:
            raise SourceError("door.example: connection refused", transient=True)
        return (Reading(taken_at=tools.now(), facts={"people": 7}),)


@dataclass
class Site:
    """The resources of runs: reports alone."""

    world: World
    keep_days: int = 0

    @property
    def reads(self) -> Reads:
        return TimedReads(now=self.world.clock.now)

    @property
    def reporter(self) -> StoredReporter:
        world = self.world
        return StoredReporter(config=world.config, now=world.clock.now, deliver=world.chats)

    def records(self, task: Task) -> None: ...

    def inbox(self, task: Task) -> None: ...

    def workers(self, task: Task) -> None: ...


class ReportWorld(World):
    """A world whose runs can make reports."""

    @property
    def runner(self) -> Any:
        return replace(super().runner, resources=Site(self))


@contextmanager
def living(folder: Path, start: str, *, fails: bool = False, **top: Any) -> Iterator[ReportWorld]:
    """A daemon with one poller and the report `weekly`, from `start` on."""
    keys = {
        "channels": {"ops": OPS, "mail": {"url": MAIL, "language": "de"}},
        "reports": {"weekly": WEEKLY},
        **top,
    }
    with FakeClock(at(start)) as clock:
        world: Any = {"door": Door(fails=fails)}
        with ReportWorld(folder, clock, world, top=keys) as site:
            yield site


def reports(world: World, url: str = OPS) -> list[Message]:
    """Return the reports among the messages to a channel."""
    return [each for each in world.chats.messages.get(url, []) if "report weekly" in each.text]


def test_a_report_comes_once_after_each_week_and_says_that_nothing_was_wrong(tmp_path: Path) -> None:
    with living(tmp_path, "2026-11-22 11:59") as world:
        world.run(minutes=2)
        world.run(hours=18, least_s=3600)
        assert reports(world) == []
        world.run(hours=1, least_s=60)
        world.restart(off_s=60)
        world.run(hours=24 * 6, least_s=7200)
        (message,) = reports(world)
        assert message.text == QUIET
        assert [file.name for file in message.files] == ["weekly_2026-11-16_2026-11-22.html"]
        assert message.files[0].text == (tmp_path / "reports" / message.files[0].name).read_text("utf-8")
        assert "No incident of door from 2026-11-16 to 2026-11-22. Nothing is known of before" in (
            message.files[0].text
        )
        world.run(hours=25, least_s=7200)
        assert [each.files[0].name for each in reports(world)][1:] == ["weekly_2026-11-23_2026-11-29.html"]


def test_a_report_that_is_too_large_for_a_message_says_where_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reporter, "MOST_ATTACHED", 100)
    weekly = {**WEEKLY, "channels": ["ops", "mail"]}
    with living(tmp_path, "2026-11-23 05:59", reports={"weekly": weekly}) as world:
        world.run(hours=2, least_s=60)
        (message,) = reports(world)
        assert message.files == ()
        assert message.text.endswith("The report is too large to be attached; it is in the folder reports.")
        (german,) = world.chats.messages[MAIL]
        assert german.text.endswith("Der Bericht ist zu groß für einen Anhang; er liegt im Ordner reports.")


def test_a_report_of_a_bad_week_names_what_was_wrong_in_the_language_of_each_channel(tmp_path: Path) -> None:
    weekly = {**WEEKLY, "channels": ["ops", "mail"]}
    web = {"listen": "127.0.0.1:8710", "public_url": "https://tallyd.example/x"}
    with living(tmp_path, "2026-11-22 11:59", fails=True, reports={"weekly": weekly}, web=web) as world:
        world.run(minutes=2)
        world.run(hours=18, least_s=3600)
        world.run(hours=1, least_s=60)
        (message,), (german,) = reports(world), world.chats.messages[MAIL]
        assert message.text.splitlines() == [
            "[box] report weekly, 2026-11-16 to 2026-11-22 (Europe/Berlin): 1 problem",
            "- door: 0 readings, 1 missed. 1 problem: no reading (12 h).",
        ]
        assert message.link == "https://tallyd.example/x/poller/door?from=2026-11-16&to=2026-11-22"
        assert german.text.splitlines()[1] == (
            "- door: 0 Zählungen, 1 ausgefallen. 1 Störung: keine Zählung (12 Std.)."
        )
        assert '<html lang="de">' in german.files[0].text
        (out,) = (tmp_path / "out" / "report.weekly" / "2026-11").iterdir()
        written = json.loads(out.read_text("utf-8"))
        assert (written["from"], written["to"], written["incidents"]) == ("2026-11-16", "2026-11-22", 1)
        assert written["report"]["by_ssid"]["mail"]["state"] == "sent"
        (report,) = world.config.settings.reports.values()
        shown = {stat.key: stat.value for stat in report.reading_board(written).stats}
        assert (shown["channels"], shown["to"]) == ("ops: accepted, mail: accepted", "2026-11-22")


def test_after_an_outage_the_newest_report_is_caught_up_and_older_ones_are_recorded_as_missed(
    tmp_path: Path,
) -> None:
    with living(tmp_path, "2026-11-22 18:00", alerts={"channels": ["mail"]}) as world:
        world.restart(off_s=9 * 86400)
        world.run(minutes=5)
        (message,) = reports(world)
        assert "2026-11-23 to 2026-11-29" in message.text
        outcomes = [each.outcome for each in world.state.readings.history(poller="report.weekly")]
        assert outcomes == ["missed", "taken"]


def test_a_report_that_waits_for_longer_than_three_days_is_missed(tmp_path: Path) -> None:
    with living(tmp_path, "2026-11-22 18:00") as world:
        world.restart(off_s=4 * 86400)
        world.run(minutes=5)
        assert reports(world) == []
        assert world.state.alerts.open()[0].key == "report.weekly/report/missed"


def test_killed_after_the_message_and_before_its_note_it_is_sent_again_and_then_never(tmp_path: Path) -> None:
    with living(tmp_path, "2026-11-23 06:59") as world:
        world.chats.lost.add(OPS)
        with pytest.raises(Killed):
            world.run(minutes=2)
        world.chats.lost.clear()
        world.restart(off_s=5)
        world.run(hours=1, least_s=300)
        assert len(reports(world)) == 2
        world.restart(off_s=5)
        world.run(hours=1, least_s=300)
        assert len(reports(world)) == 2


def test_a_channel_that_is_down_gets_the_report_when_it_is_back(tmp_path: Path) -> None:
    with living(tmp_path, "2026-11-23 06:59", alerts={"channels": ["mail"]}) as world:
        world.chats.down.add(OPS)
        world.run(minutes=20, least_s=60)
        assert reports(world) == []
        assert [alert.key for alert in world.state.alerts.open()] == ["report.weekly/ops/unsent"]
        (row,) = reports_table(world.config, world.state, now=world.clock.now()).rows
        assert row == (
            *("weekly", "2026-11-16 to 2026-11-22", at("2026-11-23 07:00"), State("warning", "waits")),
            *("ops", at("2026-11-30 07:00"), "chat.example: connection refused"),
        )
        world.chats.down.clear()
        world.run(minutes=10, least_s=60)
        assert len(reports(world)) == 1
        assert world.state.alerts.open() == ()
        (row,) = reports_table(world.config, world.state, now=world.clock.now()).rows
        assert (row[3], row[-1]) == (State("fine", "accepted"), "")


def test_a_folder_that_cannot_be_written_is_an_alert_with_a_command_and_the_report_follows(
    tmp_path: Path,
) -> None:
    (tmp_path / "reports").write_text("in the way")
    with living(tmp_path, "2026-11-23 06:59", alerts={"channels": ["mail"]}) as world:
        world.run(minutes=20, least_s=60)
        (alert,) = world.state.alerts.open()
        assert alert.key == "report.weekly/report/failed"
        (text,) = world.chats.texts(MAIL)
        assert text.startswith("[box] report.weekly: kein Bericht für Mo 07:00: ")
        assert text.splitlines()[0].endswith("tallyd once report.weekly")
        assert str(tmp_path / "reports") in text
        assert reports(world) == []
        (tmp_path / "reports").unlink()
        world.run(minutes=5, least_s=60)
        assert len(reports(world)) == 1
        assert world.state.alerts.open() == ()


def test_csv_and_json_are_english_and_csv_has_a_file_for_each_poller(tmp_path: Path) -> None:
    with living(
        tmp_path,
        "2026-11-23 06:59",
        reports={
            "weekly": {**WEEKLY, "format": "csv"},
            "all": {**WEEKLY, "at": "06:59:30", "format": "json"},
        },
        language="de",
    ) as world:
        world.run(minutes=3)
        names = sorted(path.name for path in (tmp_path / "reports").iterdir())
        assert names == ["all_2026-11-16_2026-11-22.json", "weekly_2026-11-16_2026-11-22_door.csv"]
        (chapter,) = json.loads((tmp_path / "reports" / names[0]).read_text("utf-8"))
        assert chapter["past"]["said"] == "no readings"


def test_problems_that_are_alike_are_one_and_the_longest_come_first(tmp_path: Path) -> None:
    def view(subject: str, begin: str, end: str | None) -> IncidentView:
        since = at(begin)
        incident = Incident(
            key=f"park/{subject}/no-files",
            text="",
            since=since,
            raised_at=since,
            severities=((since, "error"),),
            ended_at=at(end) if end else None,
        )
        return IncidentView(incident, AlertPolicy(), NO_FILES, at("2026-11-24 07:00"))

    path = tmp_path / "config.json"
    path.write_text('{"name": "box"}')
    chapter = Chapter(
        poller="park",
        kind="visitors",
        zone=BERLIN,
        first=date(2026, 11, 16),
        last=date(2026, 11, 22),
        board=Board(said="1,204 in"),
        incidents=(
            view("12", "2026-11-17 10:00", "2026-11-17 11:00"),
            view("12", "2026-11-18 10:00", "2026-11-18 11:00"),
            view("23", "2026-11-22 12:00", None),
            view("24", "2026-11-10 12:00", "2026-11-16 01:00"),
            view("32", "2026-11-19 12:00", "2026-11-19 12:01"),
        ),
    )
    longest = "23: no files (12 h), 12: no files (2 h, 2 times), 24: no files (1 h)"
    clock = replace(view("12", "2026-11-20 10:00", "2026-11-20 10:20"), kind=CLOCK)
    summary = Summary(name="weekly", chapters=(chapter,), own=(clock,))
    assert message_of(load(path, environ={}), summary).text.splitlines() == [
        "[box] report weekly, 2026-11-16 to 2026-11-22 (Europe/Berlin): 6 problems",
        f"- park: 1,204 in. 5 problems: {longest}, and 1 more.",
        "- tallyd: 1 problem: clock wrong (20 min).",
    ]


def test_a_report_is_not_sent_to_a_channel_that_has_left_the_config(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    channels = {"mail": {"url": MAIL, "language": "de"}}
    with living(tmp_path, "2026-11-23 06:59", alerts={"channels": ["mail"]}) as world:
        world.chats.down.add(OPS)
        world.run(minutes=20, least_s=60)
        assert [alert.key for alert in world.state.alerts.open()] == ["report.weekly/ops/unsent"]
    weekly = {"weekly": {**WEEKLY, "channels": ["mail"]}}
    with living(tmp_path, "2026-11-23 07:30", channels=channels, reports=weekly) as world:
        world.run(minutes=5, least_s=60)
        assert world.state.alerts.open() == ()
        assert world.state.outbox.all("report.weekly") == ()
    assert "delivery crashed" not in caplog.text


def test_a_channel_gets_its_report_while_all_others_are_down(tmp_path: Path) -> None:
    urls = {f"c{number}": f"json://c{number}.example/x" for number in range(5)}
    weekly = {"weekly": {**WEEKLY, "channels": [*urls]}}
    with living(tmp_path, "2026-11-23 06:59", channels=urls, reports=weekly) as world:
        world.chats.down |= {*urls.values()} - {urls["c4"]}
        world.run(minutes=10, least_s=5)
        assert len(reports(world, urls["c4"])) == 1

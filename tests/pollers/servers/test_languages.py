"""Every text of a servers poller is a message: with catalogs that mark what they translate, none is left."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import cache
from typing import Any, cast

import pytest

from core.language.catalogs import translations
from support.past import FakePast, FakeRecords, minutely
from support.translations import Use
from tallyd.contract.board import Asked, AskedError
from tallyd.contract.lags import HourCount, LagRow
from tallyd.core.language.languages import reading_in
from tallyd.core.language.messages import english, translated, translation
from tallyd.core.panels import Board, Chart, Stat, StateTimeline, Table
from tallyd.core.periods import By
from tallyd.core.reading import Facts
from tallyd.core.states import State
from tallyd.pollers.servers.freshness import Known
from tallyd.pollers.servers.poller import ServersPoller
from tallyd.pollers.servers.rounds.target_memory import TargetMemory
from tallyd.pollers.servers.sources.file import FileAnswer
from tallyd.pollers.servers.sources.source import Answer

NOW = datetime(2026, 11, 20, 13, 0, tzinfo=UTC)
URL = {"url": "http://127.0.0.1:9/version"}
HOURS = [
    ("PROD", "2026-11-20 08:00:00", minutely(60, 50, 10, 9.0)),
    ("PROD", "2026-11-20 09:00:00", HourCount(60, 90_000.0, stale_s=3600.0)),
    ("JOB", "2026-11-20 08:00:00", HourCount(1, None, invalid_s=60.0)),
]
LAGS = [LagRow("PROD", "2026-11-20 09:00:00", None, 90_000.0, "stale", None)]
MEMORY = TargetMemory(known={"PROD": Known(state="late", since=NOW, computed_at=NOW)}, written_at=NOW)
SETTINGS = ServersPoller.model_validate_json(
    json.dumps(
        {
            "kind": "servers",
            "targets": {
                "PROD": {**URL, "group": "prod", "tags": ["app"]},
                "JOB": {**URL, "group": "jobs", "due": [{"by": "06:00"}], "record": False},
            },
        }
    )
)
EMPTY = ServersPoller.former()


def past(*, is_empty: bool = False, **keys: Any) -> FakePast:
    held = FakeRecords() if is_empty else FakeRecords(hours=HOURS, lags=LAGS)
    return FakePast(poller="apps", now=NOW, held=held, in_memory={"check": {"memory": MEMORY}}, **keys)


def asked(by: By | None = None, *, back: str = "", last: date = date(2026, 11, 20), **options: str) -> Asked:
    if back:
        return Asked.read(today=last, back=back, options=options, default_days=SETTINGS.default_days)
    return Asked(first=last, last=last, by=by, options=options)


BOARDS: dict[str, Callable[[], Board]] = {
    "now": lambda: SETTINGS.now_board(past()),
    "nothing now": lambda: EMPTY.now_board(past()),
    "a target": lambda: SETTINGS.subject_board(past(), "PROD"),
    "a target that is due": lambda: SETTINGS.subject_board(past(is_empty=True), "JOB"),
    "a target that has left": lambda: SETTINGS.subject_board(past(), "GONE"),
    "no database": lambda: SETTINGS.subject_board(FakePast(poller="apps", now=NOW, trouble="away"), "PROD"),
    "days": lambda: SETTINGS.past_board(past(), asked()),
    "days of a group": lambda: SETTINGS.past_board(past(), asked(group="prod")),
    "days without checks": lambda: SETTINGS.past_board(past(is_empty=True), asked()),
    "days to come": lambda: SETTINGS.past_board(past(), asked(last=date(2026, 11, 22))),
    "by day": lambda: SETTINGS.past_board(past(), asked("day")),
    "days of a target": lambda: SETTINGS.past_board(past(), asked(target="PROD")),
    "a target without a lag": lambda: SETTINGS.past_board(past(), asked(target="JOB")),
    "a target without checks": lambda: SETTINGS.past_board(past(is_empty=True), asked(target="PROD")),
    "a target by hour": lambda: SETTINGS.past_board(past(), asked("hour", target="PROD")),
    "a reading": lambda: SETTINGS.reading_board({"counts": {"fresh": 2, "future": 1}}),
    "a round": lambda: SETTINGS.summary_board(SUMMARY),
}
SUMMARY: Facts = {"targets": [{"target": "PROD", "state": "late", "lag_s": 7.0, "since": NOW.isoformat()}]}


@cache
def quoted(domain: str) -> Mapping[str, str]:
    """Return a catalog that puts every message in quotes."""
    return {each: f"«{each}»" for each in translations(domain, "de")}


@pytest.fixture
def marked(use_translations: Use) -> Iterator[None]:
    """Read in a language whose every message is in quotes."""
    use_translations(tallyd=quoted("tallyd"), stored=quoted("stored"))
    with reading_in("de"):
        yield


def texts_of(board: Board) -> Iterator[str]:
    yield from (board.said, *board.notes, *board.troubles)
    for choice in board.choices:
        yield from (choice.label, choice.values[0][1])
    for panel in (*board.panels, *board.details):
        yield from _texts_of_panel(panel)


def _texts_of_panel(panel: object) -> Iterator[str]:
    match panel:
        case Stat():
            yield from (panel.name, panel.note, *_state_of(panel.value))
        case Table():
            yield from (panel.title, panel.nothing, *(column.heading for _, column in panel.shown))
            yield from (word for row in panel.rows for cell in row for word in _state_of(cell))
        case Chart():
            yield from (panel.title, panel.nothing, panel.limit.name if panel.limit else "")
            yield from _texts_of_panel(panel.table)
        case StateTimeline():
            yield from (panel.title, panel.nothing)
            yield from _texts_of_panel(panel.table)
        case _:
            raise AssertionError(f"how {panel} is read is not known here")


def _state_of(cell: object) -> Iterator[str]:
    if isinstance(cell, State):
        yield translation(cell.word)  # as renderers do


@pytest.mark.usefixtures("marked")
@pytest.mark.parametrize("made", BOARDS.values(), ids=BOARDS)
def test_every_text_of_a_board_is_a_message(made: Callable[[], Board]) -> None:
    texts = [text for text in texts_of(made()) if text]
    assert texts
    assert [text for text in texts if not re.fullmatch(r"«.*»", text)] == []


@pytest.mark.parametrize("made", BOARDS.values(), ids=BOARDS)
def test_what_programs_read_of_a_board_is_the_same_in_every_language(
    made: Callable[[], Board], use_translations: Use
) -> None:
    def read(board: Board) -> list[object]:
        panels = [cast("Any", each).table if isinstance(each, Chart) else each for each in board.panels]
        return [
            (panel.value if isinstance(panel, Stat) else [(c.key, c.unit) for c in panel.columns])
            for panel in panels
            if isinstance(panel, Stat | Table)
        ]

    in_english = read(made())
    use_translations(tallyd=quoted("tallyd"), stored=quoted("stored"))
    with reading_in("de"):
        assert read(made()) == in_english


@pytest.mark.usefixtures("marked")
def test_labels_notes_and_questions_are_messages() -> None:
    titles = [
        states.title
        for wanted in (asked(), asked(back="24h"))
        if (states := SETTINGS.states(past(), wanted)) is not None
    ]
    assert len(titles) == 2
    questions = [translation(text) for each in SETTINGS.questions() for text in (each.text, each.help)]
    for text in (*titles, *questions, *SETTINGS.found_headings(), SETTINGS.last_label()):
        assert re.fullmatch(r"«.*»", text)


@pytest.mark.usefixtures("marked")
@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"target": "GONE"}, '«no target "GONE" was checked in these days; there are «PROD and JOB»»'),
        ({"target": "JOB", "group": "prod"}, '«"JOB" is not in the group "prod"; leave out one of them»'),
    ],
    ids=["no such target", "of another group"],
)
def test_what_a_page_can_be_asked_for_in_vain_is_said_in_its_language(
    options: dict[str, str], why: str
) -> None:
    with pytest.raises(AskedError) as caught:
        SETTINGS.past_board(past(), replace(asked(), options=options))
    assert str(caught.value) == why


HTTP = Answer(at=NOW, place="app.example:80", status="200")
SQL = Answer(at=NOW, place="db.example")
FILE = FileAnswer(at=NOW, place="/export/*.csv")


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        (HTTP.unusable("xyz"), "«app.example:80 answered HTTP 200 xyz»"),
        (
            HTTP.unusable(english("without an item")),
            "«app.example:80 answered HTTP 200 «without an item»»",
        ),
        (HTTP.misdated("data.time", "xyz"), "«app.example:80 answered HTTP 200, but data.time is xyz»"),
        (
            HTTP.misdated("header Last-Modified", "xyz"),
            "«app.example:80 answered HTTP 200, but header Last-Modified is xyz»",
        ),
        (SQL.unusable("xyz"), "«db.example answered xyz»"),
        (SQL.misdated("the value", "xyz"), "«db.example answered, but the value is xyz»"),
        (FILE.misdated("its time", "xyz"), "«/export/*.csv matches a file, but its time is xyz»"),
    ],
    ids=["http", "nested", "no time", "header", "database", "no time in a database", "file"],
)
def test_why_a_check_found_no_time_is_shown_in_the_language_of_its_reader(
    stored: str, shown: str, use_translations: Use
) -> None:
    assert translated(stored) == stored == re.sub("[«»]", "", shown)
    use_translations(stored=quoted("stored"))
    with reading_in("de"):
        told = translated(stored)
    for named in ("header Last-Modified", "the value", "its time"):  # have messages of their own
        told = told.replace(f"«{named}»", named)
    assert told == shown

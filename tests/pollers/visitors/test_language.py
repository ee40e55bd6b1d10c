"""What people read of visitors is made of messages, so that it can have any language.

In the language of these tests, every message is the English one between guillemets.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Final

import pytest

from core.language.catalogs import translations
from pollers.visitors import test_board
from pollers.visitors.test_board import ROWS, asked, in_outbox, kept, minute, past, poller, stored_report
from support.past import BERLIN, instant
from support.translations import catalogs_of
from tallyd.contract.board import Asked, AskedError
from tallyd.contract.corrections import Correction
from tallyd.core.language.languages import reading_in
from tallyd.core.language.messages import english, translated, translation
from tallyd.core.panels import Board, Chart, Stat, tables_of
from tallyd.core.periods import LABELS
from tallyd.core.reading import Json
from tallyd.core.states import State
from tallyd.pollers.visitors.file_settings import IntervalFields
from tallyd.pollers.visitors.ingest.interval_parser import IntervalReading
from tallyd.pollers.visitors.ingest.json_stream import RejectedError
from tallyd.pollers.visitors.ingest.minute_counts import FROM_AHEAD
from tallyd.pollers.visitors.ingest.record_parser import Reading
from tallyd.pollers.visitors.ingest.shape import Shape
from tallyd.pollers.visitors.ingest.typed_records import RecordDecoder

NOW: Final = instant("2026-11-20T10:30")
NO_SUCH_TIME: Final = "time did not exist: clocks went forward over it"
SHAPE: Final = Shape(
    person="ID",
    direction="inOut",
    time="time",
    frame="frameNumber",
    way_in=0,
    way_out=1,
    time_format="%Y%m%d%H%M%S",
    zone=BERLIN,
)


@cache
def catalog(domain: str) -> Mapping[str, str]:
    """Return a catalog that has all messages of a domain in the code."""
    return {each: f"«{each}»" for each in translations(domain, "de")}


@pytest.fixture(autouse=True)
def _reader() -> Iterator[None]:
    with catalogs_of(lambda domain, _wanted: catalog(domain)), reading_in("de"):
        yield


def texts(board: Board) -> Iterator[str]:
    """Yield all texts of a board that are not data."""
    yield from (board.said, *board.notes, *board.troubles)
    for choice in board.choices:
        yield from (choice.label, *(label for value, label in choice.values if not value))
    panels = (*board.panels, *board.details)
    for panel in panels:
        if isinstance(panel, Stat):
            yield from (panel.name, panel.note)
        elif isinstance(panel, Chart):
            yield panel.nothing
    for table in tables_of(panels):
        yield from (table.title, table.nothing, *(column.heading for _, column in table.shown))
        yield from (translation(cell.word) for row in table.rows for cell in row if isinstance(cell, State))


def not_messages(board: Board) -> list[str]:
    return [each for each in texts(board) if each and not (each.startswith("«") and each.endswith("»"))]


REPORTS: Final[dict[str, Json]] = {
    "report": {"every": "5m", "url": "https://127.0.0.1/", "ssid": "SS-1", "success": None}
}
CORRECTED: Final = Correction(
    source="12",
    at=instant("2026-11-20T09:30"),
    inside=5,
    why="counted at the gates",
    by="anna",
    noted_at=instant("2026-11-20T09:30"),
)


@pytest.mark.parametrize("has_rows", [True, False], ids=["rows", "nothing"])
@pytest.mark.parametrize("has_files", [True, False], ids=["files", "no file"])
def test_today(has_rows: bool, has_files: bool) -> None:
    found = past(
        *(ROWS if has_rows else ()),
        in_memory=kept(_12="2026-11-20T10:29") if has_files else {},
        open_alerts=frozenset({"park/12/no-files"}),
        stored=(stored_report("2026-11-20T10:20", "off"), stored_report("2026-11-20T10:15", "skipped")),
        messages=(in_outbox("2026-11-20T10:25", "parked"),),
    )
    found.held.corrected = (CORRECTED,) if has_rows else ()
    board = poller(**REPORTS).now_board(found)
    assert not_messages(board) == []
    reports = next(each for each in tables_of(board.details) if each.key == "reports")
    assert set(reports.cells("payload")) == {
        "«inside 1, in 2, out 1»",
        "«inside 7, in 12, out 5»",
    }
    assert not_messages(poller(**REPORTS).now_board(past(next_at=NOW))) == []


@pytest.mark.parametrize(
    "days",
    [asked(), asked("2026-11-19"), asked("2026-11-01"), *(asked("2026-10-01", by=by) for by in LABELS)],
)
def test_past_days(days: Asked) -> None:
    found = past(*ROWS, minute("2026-11-13T10:29", 5))
    found.held.corrected = (CORRECTED,)
    assert not_messages(poller().past_board(found, days)) == []
    assert not_messages(poller().past_board(past(), days)) == []


@pytest.mark.parametrize("source", ["12", "former"])
def test_one_source(source: str) -> None:
    assert not_messages(poller().subject_board(past(*ROWS), source)) == []


def test_what_a_run_by_hand_did() -> None:
    content: dict[str, Json] = {**test_board.TestOnce.CONTENT, "final": True}
    assert not_messages(poller().reading_board(content)) == []
    files: Json = dict.fromkeys(("done", "repeat", "empty", "rejected", "waiting", "unsettled"), 2)
    refused: Json = [{"name": "a.json", "source": "12", "reason": english("is not UTF-8")}]
    board = poller().summary_board({"files": files, "records": 12, "skipped": 1, "refused": refused})
    assert not_messages(board) == []
    (table,) = tables_of(board.panels)
    assert table.cells("reason") == ("«is not UTF-8»",)


@pytest.mark.parametrize(
    "options", [{"source": "12", "group": "zone five"}, {"group": "zone fiv"}, {"source": "x"}]
)
def test_what_there_is_not(options: dict[str, str]) -> None:
    with pytest.raises(AskedError, match=r"^«.*»$"):
        poller().past_board(past(*ROWS), asked(options=options))


# -- why a file is rejected: stored in English, shown to a reader ------------------------------------------


def passage(**changed: Json) -> Json:
    return {"ID": 1, "inOut": 0, "time": "20261120101500", **changed}


def why_not(content: object, *, intervals: bool = False) -> str:
    """Return why a file with this content is rejected."""
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    reading = (
        IntervalReading(IntervalFields(), SHAPE, NOW) if intervals else Reading(RecordDecoder(SHAPE), NOW)
    )
    with reading_in("en"), pytest.raises(RejectedError) as caught:
        reading.whole(data)
    return str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0\0\0\0",
        b"\xff\xfe[\0",
        b'["\xff"]',
        b"{}",
        b"[1",
        b"[1] 2",
        b"[{} {}]",
        b"[?]",
        b"[NaN]",
        b"[1e999]",
        b'[{"a": 1, "a": 2}]',
        b'["\\u0000"]',
        b'["\\ud800"]',
        b"[" + b"1" * 5000 + b"]",
        b"[" * 200_000,
    ],
)
def test_why_a_file_cannot_be_read(content: bytes) -> None:
    stored = why_not(content)
    assert translated(stored) == f"«{stored}»"


@pytest.mark.parametrize(
    ("content", "shown"),
    [
        ([passage(), 1], "«record 2: «is not an object»»"),
        ([passage(ID=-1)], '«record 1: «"ID" is not a whole number from 0 to 2^63 - 1»»'),
        ([passage(inOut=None)] * 2, '«records 1 and 2: «"inOut" is not a direction»»'),
        ([{"ID": 1, "inOut": 0}] * 3, '«records 1, 2 and 3: «"time" is missing»»'),
        ([passage(frameNumber="")], '«record 1: «"frameNumber" is not a whole number»»'),
        ([passage(time=5)], '«record 1: «"time" is not a time in quotes»»'),
        ([passage(time="5")], "«record 1: «time does not match time_format»»"),
        (
            [passage(time="20260329023000")] * 1300,
            f"«records {', '.join(map(str, range(1, 11)))} and 1.290 more: «{NO_SUCH_TIME}»»",
        ),
        (
            [passage(time="20261120105500"), 1, {}],
            f'«record 1: «{FROM_AHEAD}»»«; »«record 2: «is not an object»»«; »«record 3: «"ID" is missing»»',
        ),
    ],
)
def test_why_records_are_bad(content: list[Json], shown: str) -> None:
    assert translated(why_not(content)) == shown


def interval(**changed: Json) -> Json:
    return {"start": "20261120101500", "end": "20261120102000", "in": 1, "out": 2, **changed}


@pytest.mark.parametrize(
    ("content", "shown"),
    [
        (b"<html>", "«is a file «without JSON (a web page)»»"),
        ({}, "«has no list of intervals at its root»"),
        ([None], "«record 1: «is null»»"),
        ([interval(end="20261120101500")], '«record 1: «"end" is not after "start"»»'),
        ([interval(start="20261118101500")], '«record 1: «"end" is more than a day after "start"»»'),
        ([interval(out=-1)], '«record 1: «"out" is not a whole number from 0 to 1.000.000»»'),
    ],
)
def test_why_a_file_of_intervals_is_rejected(content: object, shown: str) -> None:
    assert translated(why_not(content, intervals=True)) == shown

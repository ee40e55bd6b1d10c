"""How a log line looks in the file, on a terminal and in the journal, and what it never contains."""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any, TextIO
from zoneinfo import ZoneInfo

import pytest

from support.logs import OWN, lines_of, logging_to, read_pipe
from tallyd.adapters.logs import Logs

CONTROLS = "a\nb\r\x1b[31m\x00\x85\u2028\u202e\ufeff\ud800\U000e0041"
ANY_CONTROL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202e\ufeff\ud800-\udfff\U000e0041]")


class Broken:
    def __str__(self) -> str:
        raise RuntimeError("can't say")


class Chatty:
    def __str__(self) -> str:
        OWN.warning("asked for my name", extra={"by": self})
        return "chatty"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log" / "tallyd.log"


@pytest.fixture
def pipe() -> Iterator[tuple[int, TextIO]]:
    reader, writer = os.pipe()
    with os.fdopen(writer, "w", encoding="utf-8", errors="backslashreplace") as stream:
        yield reader, stream
    os.close(reader)


@pytest.fixture
def terminal() -> Iterator[tuple[int, TextIO]]:
    reader, writer = os.openpty()
    with os.fdopen(writer, "w", encoding="utf-8") as stream:
        yield reader, stream
    os.close(reader)


def test_a_line_of_the_file_is_one_json_object(path: Path) -> None:
    before = datetime.now(UTC)
    with logging_to(path):
        OWN.info(
            "reading taken", extra={"total": 18, "counts": {"50101": 12}, "job": "count", "poller": "divera"}
        )
    (line,) = lines_of(path)
    assert list(line) == ["time", "level", "event", "poller", "job", "total", "counts"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["time"])
    assert abs((datetime.fromisoformat(line.pop("time")) - before).total_seconds()) < 60
    assert line == {
        "level": "INFO",
        "event": "reading taken",
        "poller": "divera",
        "job": "count",
        "total": 18,
        "counts": {"50101": 12},
    }


def test_a_library_is_named_beside_its_message(path: Path) -> None:
    with logging_to(path):
        logging.getLogger("a.library").warning("lost %d of %d", 1, 2)
    (line,) = lines_of(path)
    assert (line["event"], line["logger"]) == ("lost 1 of 2", "a.library")


@pytest.mark.parametrize("name", ["time", "level", "event", "logger", "exception", "stack"])
def test_data_never_takes_the_place_of_what_the_line_itself_says(path: Path, name: str) -> None:
    with logging_to(path):
        OWN.error("x", extra={name: "mine"})
    (line,) = lines_of(path)
    assert line[f"{name}_"] == "mine"
    assert (line["event"], line["level"]) == ("x", "ERROR")


def test_an_exception_is_one_text_with_its_traceback(path: Path) -> None:
    with logging_to(path):
        try:
            int("first\nsecond")
        except ValueError:
            OWN.exception("it failed")
    (line,) = lines_of(path)
    assert line["exception"].startswith("Traceback (most recent call last):\n")
    assert line["exception"].endswith(r"ValueError: invalid literal for int() with base 10: 'first\nsecond'")


def test_exc_info_without_an_exception_is_left_out(path: Path) -> None:
    with logging_to(path):
        OWN.warning("nothing failed", exc_info=True)
    assert "exception" not in lines_of(path)[0]


def test_a_stack_is_one_text(path: Path) -> None:
    with logging_to(path):
        OWN.warning("how did this come", stack_info=True)
    assert lines_of(path)[0]["stack"].startswith("Stack (most recent call last):\n")


def test_a_terminal_shows_readable_lines(terminal: tuple[int, TextIO]) -> None:
    reader, stream = terminal
    with logging_to(stream=stream, zone=ZoneInfo("Europe/Berlin")):
        OWN.warning(
            "slot missed", extra={"poller": "divera", "job": "count", "due": "08:00", "why": "was off"}
        )
    now = datetime.now(ZoneInfo("Europe/Berlin"))
    shown = read_pipe(reader).replace("\r\n", "\n")
    assert re.fullmatch(
        r'\d\d:\d\d:\d\d CES?T WARNING divera count: slot missed due=08:00 why="was off"\n', shown
    )
    assert shown[:2] in {f"{now:%H}", f"{(now.hour - 1) % 24:02}"}


def test_a_stderr_that_is_kept_for_later_shows_the_day_too() -> None:
    with logging_to(stream=(stream := StringIO()), zone=UTC):
        OWN.info("started")
        logging.getLogger("apprise").warning("no answer")
    first, second = stream.getvalue().splitlines()
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC INFO started", first)
    assert second.endswith(" WARNING apprise: no answer")


def test_the_journal_gets_priorities_and_no_time(
    pipe: tuple[int, TextIO], monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, stream = pipe
    found = os.fstat(stream.fileno())
    monkeypatch.setenv("JOURNAL_STREAM", f"{found.st_dev}:{found.st_ino}")
    with logging_to(stream=stream, level="DEBUG"):
        OWN.debug("looked")
        OWN.info("started", extra={"poller": "divera"})
        OWN.error("failed", exc_info=ValueError("one\n<0>08:00:00 CRITICAL forged"))
        OWN.critical("over")
    shown = read_pipe(reader)
    assert shown.startswith(
        "<7>DEBUG looked\n<6>INFO divera: started\n<3>ERROR failed\n<3>  ValueError: one\n"
    )
    assert shown.endswith("\n<3>  ValueError: one\n<3>  <0>08:00:00 CRITICAL forged\n<2>CRITICAL over\n")


def test_another_stream_than_the_journals_gets_times(
    pipe: tuple[int, TextIO], monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, stream = pipe
    monkeypatch.setenv("JOURNAL_STREAM", "8:4711")  # the parent's, before stderr was redirected
    with logging_to(stream=stream):
        OWN.info("started")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \S+ \S+ INFO started\n", read_pipe(reader))


def test_no_control_character_reaches_a_line(path: Path) -> None:
    with logging_to(path, stream=(stream := StringIO())):
        OWN.info("x" + CONTROLS, extra={"k" + CONTROLS: CONTROLS, "poller": CONTROLS, "nested": [CONTROLS]})
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") == stream.getvalue().count("\n") == 1
    assert not ANY_CONTROL.search(text + stream.getvalue())
    line = json.loads(text)
    assert line["nested"][0].startswith("a\nb\r\x1b[31m\x00\x85\u2028\u202e")


STRANGE = {
    "a value that can't be shown": (
        lambda: OWN.info("x", extra={"v": Broken()}),
        "x",
        {"v": "<Broken: str() raised RuntimeError>"},
    ),
    "arguments that do not fit": (lambda: OWN.info("%d of", "x"), "%d of ['x']", {}),
    "an argument that can't be shown": (
        lambda: OWN.info("%s", Broken()),
        "%s ['<Broken: str() raised RuntimeError>']",
        {},
    ),
    "a message that can't": (lambda: OWN.info(Broken()), "<Broken: str() raised RuntimeError> []", {}),
    "a message that is a mapping": (lambda: OWN.info({"a": 1}), "{'a': 1}", {}),
    "NaN": (lambda: OWN.info("x", extra={"v": float("nan")}), "x", {"v": "nan"}),
    "huge": (lambda: OWN.info("x", extra={"v": 10**5000}), "x", {"v": "<int: str() raised ValueError>"}),
}


@pytest.mark.parametrize(("say", "event", "data"), STRANGE.values(), ids=STRANGE)
def test_a_strange_value_is_still_logged(
    path: Path, say: Callable[[], None], event: str, data: dict[str, Any]
) -> None:
    with logging_to(path, stream=(stream := StringIO())):
        say()
    (line,) = lines_of(path)
    assert line["event"] == event
    assert data.items() <= line.items()
    assert stream.getvalue().count("\n") == 1


def test_a_value_that_logs_when_it_is_shown_does_not_go_on_for_ever(path: Path) -> None:
    with logging_to(path, stream=(stream := StringIO())):
        OWN.info("x", extra={"v": Chatty()})
    assert [line["event"] for line in lines_of(path)] == ["asked for my name", "x"]
    assert stream.getvalue().count("\n") == 2


def test_a_line_that_cannot_be_formatted_is_replaced_by_one_that_says_so(path: Path) -> None:
    class Endless(dict[str, int]):
        def items(self) -> Any:
            raise RuntimeError("changed while it was read")

    with logging_to(path):
        OWN.info("x", extra={"v": Endless(a=1)})
    (line,) = lines_of(path)
    assert line["event"] == "a log line could not be formatted"
    assert (line["from"], line["why"]) == ("tallyd.test", "<class 'RuntimeError'>")


def test_a_closed_stderr_does_not_stop_the_log(path: Path) -> None:
    stream = StringIO()
    with logging_to(path, stream=stream):
        stream.close()
        OWN.info("still there")
    assert len(lines_of(path)) == 1


def test_a_command_logs_to_stderr_only(tmp_path: Path) -> None:
    with logging_to(level="WARNING", stream=(stream := StringIO())) as logs:
        OWN.info("not shown")
        OWN.warning("shown")
        logs.try_again()
    assert stream.getvalue().endswith("WARNING shown\n")
    assert stream.getvalue().count("\n") == 1
    assert logs.failure is None
    assert list(tmp_path.iterdir()) == []


def test_a_reload_changes_the_level_and_adds_secrets(path: Path) -> None:
    with logging_to(path, secrets=["old-key-1"]) as logs:
        OWN.debug("before")
        logs.reconfigure(level="DEBUG", secrets=["new-key-2"])
        OWN.debug("after", extra={"keys": "old-key-1 new-key-2"})
        assert logs.redact("old-key-1, new-key-2") == "***, ***"
    (line,) = lines_of(path)
    assert (line["event"], line["keys"]) == ("after", "*** ***")


def test_stopping_gives_everything_back() -> None:
    def state() -> tuple[object, ...]:
        root, own = logging.getLogger(), logging.getLogger("tallyd")
        hooks = (sys.excepthook, threading.excepthook, sys.unraisablehook, warnings.showwarning)
        return (root.level, own.level, list(root.handlers), logging.raiseExceptions, *hooks)

    before = state()
    Logs(level="DEBUG", stream=StringIO()).stop()
    assert state() == before

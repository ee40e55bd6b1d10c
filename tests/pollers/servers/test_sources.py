"""What every source of a time must do: each state, reasons without secrets, and ten thousand targets."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import socket
import sqlite3
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol, cast

import pytest

from support.apps import NOW, Rounds, app, http_date
from support.rawserver import Connection, RawServer, answer, serving
from support.wording import text_of
from tallyd.core.alerts.rules import unwatched
from tallyd.core.json_reply import Unreadable
from tallyd.pollers.servers.freshness import STATES
from tallyd.pollers.servers.rounds.target_memory import MOST_ITEMS, memory_of
from tallyd.pollers.servers.sources.extraction import JsonField, ReplyHeader, TextMatch

CANARY = "canary-8f3a-secret"


class Subject(Protocol):
    """Something with data whose time tallyd learns from one kind of source."""

    def computed(self, at: datetime | None) -> None:
        """Have data of then; None: data without a time."""

    def leave(self) -> None:
        """Be there no longer."""

    def rounds(self) -> Rounds:
        """Return the rounds of a poller with it as the target `PROD`."""


class Server:
    """A server whose reply is written by one of the functions below."""

    def __init__(self, folder: Path, write: Callable[[datetime | None], bytes], keys: dict[str, Any]) -> None:
        self._write = write
        self._stack = contextlib.ExitStack()
        self._reply: bytes | None = None
        server = self._stack.enter_context(serving(app(self._page)))
        secrets = {"headers": {"X-Key": CANARY}, "auth": {"user": "tallyd", "password": CANARY}}
        self._rounds = Rounds(server, folder, targets={"PROD": keys | secrets}, keys={"every": "20s"})

    def _page(self, connection: Connection, _path: str) -> None:
        assert f"X-Key: {CANARY}".encode() in connection.server.heads[-1]
        if self._reply is None:
            connection.reset()
        else:
            connection.send(self._reply)

    def computed(self, at: datetime | None) -> None:
        self._reply = self._write(at)

    def leave(self) -> None:
        self._reply = None

    def rounds(self) -> Rounds:
        return self._rounds

    def close(self) -> None:
        self._rounds.close()
        self._stack.close()


def field(at: datetime | None) -> bytes:
    return answer(json.dumps({"computed_time": at.isoformat() if at else None, "key": CANARY}).encode())


def query(at: datetime | None) -> bytes:
    jobs = [{"name": "a", "at": at.timestamp() if at else CANARY}, {"name": "b", "at": 1.5e9}]
    return answer(json.dumps({"jobs": jobs}).encode())


def header(at: datetime | None) -> bytes:
    return answer(Last_Modified=http_date(at) if at else CANARY)


def text(at: datetime | None) -> bytes:
    return answer(f"# {CANARY}\nupdated: {f'{at:%Y-%m-%d %H:%M:%S +0000}' if at else CANARY}\n".encode())


SERVERS: dict[str, tuple[Callable[[datetime | None], bytes], dict[str, Any], str]] = {
    "field": (field, {}, "but computed_time is null"),
    "jmespath": (
        query,
        {"field": "max(jobs[].at)", "format": "epoch"},
        "cannot be applied: max() got a list with a number",
    ),
    "header": (header, {"header": "last-modified"}, "but header last-modified is no time of ISO 8601"),
    "text": (text, {"text": r"^updated: (.*)$"}, "but the text found is no time of ISO 8601"),
}


class Files:
    """A folder with files: the newest tells, older ones and folders do not."""

    def __init__(self, folder: Path, server: RawServer) -> None:
        self._folder = folder / "export"
        self._folder.mkdir()
        self._rounds = Rounds(
            server, folder, targets={"PROD": {"file": f"{self._folder}/*.csv"}}, keys={"every": "20s"}
        )

    def computed(self, at: datetime | None) -> None:
        self._folder.mkdir(exist_ok=True)
        for name, seconds in (("old.csv", -86400.0), ("new.csv", 0.0), ("other.txt", 60.0)):
            path = self._folder / name
            path.unlink(missing_ok=True)
            if at is not None:
                path.touch()
                os.utime(path, (at.timestamp() + seconds,) * 2)
        (self._folder / "folder.csv").mkdir(exist_ok=True)

    def leave(self) -> None:
        shutil.rmtree(self._folder)

    def rounds(self) -> Rounds:
        return self._rounds

    def close(self) -> None:
        self._rounds.close()


class Table:
    """A table of a database."""

    def __init__(self, folder: Path, server: RawServer) -> None:
        self._path = folder / f"orders-{CANARY}.db"
        with sqlite3.connect(self._path) as connection:
            connection.execute("CREATE TABLE orders (id INTEGER, at TEXT)")
        sql = {"url": f"sqlite:///{self._path}", "query": "SELECT max(at) FROM orders WHERE id % 1 = 0"}
        self._rounds = Rounds(server, folder, targets={"PROD": {"sql": sql}}, keys={"every": "20s"})

    def computed(self, at: datetime | None) -> None:
        with sqlite3.connect(self._path) as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS orders (id INTEGER, at TEXT)")
            connection.execute("DELETE FROM orders")
            if at is not None:
                connection.execute("INSERT INTO orders VALUES (1, ?)", (f"{at:%Y-%m-%d %H:%M:%S}+00:00",))

    def leave(self) -> None:
        self._path.unlink()

    def rounds(self) -> Rounds:
        return self._rounds

    def close(self) -> None:
        self._rounds.close()


INVALID = {
    **{kind: reason for kind, (_, _, reason) in SERVERS.items()},
    "file": "/export/*.csv matches no file",
    "sql": ") answered, but the value is null",
}


@pytest.fixture(params=INVALID)
def kind(request: pytest.FixtureRequest) -> str:
    return cast("str", request.param)


@pytest.fixture
def subject(kind: str, tmp_path: Path) -> Iterator[Subject]:
    made: Server | Files | Table
    if kind in SERVERS:
        write, keys, _ = SERVERS[kind]
        made = Server(tmp_path, write, keys)
    else:
        unused = RawServer(socket.socket(), 0)
        unused.listener.close()
        made = Files(tmp_path, unused) if kind == "file" else Table(tmp_path, unused)
    yield made
    made.close()


def found(subject: Subject) -> dict[str, Any]:
    reading = subject.rounds().round()
    assert CANARY not in repr(reading).replace(f"orders-{CANARY}.db", "")
    result: dict[str, Any] = cast("Any", reading.facts)["targets"]["PROD"]
    return result


@pytest.mark.parametrize("state", STATES)
def test_each_state_is_found(subject: Subject, kind: str, state: str) -> None:
    ages_s = {"fresh": 60, "late": 600, "stale": 1000, "future": -300}
    if state in ages_s:
        subject.computed(NOW - timedelta(seconds=ages_s[state]))
    elif state == "invalid":
        subject.computed(None)
    else:
        subject.leave()
    result = found(subject)
    assert result["state"] == state
    assert result["lag_s"] == (pytest.approx(ages_s[state], abs=1.5) if state in ages_s else None)
    if state == "invalid":
        assert INVALID[kind] in result["reason"]
    assert ("reason" in result) is (state not in ages_s)


def test_one_that_comes_and_goes_is_followed(subject: Subject) -> None:
    states = []
    for at in (NOW, None, NOW):
        if at is None:
            subject.leave()
        else:
            subject.computed(at)
        states.append(found(subject)["state"])
    assert states == ["fresh", "unreachable", "fresh"]


def test_what_a_person_sees_of_it_has_no_secret(subject: Subject) -> None:
    (target,) = subject.rounds().poller().checked
    assert target.source.address
    shown = target.source.address + target.source.named + repr(target)
    assert CANARY not in shown.replace(f"orders-{CANARY}.db", "")


TIMELESS = {
    "no job": ({"field": "jobs[?ok].at | [0]"}, b'{"jobs": []}', "without a value for"),
    "no list": ({"field": "max(a)"}, b'{"a": "x"}', "max(a) cannot be applied: max() got a text"),
    "no number": ({"field": "abs(a[0])"}, b'{"a": [[]]}', "cannot be applied: abs() got a list"),
    "an object": ({"field": "a[0].b"}, b'{"a": [{"b": {}}]}', "is an object, no time"),
    "a page": ({"field": "a[0]"}, b"<html>", "without JSON (a web page)"),
    "none": ({"header": "X-Built"}, b"{}", "answered HTTP 200 without header X-Built"),
    "no text": ({"text": "at (.*)"}, b"now", "answered HTTP 200 without a match of `text`"),
    "a part is missing": ({"text": "now( at.*)?"}, b"now", "without a match of `text`"),
    "no UTF-8": ({"text": "at (.*)"}, b"at \xff\xfe", "but the text found is no time"),
}


@pytest.mark.parametrize(("keys", "body", "reason"), TIMELESS.values(), ids=TIMELESS)
def test_a_reply_without_the_time_says_what_is_missing(
    tmp_path: Path, keys: dict[str, Any], body: bytes, reason: str
) -> None:
    with serving(app(lambda connection, _path: connection.send(answer(body)))) as server:
        rounds = Rounds(server, tmp_path, targets={"PROD": keys}, keys={"every": "20s"})
        target = cast("Any", rounds.round().facts)["targets"]["PROD"]
        rounds.close()
    assert target["state"] == "invalid"
    assert reason in target["reason"]


def test_a_question_is_posted_with_who_asks(tmp_path: Path) -> None:
    """Many APIs tell how old data is only to a query with a body."""
    asked: list[bytes] = []

    def page(connection: Connection, _path: str) -> None:
        length = re.search(rb"Content-Length: (\d+)", connection.server.heads[-1])
        assert length
        asked.append(connection.sock.recv(int(length[1])))
        connection.send(field(NOW))

    own = {
        "method": "POST",
        "body": {"query": "{ größe }"},
        "auth": {"bearer": CANARY},
    }
    with serving(app(page)) as server:
        rounds = Rounds(server, tmp_path, targets={"PROD": own}, keys={"every": "20s"})
        for _ in range(2):
            assert cast("Any", rounds.round(after_s=900).facts)["counts"]["invalid"] == 0
        rounds.close()
    assert asked == ['{"query": "{ größe }"}'.encode()] * 2
    assert f"Authorization: Bearer {CANARY}\r\n".encode() in server.heads[0]
    assert b"Content-Type: application/json\r\n" in server.heads[0]
    assert server.connections == 1


def test_a_large_file_on_a_server_is_asked_for_its_headers_alone(tmp_path: Path) -> None:
    head = header(NOW).replace(b"Content-Length: 0", b"Content-Length: 5000000000")
    own = {"method": "HEAD", "header": "Last-Modified"}
    with serving(app(lambda connection, _path: connection.send(head))) as server:
        rounds = Rounds(server, tmp_path, targets={"PROD": own}, keys={"every": "20s"})
        assert cast("Any", rounds.round().facts)["counts"]["fresh"] == 1
        rounds.close()


@pytest.mark.parametrize("kind", ["file", "sql"], indirect=True)
def test_ten_thousand_are_checked_in_no_time(subject: Subject, tmp_path: Path) -> None:
    """A thousand of them, which take a tenth of it."""
    subject.computed(NOW)
    rounds = subject.rounds()
    own = rounds.targets["PROD"]
    rounds.targets = {f"target {number}": own for number in range(1000)}
    rounds.round(is_by_hand=True)
    began = time.process_time()
    reading = rounds.round(is_by_hand=True)
    assert cast("Any", reading.facts)["counts"]["fresh"] == 1000
    assert time.process_time() - began < 2


def test_ten_thousand_values_are_found_in_no_time() -> None:
    """A round of every target of a large site must leave time for the others."""
    from support.toolbox import answer as reply_of

    reply = reply_of(b'{"jobs": [{"at": "2026-11-20T14:00:00Z"}]}')
    reply = type(reply)(**{**vars(reply), "headers": {"last-modified": "x"}})
    ways = (
        JsonField("jobs.0.at"),
        JsonField("max(jobs[].at)"),
        ReplyHeader("Last-Modified"),
        TextMatch('"at": "(.*?)"'),
    )
    began = time.process_time()
    for way in ways:
        for _ in range(10_000):
            way.value(reply)
    assert time.process_time() - began < 5


@pytest.mark.parametrize("pattern", ["<built>(.+?)</built>", "((<|b|u|i|l|t|>)+)+$x"])
def test_no_reply_makes_a_text_slow(pattern: str) -> None:
    from support.toolbox import answer as reply_of

    began = time.process_time()
    with pytest.raises(Unreadable):
        TextMatch(pattern).value(reply_of(b"<built>" * 140_000))
    assert time.process_time() - began < 5


# -- one answer, many targets --------------------------------------------------------------------------------

EACH = {"items": "jobs", "name": "name", "time": "at", "forget_after": "2h"}


class Jobs:
    """A server that tells when each of its jobs last ended, so many minutes before now; None: not yet."""

    def __init__(self, folder: Path, each: dict[str, Any] | None = None, **keys: Any) -> None:
        self.minutes: dict[str, float | None] = {}
        self.content: object = None
        self.is_away = False
        self._stack = contextlib.ExitStack()
        server = self._stack.enter_context(serving(app(self._page)))
        targets = {"jobs": {"each": each or EACH, **keys}}
        self.rounds = Rounds(server, folder, targets=targets, keys={"every": "60s"}, has_records=True)

    def _page(self, connection: Connection, _path: str) -> None:
        now = self.rounds.now
        jobs = [
            {"name": name, "at": None if minutes is None else (now - timedelta(minutes=minutes)).isoformat()}
            for name, minutes in self.minutes.items()
        ]
        if self.is_away:
            connection.reset()
        else:
            connection.send(answer(json.dumps(self.content or {"jobs": jobs}).encode()))

    def states(self, *, after_s: float = 0.0) -> dict[str, str]:
        self.reading = self.rounds.round(after_s=after_s)
        memory = memory_of(self.rounds.kept, dict)
        return {name: known.state for name, known in memory.known.items()}

    def keys(self) -> list[str]:
        return [problem.key for problem in self.reading.problems]

    def close(self) -> None:
        self.rounds.close()
        self._stack.close()


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[Jobs]:
    made = Jobs(tmp_path)
    yield made
    made.close()


def test_each_item_has_its_own_state_and_alert(jobs: Jobs) -> None:
    jobs.minutes = {"import": 1, "export/daily": 20, "mail": None}
    assert jobs.states() == {
        "jobs": "fresh",
        "jobs/import": "fresh",
        "jobs/export/daily": "stale",
        "jobs/mail": "invalid",
    }
    assert jobs.keys() == ["apps/jobs/export%2Fdaily/stale", "apps/jobs/mail/invalid"]
    assert "but at is null" in text_of(jobs.reading.problems[1])
    (job,) = jobs.rounds.poller().jobs()
    is_unwatched = unwatched([("apps", job.name, job.evaluates)], {"apps": jobs.rounds.poller().watched()})
    assert not any(map(is_unwatched, jobs.keys())), "it is in the config, without its name"
    jobs.minutes = {"import": 1, "export/daily": 1, "mail": 1}
    assert set(jobs.states(after_s=60).values()) == {"fresh"}
    assert jobs.keys() == []
    hours = jobs.rounds.records().server_hours(NOW, NOW + timedelta(hours=1))
    assert {server for server, _, _ in hours} == {
        "jobs",
        "jobs/import",
        "jobs/export/daily",
        "jobs/mail",
    }


def test_if_all_are_stale_each_says_so_itself(jobs: Jobs) -> None:
    jobs.minutes = {"import": 20, "mail": 30}
    assert set(jobs.states().values()) == {"stale"}
    assert jobs.keys() == ["apps/jobs/import/stale", "apps/jobs/mail/stale"]


def test_if_the_server_is_away_that_is_one_alert_and_nothing_is_known_of_its_items(jobs: Jobs) -> None:
    jobs.minutes = {"import": 20, "mail": 1}
    jobs.states()
    jobs.is_away = True
    assert jobs.states(after_s=3600 * 24) == {
        "jobs": "unreachable",
        "jobs/import": "stale",
        "jobs/mail": "fresh",
    }
    assert jobs.keys() == ["apps/jobs/unreachable", "apps/jobs/import/stale"]


def test_one_that_vanishes_raises_one_alert_and_is_forgotten_a_day_later(jobs: Jobs) -> None:
    jobs.minutes = {"import": 1, "mail": 20}
    jobs.states()
    jobs.minutes = {"import": 1}
    vanished_at = jobs.rounds.now + timedelta(seconds=60)
    assert jobs.states(after_s=60)["jobs/mail"] == "stale", "nobody knows"
    assert jobs.reading.facts is None, "no state has changed"
    jobs.rounds.restart()
    jobs.states(after_s=7100)
    assert jobs.keys() == ["apps/jobs/mail/stale"]
    jobs.rounds.restart()
    jobs.states(after_s=100)
    assert jobs.keys() == ["apps/jobs/mail/vanished", "apps/jobs/mail/stale"]
    assert jobs.reading.problems[0].since == vanished_at
    assert text_of(jobs.reading.problems[0]).startswith("jobs/mail: no longer in the answer since ")
    assert "jobs/mail" in jobs.states(after_s=86_000)
    assert jobs.reading.forgotten == frozenset()
    assert jobs.states(after_s=1000) == {"jobs": "fresh", "jobs/import": "fresh"}
    assert jobs.keys() == []
    assert jobs.reading.forgotten == {"apps/jobs/mail"}
    jobs.states(after_s=60)
    assert jobs.reading.forgotten == frozenset()


def test_one_that_comes_back_is_followed_as_before(jobs: Jobs) -> None:
    jobs.minutes = {"import": 1, "mail": 1}
    jobs.states()
    jobs.minutes = {"import": 1}
    jobs.states(after_s=60)
    jobs.states(after_s=8000)
    assert jobs.keys() == ["apps/jobs/mail/vanished"]
    jobs.minutes = {"import": 1, "mail": 1}
    assert jobs.states(after_s=60)["jobs/mail"] == "fresh"
    assert jobs.keys() == []
    jobs.minutes = {"import": 1}
    jobs.states(after_s=60)
    jobs.states(after_s=7000)
    assert jobs.keys() == [], "it is missing since then, not since before"


def test_names_that_are_new_each_time_have_a_limit(jobs: Jobs) -> None:
    jobs.minutes = {"import": 1, "run 1": 1}
    jobs.states()
    known = memory_of(jobs.rounds.kept, dict).known
    known |= {f"jobs/run {number}": known["jobs/run 1"] for number in range(1, MOST_ITEMS - 1)}
    jobs.minutes = {"import": 20, "run a": 1, "run b": 1}
    states = jobs.states(after_s=60)
    assert len(states) == MOST_ITEMS + 1
    assert (states["jobs"], states["jobs/import"], states["jobs/run a"]) == ("invalid", "stale", "fresh")
    assert "more than 10,000 items; are the names new each time?" in text_of(jobs.reading.problems[0])
    jobs.minutes = {"export": 1}
    assert jobs.states(after_s=60)["jobs"] == "invalid"
    assert jobs.states(after_s=100_000) == {"jobs": "invalid"}, "all of them are forgotten"
    assert jobs.states(after_s=60) == {"jobs": "fresh", "jobs/export": "fresh"}


def test_an_empty_answer_says_nothing_of_the_items(jobs: Jobs) -> None:
    jobs.minutes = {"import": 1}
    jobs.states()
    jobs.minutes = {}
    assert jobs.states(after_s=60) == {"jobs": "invalid", "jobs/import": "fresh"}
    assert "answered HTTP 200 without an item" in text_of(jobs.reading.problems[0])
    jobs.states(after_s=86_400 * 7)
    assert jobs.keys() == ["apps/jobs/invalid"]


@pytest.mark.parametrize(
    ("each", "content", "states", "reason"),
    [
        pytest.param(
            {"items": "a", "time": "@"},
            {"a": {"x": "2026-11-20T14:00:00Z", "y": 7}},
            {"jobs": "fresh", "jobs/x": "fresh", "jobs/y": "invalid"},
            "but @ is a number; set `format`",
            id="an object of times",
        ),
        pytest.param(
            {"items": "a[?b]", "name": "n", "time": "b"},
            {"a": [{"n": 7, "b": "2026-11-20T14:00:00Z"}, {"n": 8}]},
            {"jobs": "fresh", "jobs/7": "fresh"},
            "",
            id="a number is a name",
        ),
        pytest.param(
            {"items": "a", "name": "n", "time": "b"},
            {"a": [{"n": "x", "b": "2026-11-20T14:00:00Z"}, {"n": "x"}, {"n": "\x07"}, {"n": True}, 7]},
            {"jobs": "invalid", "jobs/x": "fresh"},
            "with 5 items, 3 without a valid name and 1 with a name that occurs before",
            id="names",
        ),
        pytest.param(
            {"items": "a", "name": "n", "time": "b"},
            {"a": [{"n": "x"}]},
            {"jobs": "invalid", "jobs/x": "invalid"},
            "with items, but none with a readable time",
            id="no time",
        ),
        pytest.param({"items": "a", "time": "b"}, {"a": 7}, {"jobs": "invalid"}, "in a", id="no list"),
        pytest.param({"items": "a", "time": "b"}, {"b": 7}, {"jobs": "invalid"}, "without a", id="nothing"),
    ],
)
def test_what_is_wrong_with_items_is_said(
    tmp_path: Path, each: dict[str, Any], content: object, states: dict[str, str], reason: str
) -> None:
    jobs = Jobs(tmp_path, each)
    jobs.content = content
    assert jobs.states() == states
    assert reason in " ".join(text_of(problem) for problem in jobs.reading.problems)
    jobs.close()


def test_many_items_cost_one_request_and_little_else(jobs: Jobs) -> None:
    jobs.minutes = {f"job {number}": 1 for number in range(5000)}
    jobs.states()
    began = time.process_time()
    assert len(jobs.states(after_s=60)) == 5001
    assert time.process_time() - began < 3
    assert len(jobs.rounds.server.heads) == 2

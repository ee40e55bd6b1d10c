"""Rounds of checks against real HTTP servers: what becomes of an answer, and who is notified."""

from __future__ import annotations

import contextlib
import gc
import json
import logging
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
import trustme

from support.apps import BERLIN, NOW, Page, Rounds, app, http_date, version
from support.rawserver import Connection, answer, serving
from support.wording import over_of, text_of
from tallyd.contract.lags import HourCount
from tallyd.core.alerts.notices import AlertPolicy
from tallyd.core.errors import Stopped
from tallyd.core.reading import Facts, Reading, Slot
from tallyd.pollers.servers.freshness import STATES, State
from tallyd.pollers.servers.rounds import checking as rounding
from tallyd.pollers.servers.rounds.checking import check_all
from tallyd.pollers.servers.rounds.target_memory import TargetMemory, memory_of


@contextlib.contextmanager
def apps(page: Page, folder: Path, *names: str, stores: bool = False, **keys: Any) -> Iterator[Rounds]:
    with serving(app(page)) as server:
        targets: dict[str, dict[str, Any]] = {name: {} for name in names}
        rounds = Rounds(server, folder, targets=targets, keys={"every": "20s", **keys}, has_records=stores)
        try:
            yield rounds
        finally:
            rounds.close()


def target(reading: Reading, name: str = "PROD") -> Any:
    assert reading.facts is not None
    return cast("Any", reading.facts)["targets"][name]


def states(facts: Facts | None) -> dict[str, str]:
    return {name: each["state"] for name, each in cast("Any", facts)["targets"].items()}


def keys_of(reading: Reading) -> list[str]:
    return [problem.key for problem in reading.problems]


class Clockwork:
    """Servers whose data was computed so many minutes before NOW; None: they are silent."""

    def __init__(self, **minutes: float | None) -> None:
        self.minutes = minutes

    def __call__(self, connection: Connection, path: str) -> None:
        found = self.minutes[path.removeprefix("/")]
        if found is None:
            connection.reset()
        else:
            connection.send(version(NOW - timedelta(minutes=found)))


# -- answers -------------------------------------------------------------------------------------------------


def test_checks_that_fail_leave_no_cycles_behind(tmp_path: Path) -> None:
    """Thousands of them would otherwise hold memory until the garbage collector comes."""
    names = [f"server{number}" for number in range(20)]
    with apps(Clockwork(**dict.fromkeys(names)), tmp_path, *names) as rounds:
        rounds.round(is_by_hand=True)
        gc.collect()
        gc.disable()
        try:
            check_all(rounds.poller(), rounds.tools(is_by_hand=True), TargetMemory())
            left = gc.collect()
        finally:
            gc.enable()
    assert left < len(names) * 5


def test_only_the_first_round_of_a_process_reads_what_is_stored(tmp_path: Path) -> None:
    """It may be ten megabytes."""
    reads: list[datetime] = []

    def memory() -> Facts:
        reads.append(rounds.now)
        return {}

    with apps(Clockwork(PROD=1), tmp_path, "PROD") as rounds:
        (job,) = rounds.poller().jobs()
        for _ in range(3):
            job.run(Slot(None, rounds.now), replace(rounds.tools(), memory=memory))
    assert len(reads) == 1


def page_of_all_kinds(connection: Connection, path: str) -> None:
    at = NOW - timedelta(minutes=1)
    local = (at + timedelta(hours=1)).replace(tzinfo=None).isoformat()
    pages = {
        "fresh": version(at),
        "late": version(NOW - timedelta(minutes=10)),
        "stale": version(NOW - timedelta(minutes=17)),
        "ahead": version(NOW + timedelta(minutes=5)),
        "local": answer(json.dumps({"computed_time": local}).encode()),
        "nested": answer(json.dumps({"a": [{"b": at.timestamp()}]}).encode()),
        "empty": answer(b""),
        "page": answer(b"<html>hello</html>"),
        "cut": answer(b'{"computed_time": "2026', Content_Length="50"),
        "broken": answer(b'{"computed_time": "2026'),
        "nan": answer(b'{"computed_time": NaN}'),
        "deep": answer(b"[" * 101 + b"]" * 101),
        "wide": answer(b'{"computed_time": "2026-11-20T08:00:00Z", "jobs": [' + b"1," * 30_000 + b"1]}"),
        "part": answer(b'{"computed_time": "2026-11-20T08:00:00Z"}', status="206 Partial Content"),
        "list": answer(b"[1, 2]"),
        "without": answer(b'{"version": "1.2"}'),
        "null": answer(b'{"computed_time": null}'),
        "word": answer(b'{"computed_time": "yesterday evening"}'),
        "bom": answer(b"\xef\xbb\xbf" + json.dumps({"computed_time": at.isoformat()}).encode()),
        "no-content": answer(status="204 No Content"),
        "moved": answer(status="302 Found", Location="http://elsewhere.example/"),
        "denied": answer(status="403 Forbidden"),
        "error": answer(status="500 Internal Server Error"),
        "closing": version(at, Connection="close"),
    }
    if path == "/silent":
        connection.hang()
    elif path == "/reset":
        connection.reset()
    else:
        connection.send(pages[path[1:]])
    if path == "/cut":
        connection.end()


KINDS = [
    ("fresh", {}, "fresh", None),
    ("late", {}, "late", None),
    ("stale", {}, "stale", None),
    ("ahead", {}, "future", None),
    ("local", {}, "fresh", None),
    ("local", {"timezone": "UTC"}, "future", None),
    ("nested", {"field": "a.0.b", "format": "epoch"}, "fresh", None),
    ("bom", {}, "fresh", None),
    ("closing", {}, "fresh", None),
    ("empty", {}, "invalid", "answered HTTP 200 without JSON (an empty body)"),
    ("no-content", {}, "invalid", "answered HTTP 204 without JSON (an empty body)"),
    ("page", {}, "invalid", "without JSON (a web page)"),
    ("cut", {}, "invalid", "ended in the middle of its answer"),
    ("broken", {}, "invalid", "without valid JSON"),
    ("nan", {}, "invalid", "without valid JSON"),
    ("deep", {}, "invalid", "answered HTTP 200 with JSON that is nested more than 100 levels deep"),
    ("wide", {}, "invalid", "answered HTTP 200 with JSON that has more than 30,000 values"),
    ("part", {}, "invalid", "sent only a part of its answer (HTTP 206)"),
    ("list", {}, "invalid", "without computed_time"),
    ("without", {}, "invalid", "without computed_time"),
    ("nested", {"field": "a.1.b"}, "invalid", "answered HTTP 200 without a.1"),
    ("null", {}, "invalid", "answered HTTP 200, but computed_time is null"),
    ("word", {}, "invalid", "but computed_time is no time of ISO 8601"),
    ("fresh", {"format": "epoch"}, "invalid", "but computed_time is a text, no number of seconds"),
    ("moved", {}, "unreachable", "redirects to elsewhere.example, which is not followed"),
    ("denied", {}, "unreachable", "access refused (HTTP 403)"),
    ("error", {}, "unreachable", "answered HTTP 500"),
    ("reset", {}, "unreachable", "connection reset by peer"),
    ("silent", {"timeout": "0.2s"}, "unreachable", "timed out after 0.2 s"),
]


@pytest.mark.parametrize(
    ("name", "own", "state", "reason"), KINDS, ids=[f"{n} {o or ''}" for n, o, _, _ in KINDS]
)
def test_every_answer_is_a_state(
    tmp_path: Path, name: str, own: dict[str, Any], state: str, reason: str | None
) -> None:
    with apps(page_of_all_kinds, tmp_path, name) as rounds:
        rounds.targets[name] = own
        reading = rounds.round()
        found = target(reading, name)
        assert found["state"] == state
        assert reason is None or (rounds.server.host in found["reason"] and reason in found["reason"])
        assert (reason is None) is ("reason" not in found)
        for problem in reading.problems:  # an error is an answer of that host; a redirect may be a portal
            is_silent = name in ("reset", "silent", "moved")
            assert ("answered" not in problem.fields) is is_silent, problem.fields
        assert cast("Any", reading.facts)["counts"] == {each: int(each == state) for each in STATES}
        assert (found["checks"], found["failed"]) == (1, int(state in ("invalid", "unreachable")))


def test_a_port_on_which_nobody_listens_is_unreachable(tmp_path: Path) -> None:
    with apps(Clockwork(), tmp_path, "PROD") as rounds:
        rounds.targets = {"PROD": {"url": "http://127.0.0.1:1/"}}
        assert target(rounds.round())["reason"] == "127.0.0.1:1: connection refused"


def test_the_clock_of_the_server_is_taken_into_account_and_shown(tmp_path: Path) -> None:
    """It is an hour behind, and so are the times that it tells."""
    behind = NOW - timedelta(hours=1)

    def page(connection: Connection, path: str) -> None:
        age = {"Age": "3600"} if path == "/CACHED" else {}
        connection.send(version(behind - timedelta(minutes=1), Date=http_date(behind), **age))

    with apps(page, tmp_path, "PROD", "CACHED") as rounds:
        reading = rounds.round()
        assert target(reading) | {"since": ""} == {
            "state": "fresh",
            "computed_time": "2026-11-20T13:59:00+01:00",
            "lag_s": 60.0,
            "since": "",
            "unchanged_s": 0.0,
            "skew_s": 3600.0,
            "checks": 1,
            "failed": 0,
            "lag_s_max": 60.0,
        }
        assert (target(reading, "CACHED")["state"], target(reading, "CACHED")["lag_s"]) == ("stale", 3660.0)


def test_a_date_from_which_nothing_can_be_reckoned_is_no_clock_and_ends_no_round(tmp_path: Path) -> None:
    """Beyond the year 9999 there is no time: one server that claims it must not stop the checks of others."""

    def page(connection: Connection, path: str) -> None:
        date = "Fri, 31 Dec 9999 23:59:59 GMT" if path == "/LIAR" else http_date(NOW)
        connection.send(version(NOW, Date=date, Age="99999999"))

    with apps(page, tmp_path, "LIAR", "PROD", timezone="Europe/Berlin") as rounds:
        found = target(rounds.round(), "LIAR")
        assert (found["state"], found["lag_s"], found["skew_s"]) == ("fresh", 0.0, None)


def test_a_time_of_the_last_second_there_is_ends_no_round(tmp_path: Path) -> None:
    """East of Greenwich it would be of the year 10000."""
    last = b'{"computed_time": "9999-12-31T23:59:59Z"}'
    with apps(lambda connection, _path: connection.send(answer(last)), tmp_path, "PROD") as rounds:
        found = target(rounds.round())
        assert (found["state"], found["computed_time"]) == ("invalid", None)


def test_an_answer_of_many_megabytes_is_not_read(tmp_path: Path) -> None:
    body = b'{"computed_time": "2026-11-20T14:00:00Z", "more": "' + b"x" * 2**20 + b'"}'
    with apps(lambda connection, _path: connection.send(answer(body)), tmp_path, "PROD") as rounds:
        found = target(rounds.round())
        assert found["state"] == "invalid"
        assert "sent more than 1 MiB" in found["reason"]


@pytest.mark.parametrize(
    ("wall_s", "passed_s", "state"),
    [
        pytest.param(3600, 0, "fresh", id="suspended for an hour"),
        pytest.param(0, 3600, "fresh", id="frozen for an hour, and the clock was set back meanwhile"),
        pytest.param(1, 1, "unreachable", id="a busy moment: one attempt a round"),
    ],
)
def test_a_suspend_in_the_middle_of_a_check_is_no_fault_of_the_server(
    tmp_path: Path, wall_s: float, passed_s: float, state: str
) -> None:
    asked: list[str] = []

    def page(connection: Connection, path: str) -> None:
        asked.append(path)
        if len(asked) == 1:
            rounds.now += timedelta(seconds=wall_s)
            rounds.passed_s += passed_s
            connection.reset()
        else:
            connection.send(version(rounds.now))

    with apps(page, tmp_path, "PROD") as rounds:
        reading = rounds.round()
        assert target(reading)["state"] == state
        assert keys_of(reading) == ([] if state == "fresh" else ["apps/PROD/unreachable"])
        assert target(reading)["checks"] == 1


def test_our_clock_is_suspect_only_where_no_server_agrees_with_it(tmp_path: Path) -> None:
    dates = {"/A": NOW + timedelta(hours=1), "/B": NOW - timedelta(minutes=2)}

    def page(connection: Connection, path: str) -> None:
        connection.send(version(NOW, Date=http_date(dates[path])))

    with apps(page, tmp_path, "A", "B") as rounds:
        assert rounds.round().skew_s == pytest.approx(120, abs=1)


def over_the_change(tmp_path: Path, computed: Callable[[datetime], datetime], **keys: str) -> list[State]:
    """Return the states of a target in the hours when clocks go back, every five minutes from 02:05 on.

    `computed` says when its data was computed; the server sends that as local time without an offset.
    """

    def page(connection: Connection, _path: str) -> None:
        written = computed(rounds.now).astimezone(BERLIN).replace(tzinfo=None).isoformat()
        connection.send(answer(json.dumps({"computed_time": written}).encode(), Date=http_date(rounds.now)))

    with apps(page, tmp_path, "PROD", defaults=keys) as rounds:
        rounds.now = datetime(2026, 10, 25, 0, 0, tzinfo=UTC)
        found = []
        for _ in range(30):
            rounds.round(after_s=300)
            found.append(memory_of(rounds.kept, dict).known["PROD"].state)
        return found


@pytest.mark.parametrize("minute", [0, 30])
def test_data_of_each_hour_is_not_stale_in_the_hour_that_comes_twice(tmp_path: Path, minute: int) -> None:
    def hourly(now: datetime) -> datetime:
        return now.replace(minute=minute) - timedelta(hours=now.minute < minute)

    assert set(over_the_change(tmp_path, hourly, stale_after="61m", late_after="61m")) == {"fresh"}


def test_data_that_is_stale_before_clocks_go_back_stays_so(tmp_path: Path) -> None:
    stopped = datetime(2026, 10, 25, 0, 5, tzinfo=UTC)
    found = over_the_change(tmp_path, lambda _now: stopped, stale_after="15m", late_after="15m")
    assert found == ["fresh"] * 4 + ["stale"] * 26


def test_headers_are_sent_and_shown_nowhere(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with apps(Clockwork(PROD=0), tmp_path, "PROD") as rounds:
        rounds.targets = {"PROD": {"headers": {"X-Key": "Zq7-secret", "User-Agent": "me/1"}}}
        reading = rounds.round()
        head = rounds.server.heads[0].decode()
        assert "X-Key: Zq7-secret\r\n" in head
        assert "User-Agent: me/1\r\n" in head
        assert "Cache-Control: no-cache\r\n" in head
        assert "Zq7" not in f"{reading}{rounds.poller()}{caplog.text}"


def test_connections_are_kept_and_used_again(tmp_path: Path) -> None:
    with apps(Clockwork(A=0, B=0), tmp_path, "A", "B", workers=1) as rounds:
        for _ in range(4):
            rounds.round(after_s=2)
        assert (len(rounds.server.heads), rounds.server.connections) == (8, 1)


def test_a_server_that_closes_each_connection_leaks_none(tmp_path: Path) -> None:
    def page(connection: Connection, _path: str) -> None:
        connection.send(version(NOW, Connection="close"))
        connection.sock.close()

    with apps(page, tmp_path, "PROD") as rounds:
        rounds.round()
        before = len(list(Path("/proc/self/fd").iterdir()))
        for _ in range(20):
            assert rounds.round(after_s=2).problems == ()
        assert len(list(Path("/proc/self/fd").iterdir())) <= before + 2
        assert rounds.server.connections == 21


@pytest.mark.parametrize("is_trusted", [True, False])
def test_a_target_may_have_an_authority_of_its_own(tmp_path: Path, *, is_trusted: bool) -> None:

    authority, other = trustme.CA(), trustme.CA()
    (authority if is_trusted else other).cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with serving(app(Clockwork(OWN=0, PLAIN=0)), tls=context) as server:
        own = {"OWN": {"ca_file": str(tmp_path / "ca.pem")}, "PLAIN": {}}
        rounds = Rounds(server, tmp_path, targets=own, keys={"every": "10s"}, has_records=False)
        facts = rounds.round().facts
        assert states(facts) == {"OWN": "fresh" if is_trusted else "unreachable", "PLAIN": "unreachable"}
        reason = cast("Any", facts)["targets"]["PLAIN"]["reason"]
        assert "certificate not trusted" in reason
        rounds.close()


def test_a_hanging_target_delays_no_other(tmp_path: Path) -> None:
    names, others_done = [f"S{number}" for number in range(30)], threading.Event()
    left = {f"/{name}" for name in names}

    def page(connection: Connection, path: str) -> None:
        if path == "/HANGS":
            others_done.wait(8)
        connection.send(version(NOW))
        left.discard(path)
        if not left - {"/HANGS"}:
            others_done.set()

    with apps(page, tmp_path, "HANGS", *names, workers=2, every="50s") as rounds:
        counts = cast("Any", rounds.round(is_by_hand=True).facts)["counts"]
        assert (counts["fresh"], others_done.is_set()) == (31, True)


def test_a_shutdown_ends_the_round_and_nothing_of_it_is_kept(tmp_path: Path) -> None:
    with apps(Clockwork(A=0, B=0), tmp_path, "A", "B") as rounds:
        rounds.is_stopping = True
        with pytest.raises(Stopped):
            rounds.round()
        assert rounds.memory == {}
        rounds.is_stopping = False
        assert target(rounds.round(), "A")["checks"] == 1


# -- from round to round -------------------------------------------------------------------------------------


def test_a_file_is_written_when_a_state_changes_and_when_its_time_has_come(tmp_path: Path) -> None:
    pages = Clockwork(PROD=0)
    with apps(pages, tmp_path, "PROD", write_every="10m") as rounds:
        written = [rounds.round().facts is not None]
        for minute in range(1, 31):
            pages.minutes["PROD"] = None if minute in (13, 14) else -minute
            written.append(rounds.round(after_s=60).facts is not None)
    assert [minute for minute, is_written in enumerate(written) if is_written] == [0, 10, 13, 15, 20, 30]


def test_a_file_between_two_whole_ones_has_only_the_targets_that_changed(tmp_path: Path) -> None:
    pages = Clockwork(A=0, B=0, C=0)
    with apps(pages, tmp_path, "A", "B", "C") as rounds:
        readings = [rounds.round()]
        pages.minutes["B"] = None
        readings.append(rounds.round(after_s=60))
        readings.append(rounds.round(after_s=900))
    facts = [cast("Any", each.facts) for each in readings]
    assert [each["has_all_targets"] for each in facts] == [True, False, True]
    assert [list(each["targets"]) for each in facts] == [["A", "B", "C"], ["B"], ["A", "B", "C"]]
    assert (facts[1]["counts"]["fresh"], facts[1]["counts"]["unreachable"]) == (2, 1)
    assert [facts[2]["targets"][name]["checks"] for name in "ABC"] == [2, 1, 2]
    assert [each.latest is not None for each in readings] == [False, True, False]
    latest = cast("Any", readings[1].latest)
    assert states(latest) == {"A": "fresh", "B": "unreachable", "C": "fresh"}
    assert latest["targets"]["B"] == facts[1]["targets"]["B"]
    assert (latest["has_all_targets"], latest["counts"]) == (True, facts[1]["counts"])


def test_a_change_between_fresh_and_late_writes_no_file_but_one_to_stale_does(tmp_path: Path) -> None:
    pages = Clockwork(PROD=0)
    with apps(pages, tmp_path, "PROD", write_every="1h") as rounds:
        written = [rounds.round().facts is not None]
        for minutes_old in (9, 0, 9, 20, 9):
            pages.minutes["PROD"] = minutes_old
            written.append(rounds.round().facts is not None)
    assert written == [True, False, False, False, True, True]


def test_a_file_counts_the_checks_since_the_last_one(tmp_path: Path) -> None:
    pages = Clockwork(PROD=0)
    with apps(pages, tmp_path, "PROD") as rounds:
        rounds.round()
        for minutes in (1, 5, None, None):
            pages.minutes["PROD"] = minutes
            reading = rounds.round(after_s=60)
        assert reading.facts is None
        pages.minutes["PROD"] = -4
        found = target(rounds.round(after_s=60))
        assert (found["state"], found["checks"], found["failed"], found["lag_s_max"]) == ("fresh", 2, 1, 60.0)


def test_an_idle_round_writes_nothing(tmp_path: Path) -> None:
    with apps(Clockwork(PROD=0), tmp_path, "PROD") as rounds:
        rounds.round()
        reading = rounds.round(after_s=60)
        assert (reading.facts, reading.memory, reading.problems) == (None, None, ())


def test_a_restart_loses_no_state_and_no_since(tmp_path: Path) -> None:
    pages = Clockwork(A=0, B=20, C=None)
    with apps(pages, tmp_path, "A", "B", "C") as rounds:
        before = rounds.round()
        rounds.restart()
        reading = rounds.round(after_s=300)
        assert reading.facts is None
        assert keys_of(reading) == keys_of(before) == ["apps/B/stale", "apps/C/unreachable"]
        assert [problem.since for problem in reading.problems] == [NOW, NOW]
        rounds.restart()
        later = rounds.round(after_s=900)
        assert (target(later, "B")["since"], target(later, "B")["unchanged_s"]) == (
            "2026-11-20T15:00:00+01:00",
            1200.0,
        )


@pytest.mark.parametrize(
    "memory",
    [
        {},
        {"targets": []},
        {"targets": {"PROD": []}},
        {"targets": {"PROD": {"state": "asleep", "since": "2026-11-20T14:00:00Z"}}},
        {"targets": {"PROD": {"state": "stale"}}},
        {"written_at": "x", "targets": {}},
        {"written_at": 1e30, "targets": {}},
    ],
)
def test_what_is_remembered_and_makes_no_sense_is_as_nothing(tmp_path: Path, memory: Facts) -> None:
    with apps(Clockwork(PROD=0), tmp_path, "PROD") as rounds:
        rounds.memory = memory
        assert target(rounds.round())["state"] == "fresh"


def test_targets_that_come_and_go_leave_the_others_as_they_are(tmp_path: Path) -> None:
    with apps(Clockwork(A=0, B=0, C=0), tmp_path, "A", "B") as rounds:
        rounds.round()
        rounds.targets = {"B": {}, "C": {}}
        facts = rounds.round(after_s=60).facts
        assert states(facts) == {"B": "fresh", "C": "fresh"}
        assert cast("Any", facts)["targets"]["B"]["since"] == "2026-11-20T15:00:00+01:00"
        assert sorted(cast("Any", rounds.memory)["targets"]) == ["B", "C"]
        assert rounds.poller().watched()["stale"] == {"B", "C"}


def test_a_round_that_does_not_come_to_all_tells_the_others_as_they_were_and_begins_with_them(
    tmp_path: Path, lines: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    is_hanging = False

    def page(connection: Connection, path: str) -> None:
        asked.append(path[1:])
        if is_hanging:
            time.sleep(0.1)  # of a limit of 0.25 s
            connection.send(answer(status="500 Internal Server Error"))
        else:
            connection.send(version(rounds.now))

    names = [f"S{number}" for number in range(9)]
    with apps(page, tmp_path, *names, every="1s", workers=1, stores=True) as rounds:
        rounds.round()
        asked.clear()
        monkeypatch.setattr(rounding, "SHORTEST_LIMIT_S", 0.25)
        monkeypatch.setattr(rounding, "ENDED_BY", 0.25)
        monkeypatch.setattr(rounding, "SPACE_S", 0.0)
        is_hanging = True
        first = rounds.round(after_s=60)
        count = len(asked)
        assert 0 < count < 9
        assert list(states(first.facts).values()) == ["unreachable"] * count
        assert cast("Any", first.facts)["counts"]["fresh"] == 9 - count
        assert len(first.problems) == count
        asked.clear()
        second = rounds.round(after_s=60)
        assert asked[0] == f"S{count}", "those that were left come first"
        assert len(second.problems) > count, "those of before still stand"
        is_hanging = False
        monkeypatch.undo()
        third = rounds.round(after_s=60)
        assert set(states(third.facts).values()) == {"fresh"}
        assert third.problems == ()
        checks = {server: each.checks for server, _, each in rounds.records().server_hours(*EVER)}
        assert sum(checks.values()) == 9 + count + len(asked)
    events = [event for _, event in said(lines) if "targets" in event]
    assert events == ["not all targets could be checked", "all targets are checked again"]


def test_a_target_that_left_is_out_of_the_files_with_the_next_round(tmp_path: Path) -> None:
    with apps(Clockwork(A=0, B=None), tmp_path, "A", "B") as rounds:
        rounds.round()
        rounds.targets = {"A": {}}
        assert states(rounds.round(after_s=60).facts) == {"A": "fresh"}
        assert sorted(cast("Any", rounds.memory)["targets"]) == ["A"]
        assert rounds.round(after_s=60).facts is None


# -- what people hear of it ----------------------------------------------------------------------------------


def test_each_trouble_has_its_text(tmp_path: Path) -> None:
    def page(connection: Connection, path: str) -> None:
        if path == "/GONE":
            connection.reset()
        text = "soon" if path == "/BAD" else (NOW + timedelta(minutes=6)).replace(tzinfo=None).isoformat()
        connection.send(answer(json.dumps({"computed_time": text}).encode()))

    with apps(page, tmp_path) as rounds:
        rounds.targets = {"UTC": {}, "GONE": {}, "BAD": {}}
        texts = {problem.key: text_of(problem) for problem in rounds.round().problems}
    host = rounds.server.host
    assert texts["apps/GONE/unreachable"] == (
        f"GONE: unreachable: {host}: connection reset by peer. "
        "Mute: tallyd mute apps/GONE/unreachable --for 2h"
    )
    assert texts["apps/BAD/invalid"] == (
        f"BAD: no valid time in its answer: {host} answered HTTP 200, but computed_time is no time of ISO "
        "8601, such as 2026-11-20T14:03:12+01:00; see `format`. Mute: tallyd mute apps/BAD/invalid --for 2h"
    )
    # A time without a zone that is meant as UTC: in Berlin that is an hour earlier, so it is stale.
    assert (
        "data 54 min old (limit 15 min), last computed 14:06; server answers (200, "
        in texts["apps/UTC/stale"]
    )
    assert "; its time has no zone and was read as Europe/Berlin. Mute: " in texts["apps/UTC/stale"]


def test_a_stale_target_is_notified_in_the_manner_of_the_rest(tmp_path: Path) -> None:
    with apps(Clockwork(PROD=17), tmp_path, "PROD") as rounds:
        (problem,) = rounds.round().problems
    assert text_of(problem).startswith(
        "PROD: data 17 min old (limit 15 min), last computed 14:43; server answers (200, "
    )
    assert text_of(problem).endswith("). Mute: tallyd mute apps/PROD/stale --for 2h")
    assert (problem.severity, over_of(problem)) == ("warning", "PROD: no longer stale")


def test_a_time_ahead_is_shown_with_what_was_taken_off(tmp_path: Path) -> None:
    def page(connection: Connection, _path: str) -> None:
        connection.send(version(NOW + timedelta(minutes=5), Date=http_date(NOW + timedelta(minutes=2))))

    with apps(page, tmp_path, "PROD") as rounds:
        (problem,) = rounds.round().problems
    assert text_of(problem).startswith(
        "PROD: data computed 3 min ahead of now, after correcting its clock, which is 2 min fast. "
        "Check the clock"
    )


def test_names_are_quoted_where_they_are_to_be_typed(tmp_path: Path) -> None:
    with apps(Clockwork(A=None), tmp_path) as rounds:
        rounds.targets = {"it's a * gate": {"url": f"{rounds.server.url}/A"}}
        (problem,) = rounds.round().problems
    assert problem.key == "apps/it's a %2A gate/unreachable"
    assert """tallyd mute 'apps/it'"'"'s a %2A gate/unreachable' --for""" in text_of(problem)


def test_a_problem_has_the_severity_of_its_target(tmp_path: Path) -> None:
    with apps(Clockwork(A=None, B=20), tmp_path) as rounds:
        rounds.targets = {"A": {"severity": "warning"}, "B": {"severity": "error"}}
        found = {problem.key: problem.severity for problem in rounds.round().problems}
    assert found == {"apps/A/unreachable": "warning", "apps/B/stale": "error"}


def test_a_trouble_stays_as_it_is_stored_while_its_age_grows(tmp_path: Path) -> None:
    with apps(Clockwork(PROD=20), tmp_path, "PROD") as rounds:
        problems = [rounds.round(after_s=60).problems[0] for _ in range(30)]
    assert all(problem == problems[0] for problem in problems)
    for minutes in (1, 30, 90):
        text = text_of(problems[0], now=NOW + timedelta(minutes=minutes))
        age = f"{20 + minutes} min" if minutes < 40 else "1 h 50 min"
        assert text.startswith(f"PROD: data {age} old (limit 15 min), last computed 14:40; ")


def test_a_trouble_of_other_data_tells_its_age(tmp_path: Path) -> None:
    now = NOW

    def page(connection: Connection, _path: str) -> None:
        connection.send(version(now - timedelta(minutes=20)))

    with apps(page, tmp_path, "PROD") as rounds:
        for minutes in (1, 2, 3):
            now = NOW + timedelta(minutes=minutes)
            (problem,) = rounds.round(after_s=60).problems
            assert text_of(problem, now=now).startswith(
                "PROD: data 20 min old (limit 15 min), last computed 14:4"
            )


def test_a_target_without_notify_raises_no_alert(tmp_path: Path) -> None:
    with apps(Clockwork(PROD=None), tmp_path, "PROD") as rounds:
        rounds.targets = {"PROD": {"notify": False}}
        reading = rounds.round()
        assert (target(reading)["state"], reading.problems) == ("unreachable", ())
        assert rounds.poller().watched()["unreachable"] == frozenset()


def test_hours_that_a_reload_closes_say_that_a_stale_target_is_not_judged(tmp_path: Path) -> None:
    with apps(Clockwork(PROD=20), tmp_path, "PROD") as rounds:
        hours = {"from": "00:00", "to": "00:00"}
        for days, problems, outside in (
            (["mon-sun"], ["apps/PROD/stale"], frozenset()),
            (["sun"], [], {"apps/PROD/stale"}),  # it is a Friday
        ):
            rounds.targets = {"PROD": {"active": [{"days": days, **hours}]}}
            reading = rounds.round(after_s=60)
            assert (keys_of(reading), reading.outside_hours) == (problems, outside)


def test_a_stale_target_that_falls_silent_is_still_stale(tmp_path: Path) -> None:
    pages = Clockwork(PROD=20)
    with apps(pages, tmp_path, "PROD") as rounds:
        found = [keys_of(rounds.round())]
        for minutes in (None, -2):
            pages.minutes["PROD"] = minutes
            found.append(keys_of(rounds.round(after_s=60)))
    assert found == [["apps/PROD/stale"], ["apps/PROD/stale", "apps/PROD/unreachable"], []]


def reminders(rounds: Rounds) -> dict[str, float | None]:
    """Return the reminder interval of each target that has a policy of its own."""
    policies = rounds.poller().own_policies(AlertPolicy(remind_every_s=86400.0))
    return {name: policy.remind_every_s for name, policy in policies.items()}


def test_how_often_a_target_is_notified_again_is_its_own(tmp_path: Path) -> None:
    with apps(Clockwork(), tmp_path) as rounds:
        rounds.targets = {"A": {"remind_every": "5m"}, "B": {}, "C": {"remind_every": None}}
        assert reminders(rounds) == {"A": 300.0, "C": None}
        rounds.keys["defaults"] = {"remind_every": "1h"}
        assert reminders(rounds) == {"A": 300.0, "B": 3600.0, "C": None}


# -- the log -------------------------------------------------------------------------------------------------


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, logger="tallyd")
    return caplog


def said(lines: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    return [(record.levelname, record.message) for record in lines.records]


def test_changes_are_logged_and_new_times_only_for_those_who_look_closely(
    tmp_path: Path, lines: pytest.LogCaptureFixture
) -> None:
    lines.set_level(logging.DEBUG, logger="tallyd")
    pages = Clockwork(PROD=0)
    with apps(pages, tmp_path, "PROD") as rounds:
        for minutes in (0, 0, -1, 20, None, -4):
            pages.minutes["PROD"] = minutes
            rounds.round(after_s=60)
    assert said(lines) == [
        ("INFO", "target changed"),
        ("DEBUG", "target has other data"),
        ("WARNING", "target changed"),
        ("WARNING", "target changed"),
        ("INFO", "target changed"),
    ]
    last = vars(lines.records[-1])
    expected = {"poller": "apps", "job": "check", "target": "PROD", "state": "fresh", "was": "unreachable"}
    assert last.items() >= {**expected, "lag_s": 120.0, "advanced_s": 1440.0}.items()


def test_new_times_are_not_logged_where_that_is_not_wanted(
    tmp_path: Path, lines: pytest.LogCaptureFixture
) -> None:
    lines.set_level(logging.DEBUG, logger="tallyd")
    pages = Clockwork(PROD=0)
    with apps(pages, tmp_path, "PROD") as rounds:
        rounds.targets = {"PROD": {"log_changes": False}}
        for minute in range(4):
            pages.minutes["PROD"] = -minute
            rounds.round(after_s=60)
    assert said(lines) == [("INFO", "target changed")]


def test_while_a_target_is_not_fresh_it_is_logged_again(
    tmp_path: Path, lines: pytest.LogCaptureFixture
) -> None:
    with apps(Clockwork(PROD=10, FRESH=0), tmp_path, "PROD", "FRESH") as rounds:
        rounds.keys["defaults"] = {"remind_every": "2m", "stale_after": "1h", "late_after": "9m"}
        for _ in range(7):
            rounds.round(after_s=60)
    assert [event for _, event in said(lines)] == ["target changed"] * 2 + ["target still not fresh"] * 3


# -- the database --------------------------------------------------------------------------------------------

EVER = (datetime.min.replace(tzinfo=NOW.tzinfo, year=2000), NOW + timedelta(days=1))


def test_changes_and_hours_are_stored(tmp_path: Path) -> None:
    pages = Clockwork(PROD=0)
    with apps(pages, tmp_path, "PROD", stores=True, every="60s") as rounds:
        for minutes in (0, 0, -2, None, None, 20, 5):
            pages.minutes["PROD"] = minutes
            rounds.round(after_s=60)
        rows = rounds.records().server_lags(["PROD"], *EVER, most=99)
        ((server, hour, count),) = rounds.records().server_hours(*EVER)
    assert [(row.checked_at[-5:], row.state, row.lag_s, row.advanced_s) for row in rows] == [
        ("01:00", "fresh", 60.0, None),
        ("03:00", "fresh", 60.0, 120.0),
        ("04:00", "unreachable", None, None),
        ("06:00", "stale", 1560.0, -1320.0),
        ("07:00", "late", 720.0, 900.0),
    ]
    assert (server, hour) == ("PROD", "2026-11-20 14:00:00")
    assert count == HourCount(7, 1560.0, fresh_s=180.0, unreachable_s=120.0, stale_s=60.0)


def test_a_state_holds_until_the_next_check_but_not_over_a_longer_gap_or_a_restart(tmp_path: Path) -> None:
    with apps(Clockwork(PROD=0), tmp_path, "PROD", stores=True, every="60s") as rounds:
        rounds.round()
        rounds.round(after_s=50)  # 50 s
        rounds.round(after_s=7200)  # two rounds and a time limit: 130 s
        rounds.round(after_s=-30)  # a clock that was set back: nothing
        rounds.round(after_s=60)  # 60 s
        rounds.restart()
        rounds.round(after_s=60)  # a new process: nothing
        rounds.round(after_s=20)  # 20 s
        counts = [count for _, _, count in rounds.records().server_hours(*EVER)]
    assert sum(count.known_s for count in counts) == 50 + 130 + 60 + 20


@pytest.mark.parametrize(
    ("before", "after"), [pytest.param("1h", "60s", id="shorter"), pytest.param("60s", "1h", id="longer")]
)
def test_a_state_holds_over_a_reload_that_changes_the_interval(
    tmp_path: Path, before: str, after: str
) -> None:
    with apps(Clockwork(PROD=0), tmp_path, "PROD", stores=True, every=before) as rounds:
        rounds.round()
        rounds.keys["every"] = after
        rounds.round(after_s=3000)
        rounds.keys["every"] = "60s"
        rounds.round(after_s=60)
        rounds.round(after_s=3000)  # no longer: two rounds and a time limit
        counts = [count for _, _, count in rounds.records().server_hours(*EVER)]
    assert sum(count.known_s for count in counts) == 3000 + 60 + 130


@pytest.mark.parametrize(
    ("ahead_s", "known_s"),
    [
        pytest.param(0, 1800, id="no change"),
        pytest.param(-600, 1200, id="set back by ten minutes, which counted already"),
        pytest.param(-86400, 1740, id="set back by a day, which was another time"),
    ],
)
def test_time_that_comes_twice_counts_once(tmp_path: Path, ahead_s: float, known_s: float) -> None:
    with apps(Clockwork(PROD=0), tmp_path, "PROD", stores=True, every="60s") as rounds:
        rounds.round()
        for number in range(30):
            rounds.round(after_s=60 + (ahead_s if number == 15 else 0))
        counts = [count for _, _, count in rounds.records().server_hours(*EVER)]
    assert sum(count.known_s for count in counts) == known_s


@pytest.mark.parametrize(("own", "keep_days"), [({"record": False}, 90), ({}, 0)])
def test_rows_may_be_left_out_but_hours_are_not(tmp_path: Path, own: dict[str, Any], keep_days: int) -> None:
    with apps(Clockwork(PROD=0), tmp_path, "PROD", stores=True) as rounds:
        rounds.targets, rounds.keep_days = {"PROD": own}, keep_days
        rounds.round()
        assert rounds.records().server_lags(["PROD"], *EVER, most=99) == ()
        assert len(rounds.records().server_hours(*EVER)) == 1


def test_a_database_that_takes_nothing_is_notified_once_it_lasts(
    tmp_path: Path, lines: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "records.db").mkdir()
    with apps(Clockwork(PROD=0), tmp_path, "PROD", stores=True) as rounds:
        found = [keys_of(rounds.round(after_s=30)) for _ in range(4)]
        assert found == [[], [], ["apps/database/unstored"], ["apps/database/unstored"]]
        (problem,) = rounds.round(after_s=30).problems
        assert text_of(problem).startswith("apps: checks have not been stored since 15:00:30: SQLite (")
        (tmp_path / "records.db").rmdir()
        assert rounds.round(after_s=30).problems == ()
        ((_, _, count),) = rounds.records().server_hours(*EVER)
        assert count.checks == 6
    events = [event for level, event in said(lines) if level == "WARNING"]
    assert events == ["checks cannot be stored, they wait in memory", "checks are stored again"]


def test_a_database_that_takes_nothing_is_a_problem_again_soon_after_a_clock_is_set_back(
    tmp_path: Path,
) -> None:
    (tmp_path / "records.db").mkdir()
    with apps(Clockwork(PROD=0), tmp_path, "PROD", stores=True) as rounds:
        rounds.round(after_s=30)
        rounds.now -= timedelta(hours=1)
        found = [keys_of(rounds.round(after_s=30)) for _ in range(4)]
        assert "apps/database/unstored" in found[-1]


# -- by hand -------------------------------------------------------------------------------------------------


def test_by_hand_nothing_is_logged_and_nothing_is_stored(
    tmp_path: Path, lines: pytest.LogCaptureFixture
) -> None:
    with apps(Clockwork(A=0, B=20, C=None, D=30, E=10, F=-5), tmp_path, *"ABCDEF", stores=True) as rounds:
        reading = rounds.round(is_by_hand=True)
        assert rounds.records().server_hours(*EVER) == ()
        assert states(reading.facts)["B"] == "stale"
    rows = cast("Any", reading.summary)["targets"]
    assert [(row["target"], row["state"], row["lag_s"]) for row in rows] == [
        ("C", "unreachable", None),
        ("D", "stale", 1800.0),
        ("B", "stale", 1200.0),
        ("F", "future", -300.0),
        ("E", "late", 600.0),
        ("A", "fresh", 0.0),
    ]
    assert rows[0]["since"] == "2026-11-20T15:00:00+01:00"
    assert said(lines) == []


def test_by_hand_a_state_is_as_old_as_the_daemon_knows_it(tmp_path: Path) -> None:
    with apps(Clockwork(PROD=20), tmp_path, "PROD") as rounds:
        rounds.round()
        reading = rounds.round(after_s=600, is_by_hand=True)
        assert target(reading)["since"] == "2026-11-20T15:00:00+01:00"
        assert rounds.round(after_s=60, is_by_hand=False).facts is None


def test_a_probe_says_how_each_target_is(tmp_path: Path) -> None:
    with apps(Clockwork(A=0, B=None, C=-5, D=20), tmp_path, "A", "B", "C", "D") as rounds:
        found = {one.id: one for one in rounds.poller().probe(rounds.tools())}
        assert list(found) == ["A", "B", "C", "D"]
        assert str(found["A"].name).startswith("fresh, 0 s old (200, ")
        assert found["B"].name == f"{rounds.server.host}: connection reset by peer"
        assert str(found["C"].name).startswith("future, 5 min ahead (200, ")
        assert str(found["D"].name).startswith("stale, 20 min old (200, ")
        assert [one.is_fine for one in found.values()] == [True, False, True, True]


def test_many_changes_are_one_reading_with_a_problem_each(tmp_path: Path) -> None:
    def page(connection: Connection, _path: str) -> None:
        connection.send(version(NOW - timedelta(hours=1)))

    with apps(page, tmp_path, *(f"S{number}" for number in range(300)), every="1s", workers=4) as rounds:
        reading = rounds.round()
        assert cast("Any", reading.facts)["counts"]["stale"] == 300
        assert len(reading.problems) == 300

"""A database that is away, files that change or can't be moved, a full disk, a stop: nothing is lost."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from adapters.records.sites import Site
from support.sweeping import Park, keys, passages, problem
from support.wording import text_of
from tallyd.contract.arrivals import Arrival, Came
from tallyd.contract.inbox import Waiting
from tallyd.contract.passages import Fingerprint, LedgerRow, Outcome, ToIngest
from tallyd.contract.records import Records
from tallyd.core.errors import InboxError, RecordsError

AWAY = "PostgreSQL at db:5432: nothing accepts connections there"


@dataclass
class Shaky:
    """Records that can be away, or lose the connection while they commit."""

    real: Any
    is_away: bool = False
    loses_commit: bool = False
    free: int | None = None
    ingests: list[list[str]] = field(default_factory=list)

    def known(self, files: Collection[Fingerprint]) -> frozenset[Fingerprint]:
        self._check()
        found: frozenset[Fingerprint] = self.real.known(files)
        return found

    def arrivals(self, now: datetime) -> Mapping[str, Arrival]:
        self._check()
        found: Mapping[str, Arrival] = self.real.arrivals(now)
        return found

    def ingest(
        self, files: Sequence[ToIngest], *, now: datetime, keep_rows: bool, came: Sequence[Came] = ()
    ) -> tuple[Outcome, ...]:
        if files:
            self.ingests.append([one.name for one in files])
        if files or came:
            self._check()
        outcomes: tuple[Outcome, ...] = self.real.ingest(files, now=now, keep_rows=keep_rows, came=came)
        if self.loses_commit:
            raise RecordsError(AWAY)
        return outcomes

    def ledger(self, *, rejected: bool, most: int) -> tuple[LedgerRow, ...]:
        self._check()
        rows: tuple[LedgerRow, ...] = self.real.ledger(rejected=rejected, most=most)
        return rows

    def free_bytes(self) -> int | None:
        return self.free

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)

    def _check(self) -> None:
        if self.is_away:
            raise RecordsError(AWAY)


@pytest.fixture
def shaky(sqlite_site: Site) -> Shaky:
    return Shaky(sqlite_site.records())


@pytest.fixture
def park(tmp_path: Path, shaky: Shaky) -> Park:
    records: Any = shaky
    as_port: Records = records
    return Park(tmp_path, as_port)


def test_while_the_database_is_away_files_wait_and_it_is_a_problem_after_a_minute(
    park: Park, shaky: Shaky, caplog: pytest.LogCaptureFixture
) -> None:
    shaky.is_away = True
    park.drop("12/a.json", passages("125907"))
    assert park.files(park.run()) == {"waiting": 1}
    assert [one.msg for one in caplog.records] == ["files wait in the inbox"]
    park.clocks.forward(59)
    assert park.run().problems == ()
    park.clocks.forward(1)
    found = problem(park.run(), "park/database/unreachable")
    assert text_of(found) == (
        f"park: no file ingested since 13:00: {AWAY}. Nothing is lost: files wait in the inbox until "
        "this is fixed. Check the database, its disk and the network. Test it with: tallyd check --online"
    )
    assert found.since == park.clocks.at.replace(minute=0)
    assert len(caplog.records) == 1, "logged once"
    shaky.is_away = False
    reading = park.run()
    assert park.files(reading) == {"done": 1}
    assert reading.problems == ()
    assert reading.evaluates is not None
    assert "unreachable" in reading.evaluates


def test_a_database_that_is_away_is_asked_before_files_are_read_in_vain(park: Park, shaky: Shaky) -> None:
    park.run()
    shaky.is_away = True
    park.drop("12/a.json", passages("125907"))
    park.run()
    assert (len(shaky.ingests), len(park.progress)) == (1, 1)
    for _ in range(3):
        park.run()
    assert (len(shaky.ingests), len(park.progress)) == (1, 1)
    park.restart()
    park.run()
    assert (len(shaky.ingests), len(park.progress)) == (1, 1)


def test_it_is_over_although_no_file_waits(park: Park, shaky: Shaky) -> None:
    shaky.is_away = True
    path = park.drop("12/a.json", passages("125907"))
    park.run()
    path.unlink()
    park.clocks.forward(70)
    assert keys(park.run().problems) == ["park/database/unreachable"]
    shaky.is_away = False
    assert park.run().problems == ()


def test_an_outage_goes_on_after_a_restart(park: Park, shaky: Shaky) -> None:
    shaky.is_away = True
    park.drop("12/a.json", passages("125907"))
    park.run()
    park.clocks.forward(61)
    park.restart()
    assert keys(park.run().problems) == ["park/database/unreachable"]


def test_a_connection_lost_while_it_commits_is_cleared_up_by_the_ledger(park: Park, shaky: Shaky) -> None:
    shaky.loses_commit = True
    park.drop("12/a.json", passages("125907"))
    assert park.files(park.run()) == {"waiting": 1}
    assert park.n_in() == 1, "it was committed after all"
    shaky.loses_commit = False
    assert park.files(park.run()) == {"repeat": 1}
    assert park.n_in() == 1


@pytest.mark.parametrize(("free", "found"), [(133, {"waiting": 1}), (134, {"done": 1}), (None, {"done": 1})])
def test_a_file_waits_while_less_than_twice_its_size_is_free(
    free: int | None, found: dict[str, int], park: Park, shaky: Shaky
) -> None:
    content = passages("125907")
    assert len(content) == 67
    park.drop("12/a.json", content)
    shaky.free = free
    assert park.files(park.run()) == found
    park.clocks.forward(61)
    if "waiting" in found:
        text = text_of(problem(park.run(), "park/database/unreachable"))
        assert "the disk of the database has less free space than twice the size of 12/a.json" in text


def test_what_there_is_room_for_is_taken_before_it_waits(park: Park, shaky: Shaky) -> None:
    park.drop("12/a.json", passages("125907"), age_s=90)
    park.drop("12/b.json", passages("125908"), age_s=80)
    shaky.free = 2 * 67 + 1
    assert park.files(park.run()) == {"done": 1, "waiting": 1}
    assert park.n_in() == 1


@dataclass
class Meddled:
    """An inbox in which something happens to a file of one name."""

    real: Any
    name: str
    before_chunks: Callable[[int], None] = lambda _number: None
    move_fails: bool = False
    passes: int = 0

    def chunks(self, waiting: Waiting) -> Iterator[bytes]:
        if waiting.name == self.name:
            self.passes += 1
            self.before_chunks(self.passes)
        found: Iterator[bytes] = self.real.chunks(waiting)
        return found

    def is_unchanged(self, waiting: Waiting) -> bool:
        if waiting.name == self.name:
            self.before_chunks(0)
        return bool(self.real.is_unchanged(waiting))

    def done(self, waiting: Waiting, *, delete: bool = False) -> None:
        if self.move_fails and waiting.name == self.name:
            raise InboxError(f"{waiting.name}: no space left on device")
        self.real.done(waiting, delete=delete)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)


def meddle(park: Park, **how: Any) -> None:
    inbox: Any = Meddled(park.site.folder, "12/b.json", **how)
    park.inbox = inbox


def three(park: Park) -> list[Path]:
    return [
        park.drop(f"12/{name}.json", passages(f"12590{number}"), age_s=90 - number)
        for number, name in enumerate("abc")
    ]


def test_a_file_that_changes_between_reading_and_commit_is_left_for_the_next_look(park: Park) -> None:
    _, path, _ = three(park)

    def change(number: int) -> None:
        if number == 0:
            path.write_bytes(passages("125901", "125905"))

    meddle(park, before_chunks=change)
    assert park.files(park.run()) == {"done": 2, "waiting": 1}
    assert park.n_in() == 2
    park.inbox = None
    park.site.age(path, 5)
    assert park.files(park.run()) == {"done": 1}
    assert park.n_in() == 4


def test_a_file_that_cannot_be_read_or_moved_holds_up_no_other(
    park: Park, caplog: pytest.LogCaptureFixture
) -> None:
    three(park)

    def fail(number: int) -> None:
        if number:
            raise InboxError("12/b.json: input/output error")

    meddle(park, before_chunks=fail)
    assert park.files(park.run()) == {"done": 2, "waiting": 1}
    meddle(park, move_fails=True)
    assert park.files(park.run()) == {"done": 1}
    assert [one.__dict__["reason"] for one in caplog.records if one.msg == "file stays in the inbox"] == [
        "12/b.json: input/output error",
        "12/b.json: no space left on device",
    ]
    park.inbox = None
    assert park.files(park.run()) == {"repeat": 1}, "it was stored, and only moves"
    assert park.n_in() == 3


@pytest.mark.parametrize("keeps_time", [False, True], ids=["later", "with the same size and time"])
def test_a_large_file_that_changes_between_its_two_readings_is_not_stored(
    park: Park, shaky: Shaky, keeps_time: bool
) -> None:
    park.site.folder = park.site.again(max_bytes=1 << 30)
    big = b"[" + b" " * (17 << 20) + passages("125901")[1:]
    park.drop("12/a.json", passages("125900"), age_s=90)
    path = park.drop("12/b.json", big, age_s=80)
    park.drop("12/c.json", passages("125902"), age_s=70)

    def change(number: int) -> None:
        if number == 2:
            path.write_bytes(big.replace(b"125901", b"125909"))
            if keeps_time:
                park.site.age(path, 80)

    meddle(park, before_chunks=change)
    assert park.files(park.run()) == {"done": 2, "waiting": 1}
    assert shaky.ingests == [["12/a.json"], ["12/b.json"], ["12/c.json"]]
    assert park.n_in() == 2
    park.inbox = None
    park.site.age(path, 80)
    assert park.files(park.run()) == {"done": 1}
    assert park.n_in() == 3


def test_a_stop_between_files_keeps_what_was_stored_and_leaves_the_rest(park: Park) -> None:
    three(park)
    park.stops_after = 4
    reading = park.run()
    assert park.files(reading) == {"done": 2, "waiting": 1}
    assert park.n_in() == 2
    park.stops_after = None
    assert park.files(park.run()) == {"done": 1}


def test_a_stop_wakes_nothing(park: Park) -> None:
    three(park)
    park.site.folder = park.site.again(most=2)
    park.is_stopping = True
    assert park.files(park.run()) == {"waiting": 3}
    assert park.wakes == 0


def test_nothing_is_woken_while_nothing_can_be_taken(park: Park, shaky: Shaky) -> None:
    three(park)
    park.site.folder = park.site.again(most=2)
    shaky.is_away = True
    assert park.files(park.run()) == {"waiting": 3}
    assert park.wakes == 0


def test_a_run_is_one_line_of_the_log_and_each_refusal_one(
    park: Park, caplog: pytest.LogCaptureFixture
) -> None:
    three(park)
    park.drop("12/d.json", b"[7]")
    with caplog.at_level(logging.INFO, "tallyd"):
        park.run()
        park.run()
    assert [one.msg for one in caplog.records] == ["file rejected", "files ingested"]
    taken = caplog.records[1].__dict__
    assert {key: taken[key] for key in ("poller", "job", "done", "rejected", "records", "skipped")} == {
        "poller": "park",
        "job": "sweep",
        "done": 3,
        "rejected": 1,
        "records": 3,
        "skipped": 0,
    }

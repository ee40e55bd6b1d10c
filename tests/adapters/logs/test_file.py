"""The log file over the years: limited in size, created again after a move, recovering from a full disk."""

from __future__ import annotations

import os
import resource
import shutil
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path

import pytest

from support.logs import OWN, events_of, lines_of, logging_to
from tallyd.adapters.logs import LogFile, Logs


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log" / "tallyd.log"


class Listener:
    """Collects the calls of `on_failure` and `on_recovered` in order."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def failed(self, text: str) -> None:
        self.texts.append(text)

    def recovered(self) -> None:
        self.texts.append("recovered")


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


@contextmanager
def room_for(size_bytes: int) -> Iterator[None]:
    """Limit the size of files of this process. A write then ends in the middle, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("mask", [0o077, 0o022, 0o000], ids=oct)
def test_every_file_is_readable_for_the_group_and_nobody_else(path: Path, mask: int) -> None:
    with umask(mask), logging_to(path) as logs:
        logs.reconfigure(file=LogFile(path=path, max_bytes=100))
        for _ in range(3):
            OWN.info("x" * 60)
    assert {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()} == {0o640}
    assert len(list(path.parent.iterdir())) == 3


def test_a_mode_that_somebody_set_stays(path: Path) -> None:
    with logging_to(path):
        OWN.info("one")
        path.chmod(0o644)
    with logging_to(path):
        OWN.info("two")
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert events_of(path) == ["one", "two"]


def test_nothing_is_opened_before_the_first_line(path: Path) -> None:
    with logging_to(path):
        assert not path.parent.exists()


def test_the_file_is_rotated_before_it_grows_past_its_size(path: Path) -> None:
    with logging_to(path) as logs:
        logs.reconfigure(file=LogFile(path=path, max_bytes=400, backups=2))
        for number in range(40):
            OWN.info(f"line {number:02} ä")
    files = sorted(path.parent.iterdir())
    assert [file.name for file in files] == ["tallyd.log", "tallyd.log.1", "tallyd.log.2"]
    assert all(file.stat().st_size <= 400 for file in files)
    kept = [event for file in (files[2], files[1], files[0]) for event in events_of(file)]
    assert kept == [f"line {number:02} ä" for number in range(40)][-len(kept) :]


def test_without_older_files_the_file_starts_empty_again(path: Path) -> None:
    with logging_to(path) as logs:
        logs.reconfigure(file=LogFile(path=path, max_bytes=150, backups=0))
        for number in range(10):
            OWN.info(f"line {number}")
    assert [file.name for file in path.parent.iterdir()] == ["tallyd.log"]
    assert events_of(path)[-1] == "line 9"


def test_a_line_longer_than_the_file_may_be_is_kept_whole(path: Path) -> None:
    with logging_to(path) as logs:
        logs.reconfigure(file=LogFile(path=path, max_bytes=50))
        OWN.info("x" * 200)
    assert events_of(path) == ["x" * 200]


def test_many_threads_lose_no_line_while_the_file_is_rotated(path: Path) -> None:
    def work(name: int) -> None:
        for number in range(100):
            OWN.info("worked", extra={"by": name, "number": number})

    with logging_to(path) as logs:
        logs.reconfigure(file=LogFile(path=path, max_bytes=20_000, backups=50))
        threads = [threading.Thread(target=work, args=(name,)) for name in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    found = [(line["by"], line["number"]) for file in path.parent.iterdir() for line in lines_of(file)]
    assert sorted(found) == [(name, number) for name in range(8) for number in range(100)]
    assert len(list(path.parent.iterdir())) > 2


def moved_away(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))


def replaced(path: Path) -> None:
    moved_away(path)
    path.write_text("")


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(Path.unlink, id="file deleted"),
        pytest.param(moved_away, id="file moved away"),
        pytest.param(replaced, id="file replaced"),
        pytest.param(lambda path: os.truncate(path, 0), id="file emptied"),
        pytest.param(lambda path: shutil.rmtree(path.parent), id="folder deleted"),
    ],
)
def test_a_file_that_somebody_moved_away_is_created_again(path: Path, change: Callable[[Path], None]) -> None:
    heard = Listener()
    with logging_to(path, on_failure=heard.failed):
        OWN.info("one")
        change(path)
        OWN.info("two")
    assert events_of(path) == ["two"]
    assert heard.texts == []


def test_a_line_torn_by_a_power_cut_does_not_spoil_the_next_one(path: Path) -> None:
    path.parent.mkdir()
    path.write_text('{"event": "be')
    with logging_to(path):
        OWN.info("back")
    assert path.read_text().startswith('{"event": "be\n{"time"')


def file_in_place_of_the_folder(path: Path) -> Callable[[], None]:
    path.parent.write_text("")
    return path.parent.unlink


def folder_in_place_of_the_file(path: Path) -> Callable[[], None]:
    path.mkdir(parents=True)
    return path.rmdir


def full_disk(path: Path) -> Callable[[], None]:
    path.parent.mkdir()
    path.symlink_to("/dev/full")
    return path.unlink


WAYS_TO_FAIL = [
    pytest.param(file_in_place_of_the_folder, "file exists", id="no folder"),
    pytest.param(folder_in_place_of_the_file, "is a directory", id="no file"),
    pytest.param(full_disk, "no space left on device", id="full disk"),
]


@pytest.mark.parametrize(("fail", "reason"), WAYS_TO_FAIL)
def test_an_unwritable_file_is_reported_once_and_recovers_without_a_restart(
    path: Path, fail: Callable[[Path], Callable[[], None]], reason: str
) -> None:
    heard = Listener()
    stream = StringIO()
    mend = fail(path)
    with logging_to(path, stream=stream, on_failure=heard.failed, on_recovered=heard.recovered) as logs:
        OWN.info("one")
        OWN.info("two")
        (text,) = heard.texts
        assert text == logs.failure
        assert text.startswith(f"{path} cannot be written: {reason}; log lines go to stderr only. ")
        mend()
        OWN.info("three")
        OWN.info("four")
        assert not logs.failure
    assert heard.texts == [text, "recovered"]
    assert events_of(path) == ["log file is written again", "three", "four"]
    gap = lines_of(path)[0]
    assert (gap["level"], gap["missing_lines"], gap["why"]) == ("WARNING", 2, text)
    shown = [line.split(" ", 4)[4] for line in stream.getvalue().splitlines()]
    assert shown[0] == "one"
    assert shown[1].startswith("log file failed why=")
    assert shown[2:] == ["two", "three", "log file is written again", "four"]


@pytest.mark.parametrize(("fail", "reason"), WAYS_TO_FAIL)
def test_a_file_that_failed_is_tried_again_without_a_line(
    path: Path, fail: Callable[[Path], Callable[[], None]], reason: str
) -> None:
    heard = Listener()
    mend = fail(path)
    with logging_to(path, on_failure=heard.failed, on_recovered=heard.recovered) as logs:
        logs.try_again()
        assert heard.texts == []
        OWN.info("one")
        logs.try_again()
        assert logs.failure is not None
        assert reason in logs.failure
        mend()
        logs.try_again()
        assert not logs.failure
    assert heard.texts[1:] == ["recovered"]
    assert events_of(path)[0] == "log file is written again"
    assert lines_of(path)[0]["missing_lines"] == 1


def test_another_reason_is_reported_again(path: Path) -> None:
    heard = Listener()
    mend = full_disk(path)
    with logging_to(path, on_failure=heard.failed):
        OWN.info("one")
        mend()
        path.mkdir()
        OWN.info("two")
    assert [text.split(": ")[1].split(";")[0] for text in heard.texts] == [
        "no space left on device",
        "is a directory",
    ]


def test_a_line_that_fits_in_half_leaves_no_half_behind(path: Path) -> None:
    heard = Listener()
    with logging_to(path, on_failure=heard.failed, on_recovered=heard.recovered):
        OWN.info("one")
        with room_for(path.stat().st_size + 40):
            OWN.info("two")
        assert events_of(path) == ["one"]
        OWN.info("three")
    assert events_of(path) == ["one", "log file is written again", "three"]
    assert "file too large" in heard.texts[0]


def test_a_file_that_cannot_be_rotated_grows_instead_of_losing_lines(path: Path) -> None:
    heard = Listener()
    obstacle = path.with_name("tallyd.log.1")
    (obstacle / "kept").mkdir(parents=True)
    with logging_to(path, on_failure=heard.failed, on_recovered=heard.recovered) as logs:
        logs.reconfigure(file=LogFile(path=path, max_bytes=150, backups=1))
        for number in range(3):
            OWN.info(f"line {number}")
        assert events_of(path) == ["line 0", "line 1", "line 2"]
        assert heard.texts == [logs.failure]
        assert heard.texts[0].startswith(f"{path} cannot be rotated: is a directory; it grows past its size.")
        shutil.rmtree(obstacle)
        OWN.info("line 3")
    assert heard.texts[1:] == ["recovered"]
    assert events_of(obstacle) == ["line 0", "line 1", "line 2"]
    assert events_of(path) == ["line 3"]


def test_what_a_listener_logs_of_the_failure_reaches_stderr_and_does_not_go_on_for_ever(path: Path) -> None:
    full_disk(path)
    with logging_to(
        path, stream=(stream := StringIO()), on_failure=lambda text: OWN.error("alert", extra={"text": text})
    ):
        OWN.info("one")
    assert stream.getvalue().count(" ERROR alert ") == 1


def test_a_listener_may_wait_for_a_lock_that_another_logging_thread_holds(path: Path) -> None:
    full_disk(path)
    store, is_telling = threading.Lock(), threading.Event()

    def listener(_text: str) -> None:
        is_telling.set()
        with store:
            pass

    with logging_to(path, on_failure=listener):
        with store:
            thread = threading.Thread(target=OWN.info, args=("one",))
            thread.start()
            assert is_telling.wait(10)
            OWN.info("two")
        thread.join(10)
        assert not thread.is_alive()


def test_a_reload_may_change_the_size_and_the_place(path: Path) -> None:
    other = path.with_name("other.log")
    with logging_to() as logs:
        OWN.info("before there was a file")
        logs.reconfigure(file=LogFile(path=path))
        OWN.info("one")
        logs.reconfigure(file=LogFile(path=other))
        OWN.info("two")
    assert (events_of(path), events_of(other)) == (["one"], ["two"])


def test_stopping_closes_the_file(path: Path) -> None:
    def is_open() -> bool:
        return path.resolve() in {link.resolve() for link in Path("/proc/self/fd").iterdir()}

    logs = Logs(file=LogFile(path=path), stream=StringIO())
    OWN.info("one")
    assert is_open()
    logs.stop()
    assert not is_open()

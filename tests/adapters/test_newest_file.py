"""The newest file of a pattern: what matches, what cannot be read, and what hangs."""

from __future__ import annotations

import contextlib
import glob
import math
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallyd.adapters.reads.files import fixed_folder, newest_of
from tallyd.adapters.reads.reads import TimedReads
from tallyd.core.errors import SourceError

NOW = datetime(2026, 11, 20, 14, 0, tzinfo=UTC)
NAMES = ("x", "a", ".h", "x.csv")
PARTS = st.sampled_from([*NAMES, "*", "**", "?", ".*", "[ax]", "*.csv"])


def found(pattern: str) -> float | None:
    at, _ = newest_of(pattern, deadline_s=math.inf)
    return at.timestamp() if at else None


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three levels of folders with the same names, and in each a file that is newer than those before it."""
    root = tmp_path_factory.mktemp("tree")
    at = 1_000_000
    for folder in (
        root,
        *(root / one for one in NAMES),
        *(root / one / two for one in NAMES for two in NAMES),
    ):
        folder.mkdir(exist_ok=True)
        for name in ("f.csv", ".f.csv", "q"):
            (folder / name).touch()
            os.utime(folder / name, (at := at + 1,) * 2)
    return root


@given(parts=st.lists(PARTS | st.sampled_from(["f.csv", "q"]), min_size=1, max_size=5))
def test_a_pattern_means_what_it_means_elsewhere(tree: Path, parts: list[str]) -> None:
    pattern = f"{tree}/{'/'.join(parts)}"
    files = [path for path in glob.glob(pattern, recursive=True) if os.path.isfile(path)]  # noqa: PTH113,PTH207 # glob is what it is compared with
    if os.path.isdir(fixed_folder(pattern)):  # noqa: PTH112 # as glob
        assert found(pattern) == max((os.path.getmtime(path) for path in files), default=None)  # noqa: PTH204 # as glob


def test_links_that_lead_in_circles_cost_nothing(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    for number in range(6):
        (data / f"up{number}").symlink_to("..")
    (tmp_path / "real.csv").touch()
    os.utime(tmp_path / "real.csv", (7, 7))
    (data / "linked.csv").symlink_to(tmp_path / "real.csv")
    began = time.process_time()
    assert found(f"{tmp_path}/**/data/**/*.csv") == 7
    assert time.process_time() - began < 1
    assert found(f"{data}/up0/data/*.csv") == 7, "a link that is named is followed"


def test_a_search_ends_at_its_deadline(tree: Path) -> None:
    with pytest.raises(TimeoutError):
        newest_of(f"{tree}/**/*.csv", deadline_s=time.monotonic() - 1)


@contextlib.contextmanager
def folder_of_nobody() -> Iterator[Path]:
    """Be a user who may not read everything, with a folder outside of root's."""
    root = os.geteuid() == 0
    with tempfile.TemporaryDirectory() as name:
        if root:
            os.chown(name, 65534, -1)
            os.seteuid(65534)
        try:
            yield Path(name)
        finally:
            if root:
                os.seteuid(0)


def test_a_folder_that_may_not_be_read_is_no_folder_without_files() -> None:
    with folder_of_nobody() as folder:
        (folder / "locked").mkdir(mode=0)
        for pattern in ("**/*.csv", "*/*.csv", "*/x.csv"):
            with pytest.raises(SourceError, match=r"/locked.*: permission denied"):
                found(f"{folder}/{pattern}")
        (folder / "locked").rename(folder / "lost+found")
        assert found(f"{folder}/**/*.csv") is None, "every file system has one"


@pytest.mark.parametrize(
    ("make", "pattern", "reason"),
    [
        pytest.param(Path.mkdir, "x", "{}/x is a folder; write {}/x/*", id="a folder"),
        pytest.param(Path.mkdir, "x/", "{}/x/ is a folder; write {}/x/*", id="a folder with its slash"),
        pytest.param(os.mkfifo, "x", "{}/x is not a regular file", id="a pipe"),
        pytest.param(Path.mkdir, "*", "{}/* matches no file", id="a pattern"),
        pytest.param(lambda path: path.symlink_to("x"), "x", "{}/x matches no file", id="a link to itself"),
    ],
)
def test_what_is_no_file_is_named(
    tmp_path: Path, make: Callable[[Path], Any], pattern: str, reason: str
) -> None:
    make(tmp_path / "x")
    assert newest_of(f"{tmp_path}/{pattern}", deadline_s=math.inf) == (
        None,
        reason.replace("{}", str(tmp_path)),
    )


@pytest.fixture
def reads() -> Iterator[TimedReads]:
    made = TimedReads(now=lambda: NOW)
    yield made
    made.close()


def test_one_that_hangs_takes_one_place_until_it_ends(
    reads: TimedReads, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_back, asked, scandir = threading.Event(), [], os.scandir

    def hanging(path: str) -> Any:
        asked.append(path)
        is_back.wait(30)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", hanging)
    (tmp_path / "a.csv").touch()
    pattern = f"{tmp_path}/a.csv"
    both = [reads.newest_file(pattern, timeout_s=0.05) for _ in range(2)]
    for each in both:
        with pytest.raises(SourceError, match=f"^{tmp_path} timed out after"):
            each.result(timeout=20)
    for _ in range(100):
        with pytest.raises(SourceError, match=f"^{tmp_path}: an earlier look has not ended"):
            reads.newest_file(pattern, timeout_s=5).result(timeout=20)
    assert asked == [str(tmp_path)]
    is_back.set()
    until = time.monotonic() + 20
    while time.monotonic() < until:
        try:
            assert reads.newest_file(pattern, timeout_s=5).result(timeout=20).modified_at
            break
        except SourceError:
            continue
    else:
        pytest.fail("it is still not read")

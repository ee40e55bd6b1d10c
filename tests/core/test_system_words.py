"""The words of the system are written as it says them: only then are they found in a reason."""

from __future__ import annotations

import errno
import os
import sqlite3
from pathlib import Path

import pytest

from tallyd.core.system_words import OF_SQLITE, OF_SYSTEM, reason_of


def test_the_system_says_each_of_its_words() -> None:
    said = {os.strerror(number).lower() for number in errno.errorcode}
    assert said >= OF_SYSTEM


def test_a_reason_has_no_path() -> None:
    assert reason_of(FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), "/srv/a")) == (
        "no such file or directory"
    )
    assert reason_of(OSError()) == "oserror"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(
            b"no database at all, but long enough for a header", "file is not a database", id="other"
        ),
        pytest.param(None, "unable to open database file", id="missing"),
    ],
)
def test_sqlite_says_its_words(tmp_path: Path, content: bytes | None, said: str) -> None:
    path = tmp_path / "x.db"
    if content is not None:
        path.write_bytes(content * 100)
    with pytest.raises(sqlite3.Error) as caught:
        sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True).execute("SELECT * FROM a").fetchone()
    assert str(caught.value) == said
    assert said in OF_SQLITE

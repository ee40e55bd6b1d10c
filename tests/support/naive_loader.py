"""A loader that loses or doubles what it takes: what a kill campaign must be able to find.

    python naive_loader.py VARIANT --config PATH ...

`move-first` moves a file aside and then stores it; `no-ledger` stores it in one transaction and then moves
it; `row-by-row` does so with a commit for each row. Each is what a first version of such a program does.
"""

from __future__ import annotations

import json
import os
import sqlite3
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

WAYS = 3
MINUTE = (
    "INSERT INTO passage_minute VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (poller, minute, source) DO"
    " UPDATE SET n_in = n_in + excluded.n_in, n_out = n_out + excluded.n_out,"
    " n_other = n_other + excluded.n_other"
)
SOURCE = (
    "INSERT INTO ingested_file"
    " (poller, source, sha256, name, size, records, state, ingested_at, first_passage) VALUES"
    " (?, ?, zeroblob(32), '', 0, 1000000, 'done', 0, 1) ON CONFLICT DO NOTHING"
)
"""No ledger: one row for all files of a source, so that its passages have one."""
ROW = (
    "INSERT INTO passage (file_id, person_id, direction, seen_at)"
    " SELECT id, ?, ?, ? FROM ingested_file WHERE poller = ? AND source = ?"
)
Statement = tuple[str, tuple[object, ...]]


class Loader:
    """Takes the files of the one poller of a config."""

    def __init__(self, variant: str, config: Path) -> None:
        self._variant = variant
        (self._poller,) = json.loads(config.read_text())["pollers"]
        self._inbox = config.parent / "inbox" / "visitors"
        self._database = sqlite3.connect(config.parent / "state" / "records.db", isolation_level=None)

    def run(self) -> None:
        self._database.execute("PRAGMA journal_mode=WAL")
        with os.scandir(self._inbox) as sources:
            found = [Path(source.path) for source in sources if not source.name.startswith(".")]
        for file in sorted(file for source in found for file in source.glob("*.json")):
            self._take(file)

    def _take(self, file: Path) -> None:
        content = file.read_bytes()
        if self._variant == "move-first":
            self._move(file)
            self._store(file.parent.name, content)
        else:
            self._store(file.parent.name, content)
            self._move(file)

    def _move(self, file: Path) -> None:
        quarantined = self._inbox / ".tallyd" / "done" / "today" / file.parent.name
        quarantined.mkdir(parents=True, exist_ok=True)
        file.rename(quarantined / file.name)

    def _store(self, source: str, content: bytes) -> None:
        is_one = self._variant != "row-by-row"
        if is_one:
            self._database.execute("BEGIN IMMEDIATE")
        for statement, values in self._statements(source, content):
            self._database.execute(statement, values)
        if is_one:
            self._database.execute("COMMIT")

    def _statements(self, source: str, content: bytes) -> Iterator[Statement]:
        yield SOURCE, (self._poller, source)
        for record in json.loads(content):
            text = record["time"]
            minute = f"{text[:4]}-{text[4:6]}-{text[6:8]} {text[8:10]}:{text[10:12]}"
            seen = f"{minute}:{text[12:]}"
            at = int(datetime.fromisoformat(seen).replace(tzinfo=UTC).timestamp())
            yield ROW, (record["ID"], record["inOut"], at, self._poller, source)
            counts = [int(record["inOut"] == way) for way in range(WAYS)]
            yield MINUTE, (self._poller, f"{minute}:00", source, *counts, seen, seen)


def main() -> int:
    _program, variant, _option, config, *_words = sys.argv
    Loader(variant, Path(config)).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""The out files in state.db: their reserved names, and which ones are not written yet."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from itertools import chain, count
from typing import cast

from tallyd.adapters.state.bodies import packed, unpacked
from tallyd.adapters.state.connection import StateFile, damaged
from tallyd.adapters.state.types import OutFile
from tallyd.core.language.messages import mark
from tallyd.core.naming import numbered
from tallyd.core.out_document import stored_text
from tallyd.core.reading import Json


class OutFileRows:
    """The out file of each reading. Its name is unique."""

    def __init__(self, file: StateFile) -> None:
        self._file = file

    def unwritten(self) -> tuple[OutFile, ...]:
        """Return the out files that are not written yet, oldest reading first."""
        with self._file.reading() as db:
            rows = db.execute(
                "SELECT id, poller, job, out_name FROM reading WHERE NOT written ORDER BY id"
            ).fetchall()
        return tuple(OutFile(id=id_, poller=poller, job=job, name=name) for id_, poller, job, name in rows)

    def to_write(self, out: OutFile) -> tuple[OutFile, dict[str, Json], dict[str, Json]] | None:
        """Return an out file with its current name, its content, and the keys that differ in `latest.json`.

        None if it is already written.
        """
        with self._file.reading() as db:
            row = db.execute(
                "SELECT out_name, body, coalesce(latest, '{}') FROM reading WHERE id=? AND NOT written",
                (out.id,),
            ).fetchone()
        if row is None:
            return None
        content, latest = (cast("dict[str, Json]", json.loads(unpacked(each))) for each in row[1:])
        return replace(out, name=row[0]), content, latest

    def is_last(self, out: OutFile) -> bool:
        """Whether this is the poller's newest reading, ignoring those with a part."""
        with self._file.reading() as db:
            # From the newest reading back (the plus keeps it from an index): it is among the last ones.
            last = db.execute(
                "SELECT id FROM reading WHERE +poller=? AND outcome='taken' AND part IS NULL"
                " ORDER BY id DESC LIMIT 1",
                (out.poller,),
            ).fetchone()
        return bool(last == (out.id,))

    def mark_written(self, out: OutFile) -> None:
        """Commit that the out file is on disk."""
        with self._file.transaction() as db:
            db.execute("UPDATE reading SET written=1, latest=NULL WHERE id=?", (out.id,))

    def note_report(self, out: OutFile, report: Json) -> None:
        """Commit the state of a reading's report. If its out file is already written, nothing changes."""
        with self._file.transaction() as db:
            row = db.execute("SELECT body FROM reading WHERE id=? AND NOT written", (out.id,)).fetchone()
            if row is not None:
                content = stored_text({**json.loads(unpacked(row[0])), "report": report})
                db.execute("UPDATE reading SET body=? WHERE id=?", (packed(content), out.id))

    def rename(self, out: OutFile, *, is_taken: Callable[[str], bool]) -> OutFile:
        """Reserve another name for an out file, because another file already has its name."""
        with self._file.transaction() as db:
            stem = out.name.removesuffix(".json")
            name = free_name(db, out.poller, stem, is_taken)
            db.execute("UPDATE reading SET out_name=? WHERE id=?", (name, out.id))
        return replace(out, name=name)

    def newest_names(self, poller: str) -> frozenset[str]:
        """Return the names of the poller's out files in its newest month.

        Raises `StateDamagedError` if a name is not text.
        """
        with self._file.reading() as db:
            rows = db.execute(
                "SELECT out_name FROM reading WHERE poller=:poller AND out_name>="
                "(SELECT substr(max(out_name), 1, 7) FROM reading WHERE poller=:poller)",
                {"poller": poller},
            )
            names = frozenset(name for (name,) in rows)
        if not all(isinstance(name, str) for name in names):
            raise damaged("state.db", mark("the name of an out file is not text"))
        return names

    def check(self) -> None:
        """Raise ValueError if the content of an unwritten file is not JSON."""
        with self._file.reading() as db:
            found = db.execute("SELECT body, coalesce(latest, '{}') FROM reading WHERE NOT written")
            for each in chain.from_iterable(found):
                json.loads(unpacked(each))


def free_name(db: sqlite3.Connection, poller: str, stem: str, is_taken: Callable[[str], bool]) -> str:
    """Return the first name for `stem` that no reading has reserved and no file on disk has."""
    for number in count(1):
        name = numbered(stem, number)
        reserved = db.execute(
            "SELECT 1 FROM reading WHERE poller=? AND out_name=?", (poller, name)
        ).fetchone()
        if reserved is None and not is_taken(name):
            return name
    raise AssertionError("count() never ends")

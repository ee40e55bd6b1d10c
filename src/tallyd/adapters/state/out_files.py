"""The out files in state.db: their reserved names, and which ones are not written yet."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime
from itertools import chain, count
from typing import cast

from tallyd.adapters.state.bodies import packed, unpacked
from tallyd.adapters.state.connection import StateConnection, Statements, damaged
from tallyd.adapters.state.types import OutFile
from tallyd.core.language.messages import mark
from tallyd.core.naming import instant_text, numbered
from tallyd.core.out_document import stored_text
from tallyd.core.reading import Json


class OutFileRows:
    """The out file of each reading. Its name is unique."""

    def __init__(self, connection: StateConnection) -> None:
        self._connection = connection

    def unwritten(self) -> tuple[OutFile, ...]:
        """Return the out files that are not written yet, oldest reading first."""
        with self._connection.reading() as db:
            rows = db.execute(
                "SELECT id, poller, job, out_name FROM reading WHERE written=0 ORDER BY id"
            ).fetchall()
        return tuple(OutFile(id=id_, poller=poller, job=job, name=name) for id_, poller, job, name in rows)

    def to_write(self, out: OutFile) -> tuple[OutFile, dict[str, Json], dict[str, Json]] | None:
        """Return an out file with its current name, its content, and the keys that differ in `latest.json`.

        None if it is already written.
        """
        with self._connection.reading() as db:
            row = db.execute(
                "SELECT out_name, body, coalesce(latest, '{}') FROM reading WHERE id=? AND written=0",
                (out.id,),
            ).fetchone()
        if row is None:
            return None
        content, latest = (cast("dict[str, Json]", json.loads(unpacked(each))) for each in row[1:])
        return replace(out, name=row[0]), content, latest

    def is_last(self, out: OutFile) -> bool:
        """Whether this is the poller's newest reading, ignoring those with a part."""
        with self._connection.reading() as db:
            # From the newest reading back (an expression uses no index of the poller): it is among the last.
            last = db.execute(
                "SELECT id FROM reading WHERE poller||''=? AND outcome='taken' AND part IS NULL"
                " ORDER BY id DESC LIMIT 1",
                (out.poller,),
            ).fetchone()
        return last is not None and last[0] == out.id

    def mark_written(self, out: OutFile) -> None:
        """Commit that the out file is on disk."""
        with self._connection.transaction() as db:
            db.execute("UPDATE reading SET written=1, latest=NULL WHERE id=?", (out.id,))

    def note_report(self, out: OutFile, report: Json) -> None:
        """Commit the state of a reading's report. If its out file is already written, nothing changes."""
        with self._connection.transaction() as db:
            row = db.execute("SELECT body FROM reading WHERE id=? AND written=0", (out.id,)).fetchone()
            if row is not None:
                content = stored_text({**json.loads(unpacked(row[0])), "report": report})
                db.execute(
                    "UPDATE reading SET body=?, chars=? WHERE id=?", (packed(content), len(content), out.id)
                )

    def since(self, since: datetime) -> tuple[OutFile, ...]:
        """Return the out files of readings that were taken since then, and are written somewhere."""
        with self._connection.reading() as db:
            rows = db.execute(
                "SELECT id, poller, job, out_name FROM reading WHERE taken_at>=? AND written=1"
                " AND out_name IS NOT NULL ORDER BY id",
                (instant_text(since),),
            ).fetchall()
        return tuple(OutFile(id=id_, poller=poller, job=job, name=name) for id_, poller, job, name in rows)

    def mark_unwritten(self, outs: Iterable[OutFile]) -> None:
        """Commit that these out files are to be written again."""
        with self._connection.transaction() as db:
            db.executemany("UPDATE reading SET written=0 WHERE id=?", [(out.id,) for out in outs])

    def rename(self, out: OutFile, *, is_taken: Callable[[str], bool]) -> OutFile:
        """Reserve another name for an out file, because another file already has its name."""
        with self._connection.transaction() as db:
            stem = out.name.removesuffix(".json")
            name = free_name(db, out.poller, stem, is_taken)
            db.execute("UPDATE reading SET out_name=? WHERE id=?", (name, out.id))
        return replace(out, name=name)

    def newest_names(self, poller: str) -> frozenset[str]:
        """Return the names of the poller's out files in its newest month.

        Raises `StateDamagedError` if a name is not text.
        """
        with self._connection.reading() as db:
            rows = db.execute(
                "SELECT out_name FROM reading WHERE poller=:poller AND out_name>="
                "(SELECT substr(max(out_name), 1, 7) FROM reading WHERE poller=:poller)",
                {"poller": poller},
            )
            names = frozenset(name for (name,) in rows)
        if not all(isinstance(name, str) for name in names):
            raise damaged(self._connection.place, mark("the name of an out file is not text"))
        return names

    def check(self) -> None:
        """Raise ValueError if the content of an unwritten file is not JSON."""
        with self._connection.reading() as db:
            found = db.execute("SELECT body, coalesce(latest, '{}') FROM reading WHERE written=0")
            for each in chain.from_iterable(found):
                json.loads(unpacked(each))


def free_name(db: Statements, poller: str, stem: str, is_taken: Callable[[str], bool]) -> str:
    """Return the first name for `stem` that no reading has reserved and no file on disk has."""
    for number in count(1):
        name = numbered(stem, number)
        reserved = db.execute(
            "SELECT 1 FROM reading WHERE poller=? AND out_name=?", (poller, name)
        ).fetchone()
        if reserved is None and not is_taken(name):
            return name
    raise AssertionError("count() never ends")

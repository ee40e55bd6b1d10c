"""The open problems, as they are stored."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import cast

from tallyd.adapters.state.connection import StateFile
from tallyd.core.alerts import Judgement, judge
from tallyd.core.naming import instant_text, read_instant
from tallyd.core.reading import Problem, Severity


class Alerts:
    """The open problems by key. Which begin and end is decided by `core.alerts.judge`."""

    def __init__(self, file: StateFile) -> None:
        self._file = file

    def open(self) -> tuple[Problem, ...]:
        """Return the open problems, errors first, then oldest first."""
        with self._file.reading() as db:
            found = open_problems(db).values()
        return tuple(sorted(found, key=lambda problem: (problem.severity, problem.since, problem.key)))

    def judge(self, named: tuple[Problem, ...], *, may_close: Callable[[str], bool]) -> Judgement:
        """Raise and close problems outside of a run. Writes nothing when nothing changes."""
        with self._file.reading() as db:
            known = open_problems(db)
        judgement = judge(known, named, may_close=may_close)
        if not judgement.closed and all(known.get(one.key) == one for one in judgement.standing):
            return judgement
        with self._file.transaction() as db:
            return apply(db, named, may_close)


def open_problems(db: sqlite3.Connection) -> dict[str, Problem]:
    """Return what is open, by key."""
    rows = db.execute("SELECT key, severity, text, since FROM alert")
    return {
        key: Problem(key=key, severity=cast("Severity", severity), text=text, since=read_instant(since))
        for key, severity, text, since in rows
    }


def apply(db: sqlite3.Connection, named: tuple[Problem, ...], may_close: Callable[[str], bool]) -> Judgement:
    """Judge and store, within a transaction."""
    judgement = judge(open_problems(db), named, may_close=may_close)
    db.executemany("DELETE FROM alert WHERE key=?", [(problem.key,) for problem in judgement.closed])
    db.executemany(
        "INSERT OR REPLACE INTO alert (key, severity, text, since) VALUES (?, ?, ?, ?)",
        [(one.key, one.severity, one.text, instant_text(one.since)) for one in judgement.standing],
    )
    return judgement

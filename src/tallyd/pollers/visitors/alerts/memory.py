"""What the sweep remembers from run to run, as the JSON that state.db keeps for it.

Read tolerantly: what can't be read is as if it had never been written. Bounded in every part.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TypeVar

from tallyd.core.naming import instant_text, read_instant
from tallyd.core.reading import Facts, Json

T = TypeVar("T")

SAVED_EVERY = timedelta(seconds=20)
"""Arrivals alone are written no more often than this."""
MOST_SOURCES = 500


@dataclass(frozen=True, kw_only=True)
class Level:
    """Files of one source that were refused: how many since when, and the newest of them.

    `is_mixed`: others were good meanwhile. `is_good_again`: a good one came after the last. `ahead_s` is set
    where times ahead of now were all that was wrong.
    """

    since: datetime
    last_at: datetime
    files: int
    is_mixed: bool = False
    is_good_again: bool = False
    reason: str = ""
    ahead_s: float | None = None


@dataclass(frozen=True)
class Quiet:
    """A source that delivers nothing: since when that counts, and when its last file came, if known."""

    since: datetime
    last_at: datetime | None


@dataclass(frozen=True)
class Trouble:
    """The database can't be used: since when, and why."""

    since: datetime
    reason: str


@dataclass(frozen=True, kw_only=True)
class Remembered:
    """All of it. `watched` is since when each source (or the inbox as a whole) is watched.

    `arrivals` were written at `saved_at`, `ledger_at` is when the ledger was last asked for refused files.
    `unseen_since` is set while nothing in the inbox can be seen, `back_at` once it could be again.
    `is_ahead`: some of it was written by a clock that was ahead of now, and is as if written now.
    """

    saved_at: datetime
    ledger_at: datetime
    watched: Mapping[str, datetime] = field(default_factory=dict)
    arrivals: Mapping[str, datetime] = field(default_factory=dict)
    unseen_since: datetime | None = None
    back_at: datetime | None = None
    unreadable_since: datetime | None = None
    database: Trouble | None = None
    refused: Mapping[str, Level] = field(default_factory=dict)
    quiet: Mapping[str, Quiet] = field(default_factory=dict)
    is_ahead: bool = field(default=False, compare=False)

    def facts(self) -> Facts:
        """Return it as JSON."""
        found: dict[str, Json] = {
            "saved_at": instant_text(self.saved_at),
            "ledger_at": instant_text(self.ledger_at),
            "watched": _texts(self.watched),
            "arrivals": _texts(self.arrivals),
            "refused": {source: _level_facts(level) for source, level in self.refused.items()},
            "quiet": {source: _quiet_facts(quiet) for source, quiet in self.quiet.items()},
        }
        for name in ("unseen_since", "back_at", "unreadable_since"):
            at = getattr(self, name)
            if at is not None:
                found[name] = instant_text(at)
        if self.database is not None:
            found["database"] = {
                "since": instant_text(self.database.since),
                "reason": self.database.reason,
            }
        return found


def read_memory(memory: Facts, now: datetime) -> Remembered:
    """Return what was remembered; of nothing, what is known at the first run. Nothing is ahead of `now`."""
    reader = _Reader(now)
    found = Remembered(
        saved_at=reader.instant(memory.get("saved_at")) or now,
        ledger_at=reader.instant(memory.get("ledger_at")) or now,
        watched=reader.each(memory.get("watched"), reader.instant),
        arrivals=reader.each(memory.get("arrivals"), reader.instant),
        unseen_since=reader.instant(memory.get("unseen_since")),
        back_at=reader.instant(memory.get("back_at")),
        unreadable_since=reader.instant(memory.get("unreadable_since")),
        database=reader.trouble(memory.get("database")),
        refused=reader.each(memory.get("refused"), reader.level),
        quiet=reader.each(memory.get("quiet"), reader.quiet),
    )
    return replace(found, is_ahead=reader.is_ahead)


def to_remember(before: Remembered, after: Remembered, memory: Facts, now: datetime) -> Facts | None:
    """Return what is to be written in place of `memory`; None where nothing is.

    New arrivals, and when the ledger was asked, are no reason by themselves until `SAVED_EVERY` has passed.
    """
    passing = replace(after, arrivals=before.arrivals, saved_at=before.saved_at, ledger_at=before.ledger_at)
    is_same = bool(memory) and passing == before and not before.is_ahead
    if is_same and (dict(after.arrivals) == dict(before.arrivals) or now - before.saved_at < SAVED_EVERY):
        return None
    return replace(after, saved_at=now).facts()


@dataclass
class _Reader:
    """Reads what it can; an instant ahead of now was written by a clock that was wrong, and is now."""

    now: datetime
    is_ahead: bool = False

    def instant(self, written: Json) -> datetime | None:
        try:
            at = read_instant(written) if isinstance(written, str) else None
        except ValueError:
            return None
        if at is not None and at > self.now:
            self.is_ahead = True
            return self.now
        return at

    def each(self, written: Json, read: Callable[[Json], T | None]) -> dict[str, T]:
        found = written.items() if isinstance(written, dict) else ()
        return {name: value for name, each in found if (value := read(each)) is not None}

    def trouble(self, written: Json) -> Trouble | None:
        if not isinstance(written, dict) or (since := self.instant(written.get("since"))) is None:
            return None
        return Trouble(since, str(written.get("reason", "")))

    def quiet(self, written: Json) -> Quiet | None:
        if not isinstance(written, dict) or (since := self.instant(written.get("since"))) is None:
            return None
        return Quiet(since, self.instant(written.get("last_at")))

    def level(self, written: Json) -> Level | None:
        if not isinstance(written, dict):
            return None
        since, last_at = self.instant(written.get("since")), self.instant(written.get("last_at"))
        files, ahead_s = written.get("files"), written.get("ahead_s")
        if since is None or last_at is None or not isinstance(files, int):
            return None
        return Level(
            since=since,
            last_at=last_at,
            files=files,
            is_mixed=written.get("is_mixed") is True,
            is_good_again=written.get("is_good_again") is True,
            reason=str(written.get("reason", "")),
            ahead_s=float(ahead_s) if isinstance(ahead_s, int | float) else None,
        )


def _level_facts(level: Level) -> dict[str, Json]:
    return {
        "since": instant_text(level.since),
        "last_at": instant_text(level.last_at),
        "files": level.files,
        "is_mixed": level.is_mixed,
        "is_good_again": level.is_good_again,
        "reason": level.reason,
        "ahead_s": level.ahead_s,
    }


def _quiet_facts(quiet: Quiet) -> dict[str, Json]:
    last_at = None if quiet.last_at is None else instant_text(quiet.last_at)
    return {"since": instant_text(quiet.since), "last_at": last_at}


def _texts(instants: Mapping[str, datetime]) -> dict[str, Json]:
    return {source: instant_text(at) for source, at in instants.items()}

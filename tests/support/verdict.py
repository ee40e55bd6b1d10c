"""What a killed daemon left, and whether its successor made good of it.

Looks at the files as anybody could: plain SQLite and JSON, none of tallyd's own code.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import tempfile
import zlib
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

from support.site import PAST_TOTAL, Site

Kind = Literal["twice", "lost", "half", "wrong"]


class Step(StrEnum):
    """How far a run had come, by what is found on disk."""

    NOTHING = "no sound state.db"
    BEFORE = "before the claim"
    CLAIMED = "claimed"
    FETCHED = "fetched"
    FILE_ALONE = "file without a commit"
    COMMITTED = "committed"
    FILE = "file written"
    MARKED = "marked written"


@dataclass(frozen=True)
class Violation:
    """One broken promise: a count taken `twice`, `lost`, a `half` file, or something else `wrong`."""

    kind: Kind
    text: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.text}"


@dataclass(frozen=True)
class Row:
    """A row of `reading`."""

    due_at: datetime | None
    outcome: str
    reason: str | None
    name: str | None
    body: str | None
    written: bool


@dataclass(frozen=True)
class StoredReading:
    """What state.db holds: the readings, the slots begun and not settled, the newest watermark.

    `incidents` says where the incidents are not those of the alerts.
    """

    rows: tuple[Row, ...]
    begun: dict[datetime, tuple[str, int]]
    mark: datetime | None
    incidents: tuple[Violation, ...]

    def of(self, at: datetime | None) -> list[Row]:
        return [row for row in self.rows if row.due_at == at]


def stored(database: Path) -> StoredReading:
    """Read state.db without changing it: what is left of a dead process belongs to its successor."""
    with tempfile.TemporaryDirectory() as beside:
        for part in database.parent.glob(f"{database.name}*"):
            if not part.name.endswith("-shm"):
                shutil.copy(part, beside)
        with closing(sqlite3.connect(Path(beside, database.name))) as db:
            rows = db.execute(
                "SELECT due_at, outcome, reason, out_name, body, written FROM reading ORDER BY id"
            ).fetchall()
            begun = db.execute("SELECT due_at, state, starts FROM slot").fetchall()
            (mark,) = db.execute("SELECT max(at) FROM mark").fetchone()
            incidents = incident_violations(db)
    return StoredReading(
        rows=tuple(
            Row(_instant(due), outcome, reason, name, _text(body), bool(written))
            for due, outcome, reason, name, body, written in rows
        ),
        begun={datetime.fromisoformat(due): (state, starts) for due, state, starts in begun},
        mark=_instant(mark),
        incidents=tuple(incidents),
    )


def _text(body: str | bytes | None) -> str | None:
    """Return the content of a file; a long one is compressed."""
    return zlib.decompress(body).decode() if isinstance(body, bytes) else body


def incident_violations(db: sqlite3.Connection) -> list[Violation]:
    """Return each alert without its one incident, and each incident that did not end with its alert.

    No problem of a site comes a second time, so a second incident of a key is one too many.
    """
    checks: dict[Kind, str] = {
        "lost": "SELECT alert.key FROM alert LEFT JOIN incident ON incident.key=alert.key"
        " AND julianday(incident.raised_at)=julianday(body ->> 'raised_at')"
        " WHERE body ->> 'raised_at' IS NOT NULL AND incident.key IS NULL",
        "twice": "SELECT key FROM incident GROUP BY key HAVING count(*) > 1",
        "wrong": "SELECT incident.key FROM incident LEFT JOIN alert ON incident.key=alert.key"
        " AND julianday(incident.raised_at)=julianday(body ->> 'raised_at')"
        " WHERE (ended_at IS NULL) <> (alert.key IS NOT NULL AND body ->> 'over_at' IS NULL)",
    }
    return [
        Violation(kind, f"the incident of {key}")
        for kind, query in checks.items()
        for (key,) in db.execute(query)
    ]


def _instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def step_of(site: Site, *, answers: int) -> Step:
    """Say how far a run had come when it was killed, with so many answers given by then.

    The run is that of the due slot, or of `tallyd once`, whose reading has no slot.
    """
    try:
        found = stored(site.database)
    except (sqlite3.Error, OSError):
        return Step.NOTHING
    for row in (*found.of(site.due), *found.of(None)):
        has_file = (site.out / (row.name or "")).is_file()
        return Step.MARKED if row.written else Step.FILE if has_file else Step.COMMITTED
    if any(site.out.glob(f"*/{site.due.astimezone(UTC):%Y-%m-%dT%H%M%S}+0000*.json")):
        return Step.FILE_ALONE
    if answers > site.answered:
        return Step.FETCHED
    is_claimed = site.due in found.begun or (found.mark is not None and found.mark >= site.due)
    return Step.CLAIMED if is_claimed else Step.BEFORE


def violations(site: Site) -> list[Violation]:
    """Return every promise broken, after a daemon has made up for what was left and was stopped."""
    try:
        found = stored(site.database)
    except sqlite3.Error as error:
        return [Violation("wrong", f"state.db cannot be read: {error}")]
    broken = [
        *_slots(site, found),
        *_files(site, found),
        *_latest(site, found),
        *_log(site),
        *found.incidents,
    ]
    if found.begun:
        broken.append(Violation("wrong", f"slots are still begun: {found.begun}"))
    return broken


def _slots(site: Site, found: StoredReading) -> list[Violation]:
    """Every slot came to what it must: it has its reading, or is recorded as missed."""
    broken: list[Violation] = []
    for at, outcome in site.expected.items():
        outcomes = [row.outcome for row in found.of(at)]
        if not outcomes:
            broken.append(
                Violation("lost", f"slot {at:%H:%M:%S} has no reading and is not recorded as missed")
            )
        elif len(outcomes) > 1:
            broken.append(Violation("twice", f"slot {at:%H:%M:%S} stands {len(outcomes)} times in state.db"))
        elif outcomes != [outcome]:
            broken.append(Violation("lost", f"slot {at:%H:%M:%S} is {outcomes[0]}, not {outcome}"))
    others = [row for row in found.rows if row.due_at and row.due_at not in site.expected]
    return [*broken, *(Violation("wrong", f"a reading nobody asked for: {row}") for row in others)]


def _files(site: Site, found: StoredReading) -> list[Violation]:
    """Every reading has its one file, whole and with the content of state.db; there are no others."""
    broken: list[Violation] = []
    files = {
        str(path.relative_to(site.out)): path.read_bytes() for path in site.out.rglob("*") if path.is_file()
    }
    del files["latest.json"]
    taken = [row for row in found.rows if row.outcome == "taken"]
    slots: Counter[str | None] = Counter()
    totals: Counter[int] = Counter()
    for name, content in files.items():
        parsed = _parsed(content)
        if parsed is None:
            broken.append(Violation("half", f"{name} holds {len(content)} bytes and is no whole JSON"))
        else:
            slots[parsed["due_at"]] += 1
            totals[parsed["total"]] += 1
            if parsed["total"] not in (PAST_TOTAL, *site.client.answers):
                broken.append(Violation("wrong", f"{name}: a count of {parsed['total']} was never given"))
    broken += [Violation("twice", f"slot {at} has {n} files") for at, n in slots.items() if at and n > 1]
    broken += [
        Violation("twice", f"the count {total} is in {n} files") for total, n in totals.items() if n > 1
    ]
    for row in taken:
        found_there = files.pop(row.name or "", None)
        if found_there is None:
            broken.append(Violation("lost", f"{row.name} is in state.db but not in out/"))
        elif found_there.decode(errors="replace") != _file_of(row):
            broken.append(Violation("wrong", f"{row.name} differs from state.db"))
        if not row.written:
            broken.append(Violation("wrong", f"{row.name} is not marked as written"))
    return [*broken, *(Violation("wrong", f"{name} is in out/ but not in state.db") for name in files)]


def _file_of(row: Row) -> str:
    """Return, byte for byte, the file that belongs to what state.db holds."""
    return json.dumps(json.loads(row.body or "null"), ensure_ascii=False, indent=1) + "\n"


def _latest(site: Site, found: StoredReading) -> list[Violation]:
    """`latest.json` is the newest reading, and says when the next one is due."""
    path = site.out / "latest.json"
    latest = _parsed(path.read_bytes()) if path.exists() else None
    if latest is None:
        return [Violation("half", "latest.json is missing or no whole JSON")]
    bodies = [json.loads(row.body) for row in found.rows if row.body]
    newest: dict[str, Any] = max(bodies, key=lambda body: str(body["taken_at"]), default={})
    next_due_at = latest.pop("next_due_at", None)
    if latest != newest:
        return [
            Violation("wrong", f"latest.json is of {latest['taken_at']}, not of {newest.get('taken_at')}")
        ]
    if not next_due_at:
        return [Violation("wrong", "latest.json does not say when the next slot is due")]
    return []


def _log(site: Site) -> list[Violation]:
    lines = site.log.read_bytes().splitlines(keepends=True)
    return [
        Violation("half", f"log line {line!r}")
        for line in lines
        if _parsed(line) is None or line[-1:] != b"\n"
    ]


def _parsed(content: bytes) -> dict[str, Any] | None:
    try:
        parsed = json.loads(content)
    except ValueError:
        return None
    return parsed if isinstance(parsed, dict) else None

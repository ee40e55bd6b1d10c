"""The reports to upstreams: one row for each poller, name and day. A newer report replaces an older one."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

from tallyd.adapters.state.connection import StateConnection, Statements, Value
from tallyd.core.naming import instant_text, read_instant
from tallyd.core.reading import OutboxMessage
from tallyd.core.stored import OutboxRow, RowState, Said

_COLUMNS = (
    "poller, ssid, day, body, version, slot_at, state, tries, turn, failing_since, last_tried_at, said,"
    " answer, sent_at"
)
_NOTE_TRY = """
UPDATE outbox SET state=CASE WHEN version=:version THEN :state ELSE state END, tries=tries+1,
  turn=(SELECT max(turn)+1 FROM outbox WHERE poller=:poller), last_tried_at=:at, said=:said,
  answer=:answer, sent_at=CASE WHEN :state='sent' THEN :at ELSE sent_at END
WHERE poller=:poller AND ssid=:ssid AND day=:day
"""
_NOTE_FAILING = """
UPDATE outbox SET failing_since=coalesce(
  (SELECT min(failing_since) FROM outbox WHERE poller=:poller AND ssid=:ssid), :at)
WHERE poller=:poller AND ssid=:ssid AND day=:day
"""
"""All rows of a name share the time of its first failure, whatever their days are."""
_NOTE_WORKING = """
UPDATE outbox SET failing_since=NULL WHERE poller=:poller AND ssid=:ssid AND failing_since IS NOT NULL
"""


class Outbox:
    """The waiting and the sent reports, with the upstream's last answer."""

    def __init__(self, connection: StateConnection) -> None:
        self._connection = connection

    def waiting(self, poller: str) -> tuple[OutboxRow, ...]:
        """Return the waiting reports, newest day first; within a day, the one tried longest ago first."""
        return self._rows("poller=? AND state='waiting' ORDER BY day DESC, turn, ssid", poller)

    def all(self, poller: str) -> tuple[OutboxRow, ...]:
        """Return every row of a poller, the newest day first."""
        return self._rows("poller=? ORDER BY day DESC, ssid", poller)

    def find(self, row: OutboxRow) -> OutboxRow | None:
        """Return the current version of a row; None if it was deleted."""
        found = self._rows(
            "poller=? AND ssid=? AND day=?", row.poller, row.message.ssid, row.message.day.isoformat()
        )
        return found[0] if found else None

    def pollers(self) -> frozenset[str]:
        """Return the pollers that have rows."""
        with self._connection.reading() as db:
            return frozenset(name for (name,) in db.execute("SELECT DISTINCT poller FROM outbox"))

    def note_sent(self, row: OutboxRow, *, at: datetime, answer: str) -> None:
        """Commit that the upstream accepted this version. A newer version keeps waiting."""
        self._note(row, "sent", "accepted", at=at, answer=answer)

    def note_failed(self, row: OutboxRow, *, at: datetime, answer: str, was_refused: bool) -> None:
        """Commit that a try failed. The report keeps waiting."""
        self._note(row, "waiting", "refused" if was_refused else "nothing", at=at, answer=answer)

    def park(self, row: OutboxRow, *, at: datetime, answer: str) -> None:
        """Commit that the upstream rejected this version for good. A newer version keeps waiting."""
        self._note(row, "parked", "never", at=at, answer=answer)

    def take_up(self, poller: str) -> None:
        """Make reports wait again that were rejected for good: under another config they may be accepted."""
        with self._connection.reading() as db:
            parked = db.execute(
                "SELECT 1 FROM outbox WHERE poller=? AND state='parked' LIMIT 1", (poller,)
            ).fetchone()
        if parked is not None:
            with self._connection.transaction() as db:
                db.execute("UPDATE outbox SET state='waiting' WHERE poller=? AND state='parked'", (poller,))

    def _note(self, row: OutboxRow, state: RowState, said: Said, *, at: datetime, answer: str) -> None:
        values: dict[str, Value] = {
            "poller": row.poller,
            "ssid": row.message.ssid,
            "day": row.message.day.isoformat(),
            "version": row.version,
            "state": state,
            "at": instant_text(at),
            "answer": answer,
            "said": said,
        }
        with self._connection.transaction() as db:
            db.execute(_NOTE_TRY, values)
            db.execute(_NOTE_WORKING if state == "sent" else _NOTE_FAILING, values)

    def forget(self, poller: str, *, but: frozenset[str] = frozenset()) -> int:
        """Delete the poller's rows, except for the names in `but`; return how many."""
        with self._connection.reading() as db:
            found = db.execute("SELECT DISTINCT ssid FROM outbox WHERE poller=?", (poller,))
            gone = [(poller, ssid) for (ssid,) in found if ssid not in but]
        if not gone:
            return 0
        with self._connection.transaction() as db:
            return db.executemany("DELETE FROM outbox WHERE poller=? AND ssid=?", gone).rowcount

    def prune(self, *, before: date) -> int:
        """Delete sent and parked reports of days before `before`; return how many.

        Waiting reports stay. The row of each name that was tried last stays too: it has the name's status.
        """
        with self._connection.transaction() as db:
            return db.execute(
                "DELETE FROM outbox WHERE state IN ('sent', 'parked') AND day<? AND EXISTS"
                " (SELECT 1 FROM outbox AS later WHERE later.poller=outbox.poller AND later.ssid=outbox.ssid"
                " AND later.turn>outbox.turn)",
                (before.isoformat(),),
            ).rowcount

    def check(self) -> None:
        """Raise ValueError or TypeError if a row can't be parsed."""
        self._rows("TRUE")

    def _rows(self, where: str, *values: str) -> tuple[OutboxRow, ...]:
        with self._connection.reading() as db:
            rows = db.execute(f"SELECT {_COLUMNS} FROM outbox WHERE {where}", values)  # noqa: S608 # constants
            return tuple(_row(row) for row in rows)


def queue(db: Statements, poller: str, messages: Iterable[OutboxMessage], *, slot_at: datetime) -> None:
    """Queue reports, within a transaction. Each replaces an older one of its day.

    A report with the same content is sent again too: the upstream may expect regular reports, or may now
    accept what it rejected for good.
    """
    db.executemany(
        "INSERT INTO outbox (poller, ssid, day, body, version, slot_at, state)"
        " VALUES (?, ?, ?, ?, 1, ?, 'waiting') ON CONFLICT (poller, ssid, day) DO UPDATE SET"
        " version=outbox.version+1, body=excluded.body, slot_at=excluded.slot_at, tries=0, state='waiting'",
        [
            (poller, message.ssid, message.day.isoformat(), json.dumps(message.body), instant_text(slot_at))
            for message in messages
        ],
    )


def _row(row: tuple[Any, ...]) -> OutboxRow:
    poller, ssid, day, body, version, slot_at, state, tries, turn, *last = row
    failing_since, last_tried_at, said, answer, sent_at = last
    return OutboxRow(
        poller=poller,
        message=OutboxMessage(ssid=ssid, day=date.fromisoformat(day), body=json.loads(body)),
        version=version,
        slot_at=read_instant(slot_at),
        state=state,
        tries=tries,
        turn=turn,
        failing_since=_instant(failing_since),
        last_tried_at=_instant(last_tried_at),
        said=said,
        answer=answer,
        sent_at=_instant(sent_at),
    )


def _instant(text: str | None) -> datetime | None:
    return read_instant(text) if text else None

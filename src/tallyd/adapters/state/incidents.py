"""The incidents in state.db. Each is written in the transaction that changes its alert.

So a kill loses none, and no other process has to compare the two.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import chain
from typing import Any, cast

from pydantic import TypeAdapter

from tallyd.adapters.state.connection import ALL, StateConnection, Statements, Value
from tallyd.core.alerts.acknowledgement import Acknowledgement
from tallyd.core.alerts.incidents import Delivered, Incident, IncidentNotice
from tallyd.core.alerts.mutes import Mute, mute_of
from tallyd.core.alerts.rules import Alert
from tallyd.core.alerts.values import Fields
from tallyd.core.naming import instant_text, key_segments, problem_key, read_instant
from tallyd.core.reading import Severity

_COLUMNS = (
    'key, raised_at, since, ended_at, is_unwatched, severity, severities, text, "over", fields, muted_by,'
    " acknowledged"
)
_NOTICE = "key, raised_at, channel, news, at"
_END = "coalesce(ended_at, '9')"
"""The same expression as in the index; an open incident ends after every instant."""
_AT_ONCE = 100
"""How many incidents one query asks for."""
_FIELDS: TypeAdapter[Fields] = TypeAdapter(Fields)
_ACKNOWLEDGED: TypeAdapter[Acknowledgement] = TypeAdapter(Acknowledgement)
_SEVERITIES: TypeAdapter[dict[str, Severity]] = TypeAdapter(dict[str, Severity])


class Incidents:
    """The incidents: of open alerts, and of those that have ended."""

    def __init__(self, connection: StateConnection) -> None:
        self._connection = connection

    def between(
        self,
        since: datetime,
        until: datetime,
        *,
        poller: str = "",
        subject: str = "",
        most: int | None = None,
        skip: int = 0,
        has_ended: bool = False,
    ) -> tuple[Incident, ...]:
        """Return the incidents that overlap with since <= time < until, the one that began last first.

        `poller` is the first segment of the key, `subject` the second, which needs a poller; empty: any.
        `most` are returned, after the first `skip`. `has_ended`: none that is still open.
        """
        where, values = _where(since, until, poller, subject, newest=most is not None)
        where += " AND ended_at IS NOT NULL" if has_ended else ""
        some = f"WHERE {where} ORDER BY since DESC, raised_at DESC, key LIMIT ? OFFSET ?"
        values += [ALL if most is None else most, skip]
        with self._connection.reading() as db:
            rows = db.execute(f"SELECT {_COLUMNS} FROM incident {some}", values).fetchall()  # noqa: S608 # constants
            if not rows:
                return ()
            notices = db.execute(
                f"WITH found AS (SELECT key, raised_at FROM incident {some})"  # noqa: S608 # constants
                f" SELECT {_NOTICE} FROM found JOIN incident_notice USING (key, raised_at)"
                " ORDER BY at, channel, news",
                values,
            )
            return _incidents(rows, notices)

    def pollers(self) -> tuple[str, ...]:
        """Return the first segments of the keys, sorted."""
        with self._connection.reading() as db:
            found = db.execute("SELECT DISTINCT poller FROM incident ORDER BY 1")
            return tuple(name for (name,) in found)

    def prune(self, before: datetime) -> None:
        """Delete what ended before, and notices from before without an incident."""
        with self._connection.transaction() as db:
            db.execute(f"DELETE FROM incident WHERE {_END}<?", (instant_text(before),))  # noqa: S608 # a constant
            db.execute(
                "DELETE FROM incident_notice WHERE at<? AND NOT EXISTS (SELECT 1 FROM incident"
                " WHERE incident.key=incident_notice.key AND incident.raised_at=incident_notice.raised_at)",
                (instant_text(before),),
            )

    def check(self) -> None:
        """Raise ValueError if an open incident can't be parsed, `StateError` if a table is not there."""
        with self._connection.reading() as db:
            rows = db.execute(f"SELECT {_COLUMNS} FROM incident WHERE {_END}='9'").fetchall()  # noqa: S608 # constants
            _incidents(rows, db.execute(f"SELECT {_NOTICE} FROM incident_notice ORDER BY at DESC LIMIT 100"))  # noqa: S608 # constants


def _where(
    since: datetime, until: datetime, poller: str, subject: str, *, newest: bool
) -> tuple[str, list[str | int]]:
    """Return a condition and its values. An expression (`||''`) keeps from using the index of that column.

    One subject has few incidents: they are found by the key. Else those that end after `since` are found by
    their end, or if only the `newest` ones are wanted, by their beginning.
    """
    not_by = "||''"
    end, began = (not_by, not_by) if subject else (not_by, "") if newest else ("", not_by)
    where = f"{_END}{end}>? AND since{began}<?"
    values: list[str | int] = [instant_text(since), instant_text(until)]
    if subject:
        prefix = problem_key(poller, subject)
        where += " AND key>? AND key<?"
        values += [f"{prefix}/", f"{prefix}0"]  # 0 is the character after the slash
    elif poller:
        where += " AND poller=?"
        values.append(poller)
    return where, values


def store(db: Statements, alerts: Iterable[Alert], mutes: Sequence[Mute]) -> None:
    """Store the incidents of raised alerts, within a transaction. `mutes` are all known mutes.

    The texts stay those at its worst. What is known about mutes stays too. `severities` gets each severity
    with the time since when it was so; of the first one, that is when the alert was raised. They stay in the
    order in which they came: the clock may be set back.
    """
    raised = [(alert, instant_text(alert.raised_at)) for alert in alerts if alert.raised_at is not None]
    known = _known(db, [(alert.key, raised_at) for alert, raised_at in raised])
    db.executemany(
        f"INSERT INTO incident ({_COLUMNS}, poller) VALUES (:key, :raised_at, :since, :ended_at,"  # noqa: S608 # a constant
        " :is_unwatched, :severity, :severities, :text, :over, :fields, :muted_by, :acknowledged, :poller)"
        " ON CONFLICT (key, raised_at) DO UPDATE SET since=excluded.since, ended_at=excluded.ended_at,"
        " is_unwatched=excluded.is_unwatched, severity=excluded.severity, severities=excluded.severities,"
        ' text=excluded.text, "over"=excluded."over", fields=excluded.fields,'
        " acknowledged=excluded.acknowledged",
        [_row(alert, raised_at, known.get((alert.key, raised_at)), mutes) for alert, raised_at in raised],
    )


def _known(db: Statements, names: Sequence[tuple[str, str]]) -> dict[tuple[str, str], tuple[str, ...]]:
    """Return severity, severities, text, over and fields of the incidents that are stored."""
    found: dict[tuple[str, str], tuple[str, ...]] = {}
    for start in range(0, len(names), _AT_ONCE):
        some = names[start : start + _AT_ONCE]
        rows = db.execute(
            'SELECT key, raised_at, severity, severities, text, "over", fields FROM incident WHERE '  # noqa: S608 # constants
            + " OR ".join(["(key=? AND raised_at=?)"] * len(some)),
            [*chain.from_iterable(some)],
        )
        found |= {(key, raised_at): tuple(rest) for key, raised_at, *rest in rows}
    return found


def _row(
    alert: Alert, raised_at: str, known: tuple[str, ...] | None, mutes: Sequence[Mute]
) -> dict[str, Value]:
    """Return the row of an incident, for one that is not `known` or as it is now."""
    severity, text, over = alert.severity, alert.text, alert.over
    fields = _FIELDS.dump_json(alert.fields).decode()
    severities = {instant_text(alert.severity_since or alert.raised_at or alert.since): alert.severity}
    if known is not None:
        severities = {**json.loads(known[1]), **severities}
        if not alert.is_at_worst:
            severity, _, text, over, fields = cast("tuple[Severity, str, str, str, str]", known)
    mute = mute_of(alert.key, mutes, now=read_instant(raised_at))
    ack = alert.acknowledged
    return {
        "key": alert.key,
        "raised_at": raised_at,
        "poller": key_segments(alert.key)[0],
        "since": instant_text(alert.since),
        "ended_at": instant_text(alert.over_at) if alert.over_at else None,
        "is_unwatched": int(alert.is_unwatched),
        "severity": severity,
        "severities": json.dumps(severities),
        "text": text,
        "over": over,
        "fields": fields,
        "muted_by": mute.by if mute else None,
        "acknowledged": _ACKNOWLEDGED.dump_json(ack).decode() if ack else None,
    }


def store_delivered(db: Statements, delivered: Delivered) -> None:
    """Store delivered notices, within a transaction."""
    db.executemany(
        f"INSERT INTO incident_notice ({_NOTICE}) VALUES (?, ?, ?, ?, ?)"  # noqa: S608 # a constant
        " ON CONFLICT (key, raised_at, channel, news) DO UPDATE SET at=excluded.at"
        " WHERE incident_notice.news<>'begins'",
        [
            (key, instant_text(raised_at), channel, news, instant_text(at))
            for ((key, raised_at), channel, news), at in delivered.items()
        ],
    )


def store_mute(db: Statements, mute: Mute) -> None:
    """Note at the open incidents that a new mute covers who muted them, within a transaction."""
    found = db.execute(f"SELECT key, raised_at FROM incident WHERE {_END}='9'").fetchall()  # noqa: S608 # a constant
    db.executemany(
        "UPDATE incident SET muted_by=? WHERE key=? AND raised_at=?",
        [(mute.by, key, raised_at) for key, raised_at in found if mute.covers(key)],
    )


def _incidents(rows: Iterable[tuple[Any, ...]], notices: Iterable[tuple[Any, ...]]) -> tuple[Incident, ...]:
    """Return rows of `incident` as values, each with its rows of `incident_notice`, in the order given."""
    by_incident: dict[tuple[str, str], list[IncidentNotice]] = {}
    for key, raised_at, channel, news, at in notices:
        by_incident.setdefault((key, raised_at), []).append(IncidentNotice(channel, news, read_instant(at)))
    return tuple(_incident(row, tuple(by_incident.get(row[:2], ()))) for row in rows)


def _incident(row: tuple[Any, ...], notices: tuple[IncidentNotice, ...]) -> Incident:
    (
        key,
        raised_at,
        since,
        ended_at,
        is_unwatched,
        severity,
        severities,
        text,
        over,
        fields,
        muted_by,
        acknowledged,
    ) = row
    return Incident(
        key=key,
        severity=cast("Severity", severity),
        severities=tuple(
            (read_instant(at), each) for at, each in _SEVERITIES.validate_json(severities).items()
        ),
        text=text,
        over=over,
        fields=_FIELDS.validate_json(fields),
        since=read_instant(since),
        raised_at=read_instant(raised_at),
        ended_at=read_instant(ended_at) if ended_at else None,
        is_unwatched=bool(is_unwatched),
        muted_by=muted_by,
        acknowledged=_ACKNOWLEDGED.validate_json(acknowledged) if acknowledged else None,
        notices=notices,
    )

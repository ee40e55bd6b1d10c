"""The alerts in state.db."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, cast

from pydantic import TypeAdapter

from tallyd.adapters.state import incidents
from tallyd.adapters.state.connection import StateDamagedError, StateFile, Unchanged
from tallyd.adapters.state.notifications import known_mutes
from tallyd.core.alerts.rules import Alert, Evaluation, Observations, evaluate
from tallyd.core.alerts.templates import read_template
from tallyd.core.alerts.values import Fields
from tallyd.core.naming import instant_text, read_instant
from tallyd.core.reading import Severity

_COLUMNS = (
    'key, severity, text, "over", since, version, bad, bad_since, good, good_since, raised_at, over_at,'
    " is_unwatched, degree, is_at_worst, severity_since, fields"
)
_HOLDERS = ", ".join("?" * len(_COLUMNS.split(",")))
_FIELDS: TypeAdapter[Fields] = TypeAdapter(Fields)


class Alerts:
    """The alerts by key. `core.alerts.rules.evaluate` decides which ones begin and end."""

    def __init__(self, file: StateFile) -> None:
        self._file = file
        self._known = Unchanged(file, _known_alerts)

    def all(self) -> Mapping[str, Alert]:
        """Return all alerts: those that wait, open ones, and resolved ones that may need a notification."""
        return self._known.get()

    def open(self) -> tuple[Alert, ...]:
        """Return the open alerts, errors first, then oldest first."""
        found = [alert for alert in self.all().values() if alert.is_open]
        return tuple(sorted(found, key=lambda alert: (alert.severity, alert.since, alert.key)))

    def standing(self, *, most: int | None = None) -> tuple[Alert, ...]:
        """Return the alerts that are not resolved: open ones, then those that wait, each errors first.

        `most`: only the first ones. The others are not even read: there may be ten thousand.
        """
        order = "raised_at IS NULL, severity, since, key"
        with self._file.reading() as db:
            some = f"WHERE over_at IS NULL ORDER BY {order} LIMIT ?"
            rows = db.execute(f"SELECT {_COLUMNS} FROM alert {some}", (-1 if most is None else most,))  # noqa: S608 # constants
            return tuple(_alerts(rows))

    def standing_keys(self) -> tuple[frozenset[str], frozenset[str]]:
        """Return the keys of the open alerts, and of those that wait."""
        with self._file.reading() as db:
            rows = db.execute("SELECT key, raised_at IS NULL FROM alert WHERE over_at IS NULL").fetchall()
        open_ones, waiting = (frozenset(key for key, waits in rows if waits == each) for each in (0, 1))
        return open_ones, waiting

    def evaluate(self, observations: Observations) -> Evaluation:
        """Store the changes by observations. Writes nothing if nothing changes."""
        evaluation = evaluate(self.all(), observations)
        if not evaluation.changed and not evaluation.gone:
            return evaluation
        with self._file.transaction():
            return self.apply(observations)

    def apply(self, observations: Observations) -> Evaluation:
        """Evaluate observations and store the changes, within the transaction that the caller has begun."""
        evaluation = evaluate(self.all(), observations)
        with self._file.transaction() as db:
            # Alerts that only waited: nobody was notified of them.
            db.executemany("DELETE FROM alert WHERE key=?", [(key,) for key in evaluation.gone])
            _store(db, evaluation.changed)
        return evaluation

    def put(self, alert: Alert) -> None:
        """Store an alert that was evaluated elsewhere."""
        with self._file.transaction() as db:
            _store(db, [alert])

    def forget(self, is_settled: Callable[[Alert], bool]) -> None:
        """Delete resolved alerts that are settled, and their notifications."""
        gone = [(key,) for key, alert in self.all().items() if alert.over_at and is_settled(alert)]
        if gone:
            with self._file.transaction() as db:
                now = self.all()  # a run may have raised one of them again
                gone = [(key,) for (key,) in gone if key in now and is_settled(now[key]) and now[key].over_at]
                db.executemany("DELETE FROM alert WHERE key=?", gone)
                db.executemany("DELETE FROM notified WHERE key=?", gone)


def _known_alerts(db: sqlite3.Connection) -> dict[str, Alert]:
    """Return the alerts by key."""
    rows = db.execute(f"SELECT {_COLUMNS} FROM alert")  # noqa: S608 # a constant
    return {alert.key: alert for alert in _alerts(rows)}


def _alerts(rows: Iterable[tuple[Any, ...]]) -> Iterator[Alert]:
    try:
        yield from map(_alert, rows)
    except (ValueError, TypeError) as error:
        raise StateDamagedError(f"state.db is damaged: an alert makes no sense ({error})") from error


def _store(db: sqlite3.Connection, alerts: Sequence[Alert]) -> None:
    """Store alerts, and their incidents."""
    db.executemany(
        f"INSERT OR REPLACE INTO alert ({_COLUMNS}) VALUES ({_HOLDERS})",  # noqa: S608 # a constant
        [
            (
                alert.key,
                alert.severity,
                alert.text,
                alert.over,
                instant_text(alert.since),
                alert.version,
                alert.bad,
                _text(alert.bad_since),
                alert.good,
                _text(alert.good_since),
                _text(alert.raised_at),
                _text(alert.over_at),
                alert.is_unwatched,
                alert.degree,
                alert.is_at_worst,
                _text(alert.severity_since),
                _FIELDS.dump_json(alert.fields).decode(),
            )
            for alert in alerts
        ],
    )
    raised = [alert for alert in alerts if not alert.is_waiting]
    if raised:
        incidents.store(db, raised, known_mutes(db))


def _alert(row: tuple[Any, ...]) -> Alert:
    key, severity, text, over, since, version, bad, bad_since, good, good_since, *ending = row
    raised, ended, unwatched, degree, is_at_worst, severity_since, fields = ending
    for template in (text, over):
        read_template(template)
    return Alert(
        key=key,
        severity=cast("Severity", severity),
        text=text,
        over=over,
        since=read_instant(since),
        version=version,
        bad=bad,
        bad_since=_instant(bad_since),
        good=good,
        good_since=_instant(good_since),
        raised_at=_instant(raised),
        over_at=_instant(ended),
        is_unwatched=bool(unwatched),
        degree=degree,
        is_at_worst=bool(is_at_worst),
        severity_since=_instant(severity_since),
        fields=_FIELDS.validate_json(fields),
    )


def _text(at: datetime | None) -> str | None:
    return instant_text(at) if at else None


def _instant(text: str | None) -> datetime | None:
    return read_instant(text) if text else None

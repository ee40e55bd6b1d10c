"""The alerts in state.db."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

from pydantic import TypeAdapter

from tallyd.adapters.state import incidents
from tallyd.adapters.state.connection import ALL, StateConnection, Statements, Unchanged, damaged
from tallyd.adapters.state.notifications import known_mutes
from tallyd.core.alerts.mutes import matches
from tallyd.core.alerts.rules import Alert, Evaluation, Observations, acknowledge, evaluate
from tallyd.core.language.messages import english
from tallyd.core.language.templates import read_template
from tallyd.core.naming import instant_text

_ALERT: TypeAdapter[Alert] = TypeAdapter(Alert)


class Alerts:
    """The alerts by key. `core.alerts.rules.evaluate` decides which ones begin and end."""

    def __init__(self, connection: StateConnection) -> None:
        self._connection = connection
        self._known = Unchanged(connection, _known_alerts)

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
        with self._connection.reading() as db:
            rows = db.execute(
                "SELECT body FROM alert WHERE over_at IS NULL"
                " ORDER BY raised_at IS NULL, severity, since, key LIMIT ?",
                (ALL if most is None else most,),
            )
            return _alerts(rows)

    def standing_keys(self) -> tuple[frozenset[str], frozenset[str]]:
        """Return the keys of the open alerts, and of those that wait."""
        with self._connection.reading() as db:
            rows = db.execute("SELECT key, raised_at IS NULL FROM alert WHERE over_at IS NULL").fetchall()
        open_ones, waiting = (frozenset(key for key, waits in rows if waits == each) for each in (0, 1))
        return open_ones, waiting

    def evaluate(self, observations: Observations) -> Evaluation:
        """Store the changes by observations. Writes nothing if nothing changes."""
        evaluation = evaluate(self.all(), observations)
        if not evaluation.changed and not evaluation.gone:
            return evaluation
        with self._connection.transaction():
            return self.apply(observations)

    def apply(self, observations: Observations) -> Evaluation:
        """Evaluate observations and store the changes, within the transaction that the caller has begun."""
        evaluation = evaluate(self.all(), observations)
        with self._connection.transaction() as db:
            # Alerts that only waited: nobody was notified of them.
            db.executemany("DELETE FROM alert WHERE key=?", [(key,) for key in evaluation.gone])
            _store(db, evaluation.changed)
        return evaluation

    def put(self, alert: Alert) -> None:
        """Store an alert that was evaluated elsewhere."""
        with self._connection.transaction() as db:
            _store(db, [alert])

    def acknowledge(self, pattern: str, *, by: str, why: str, now: datetime) -> tuple[Alert, ...]:
        """Acknowledge the open alerts that match a pattern. Return all of them, as they are now.

        One that was acknowledged before stays as it is, unless there is a new reason.
        """
        with self._connection.transaction() as db:
            found = [each for each in self.open() if matches(pattern, each.key)]
            after = tuple(acknowledge(each, by=by, why=why, now=now) for each in found)
            _store(db, [each for each, before in zip(after, found, strict=True) if each is not before])
        return after

    def forget(self, is_settled: Callable[[Alert], bool]) -> None:
        """Delete resolved alerts that are settled, and their notifications."""
        gone = [(key,) for key, alert in self.all().items() if alert.over_at and is_settled(alert)]
        if gone:
            with self._connection.transaction() as db:
                now = self.all()  # a run may have raised one of them again
                gone = [(key,) for (key,) in gone if key in now and is_settled(now[key]) and now[key].over_at]
                db.executemany("DELETE FROM alert WHERE key=?", gone)
                db.executemany("DELETE FROM notified WHERE key=?", gone)


def _known_alerts(db: Statements) -> dict[str, Alert]:
    """Return the alerts by key."""
    return {alert.key: alert for alert in _alerts(db.execute("SELECT body FROM alert"))}


def _alerts(rows: Iterable[tuple[str]]) -> tuple[Alert, ...]:
    try:
        found = tuple(_ALERT.validate_json(body) for (body,) in rows)
        for alert in found:
            for template in (alert.text, alert.over):
                read_template(template)
    except ValueError as error:
        why = english("an alert makes no sense ({error})", error=error)
        raise damaged("state.db", why) from error
    return found


def _store(db: Statements, alerts: Sequence[Alert]) -> None:
    """Store alerts, and their incidents."""
    db.executemany(
        "INSERT INTO alert (key, body, severity, since, raised_at, over_at) VALUES (?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (key) DO UPDATE SET body=excluded.body, severity=excluded.severity,"
        " since=excluded.since, raised_at=excluded.raised_at, over_at=excluded.over_at",
        [
            (
                alert.key,
                _ALERT.dump_json(alert, exclude_none=True).decode(),
                alert.severity,
                instant_text(alert.since),
                instant_text(alert.raised_at) if alert.raised_at else None,
                instant_text(alert.over_at) if alert.over_at else None,
            )
            for alert in alerts
        ],
    )
    raised = [alert for alert in alerts if not alert.is_waiting]
    if raised:
        incidents.store(db, raised, known_mutes(db))

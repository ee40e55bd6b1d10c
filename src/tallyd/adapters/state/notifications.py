"""The notifications of each channel, and the mutes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType

from tallyd.adapters.state import incidents
from tallyd.adapters.state.connection import StateConnection, Statements, Unchanged
from tallyd.core.alerts.incidents import Delivered
from tallyd.core.alerts.mutes import MUTE_KEY, Mute
from tallyd.core.alerts.notices import Notified
from tallyd.core.naming import instant_text, read_instant

_MUTE = 'pattern, since, until, why, "by", ended_by, version'


class Notifications:
    """The notifications by channel and key, and the mutes by pattern."""

    def __init__(self, connection: StateConnection) -> None:
        self._connection = connection
        self._notified = Unchanged(connection, _known_notified)

    def notified(self) -> Mapping[tuple[str, str], Notified]:
        """Return the last notification of each channel and key (of an alert or a mute)."""
        return self._notified.get()

    def mark(
        self,
        notified: Mapping[tuple[str, str], Notified],
        delivered: Delivered = MappingProxyType({}),
    ) -> None:
        """Commit that channels were notified, and the notices about incidents that were delivered."""
        if not notified and not delivered:
            return
        with self._connection.transaction() as db:
            db.executemany(
                "INSERT INTO notified (channel, key, version, at, is_open) VALUES (?, ?, ?, ?, ?)"
                " ON CONFLICT (key, channel) DO UPDATE SET version=excluded.version, at=excluded.at,"
                " is_open=excluded.is_open",
                [
                    (channel, key, each.version, instant_text(each.at), int(each.is_open))
                    for (channel, key), each in notified.items()
                ],
            )
            incidents.store_delivered(db, delivered)

    def forget_channels(self, known: frozenset[str]) -> None:
        """Delete the notifications of channels that are not in `known`."""
        gone = {channel for channel, _ in self.notified()} - known
        if gone:
            with self._connection.transaction() as db:
                db.executemany("DELETE FROM notified WHERE channel=?", [(channel,) for channel in gone])

    def mutes(self) -> tuple[Mute, ...]:
        """Return all mutes, also those that have ended and may need a notification."""
        with self._connection.reading() as db:
            return known_mutes(db)

    def mute(self, pattern: str, *, since: datetime, until: datetime, why: str, by: str) -> None:
        """Mute a pattern, or renew its mute."""
        with self._connection.transaction() as db:
            db.execute(
                f"INSERT INTO mute ({_MUTE}) VALUES (?, ?, ?, ?, ?, NULL, 1)"  # noqa: S608 # a constant
                " ON CONFLICT (pattern) DO UPDATE SET since=excluded.since, until=excluded.until,"
                ' why=excluded.why, "by"=excluded."by", ended_by=NULL, version=mute.version+1',
                (pattern, instant_text(since), instant_text(until), why, by),
            )
            incidents.store_mute(db, Mute(pattern=pattern, since=since, until=until, why=why, by=by))

    def unmute(self, pattern: str, *, now: datetime, by: str) -> bool:
        """End an active mute. Return false if there is none."""
        if not any(mute.pattern == pattern for mute in self.mutes()):
            return False
        with self._connection.transaction() as db:
            done = db.execute(
                "UPDATE mute SET ended_by=?, version=version+1"
                " WHERE pattern=? AND ended_by IS NULL AND until>?",
                (by, pattern, instant_text(now)),
            )
            return done.rowcount > 0

    def forget_mutes(self, patterns: frozenset[str], *, versions: Mapping[str, int]) -> None:
        """Delete mutes and their notifications, unless a mute has changed since (`versions`)."""
        if not patterns:
            return
        with self._connection.transaction() as db:
            for pattern in patterns:
                done = db.execute(
                    "DELETE FROM mute WHERE pattern=? AND version=?", (pattern, versions[pattern])
                )
                if done.rowcount:
                    db.execute("DELETE FROM notified WHERE key=?", (MUTE_KEY + pattern,))

    def check(self) -> None:
        """Raise ValueError if the stored values can't be parsed."""
        self.notified()
        self.mutes()


def _known_notified(db: Statements) -> Mapping[tuple[str, str], Notified]:
    rows = db.execute("SELECT channel, key, version, at, is_open FROM notified")
    return {
        (channel, key): Notified(version, read_instant(at), bool(is_open))
        for channel, key, version, at, is_open in rows
    }


def known_mutes(db: Statements) -> tuple[Mute, ...]:
    """Return all mutes, sorted by pattern."""
    rows = db.execute(f"SELECT {_MUTE} FROM mute ORDER BY pattern")  # noqa: S608 # a constant
    return tuple(
        Mute(
            pattern=pattern,
            since=read_instant(since),
            until=read_instant(until),
            why=why,
            by=by,
            ended_by=ended_by,
            version=version,
        )
        for pattern, since, until, why, by, ended_by, version in rows
    )

"""The daemon with a shorter lease, and in variants that are wrong: what the campaign must be able to find.

    python standby_daemon.py VARIANT LEASE_S --config PATH run

`sound` is the real thing. `lock-only` has the lock, but its changes carry no token. `look-only` reads the
token before each change, and holds nothing until the commit. Neither ends the sessions of the former leader.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from tallyd.adapters.state import leadership, postgresql, server_session
from tallyd.adapters.state.connection import DeposedError
from tallyd.cli.main import main


def lock_only(_self: Any, db: Any) -> str:
    cursor = db.execute(b"BEGIN; SELECT pg_current_xact_id()")
    cursor.nextset()
    return str(cursor.fetchone()[0])


def look_only(self: Any, db: Any) -> str:
    if db.execute("SELECT 1 FROM leader WHERE token=%s", (self._token,)).fetchone() is None:
        raise DeposedError(self.place)
    return lock_only(self, db)


def vary(variant: str, lease_s: int) -> None:
    """Make this process a variant."""
    for module in (server_session, leadership):
        module.LEASE_S = lease_s  # type: ignore[attr-defined] # another constant
    leadership.TRY_EVERY_S = min(leadership.TRY_EVERY_S, lease_s / 4)  # type: ignore[misc] # another constant
    if variant == "sound":
        return
    leadership._end_former_leader = lambda db: None
    server_session._SESSION = server_session._SESSION.replace("'{lease}s'", "'0'")  # type: ignore[misc] # another constant
    wrong: dict[str, dict[str, Callable[..., object]]] = {
        "lock-only": {"_begin": lock_only, "confirm": lambda _self: None},
        "look-only": {"_begin": look_only},
    }
    for name, method in wrong[variant].items():
        setattr(postgresql.StateServer, name, method)


if __name__ == "__main__":
    vary(sys.argv.pop(1), int(sys.argv.pop(1)))
    main()

"""A connection of psycopg that waits for the server only so long. Imported only where psycopg is installed.

A server-side timeout is no help where the server hangs, and TCP's own only sees a host that is gone.
"""

from __future__ import annotations

from typing import Any

import psycopg


class BoundedConnection(psycopg.Connection[Any]):
    """Closes itself and raises `psycopg.OperationalError` where an answer takes longer than `answer_s`."""

    answer_s = 12.0

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        try:
            return super().wait(gen, interval=interval, timeout=timeout or self.answer_s)
        except psycopg.OperationalError as error:
            if error.sqlstate is None and "timeout" in str(error):
                self.pgconn.finish()  # an answer that comes late would be taken for the next one's
            raise

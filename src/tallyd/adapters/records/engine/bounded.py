"""A psycopg connection with a time limit for each answer. Import it only if psycopg is installed.

A timeout on the server does not help if the server hangs, and TCP's timeouts only notice a lost host.
"""

from __future__ import annotations

from typing import Any

import psycopg


class BoundedConnection(psycopg.Connection[Any]):
    """Closes itself and raises `psycopg.OperationalError` if an answer takes longer than `answer_s`."""

    answer_s = 12.0

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        try:
            return super().wait(gen, interval=interval, timeout=timeout or self.answer_s)
        except psycopg.OperationalError as error:
            if error.sqlstate is None and "timeout" in str(error):
                self.pgconn.finish()  # otherwise a late answer would count as that of the next query
            raise

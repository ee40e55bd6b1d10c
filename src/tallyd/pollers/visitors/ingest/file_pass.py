"""One pass over the records of a file: what passages and intervals have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from datetime import datetime

from tallyd.contract.passages import Content, Rows
from tallyd.pollers.visitors.ingest.bad_records import BadRecords, BadRecordsError, Broken
from tallyd.pollers.visitors.ingest.minute_counts import FROM_AHEAD, Minutes
from tallyd.pollers.visitors.ingest.shape import Shape


class Pass(ABC):
    """Reads a file once. At its end, `content` is complete. Raises `RejectedError`.

    `times` has the format and the zone of times, `now` is aware. With `skips_bad`, bad records are skipped
    and counted. Otherwise a `BadRecordsError` with the first few of them ends the pass.
    """

    def __init__(self, times: Shape, now: datetime, *, skips_bad: bool) -> None:
        self._skips_bad = skips_bad
        self._minutes = Minutes(times, now)
        self._bad = BadRecords()
        self._records = 0

    @abstractmethod
    def whole(self, data: bytes) -> list[Rows]:
        """Return the rows of a file that is in memory."""

    @abstractmethod
    def rows(self, chunks: Iterable[bytes]) -> Iterable[Rows]:
        """Return the rows in batches; it raises what `chunks` raises."""

    @property
    def content(self) -> Content:
        """The content of the file, without its rows."""
        minutes = self._minutes
        return Content(
            records=self._records, minutes=minutes.counts, span=minutes.span, skipped=self._bad.count
        )

    @property
    def broken(self) -> tuple[Broken, ...]:
        """The rules that records broke so far."""
        return self._bad.broken

    def _check(self) -> None:
        """Raise `BadRecordsError` at the end of a file whose bad records are not skipped.

        If all records are bad, none is skipped: that is not a sign of life, but a host with a fault.
        """
        if self._bad.count and not (self._skips_bad and self._records):
            ahead = self._minutes.ahead if self._bad.rules == {FROM_AHEAD} else None
            raise BadRecordsError(self.broken, ahead)

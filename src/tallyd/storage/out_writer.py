"""Writes committed readings from state.db to out/, and notes that they are written."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from datetime import datetime, time, tzinfo
from functools import partial

from tallyd.adapters.outfiles import OutError, OutFiles
from tallyd.adapters.state import OutFile, State
from tallyd.config.jobs import Task
from tallyd.core.naming import instant_text, local_text, read_instant
from tallyd.core.out_document import file_text

PRUNE_BATCH = 500
_DELETED = "deleted before, {}"
"""The note of the instant before which a poller's readings were deleted."""

log = logging.getLogger("tallyd")


class OutWriter:
    """Writes and prunes the out files. Thread-safe."""

    def __init__(self, state: State, out: OutFiles, *, now: Callable[[], datetime]) -> None:
        self._state = state
        self._out = out
        self._now = now
        self._writing = threading.Lock()

    def write(self, outs: Iterable[OutFile], tasks: Iterable[Task]) -> dict[int, str]:
        """Write these out files in this order. Return the reasons why some could not be written, by id.

        If one poller's folder can't be written to, the others are still written. Raises `StateError`.
        """
        by_name = {task.name: task for task in tasks}
        failures: dict[int, str] = {}
        failed: dict[str, str] = {}
        for out in outs:
            try:
                if out.poller not in failed:
                    self._write(out, by_name.get((out.poller, out.job)))
            except OutError as error:
                failed[out.poller] = str(error)
            if out.poller in failed:
                failures[out.id] = failed[out.poller]
        return failures

    def _write(self, out: OutFile, task: Task | None) -> None:
        """Write a reserved out file and `latest.json`, then note that it is written.

        Raises `OutError`, `StateError`.
        """
        # The thread of a run and the scheduler thread may both have found it unwritten.
        with self._writing:
            found = self._state.out_files.to_write(out)
            if found is None:
                return
            out, content, latest = found
            is_taken = partial(self._out.exists, out.poller)
            while self._out.write(out.poller, out.name, file_text(content)) == "taken":
                out = self._state.out_files.rename(out, is_taken=is_taken)
            # A file that is written late must not replace a newer latest.json.
            if self._state.out_files.is_last(out):
                next_at = task.next_at(self._now()) if task else None
                content |= latest
                content["next_due_at"] = local_text(next_at, task.zone) if task and next_at else None
                self._out.write_latest(out.poller, file_text(content))
            self._state.out_files.mark_written(out)
        log.debug("out file written", extra={"poller": out.poller, "file": f"{out.poller}/{out.name}"})

    def prune(self, poller: str, *, before: datetime, zone: tzinfo) -> None:
        """Delete the poller's out files and readings from before the local day of `before`.

        Both up to the same midnight: the next start would restore a reading from a file that is left.
        Raises `StateError`.
        """
        day = before.astimezone(zone).date()
        midnight = datetime.combine(day, time(), zone)
        noted = self._noted(poller)
        if noted is None or noted < midnight:
            self._state.set_note(_DELETED.format(poller), instant_text(midnight))
        rows, files = 0, self._out.prune(poller, before=day)
        while (batch := self._state.readings.prune(poller, before=midnight, most=PRUNE_BATCH)) > 0:
            rows += batch
        if files or rows:
            log.info("old readings deleted", extra={"poller": poller, "files": files, "rows": rows})

    def deleted_before(self, poller: str, *, now: datetime) -> datetime | None:
        """Return the instant before which the poller's readings were deleted; None: none were, up to `now`.

        Not simply `keep_days` ago: the config may have had another number, and by a clock that is far ahead
        the slots of the last hour would be that old. Raises `StateError`.
        """
        noted = self._noted(poller)
        return noted if noted is not None and noted <= now else None

    def _noted(self, poller: str) -> datetime | None:
        written = self._state.note(_DELETED.format(poller))
        return read_instant(written) if written else None

"""The out files as the projection of state.db: what is committed is written, and noted as written."""

from __future__ import annotations

import json
import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, time, tzinfo
from functools import partial

from tallyd.adapters.outfiles import OutError, OutFiles
from tallyd.adapters.state import OutFile, State, StateError
from tallyd.config.jobs import Task
from tallyd.core.naming import local_text
from tallyd.core.out_document import dumped
from tallyd.core.reading import Reading
from tallyd.core.schedule.timetable import marks_of

PRUNE_BATCH = 500

log = logging.getLogger("tallyd")


class OutWriter:
    """What is still to be written to out/, and what is written there. Used by several threads.

    `on_trouble` is told when state.db can't be used.
    """

    def __init__(
        self,
        state: State,
        out: OutFiles,
        *,
        now: Callable[[], datetime],
        on_trouble: Callable[[StateError], None],
    ) -> None:
        self._state = state
        self._out = out
        self._now = now
        self._on_trouble = on_trouble
        self._writing = threading.Lock()
        self._held_back: Counter[str] = Counter()

    @contextmanager
    def held_back(self, poller: str) -> Iterator[None]:
        """Within it, `write_unwritten` leaves the poller's files alone: they are about to be amended."""
        with self._writing:
            self._held_back[poller] += 1
        try:
            yield
        finally:
            with self._writing:
                self._held_back[poller] -= 1

    def amended(self, out: OutFile, reading: Reading) -> OutFile:
        """Have an out file say what is known of its report by now; where that can't be stored, it stays."""
        content = json.loads(out.text)
        content["report"] = (reading.facts or {})["report"]
        try:
            return self._state.outs.amend(out, dumped(content))
        except StateError as error:
            self._on_trouble(error)
            return out

    def why_not_written(self, out: OutFile, task: Task | None) -> str | None:
        """Write a reserved out file and `latest.json`, and note that it is written; None: done.

        Else the reason. It stays unwritten in state.db, and `write_unwritten` finds it there.
        """
        try:
            # A run's thread and the schedule's may both have found it unwritten.
            with self._writing:
                now = self._state.outs.as_stored(out)  # it may have been amended meanwhile
                if now is not None:
                    self._write(now, task)
        except OutError as error:
            return str(error)
        except StateError as error:
            self._on_trouble(error)
            return str(error)
        log.debug("out file written", extra={"poller": out.poller, "file": f"{out.poller}/{out.name}"})
        return None

    def _write(self, out: OutFile, task: Task | None) -> None:
        is_taken = partial(self._out.exists, out.poller)
        while self._out.write(out.poller, out.name, out.text) == "taken":
            out = self._state.outs.rename(out, is_taken=is_taken)
        # A file that is written late does not replace a newer latest.json.
        if self._state.outs.is_last(out):
            content = json.loads(out.text)
            next_at = task.next_at(self._now()) if task else None
            content["next_due_at"] = local_text(next_at, task.zone) if task and next_at else None
            self._out.write_latest(out.poller, dumped(content))
        self._state.outs.mark_written(out)

    def write_unwritten(self, tasks: tuple[Task, ...]) -> tuple[str, ...]:
        """Write every out file that is not known to be on disk, oldest first; return why some were not.

        A poller whose folder can't be written to does not hold up the others. Raises `StateError`.
        """
        by_poller = {task.poller: task for task in tasks if marks_of(task.job.when, task.zone)}
        failures: dict[str, str] = {}
        for out in self._state.outs.unwritten():
            if out.poller not in failures and not self._held_back[out.poller]:
                failure = self.why_not_written(out, by_poller.get(out.poller))
                failures |= {out.poller: failure} if failure is not None else {}
        return tuple(failures.values())

    def prune(self, poller: str, *, before: datetime, zone: tzinfo) -> None:
        """Delete the poller's out files and readings from before the day of an instant.

        Both to the same midnight: a file whose reading is gone would be taken back in at the next start.
        Raises `StateError`.
        """
        day = before.astimezone(zone).date()
        files = self._out.prune(poller, before=day)
        rows, midnight = 0, datetime.combine(day, time(), zone)
        while (batch := self._state.readings.prune(poller, before=midnight, most=PRUNE_BATCH)) > 0:
            rows += batch
        if files or rows:
            log.info("old readings deleted", extra={"poller": poller, "files": files, "rows": rows})

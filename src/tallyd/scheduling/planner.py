"""Finds out what is due for a job: compares its timetable with state.db."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from tallyd.adapters.state import StateError
from tallyd.config.jobs import Task
from tallyd.core.schedule.timetable import Plan, due, watermarks
from tallyd.storage.store import Store


class Planner:
    """Plans jobs and stores their watermarks."""

    def __init__(self, store: Store, *, now: Callable[[], datetime]) -> None:
        self._store = store
        self._now = now
        self._held_marks: dict[tuple[str, str], dict[str, datetime]] = {}

    def plan(self, task: Task) -> Plan:
        """Compare a job's timetable with state.db. Raises `StateError`."""
        slots, now = self._store.state.slots, self._now()
        marks = self._marks(task, now)
        held = self._store.held.slots(*task.name)
        return due(
            task.job.when,
            task.zone,
            now=now,
            marks=marks,
            pending=tuple(one for one in slots.pending(*task.name) if one.key not in held),
            settled_since=lambda since: held | slots.settled(*task.name, since=since, now=now),
            catch_up_s=task.job.catch_up_s or 0.0,
            kept_from=self._store.files.deleted_before(task.poller, now=now),
        )

    def _marks(self, task: Task, now: datetime) -> dict[str, datetime]:
        """Return the job's watermarks, and store those that are new or have moved.

        If state.db can't store them they are held in memory, so that a new time of day counts even while the
        disk is full.
        """
        slots = self._store.state.slots
        stored = slots.marks(*task.name)
        known = stored | self._held_marks.pop(task.name, {})
        marks = watermarks(known, task.job.when, task.zone, now=now)
        changed = {name: at for name, at in marks.items() if stored.get(name) != at}
        gone = frozenset(stored.keys() - marks.keys())
        if changed or gone:
            try:
                slots.set_marks(*task.name, changed, drop=gone)
            except StateError as error:
                self._held_marks[task.name] = changed
                self._store.note_trouble(error)
        return marks

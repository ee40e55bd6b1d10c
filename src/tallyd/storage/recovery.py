"""state.db at start: a damaged one is set aside, and what it does not know is taken back in from out/."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from itertools import chain
from pathlib import Path
from zoneinfo import ZoneInfo

from tallyd.adapters.outfiles import OutFiles
from tallyd.adapters.state import NewReading, State, StateDamagedError, Whose
from tallyd.config.jobs import Task, tasks_of
from tallyd.config.model import Config
from tallyd.core.alerts.daemon_alerts import state_damaged
from tallyd.core.out_document import SCHEMA
from tallyd.core.reading import Problem
from tallyd.core.schedule.timetable import At, Every, marks_of

log = logging.getLogger("tallyd")

DATABASE = "state.db"
_DAMAGED = f"{DATABASE}.damaged-"
_TIME = "%Y%m%dT%H%M%SZ"
_QUARANTINED = re.compile(re.escape(_DAMAGED) + r"[0-9]{8}T[0-9]{6}Z")


def open_state(config: Config, *, now: datetime) -> State:
    """Open state.db, knowing every reading that lies in out/.

    A damaged one is set aside and a new one begun. What is missing is taken back in from the out files at
    each start, whatever the reason: damage, a start that was killed in the middle of this, a backup put
    back, a state.db that somebody removed. Raises `StateError` where it can't be opened for another reason
    (a full disk, missing rights).
    """
    path = config.state_dir / DATABASE
    try:
        return _opened(path, config)
    except StateDamagedError as error:
        _quarantine(path, now=now, reason=str(error))
        return _opened(path, config)


def _opened(path: Path, config: Config) -> State:
    state = State(path)
    try:
        state.check()
        restored = restore(state, OutFiles(config.out_dir), config)
    except BaseException:
        state.close()
        raise
    if restored:
        log.warning("readings taken back in from out files", extra={"count": restored})
    return state


def _quarantine(path: Path, *, now: datetime, reason: str) -> None:
    """Rename a damaged database; the file itself first, since its new name is what people are told of."""
    quarantined = path.with_name(f"{_DAMAGED}{now:{_TIME}}")
    log.error("state.db is damaged", extra={"reason": reason, "set_aside": str(quarantined)})
    for suffix in ("", "-wal", "-shm"):
        part = path.with_name(DATABASE + suffix)
        if part.exists():
            part.rename(quarantined.with_name(quarantined.name + suffix))


def restore(state: State, out: OutFiles, config: Config) -> int:
    """Take the readings that are in out/ alone back into state.db; return how many.

    Months before the newest that state.db knows of are not looked at: what it lost is what came last.
    """
    names = cache(state.outs.newest_names)

    def is_known(poller: str, name: str) -> bool:
        known = names(poller)
        return name in known or name[:7] < min(known, default="")[:7]

    writers = _writers(config)
    found = (_from_file(writers, *each) for each in out.contents(skip=is_known))
    readings = (each for each in found if each is not None)
    first = next(readings, None)
    if first is None:
        return 0
    marks = {task.name: marks_of(task.job.when, task.zone) for task in tasks_of(config)}
    return state.readings.restore(chain((first,), readings), marks)


def damage_problems(state_dir: Path) -> tuple[Problem, ...]:
    """Return the problem of a database that was set aside and is still there; removing it ends it."""
    found = sorted(path.name for path in state_dir.glob(f"{_DAMAGED}*Z") if _QUARANTINED.fullmatch(path.name))
    if not found:
        return ()
    since = datetime.strptime(found[-1].removeprefix(_DAMAGED), _TIME).replace(tzinfo=UTC)
    return (state_damaged(str(state_dir / found[-1]), since=since),)


def _from_file(writers: Mapping[str, Task], poller: str, name: str, text: str) -> NewReading | None:
    """Return the reading that an out file tells of; None for a file that is not one of tallyd's."""
    content = json.loads(text)
    task = writers.get(poller)
    try:
        if content["schema"] != SCHEMA or content["poller"] != poller:
            return None
        due_at = datetime.fromisoformat(content["due_at"]) if content["due_at"] else None
        taken_at, kind = datetime.fromisoformat(content["taken_at"]), str(content["kind"])
        part = None if content.get("part") is None else str(content["part"])
        slot = _slot_key(task, due_at) if due_at else None
        taken_at.astimezone(UTC)
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    return NewReading(
        whose=Whose(poller=poller, kind=kind, job=task.job.name if task else ""),
        slot=slot,
        part=part,
        due_at=due_at,
        taken_at=taken_at,
        name=name,
        text=text,
    )


def _writers(config: Config) -> dict[str, Task]:
    """Return of each poller the job that writes out files: the first that has slots, else the first."""
    tasks = tasks_of(config)
    slotted = [task for task in tasks if marks_of(task.job.when, task.zone)]
    return {task.poller: task for task in (*reversed(tasks), *reversed(slotted))}


def _slot_key(task: Task | None, due_at: datetime) -> str | None:
    """Return the key of a slot; None where the job has none. A poller that is gone had times of day."""
    when = task.job.when if task else At(())
    if isinstance(when, Every):
        return due_at.astimezone(UTC).isoformat() if when.grid else None
    zone = task.zone if task else ZoneInfo("UTC")
    return f"{due_at.astimezone(zone).replace(tzinfo=None).isoformat()}[{zone}]"

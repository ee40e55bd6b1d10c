"""Opens state.db at start: moves a damaged one away, and restores missing readings from out/."""

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
from tallyd.adapters.state import JobRef, NewReading, State, StateDamagedError
from tallyd.config.folders import STATE_FILE
from tallyd.config.jobs import Task, tasks_of
from tallyd.config.model import Config
from tallyd.core.alerts.daemon_alerts import DAMAGED
from tallyd.core.alerts.rules import OWN
from tallyd.core.out_document import SCHEMA
from tallyd.core.reading import Problem
from tallyd.core.schedule.timetable import At, Every, marks_of
from tallyd.storage.projection import A_MONTH, let_missing_be_written

log = logging.getLogger("tallyd")

_DAMAGED = f"{STATE_FILE}.damaged-"
_TIME = "%Y%m%dT%H%M%SZ"
_QUARANTINED = re.compile(re.escape(_DAMAGED) + r"[0-9]{8}T[0-9]{6}Z")


def open_state(config: Config, *, now: datetime, token: str | None = None) -> State:
    """Open the state and restore readings that exist only in out/.

    `token` is that of the leader, where daemons share a state.

    A damaged state.db is renamed and a new one is created. Every start restores missing readings from the out
    files, whatever the cause: damage, a start that was killed while it restored, an old backup, a state.db
    that somebody deleted. Raises `StateError` if it can't be opened for another reason (a full disk, missing
    rights).
    """
    try:
        return _opened(config, token, now)
    except StateDamagedError as error:
        if not isinstance(config.state_at, Path):
            raise  # what a server stores is for its administrator to restore
        _quarantine(config.state_at, now=now, reason=str(error))
        return _opened(config, token, now)


def _opened(config: Config, token: str | None, now: datetime) -> State:
    state = State(config.state_at, token=token)
    out = OutFiles(config.out_dir)
    try:
        state.check()
        restored = restore(state, out, config)
        if token is not None and (missing := let_missing_be_written(state, out, since=now - A_MONTH)):
            log.info("out files of another host are written here too", extra={"count": missing})
    except BaseException:
        state.close()
        raise
    if restored:
        log.warning("readings restored from out files", extra={"count": restored})
    return state


def _quarantine(path: Path, *, now: datetime, reason: str) -> None:
    """Rename a damaged database, the main file first: the alert names it."""
    quarantined = path.with_name(f"{_DAMAGED}{now:{_TIME}}")
    log.error("state.db is damaged", extra={"reason": reason, "set_aside": str(quarantined)})
    for suffix in ("", "-wal", "-shm"):
        part = path.with_name(STATE_FILE + suffix)
        if part.exists():
            part.rename(quarantined.with_name(quarantined.name + suffix))


def restore(state: State, out: OutFiles, config: Config) -> int:
    """Copy readings that exist only in out/ into state.db; return how many.

    Skips the months before those of the newest readings in state.db: it can only have lost what came last.
    """
    names = cache(state.out_files.newest_names)

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
    """Return a problem if a damaged database is still there. Deleting it resolves the alert."""
    found = sorted(path.name for path in state_dir.glob(f"{_DAMAGED}*Z") if _QUARANTINED.fullmatch(path.name))
    if not found:
        return ()
    since = datetime.strptime(found[-1].removeprefix(_DAMAGED), _TIME).replace(tzinfo=UTC)
    return (DAMAGED.problem(OWN, since=since, file=str(state_dir / found[-1])),)


def _from_file(writers: Mapping[str, Task], poller: str, name: str, text: str) -> NewReading | None:
    """Return the reading in an out file; None if tallyd did not write the file."""
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
        ref=JobRef(poller=poller, kind=kind, job=task.job.name if task else ""),
        slot=slot,
        part=part,
        due_at=due_at,
        taken_at=taken_at,
        name=name,
        text=text,
    )


def _writers(config: Config) -> dict[str, Task]:
    """Return for each poller the job that writes out files: the first that has slots, else the first."""
    tasks = tasks_of(config)
    slotted = [task for task in tasks if marks_of(task.job.when, task.zone)]
    return {task.poller: task for task in (*reversed(tasks), *reversed(slotted))}


def _slot_key(task: Task | None, due_at: datetime) -> str | None:
    """Return the key of a slot; None if the job has no slots.

    A removed poller is assumed to have had some.
    """
    when = task.job.when if task else At(())
    if isinstance(when, Every):
        return due_at.astimezone(UTC).isoformat() if when.grid else None
    zone = task.zone if task else ZoneInfo("UTC")
    return f"{due_at.astimezone(zone).replace(tzinfo=None).isoformat()}[{zone}]"

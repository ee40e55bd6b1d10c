"""What happens to a damaged state.db: it is set aside, and its readings are restored from the out files."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from tallyd.adapters.outfiles import OutFiles
from tallyd.adapters.state import State, StateDamagedError, Whose
from tallyd.config import Config
from tallyd.core.document import SCHEMA, Heading
from tallyd.core.reading import Problem
from tallyd.core.timetable import marks_of
from tallyd.tasks import tasks_of

log = logging.getLogger("tallyd")

DATABASE = "state.db"
_DAMAGED = f"{DATABASE}.damaged-"
_TIME = "%Y%m%dT%H%M%SZ"


def open_state(config: Config, *, now: datetime) -> State:
    """Open state.db; where it is damaged, set it aside and begin a new one from the out files.

    Raises `StateError` where it can't be opened for another reason (a full disk, missing rights).
    """
    path = config.state_dir / DATABASE
    try:
        return State(path)
    except StateDamagedError as error:
        aside = path.with_name(f"{_DAMAGED}{now:{_TIME}}")
        log.error("state.db is damaged", extra={"reason": str(error), "set_aside": str(aside)})  # noqa: TRY400 # told
    for suffix in ("", "-wal", "-shm"):
        part = path.with_name(DATABASE + suffix)
        if part.exists():
            part.rename(aside.with_name(aside.name + suffix))
    state = State(path)
    restored = restore(state, OutFiles(config.out_dir), config)
    log.warning("state.db begun anew", extra={"readings_restored": restored})
    return state


def restore(state: State, out: OutFiles, config: Config) -> int:
    """Take the readings in out/ back into a new state.db; return how many.

    The watermarks of each poller are set to its newest slot, so that a slot missed since is still found.
    """
    newest: dict[str, datetime] = {}
    count = 0
    for poller, name, text in out.contents():
        content = json.loads(text)
        heading = _heading(poller, content)
        if heading is None:
            continue
        job = _job_of(config, poller)
        whose = Whose(poller=poller, kind=heading.kind, job=job)
        slot = _slot_key(config, poller, heading.due_at)
        count += state.readings.restore(whose, slot, heading, name, text)
        if heading.due_at is not None:
            newest[poller] = max(heading.due_at, newest.get(poller, heading.due_at))
    for task in tasks_of(config):
        if task.poller in newest:
            marks = dict.fromkeys(marks_of(task.job.when, task.zone), newest[task.poller])
            state.slots.set_marks(*task.name, marks, drop=frozenset())
    return count


def damage_problems(state_dir: Path) -> tuple[Problem, ...]:
    """Return the problem of a database that was set aside and is still there; removing it ends it."""
    found = sorted(path.name for path in state_dir.glob(f"{_DAMAGED}*Z"))
    if not found:
        return ()
    return (
        Problem(
            key="tallyd/state",
            text=f"state.db was damaged and set aside as {state_dir / found[-1]}; "
            "a new one was begun with the readings in out/. Check the disk (SD card), then remove that file.",
            since=datetime.strptime(found[-1].removeprefix(_DAMAGED), _TIME).replace(tzinfo=UTC),
        ),
    )


def _heading(poller: str, content: object) -> Heading | None:
    """Return the heading of an out file; None for a file that is not one of tallyd's."""
    try:
        if not isinstance(content, dict) or content["schema"] != SCHEMA or content["poller"] != poller:
            return None
        due_at = datetime.fromisoformat(content["due_at"]) if content["due_at"] else None
        taken_at = datetime.fromisoformat(content["taken_at"])
        kind, origin = str(content["kind"]), content["origin"]
    except (KeyError, TypeError, ValueError):
        return None
    return Heading(poller=poller, kind=kind, origin=origin, due_at=due_at, taken_at=taken_at, zone=UTC)


def _job_of(config: Config, poller: str) -> str:
    """Return the name of the poller's job that writes out files; its first, or nothing known any more."""
    settings = config.settings.pollers.get(poller)
    return settings.jobs()[0].name if settings else ""


def _slot_key(config: Config, poller: str, due_at: datetime | None) -> str | None:
    if due_at is None:
        return None
    zone = config.effective(poller).zone if poller in config.settings.pollers else ZoneInfo("UTC")
    return f"{due_at.astimezone(zone).replace(tzinfo=None).isoformat()}[{zone}]"

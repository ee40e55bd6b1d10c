"""`tallyd status`: what is in force, what ran, what comes, what is wrong.

Everything but the place of state.db is read from state.db: what the daemon does is what counts, and the
file on disk may be broken just now.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from tallyd.adapters.locks import holder
from tallyd.adapters.state import State, StateError, Stored
from tallyd.cli.output import complain, say, show_json, show_table
from tallyd.cli.shared import load_config, utc_now
from tallyd.core.document import problem_json
from tallyd.core.errors import EXIT_OK, EXIT_PROBLEM, ConfigError
from tallyd.core.naming import local_text
from tallyd.core.reading import Json, Problem
from tallyd.core.texts import clock
from tallyd.core.timetable import next_slots
from tallyd.in_force import InForceNote, JobNote, read_note


@dataclass(frozen=True)
class JobStatus:
    """One job: its last reading, the slots missed since, and when it runs next."""

    job: JobNote
    last: Stored | None
    missed: tuple[datetime, ...]
    next_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class Status:
    """Everything that `status` says. `pid` is the daemon's, None when none runs.

    `on_disk` is what is wrong with the config on disk as it is now; None when nothing is.
    """

    now: datetime
    pid: int | None
    note: InForceNote
    on_disk: str | None
    jobs: tuple[JobStatus, ...]
    problems: tuple[Problem, ...]
    unwritten: int

    def headline(self) -> tuple[str, str]:
        """Return the first line and its style."""
        text = f"config {self.note.path} in force since {self.clock(self.note.since)}"
        if self.pid is None:
            mend = f"; the next start would fail: {self.on_disk}" if self.on_disk else ""
            return f"{text}; tallyd is NOT running{mend}", "error"
        if self.note.refused:
            when = self.clock(self.note.refused.since)
            return f"{text}; the file on disk is REFUSED since {when}: {self.note.refused.lines[0]}", "error"
        return f"{text}; running (process {self.pid})", "fine"

    def clock(self, at: datetime | None) -> str:
        """Return an instant as people say it, in the zone of the config; empty for None."""
        return clock(at, self.note.zone, now=self.now) if at else ""


def status(path: Path, *, as_json: bool) -> int:
    """Show how things are; return the exit status. Raises `ConfigError` where no folder is known at all."""
    folder, on_disk = _state_folder(path)
    database = folder / "state.db"
    try:
        found = _read(database, on_disk) if database.exists() else None
    except StateError as error:
        complain(f"tallyd: {error}")
        return EXIT_PROBLEM
    if found is None:
        complain(f"tallyd has not run with {path.absolute()} yet (no readings in {database})")
        return EXIT_PROBLEM
    if as_json:
        show_json(_json(found))
    else:
        _show(found)
    return EXIT_OK


def _state_folder(path: Path) -> tuple[Path, str | None]:
    """Return where state.db is, and what is wrong with the config on disk.

    A config that can't be loaded still says where its folders are, in most of its broken forms.
    """
    try:
        return load_config(path, lenient=True).state_dir, None
    except ConfigError as error:
        if not path.is_file():
            raise
        text, first = path.read_text("utf-8", errors="replace"), error.lines()[0]
    data_dir = _written(text, r'"data_dir"\s*:\s*("(?:[^"\\]|\\.)*")', ".")
    state_dir = _written(text, r'"state"\s*:\s*\{\s*"dir"\s*:\s*("(?:[^"\\]|\\.)*")', "state")
    return path.absolute().parent / data_dir / state_dir, first


def _written(text: str, pattern: str, otherwise: str) -> str:
    found = re.search(pattern, text)
    try:
        return str(json.loads(found[1])) if found else otherwise
    except ValueError:
        return otherwise


def _read(database: Path, on_disk: str | None) -> Status | None:
    state = State(database)
    try:
        note = read_note(state)
        if note is None:
            return None
        now, readings = utc_now(), state.readings
        return Status(
            now=now,
            pid=holder(database.parent / "lock"),
            note=note,
            on_disk=on_disk,
            jobs=tuple(_job(state, job, now) for job in note.jobs),
            problems=state.alerts.open(),
            unwritten=len(readings.unwritten()),
        )
    finally:
        state.close()


def _job(state: State, job: JobNote, now: datetime) -> JobStatus:
    coming = next_slots(job.when, job.zone, after=now, count=1)
    return JobStatus(
        job=job,
        last=state.readings.newest(job.poller),
        missed=state.readings.missed_since_taken(job.poller, job.job),
        next_at=coming[0] if coming else None,
    )


def _show(found: Status) -> None:
    text, style = found.headline()
    say(text, style=style)
    if not found.jobs:
        say("No poller is configured. Add one to the config; it is taken by itself.")
    else:
        rows = [
            (
                one.job.poller,
                one.job.job,
                found.clock(one.last.taken_at if one.last else None) or "none yet",
                _total(one.last),
                len(one.missed) or None,
                found.clock(one.next_at) if found.pid else "when tallyd runs",
            )
            for one in found.jobs
        ]
        show_table(
            ("poller", "job", "last reading", "total", "missed", "next run"),
            rows,
            right=frozenset({3, 4}),
        )
    for problem in found.problems:
        say(
            f"{problem.severity} since {found.clock(problem.since)}: {problem.text} [{problem.key}]",
            style=problem.severity,
        )
    if not found.problems:
        say("No open problem.", style="fine")
    if found.unwritten:
        say(f"{found.unwritten} readings wait to be written to out/.", style="warning")


def _total(last: Stored | None) -> str | None:
    if last is None or last.body is None or last.body.get("total") is None:
        return None
    return str(last.body["total"])


def _json(found: Status) -> dict[str, Json]:
    refused, zone = found.note.refused, found.note.zone
    return {
        "config": {
            "path": found.note.path,
            "in_force_since": local_text(found.note.since, zone),
            "refused_since": local_text(refused.since, zone) if refused else None,
            "refused": list(refused.lines) if refused else [],
        },
        "running": found.pid is not None,
        "pid": found.pid,
        "jobs": [_job_json(one) for one in found.jobs],
        "problems": [problem_json(problem, zone) for problem in found.problems],
        "unwritten": found.unwritten,
    }


def _job_json(one: JobStatus) -> dict[str, Json]:
    zone, last = one.job.zone, one.last
    return {
        "poller": one.job.poller,
        "kind": one.job.kind,
        "job": one.job.job,
        "last_taken_at": local_text(last.taken_at, zone) if last else None,
        "last_file": f"{last.poller}/{last.out_name}" if last else None,
        "missed_since": [local_text(at, zone) for at in one.missed],
        "next_due_at": local_text(one.next_at, zone) if one.next_at else None,
    }

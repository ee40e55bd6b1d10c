"""`tallyd once POLLER`: a poller's jobs once, now, beside a running daemon or without one."""

from __future__ import annotations

import sys
from pathlib import Path

from tallyd.adapters.locks import LockedError
from tallyd.adapters.outfiles import OutError
from tallyd.adapters.state import StateError
from tallyd.books import heading_of
from tallyd.cli.output import complain, say, show_json, show_table
from tallyd.cli.shared import command_runner, load_config, probe_toolbox, tasks_named
from tallyd.config import Config
from tallyd.core.document import document
from tallyd.core.errors import EXIT_OK, EXIT_PROBLEM, SourceError
from tallyd.core.reading import Json, Reading, Slot
from tallyd.tasks import Task


def once(
    path: Path, poller: str, *, job: str | None, dry_run: bool, as_json: bool, attempts: int | None
) -> int:
    """Run the jobs; return the exit status. Raises `ConfigError`."""
    config = load_config(path)
    tasks = [task.with_attempts(attempts) for task in tasks_named(config, poller, job)]
    status = EXIT_OK
    for task in tasks:
        try:
            _once(config, task, dry_run=dry_run, as_json=as_json or not sys.stdout.isatty())
        except SourceError as failure:
            complain(f"{poller}: no reading: {failure.text}")
            status = EXIT_PROBLEM
        except LockedError as error:
            who = f"process {error.pid}" if error.pid else "another process"
            complain(f"{poller}: {task.job.name} is still being run by {who}; waited 30 s. Try again later.")
            status = EXIT_PROBLEM
        except OutError as error:
            complain(f"{poller}: the reading is stored, but its file is not: {error}")
            status = EXIT_PROBLEM
        except StateError as error:
            complain(f"{poller}: the reading could not be stored: {error}")
            status = EXIT_PROBLEM
    return status


def _once(config: Config, task: Task, *, dry_run: bool, as_json: bool) -> None:
    if dry_run:
        with probe_toolbox(config, task) as tools:
            slot = Slot(None, tools.now())
            for reading in task.job.run(slot, tools):
                _show(task, reading, as_json=as_json)
        complain("dry run: nothing was written", style="quiet")
        return
    with command_runner(config) as runner:
        for reading, taken in runner.once(task):
            _show(task, reading, as_json=as_json)
            if not taken.is_stored:
                raise StateError(runner.books.state_trouble or "state.db cannot be written")
            if taken.not_written is not None:
                raise OutError(taken.not_written)
            if taken.out is not None:
                complain(f"written to {config.out_dir / taken.out.poller / taken.out.name}", style="quiet")


def _show(task: Task, reading: Reading, *, as_json: bool) -> None:
    if reading.facts is None:
        return
    heading = heading_of(task, Slot(None, reading.taken_at), reading, in_timetable=False)
    content = document(heading, reading.facts, reading.problems)
    if as_json:
        show_json(content)
    else:
        _show_counts(content)


def _show_counts(content: dict[str, Json]) -> None:
    counts, names = content.get("counts"), content.get("names")
    if isinstance(counts, dict):
        known = names if isinstance(names, dict) else {}
        rows = [
            (status, known.get(status), "hidden" if count is None else count)
            for status, count in counts.items()
        ]
        if content.get("total") is not None:
            rows.append(("total", None, str(content["total"])))
        show_table(("status", "name", "count"), rows, right=frozenset({2}))
    problems = content.get("problems")
    for problem in problems if isinstance(problems, list) else []:
        if isinstance(problem, dict):
            say(str(problem["text"]), style=str(problem["severity"]))

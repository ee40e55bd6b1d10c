"""`tallyd once POLLER`: a poller's jobs once, now, beside a running daemon or without one."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from tallyd.adapters.locks import LockedError
from tallyd.adapters.outfiles import OutError
from tallyd.adapters.state import StateError
from tallyd.cli.process.equipment import command_runner, dry_outside, probe_toolbox
from tallyd.cli.shared import load_config, process_text, tasks_named, utc_now
from tallyd.config.jobs import Task
from tallyd.config.model import Config
from tallyd.core.alerts.values import Wording
from tallyd.core.alerts.wording import said
from tallyd.core.errors import EXIT_OK, EXIT_PROBLEM, RecordsError, SourceError
from tallyd.core.language.formats import span
from tallyd.core.language.languages import reading_in
from tallyd.core.language.messages import tr, translated, translation
from tallyd.core.out_document import document
from tallyd.core.panels import Board
from tallyd.core.reading import Facts, Json, Problem, Reading, Slot
from tallyd.presentation.boards import BoardPrinter
from tallyd.presentation.invocation import called_here
from tallyd.presentation.terminal import complain, progress_shown, say, show_json
from tallyd.runs.runner import LOCK_WAIT_S, Runner
from tallyd.runs.toolbox import Resources
from tallyd.storage.store_result import heading_of

MOST_LISTED = 20
_AT_THE_END = ("waiting", "unsettled")
"""What counts is how many there are in the end."""


@dataclass
class _Shown:
    """Shows results one after the other; as JSON all at the end: one object, or a list of several."""

    as_json: bool
    content: list[Json] = field(default_factory=list)

    def finish(self) -> None:
        """Show what was kept until the end."""
        if self.content:
            show_json(self.content[0] if len(self.content) == 1 else self.content)

    def add(
        self,
        content: dict[str, Json],
        board_of: Callable[[], Board],
        task: Task,
        problems: Sequence[Problem] = (),
    ) -> None:
        """Show the content as JSON, or its board and the problems in it."""
        if self.as_json:
            self.content.append(content)
            return
        board, now = board_of(), utc_now()
        printer = BoardPrinter(zone=task.zone, now=now, see_columns=tr("--wide, or --json"))
        printer.show("", board, board.panels)
        wording = Wording(now=now, zone=task.zone, tallyd=called_here())
        for problem in problems:
            say(said(problem, wording), style=problem.severity)


def once(
    path: Path, poller: str, *, job: str | None, dry_run: bool, as_json: bool, attempts: int | None
) -> int:
    """Run the jobs, one after the other; return the exit status. Raises `ConfigError`."""
    config = load_config(path)
    tasks = [task.with_attempts(attempts) for task in tasks_named(config, poller, job)]
    shown = _Shown(as_json=as_json or not sys.stdout.isatty())
    with reading_in("en" if shown.as_json else config.settings.language):
        with _way(config, shown, dry_run=dry_run) as run:
            failures = [failure for task in tasks if (failure := _failure(run, task)) is not None]
        shown.finish()
        for failure in failures:
            complain(f"{poller}: {failure}")
    return EXIT_PROBLEM if failures else EXIT_OK


@contextmanager
def _way(config: Config, shown: _Shown, *, dry_run: bool) -> Iterator[Callable[[Task], str | None]]:
    """Yield what runs a task: for real, or so that nothing changes."""
    if dry_run:
        # One reach for all jobs: what a sweep would have stored is in the report.
        with dry_outside(config) as resources:
            yield partial(_look_only, config, resources, shown)
        complain(tr("dry run: nothing was written, moved or sent"), style="quiet")
    else:
        with command_runner(config) as runner:
            yield partial(_for_real, config, runner, shown)


def _look_only(config: Config, resources: Resources, shown: _Shown, task: Task) -> str | None:
    with probe_toolbox(config, task, resources) as tools:
        with reading_in("en"):  # what it stores, or would store, is English
            readings = task.job.run(Slot(None, tools.now()), tools)
        return _show(shown, task, readings)


def _for_real(config: Config, runner: Runner, shown: _Shown, task: Task) -> str | None:
    """Run a task. Raises what `Runner.once` raises, `StateError`, `OutError`."""
    what = f"{task.poller} {translation(task.job.name)}"
    with reading_in("en"), progress_shown(what) as show_progress:
        done = runner.once(task, show_progress=show_progress)
    trouble = _show(shown, task, [each.reading for each in done])
    for taken in done:
        if not taken.is_stored:
            raise StateError(runner.store.state_trouble or "state.db cannot be written")
        if taken.not_written is not None:
            raise OutError(taken.not_written)
        if taken.out is not None:
            file = config.out_dir / taken.out.poller / taken.out.name
            complain(tr("written to {file}", file=file), style="quiet")
    return trouble


def _show(shown: _Shown, task: Task, readings: Sequence[Reading]) -> str | None:
    """Show what a task gave; return why it could not do all that it should, None: it could."""
    for reading in readings:
        if reading.facts is not None:
            heading = heading_of(task, Slot(None, reading.taken_at), reading, by_daemon=False)
            problems = [task.alert_policy.worded(problem) for problem in reading.problems]
            with reading_in("en"):
                content = document(heading, reading.facts, problems)
            board_of = partial(task.source.reading_board, content)
            shown.add(content, board_of, task, (*problems, *heading.beside))
    summaries = [reading.summary for reading in readings if reading.summary is not None]
    if not summaries:
        return None
    summary = together(summaries)
    content = {"poller": task.poller, "job": task.job.name, **summary}
    shown.add(content, partial(task.source.summary_board, summary), task)
    trouble = summary.get("trouble")
    return translated(trouble) if isinstance(trouble, str) else None


def together(summaries: Sequence[Facts]) -> Facts:
    """Return the summary of several rounds: numbers are added up, lists joined up to MOST_LISTED."""
    total: dict[str, Json] = {}
    for summary in summaries:
        for key, value in summary.items():
            before = total.get(key)
            if isinstance(value, dict):
                total[key] = dict(together([before, value] if isinstance(before, dict) else [value]))
            elif isinstance(value, list) and isinstance(before, list):
                total[key] = [*before, *value][:MOST_LISTED]
            elif isinstance(value, int) and isinstance(before, int) and key not in _AT_THE_END:
                total[key] = before + value
            else:
                total[key] = value
    return total


def _failure(run: Callable[[Task], str | None], task: Task) -> str | None:
    """Run a task; return what went wrong, None: nothing."""
    try:
        trouble = run(task)
    except SourceError as error:
        return tr(
            "no reading: {reason}[; it asks for no further try within {wait}]",
            reason=translated(error.text),
            wait=span(error.retry_after_s) if error.retry_after_s else "",
        )
    except RecordsError as error:
        return tr("no reading: {reason}", reason=translated(error.text))
    except LockedError as error:
        return tr(
            "{job} is still being run by {who}; waited {waited}. Try again later.",
            job=translation(task.job.name),
            who=process_text(error),
            waited=span(LOCK_WAIT_S),
        )
    except OutError as error:
        return tr("the reading is stored, but its file is not: {reason}", reason=translated(str(error)))
    except StateError as error:
        return tr("the reading could not be stored: {reason}", reason=translated(str(error)))
    return f"{translation(task.job.name)}: {trouble}" if trouble else None

"""`tallyd import PROGRAM`: the config and the data of an older program."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from tallyd.adapters.outfiles import OutError
from tallyd.adapters.state import StateError
from tallyd.cli.config.init import skeleton
from tallyd.cli.process.equipment import make_folders
from tallyd.cli.shared import load_config, utc_now, wrong_usage
from tallyd.config.jobs import Task, poller_tasks
from tallyd.config.model import Config
from tallyd.core.errors import EXIT_OK, EXIT_PROBLEM, RecordsError
from tallyd.core.language.formats import day_text
from tallyd.core.language.languages import language_of_locale, reading_in
from tallyd.core.language.messages import tr, translated
from tallyd.imports.programs import PROGRAMS
from tallyd.imports.values import OldDataError, Program, Target, Totals
from tallyd.presentation.terminal import complain, say, show_json
from tallyd.settings.types import not_in_config


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What was asked for. `old` is where the program or its data is; `table`: the one to read, or empty."""

    program: str
    old: str
    poller: str = ""
    table: str = ""
    dry_run: bool = False


def print_config(path: Path, wanted: Wanted) -> int:
    """Print a config for `path` made of the old one; what it needs besides goes to stderr."""
    with reading_in(language_of_locale(os.environ)):
        try:
            found = PROGRAMS[wanted.program].read_config(Path(wanted.old))
        except OldDataError as error:
            complain(f"tallyd: {error.text}")
            return EXIT_PROBLEM
        show_json({**skeleton(path), **found.others, "pollers": {found.name: dict(found.poller)}})
        for name, where in found.secrets.items():
            complain(tr("To do: put into secrets/{file} beside the config: {where}", file=name, where=where))
        for note in found.notes:
            complain(note, style="quiet")
    return EXIT_OK


def bring_data(path: Path, wanted: Wanted) -> int:
    """Import the data of the program; return the exit status. Raises `ConfigError`."""
    config, program = load_config(path, lenient=True), PROGRAMS[wanted.program]
    task = _task(config, program, wanted)
    if not wanted.dry_run:
        make_folders(config)
    target = Target(config=config, task=task, now=utc_now(), dry_run=wanted.dry_run, table=wanted.table)
    with reading_in(config.settings.language):
        try:
            totals = program.bring_data(wanted.old, target)
        except (OldDataError, RecordsError) as error:
            complain(f"tallyd: {translated(error.text)}")
            return EXIT_PROBLEM
        except (OutError, StateError) as error:
            complain(f"tallyd: {translated(str(error))}")
            return EXIT_PROBLEM
        _show(totals, program, target)
    return EXIT_PROBLEM if totals.faulty else EXIT_OK


def _task(config: Config, program: Program, wanted: Wanted) -> Task:
    """Return a job of the poller that gets the data; ends the command if it is not clear which."""
    fitting = tuple(name for name, each in config.settings.pollers.items() if each.kind == program.kind)
    if wanted.poller and wanted.poller not in fitting:
        wrong_usage(
            f'there is no poller "{wanted.poller}" of kind {program.kind}'
            f"{not_in_config(wanted.poller, fitting)}"
        )
    if not fitting:
        wrong_usage(
            f"{config.path} has no poller of kind {program.kind};"
            " --print-config prints one, made of the old config"
        )
    if not wanted.poller and len(fitting) > 1:
        wrong_usage(f"which poller gets the data? Add --poller with one of: {', '.join(fitting)}")
    return poller_tasks(config, wanted.poller or fitting[0])[0]


def _show(totals: Totals, program: Program, target: Target) -> None:
    def things(count: int) -> str:
        return tr(program.things, count=count)

    first, last = (
        day_text(at.astimezone(target.zone).date()) if at else "" for at in (totals.first_at, totals.last_at)
    )
    begin = tr("dry run, would be imported") if target.dry_run else tr("imported")
    say(
        tr(
            "{poller}: {begin}: {things}[, {first} to {last}]",
            poller=target.task.poller,
            begin=begin,
            things=things(totals.added),
            first=first,
            last=last,
        )
    )
    others = (
        (tr("there already, unchanged: {things}", things=things(totals.known)), totals.known),
        (tr("today, or counted by tallyd itself: {things}", things=things(totals.left)), totals.left),
        (tr("older than keep_days, left out: {things}", things=things(totals.too_old)), totals.too_old),
    )
    for text, count in others:
        if count:
            say(f"  {text}")
    if totals.faulty:
        complain(
            "  " + tr("not readable: {count}: {faults}", count=totals.faulty, faults=totals.faults_text())
        )

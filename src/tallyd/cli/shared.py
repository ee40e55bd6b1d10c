"""What nearly every command needs: the time, the log, the config, the folder of the state."""

from __future__ import annotations

import os
import pwd
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import NoReturn

import typer

from tallyd.adapters.locks import LockedError, holder
from tallyd.adapters.logs import Logs
from tallyd.config.active_file import read_active
from tallyd.config.folders import STATE_FILE
from tallyd.config.jobs import Task, poller_tasks
from tallyd.config.load import LookClosely, load
from tallyd.config.model import Config
from tallyd.core.errors import EXIT_USAGE, ConfigError
from tallyd.core.language.formats import day_text
from tallyd.core.language.languages import Language
from tallyd.core.language.messages import english, tr
from tallyd.core.texts import listed, shortened
from tallyd.presentation.invocation import called_here
from tallyd.presentation.terminal import complain
from tallyd.settings.types import not_in_config

MOST_WHY_CHARS = 200
_logs: ContextVar[Logs | None] = ContextVar("logs", default=None)


def utc_now() -> datetime:
    """Return the time, aware, UTC."""
    return datetime.now(UTC)


def who() -> str:
    """Return who gives a command: the user behind sudo, else the user of this process."""
    behind = os.environ.get("SUDO_USER")
    if behind:
        return shortened(behind, 60)
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def log_to_stderr() -> None:
    """Start the log of a command: warnings and uncaught errors, without the secrets of its config."""
    _logs.set(Logs(level="WARNING"))


def load_config(path: Path, *, lenient: bool = False, closely: LookClosely | None = None) -> Config:
    """Load the config of a command. Raises `ConfigError`, also for what `closely` finds."""
    config = load(
        path,
        environ=os.environ,
        lenient=lenient,
        closely=closely,
        tallyd=called_here(),
    )
    hide_secrets(config)
    return config


def hide_secrets(config: Config) -> None:
    """Keep the secrets of a config out of the log of this command from now on."""
    if logs := _logs.get():
        logs.reconfigure(secrets=config.secrets)


@dataclass(frozen=True)
class Place:
    """Where the state is (`at`) and the lock (`folder`), and the language of who reads about it.

    `config` is None while the file on disk is not active; `trouble` says why.
    """

    folder: Path
    at: Path | str
    config: Config | None
    trouble: str | None
    language: Language


def find_state(path: Path) -> Place:
    """Return where the daemon keeps its state, even if the config on disk changed or is broken.

    Raises `ConfigError` if it is broken and no daemon has run with it.
    """
    active = read_active(path)
    try:
        config = load_config(path, lenient=True)
    except ConfigError as error:
        at = active.state_at(os.environ) if active else None
        if active is None or at is None:
            raise
        first = error.lines(ending="; tallyd cannot start with it")[0]
        return Place(active.state_dir, at, None, first, active.language)
    language = config.settings.language
    if active is None or active.state_url is not None:
        return Place(config.state_dir, config.state_at, config, None, language)
    changed = config.changed_from(active.fixed)
    if {"state.dir", "state.url"} & set(changed) or (
        changed and holder(active.state_dir / "lock") is not None
    ):
        trouble = english(
            "{file}: {keys} changed; applies at the next start", file=path.name, keys=listed(changed)
        )
        return Place(active.state_dir, active.state_dir / STATE_FILE, None, trouble, language)
    return Place(config.state_dir, config.state_at, config, None, language)


def has_state(at: Path | str) -> bool:
    """Whether there may be a state: a database on a server says so when it is opened."""
    return isinstance(at, str) or at.exists()


def process_text(error: LockedError) -> str:
    """Return who holds a lock: `process 4711`."""
    return tr("process {pid}", pid=str(error.pid)) if error.pid else tr("another process")


def has_not_run(config: Config) -> str:
    """Return why there is no state.db, and the cure."""
    return tr(
        "{database} is missing: tallyd has not run with {config} yet, or the file was deleted. Start tallyd",
        database=config.state_dir / STATE_FILE,
        config=config.path,
    )


def tasks_named(config: Config, poller: str, job: str | None = None) -> tuple[Task, ...]:
    """Return the poller's jobs, or one of them; ends the command with status 2 if there is none."""
    pollers = tuple(config.sources)
    if poller not in pollers:
        wrong_usage(f'there is no poller "{poller}"{not_in_config(poller, pollers)}')
    tasks = poller_tasks(config, poller)
    chosen = tuple(task for task in tasks if job in (None, task.job.name))
    if not chosen:
        names = ", ".join(task.job.name for task in tasks)
        wrong_usage(f'poller "{poller}" has no job "{job}"; it has: {names}')
    return chosen


def wrong_usage(text: str) -> NoReturn:
    """End the command with status 2, and say why."""
    complain(f"tallyd: {text}")
    raise typer.Exit(EXIT_USAGE)


def say_days(first: date, last: date) -> None:
    """Say on stderr which days these are, because nobody named the first."""
    days = (last - first).days + 1
    if days > 1:
        text = tr(
            "{days} days, {first} to {last}; others with --from and --to",
            days=days,
            first=day_text(first),
            last=day_text(last),
        )
        complain(text, style="quiet")

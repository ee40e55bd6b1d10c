"""What several commands need: the config, the folders, the store, the network clients."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import typer

import tallyd
from tallyd.adapters.channels.sender import Channels
from tallyd.adapters.http.client import HttpClient
from tallyd.adapters.locks import holder
from tallyd.adapters.logs import Logs
from tallyd.adapters.outfiles import OutFiles
from tallyd.adapters.state import State
from tallyd.cli.actions.dry_run import DryOutside
from tallyd.cli.process.optional_web import page_problems
from tallyd.cli.process.resources import Outside, database_problems, make_inboxes
from tallyd.config.active_file import read_active
from tallyd.config.jobs import Task, tasks_of
from tallyd.config.model import Config, load
from tallyd.config.problems import place_of
from tallyd.contract.toolbox import Toolbox
from tallyd.core.errors import EXIT_PROBLEM, EXIT_USAGE, ConfigError, ConfigProblem, DeliveryError
from tallyd.core.privacy.redaction import Redactor
from tallyd.core.texts import listed
from tallyd.outbox.relay import Relay
from tallyd.presentation.invocation import called_here
from tallyd.presentation.terminal import complain
from tallyd.runs.runner import Deliver, Runner
from tallyd.runs.toolbox import Progress, Resources, toolbox
from tallyd.settings.types import did_you_mean
from tallyd.storage.store import Store

USER_AGENT = f"tallyd/{tallyd.__version__}"
DELIVERY_S = 60.0
"""Limit of one delivery, in seconds. On a small machine, the start alone takes several."""
VALIDATE_S = 20.0
"""Limit of the check of channels, in seconds. In the daemon, the schedule waits for it."""
FOLDER_MODE = 0o750
UMASK = 0o027
"""The group may read what tallyd writes, everybody else may not."""
log = logging.getLogger("tallyd")
_logs: ContextVar[Logs | None] = ContextVar("logs", default=None)


def utc_now() -> datetime:
    """Return the time, aware, UTC."""
    return datetime.now(UTC)


def log_to_stderr() -> None:
    """Start the log of a command: warnings and uncaught errors, without the secrets of its config."""
    _logs.set(Logs(level="WARNING"))


def load_config(path: Path, *, lenient: bool = False, closely: bool = False) -> Config:
    """Load the config of a command; `closely`: also run `look_closely`. Raises `ConfigError`."""
    config = load(
        path,
        environ=os.environ,
        lenient=lenient,
        closely=look_closely if closely else None,
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
    """Where the state is. `config` is None while the file on disk is not active; `trouble` says why."""

    folder: Path
    config: Config | None
    trouble: str | None


def find_state(path: Path) -> Place:
    """Return where the daemon keeps its state, even if the config on disk changed or is broken.

    Raises `ConfigError` if it is broken and no daemon has run with it.
    """
    active = read_active(path)
    try:
        config = load_config(path, lenient=True)
    except ConfigError as error:
        if active is None:
            raise
        first = error.lines(ending="; tallyd cannot start with it")[0]
        return Place(active.state_dir, None, first)
    if active is None:
        return Place(config.state_dir, config, None)
    changed = config.changed_from(active.fixed)
    if "state.dir" in changed or (changed and holder(active.state_dir / "lock") is not None):
        trouble = f"{path.name}: {listed(changed)} changed; applies at the next start"
        return Place(active.state_dir, None, trouble)
    return Place(config.state_dir, config, None)


def make_folders(config: Config) -> None:
    """Create the folders that tallyd writes to; ends the command if that fails."""
    os.umask(UMASK)
    for folder in (
        config.data_dir,
        config.out_dir,
        config.state_dir,
        config.log_dir,
        config.state_dir / "locks",
    ):
        try:
            folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        except OSError as error:
            complain(f"tallyd: cannot create the folder {folder}: {(error.strerror or '').lower()}")
            raise typer.Exit(EXIT_PROBLEM) from None
    make_inboxes(config)


def http_client(config: Config, redact: Callable[[str], str]) -> HttpClient:
    """Return an HTTP client with the settings of the config."""
    proxy = config.settings.http.proxy
    return HttpClient(
        user_agent=USER_AGENT,
        timeout_s=config.settings.http.timeout,
        proxy=proxy.reveal() if proxy else None,
        redact=redact,
    )


def channels(config: Config, redact: Callable[[str], str]) -> Channels:
    """Return the sender of messages, with the settings of the config."""
    proxy = config.settings.http.proxy
    return Channels(timeout_s=DELIVERY_S, proxy=proxy.reveal() if proxy else None, redact=redact)


def look_closely(config: Config, known: Config | None = None) -> tuple[ConfigProblem, ...]:
    """Return the problems of channels and of the database, and missing libraries.

    Channels that are already active in the config `known` are not checked again, because that takes long.
    """
    return (*_channel_problems(config, known), *database_problems(config), *page_problems(config))


def _channel_problems(config: Config, known: Config | None) -> tuple[ConfigProblem, ...]:
    """Return the problems of invalid channel URLs; none if they cannot be checked now."""
    urls = {name: url.reveal() for name, url in config.settings.channels.items() if url.is_known}
    old = {url.reveal() for url in known.settings.channels.values()} if known else set()
    if old.issuperset(urls.values()):
        return ()
    validating = Channels(timeout_s=VALIDATE_S, proxy=None, redact=Redactor(urls.values()).redact)
    try:
        verdicts = validating.validate(list(urls.values()))
    except DeliveryError as error:
        log.warning("cannot check channels now", extra={"reason": error.text})
        return ()
    return tuple(
        ConfigProblem(place_of(("channels", name)), verdict)
        for name, verdict in zip(urls, verdicts, strict=True)
        if verdict is not None
    )


def runner(
    config: Config,
    store: Store,
    http: HttpClient,
    stop: threading.Event,
    *,
    resources: Resources,
    deliver: Deliver,
) -> Runner:
    """Return the runner of jobs for a config."""
    return Runner(
        store=store,
        http=http,
        stop=stop,
        resources=resources,
        locks=config.state_dir / "locks",
        now=utc_now,
        monotonic=time.monotonic,
        deliver=deliver,
    )


@contextmanager
def command_runner(config: Config) -> Iterator[Runner]:
    """The runner of a command (`once`): it has its own connection to state.db, and only Ctrl-C ends it."""
    make_folders(config)
    state = State(config.state_dir / "state.db")
    http = http_client(config, Redactor(config.secrets).redact)
    outside = Outside(config, now=utc_now)
    try:
        store = Store(state, OutFiles(config.out_dir), now=utc_now)
        relay = Relay(store, locks=config.state_dir / "locks", now=utc_now, monotonic=time.monotonic)
        yield runner(config, store, http, threading.Event(), resources=outside, deliver=relay.deliver_now)
    finally:
        outside.close()
        http.close()
        state.close()


def tasks_named(config: Config, poller: str, job: str | None = None) -> tuple[Task, ...]:
    """Return the poller's jobs, or one of them; ends the command with status 2 if there is none."""
    pollers = tuple(config.settings.pollers)
    if poller not in pollers:
        known = f"; the config has: {', '.join(pollers)}" if pollers else "; the config has none"
        complain(f'tallyd: there is no poller "{poller}"{did_you_mean(poller, pollers) or known}')
        raise typer.Exit(EXIT_USAGE)
    tasks = tuple(task for task in tasks_of(config) if task.poller == poller)
    chosen = tuple(task for task in tasks if job in (None, task.job.name))
    if not chosen:
        names = ", ".join(task.job.name for task in tasks)
        complain(f'tallyd: poller "{poller}" has no job "{job}"; it has: {names}')
        raise typer.Exit(EXIT_USAGE)
    return chosen


@contextmanager
def dry_outside(config: Config) -> Iterator[DryOutside]:
    """The database and the inboxes of a config, to read without changing anything."""
    outside = DryOutside(Outside(config, now=utc_now, holds=False))
    try:
        yield outside
    finally:
        outside.close()


@contextmanager
def probe_toolbox(config: Config, task: Task, resources: Resources) -> Iterator[Toolbox]:
    """A toolbox to ask the source once (`check --online`, `privacy-check`, dry runs)."""
    http = http_client(config, Redactor(config.secrets).redact)
    try:
        tools = toolbox(
            task.with_attempts(1),
            http=http,
            stop=threading.Event(),
            progress=Progress(time.monotonic, utc_now()),
            now=utc_now,
            memory={},
            resources=resources,
        )
        yield replace(tools, is_by_hand=True)
    finally:
        http.close()

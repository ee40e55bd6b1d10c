"""What commands need that run jobs or ask the network: folders, clients, the runner."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec
from typing import TYPE_CHECKING

import typer

import tallyd
from tallyd.adapters.channels.sender import Channels
from tallyd.adapters.outfiles import OutFiles
from tallyd.adapters.state import State
from tallyd.cli.actions.dry_run import DryOutside
from tallyd.cli.process.resources import Outside, database_problems, make_inboxes, state_problems
from tallyd.cli.process.worker_pools import executor_problems
from tallyd.cli.shared import utc_now
from tallyd.config.jobs import Task
from tallyd.config.model import Config
from tallyd.config.problems import place_of
from tallyd.contract.reporter import Reporter
from tallyd.contract.toolbox import Toolbox
from tallyd.core.alerts.message import Message
from tallyd.core.errors import EXIT_PROBLEM, ConfigProblem, DeliveryError
from tallyd.core.language.languages import reading_in
from tallyd.core.language.messages import tr, translated
from tallyd.core.privacy.redaction import Redactor
from tallyd.outbox.relay import Relay
from tallyd.presentation.terminal import complain
from tallyd.runs.runner import Runner
from tallyd.runs.toolbox import Progress, Resources, toolbox
from tallyd.storage.store import Store
from tallyd.web.intake.service import intake_problems
from tallyd.web.service import page_problems

if TYPE_CHECKING:
    from tallyd.adapters.http.client import HttpClient

USER_AGENT = f"tallyd/{tallyd.__version__}"
DELIVERY_S = 60.0
"""Limit of one delivery, in seconds. On a small machine, the start alone takes several."""
VALIDATE_S = 20.0
"""Limit of the check of channels, in seconds. In the daemon, the schedule waits for it."""
FOLDER_MODE = 0o750
UMASK = 0o027
"""The group may read what tallyd writes, everybody else may not."""
log = logging.getLogger("tallyd")


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
            with reading_in(config.settings.language):
                text = tr(
                    "cannot create the folder {folder}: {reason}",
                    folder=folder,
                    reason=translated((error.strerror or "").lower()),
                )
            complain(f"tallyd: {text}")
            raise typer.Exit(EXIT_PROBLEM) from None
    make_inboxes(config)


def http_client(config: Config, redact: Callable[[str], str]) -> HttpClient:
    """Return an HTTP client with the settings of the config."""
    # Imported here: TLS and asyncio take time to load, and `check` asks nobody.
    from tallyd.adapters.http.client import HttpClient  # noqa: PLC0415 # see above

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


def reporter_of(
    deliver: Callable[[str, Message], None], *, writes: bool = True
) -> Callable[[Config], Reporter]:
    """Return what makes the reporter of a config; `writes` false: it writes no files."""

    def reporter(config: Config) -> Reporter:
        # Imported here: few configs have reports.
        from tallyd.reporting.reporter import StoredReporter  # noqa: PLC0415 # see above

        return StoredReporter(config=config, now=utc_now, deliver=deliver, writes=writes)

    return reporter


def look_closely(config: Config, known: Config | None = None) -> tuple[ConfigProblem, ...]:
    """Return the problems of channels, of the database and of workers, and missing libraries.

    Channels that are already active in the config `known` are not checked again, because that takes long.
    """
    return (
        *_channel_problems(config, known),
        *state_problems(config),
        *database_problems(config),
        *executor_problems(config),
        *page_problems(config),
        *_report_problems(config),
        *intake_problems(config),
    )


def _report_problems(config: Config) -> Iterator[ConfigProblem]:
    """Yield the problem of each HTML report whose library is not installed."""
    if find_spec("jinja2") is None:
        for name, report in config.settings.reports.items():
            if report.format == "html":
                text = 'needs a library that is not installed (pip install "tallyd[web]"); or use csv or json'
                yield ConfigProblem(place_of(("reports", name, "format")), text)


def _channel_problems(config: Config, known: Config | None) -> tuple[ConfigProblem, ...]:
    """Return the problems of invalid channel URLs; none if they cannot be checked now."""
    urls = {name: each.url.reveal() for name, each in config.settings.channels.items() if each.url.is_known}
    old = {each.url.reveal() for each in known.settings.channels.values()} if known else set()
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


@contextmanager
def command_runner(config: Config) -> Iterator[Runner]:
    """The runner of a command (`once`): it has its own connection to state.db, and only Ctrl-C ends it."""
    make_folders(config)
    state = State(config.state_at)
    redact = Redactor(config.secrets).redact
    http = http_client(config, redact)
    outside = Outside(config, now=utc_now, reporter=reporter_of(channels(config, redact).deliver))
    try:
        store = Store(state, OutFiles(config.out_dir), now=utc_now)
        locks = config.state_dir / "locks"
        relay = Relay(store, locks=locks, now=utc_now, monotonic=time.monotonic)
        yield Runner(
            store=store,
            http=http,
            stop=threading.Event(),
            locks=locks,
            now=utc_now,
            monotonic=time.monotonic,
            deliver=relay.deliver_now,
            resources=outside,
        )
    finally:
        outside.close()
        http.close()
        state.close()


@contextmanager
def dry_outside(config: Config) -> Iterator[DryOutside]:
    """The database and the inboxes of a config, to read without changing anything."""
    reporter = reporter_of(channels(config, Redactor(config.secrets).redact).deliver, writes=False)
    outside = DryOutside(Outside(config, now=utc_now, holds=False, reporter=reporter))
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
            memory=dict,
            resources=resources,
        )
        yield replace(tools, is_by_hand=True)
    finally:
        http.close()

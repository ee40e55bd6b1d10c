"""`tallyd check`: every problem of the config at once; if there is none, the next runs."""

from __future__ import annotations

from pathlib import Path

from tallyd.adapters.locks import holder
from tallyd.cli.config.check_folders import folder_notes, folder_problems, runs_as_this_user, service_folders
from tallyd.cli.config.found import ask_source, show_found, show_learned, sources_of
from tallyd.cli.process.equipment import channels, look_closely
from tallyd.cli.shared import load_config, utc_now
from tallyd.config.active_file import read_active
from tallyd.config.jobs import tasks_of
from tallyd.config.model import Config
from tallyd.core.errors import EXIT_OK, EXIT_PROBLEM, ConfigError, DeliveryError, RecordsError, SourceError
from tallyd.core.privacy.redaction import Redactor
from tallyd.core.schedule.timetable import next_slots
from tallyd.core.texts import offset_if_twice
from tallyd.presentation.terminal import complain, say, show_table

RUNS_SHOWN = 3


def check(path: Path, *, online: bool) -> int:
    """Check a config; return the exit status. Raises `ConfigError`."""
    config = load_config(path, lenient=not online, closely=look_closely)
    problems = folder_problems(config, only=service_folders(config), tries=runs_as_this_user(config))
    if problems:
        raise ConfigError(config.path.name, problems)
    say(f"{config.path} is fine.", style="fine")
    source = "timezone in the config" if config.settings.timezone else "of this machine"
    say(f"Time zone: {config.zone} ({source})")
    _show_runs(config)
    for note in (*config.notes, *folder_notes(config), *_running_notes(config)):
        say(f"Note: {note}", style="warning")
    if not online:
        return EXIT_OK
    return max(_ask_sources(config), _try_channels(config))


def _show_runs(config: Config) -> None:
    now, rows = utc_now(), []
    for task in tasks_of(config):
        for at in next_slots(task.job.when, task.zone, after=now, count=RUNS_SHOWN):
            local = at.astimezone(task.zone)
            time = f"{local:%a %Y-%m-%d %H:%M:%S}{offset_if_twice(local)}"
            rows.append((task.poller, task.job.name, time, f"{task.zone}"))
    if rows:
        say("Next runs:")
        show_table(("poller", "job", "at", "zone"), rows)
    if not config.settings.pollers:
        say('No poller is configured yet. Add one under "pollers"; for an example, run: {tallyd} init')


def _running_notes(config: Config) -> list[str]:
    """Return why a running daemon would reject the config although it is valid."""
    active = read_active(config.path)
    if active is None or holder(active.state_dir / "lock") is None:
        return []
    return [
        f"{key}: changed; the running tallyd rejects this file until a restart: {active.restart}"
        for key in config.changed_from(active.fixed)
    ]


def _ask_sources(config: Config) -> int:
    """Ask each poller's source once, changing nothing. Return 1 if one does not answer correctly."""
    status = EXIT_OK
    for task in sources_of(config):
        try:
            found = ask_source(config, task)
        except (SourceError, RecordsError) as failure:
            complain(f"{task.poller}: {failure.text}")
            status = EXIT_PROBLEM
        else:
            if not show_found(config, task, found):
                status = EXIT_PROBLEM
            show_learned(config, task, found)
    return status


def _try_channels(config: Config) -> int:
    """Try each channel, sending nothing. Return 1 if one does not answer correctly."""
    status = EXIT_OK
    sender = channels(config, Redactor(config.secrets).redact)
    if config.settings.channels:
        say()
    for name, url in config.settings.channels.items():
        try:
            say(f"channel {name}: {sender.probe(url.reveal())}", style="fine")
        except DeliveryError as error:
            complain(f"channel {name}: {error.text}")
            status = EXIT_PROBLEM
    return status

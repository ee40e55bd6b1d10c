"""The active config, and what happens to a newer one: it becomes active as a whole, or is rejected."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, TypeAlias
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BeforeValidator, TypeAdapter

from tallyd.adapters.state import State
from tallyd.config.file_watch import ConfigWatch
from tallyd.config.jobs import Task
from tallyd.config.load import load
from tallyd.config.model import Config
from tallyd.core.alerts.daemon_alerts import CONFIG
from tallyd.core.alerts.rules import OWN
from tallyd.core.errors import ConfigError, ConfigProblem
from tallyd.core.reading import Problem
from tallyd.core.schedule.timetable import At, Every
from tallyd.presentation.invocation import filled

log = logging.getLogger("tallyd")

NOTIFY_AFTER_S = 60.0
"""Delay of the alert about a rejected config: an editor that saves twice must disturb nobody."""


def _zone(name: object) -> object:
    """Return the zone of a name; UTC for the host's own zone file, which has no name to look up."""
    try:
        return ZoneInfo(name) if isinstance(name, str) else name
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


Zone: TypeAlias = Annotated[ZoneInfo, BeforeValidator(_zone)]


@dataclass(frozen=True)
class Rejected:
    """A config on disk that was rejected, since when, and why."""

    since: datetime
    lines: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class JobNote:
    """A job of the daemon: its poller, and when it runs."""

    poller: str
    kind: str
    job: str
    when: At | Every
    zone: Zone


@dataclass(frozen=True, kw_only=True)
class ActiveConfigNote:
    """What the daemon notes for `status`: the active config, since when, and what was rejected since."""

    path: str
    since: datetime
    zone: Zone
    rejected: Rejected | None
    jobs: tuple[JobNote, ...]

    def dumped(self) -> str:
        """Return the note in its stored form. `read_note` reads it."""
        # Not dump_json: a path need not be UTF-8.
        return json.dumps(_STORED.dump_python(self, mode="json"))


_STORED = TypeAdapter(ActiveConfigNote)
_NOTE = "config"


def read_note(state: State) -> ActiveConfigNote | None:
    """Return the note of the daemon; None before its first start. Raises `StateError`."""
    text = state.note(_NOTE)
    return None if text is None else _STORED.validate_python(json.loads(text))


class ActiveConfig:
    """The active config and the watch on its files.

    `closely` finds problems of a newer config that only a closer look shows, compared with the active one.
    `restart` says how to restart tallyd on this machine.
    """

    def __init__(
        self,
        config: Config,
        *,
        now: Callable[[], datetime],
        monotonic: Callable[[], float],
        environ: Mapping[str, str],
        closely: Callable[[Config, Config], tuple[ConfigProblem, ...]],
        restart: str,
    ) -> None:
        self.config = config
        self.since = now()
        self.rejected: Rejected | None = None
        self._now = now
        self._environ = environ
        self._closely = closely
        self._restart = restart
        self._watch = ConfigWatch(config.files, monotonic=monotonic)

    def newer(self, *, asked: bool) -> Config | None:
        """Return a new config without problems, if the files changed or somebody `asked` for a reload.

        After a rejected config, the previous one stays active, and `rejected` holds the rejected one.
        """
        changed = self._watch.has_changed()
        if not (changed or asked):
            return None
        try:
            config = load(
                self.config.path,
                environ=self._environ,
                closely=lambda newer: self._closely(newer, self.config),
                tallyd=self.config.tallyd,
            )
            self._check_restart(config)
        except ConfigError as error:
            said = error.lines(ending="; the previous config stays active")
            lines = tuple(filled(line, self.config.tallyd) for line in said)
            self.rejected = Rejected(self.rejected.since if self.rejected else self._now(), lines)
            # Also watch files that may fix it: a secret's file that is missing now.
            self._watch.follow((*self.config.files, *(Path(name) for name in error.names)))
            log.error("config rejected", extra={"problems": list(lines)})  # noqa: TRY400 # a person's slip, no traceback
            return None
        was_rejected, self.rejected = self.rejected is not None, None
        if config.says_the_same(self.config) and not asked:
            if was_rejected:
                log.warning("config file matches the active config again")
            return None
        return config

    def take(self, config: Config) -> None:
        """Make a config the active one."""
        self.config, self.since = config, self._now()
        self._watch.follow(config.files)

    def problem(self) -> Problem | None:
        """Return the problem `tallyd/config` if a config has been rejected for NOTIFY_AFTER_S."""
        if self.rejected is None or (self._now() - self.rejected.since).total_seconds() < NOTIFY_AFTER_S:
            return None
        return CONFIG.problem(OWN, since=self.rejected.since, reason=self.rejected.lines[0])

    def note(self, state: State, tasks: Iterable[Task]) -> None:
        """Store the note for `status` if it changed. Raises `StateError`."""
        note = ActiveConfigNote(
            path=str(self.config.path),
            since=self.since,
            zone=self.config.zone,
            rejected=self.rejected,
            jobs=tuple(
                JobNote(
                    poller=task.poller,
                    kind=task.source.kind,
                    job=task.job.name,
                    when=task.job.when,
                    zone=task.zone,
                )
                for task in tasks
            ),
        ).dumped()
        if state.note(_NOTE) != note:
            state.set_note(_NOTE, note)

    def _check_restart(self, newer: Config) -> None:
        fixed = newer.changed_from(self.config.fixed)
        if fixed:
            text = f"changed; this needs a restart to apply: {self._restart}"
            raise ConfigError(newer.path.name, tuple(ConfigProblem(key, text) for key in fixed))

"""A config: loads strictly, finds every problem at once, resolves secrets, merges each poller over the top.

A file is accepted as a whole or not at all. `load` never prints and never logs. It raises one `ConfigError`
with the place of each problem, and without any value that may be secret.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TypeAlias
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from tallyd.adapters.host_zone import read_host_zone
from tallyd.config.document import Document, read_document
from tallyd.config.effective import Effective, alert_policy, effective_of
from tallyd.config.folders import STATE_FILE, database_url, digest_of_url, inbox_problems, report_dirs
from tallyd.config.problems import place_of, problems_of
from tallyd.config.secrets import SecretFiles
from tallyd.config.settings import Settings
from tallyd.contract.poller import Poller
from tallyd.core.alerts.alert_kind import AlertKind
from tallyd.core.alerts.daemon_alerts import NETWORK, OWN_KINDS
from tallyd.core.alerts.mutes import Mute, may_meet
from tallyd.core.alerts.notices import AlertPolicy, Notified
from tallyd.core.alerts.rules import OWN, Alert, Rules
from tallyd.core.alerts.run_alerts import RUN_KINDS
from tallyd.core.alerts.snapshot import Snapshot
from tallyd.core.errors import ConfigError, ConfigProblem
from tallyd.core.language.languages import Language
from tallyd.core.naming import key_segments, problem_key
from tallyd.pollers.report import PREFIX
from tallyd.settings.calendars import calendars_in
from tallyd.settings.top import holds_password


@dataclass(frozen=True, kw_only=True)
class Config:
    """A config that is active, or could be.

    `host_zone` was read once, at load. `secrets` are all values to redact. `files` are the file itself and
    every file that it names, to watch for changes. `digest` is the SHA-256 (hex) of the file's bytes. `notes`
    are lines for `check` that stop nothing. `tallyd` is the command as a person calls it.
    """

    path: Path
    settings: Settings
    host_zone: ZoneInfo
    secrets: tuple[str, ...]
    files: tuple[Path, ...]
    digest: str
    notes: tuple[str, ...] = ()
    tallyd: str = "tallyd"

    @property
    def data_dir(self) -> Path:
        return (self.path.parent / self.settings.data_dir).absolute()

    @property
    def out_dir(self) -> Path:
        return self.data_dir / self.settings.out.dir

    @property
    def log_dir(self) -> Path:
        return self.data_dir / self.settings.log.dir

    @property
    def state_dir(self) -> Path:
        return self.data_dir / self.settings.state.dir

    @property
    def state_at(self) -> Path | str:
        """Where the state is: a SQLite file, or the URL of a PostgreSQL database, which is a secret."""
        return self.state_url or self.state_dir / STATE_FILE

    @property
    def state_url(self) -> str | None:
        """The URL of the state that daemons share; None: it is a file."""
        url = self.settings.state.url
        return url.reveal() if url else None

    @property
    def database_url(self) -> str:
        """The URL of the database of records; for SQLite with the whole path. A secret."""
        return database_url(self.settings.database.url.reveal(), self.data_dir)

    @property
    def inboxes(self) -> dict[str, Path]:
        """The inbox of each poller that ingests files."""
        needed = {name: poller.inbox_needed(name) for name, poller in self.settings.pollers.items()}
        return {name: self.data_dir / each.path for name, each in needed.items() if each is not None}

    @cached_property
    def sources(self) -> Mapping[str, Poller]:
        """Everything that has jobs: the pollers in the order of the file, then the reports."""
        reports = self.settings.reports.items()
        return {**self.settings.pollers, **{PREFIX + name: report for name, report in reports}}

    @property
    def report_dirs(self) -> dict[str, Path]:
        """The folders of reports, by their places in the file."""
        return report_dirs(self.settings.reports, self.data_dir)

    @property
    def zone(self) -> ZoneInfo:
        return self.settings.timezone or self.host_zone

    def effective(self, name: str) -> Effective:
        """Return the settings of a poller, merged field by field over the top of the file."""
        return self._effective[name]

    @cached_property
    def _effective(self) -> dict[str, Effective]:
        return {
            name: effective_of(source, self.settings, self.zone, tallyd=self.tallyd)
            for name, source in self.sources.items()
        }

    @property
    def own_alert_policy(self) -> AlertPolicy:
        """Return the policy for tallyd's own problems; they do not count readings."""
        return replace(alert_policy(self.settings.alerts, self.zone, tallyd=self.tallyd), rules=Rules())

    @cached_property
    def hosts(self) -> Mapping[str, str]:
        """The other machines, by the keys of the alerts that wait while the network is down."""
        return {
            problem_key(name, *segments): host
            for name, poller in self.settings.pollers.items()
            if self.effective(name).alert_policy.depends
            for segments, host in poller.hosts().items()
        }

    @cached_property
    def _network_policy(self) -> AlertPolicy:
        """The policy for the problem that no other machine answers: whoever waits for others hears of it."""
        own = self.own_alert_policy
        policies = (own, *(self.alert_policy_of(key) for key in self.hosts))
        return replace(
            own,
            channels=tuple(dict.fromkeys(channel for each in policies for channel in each.channels)),
            escalate=tuple(dict.fromkeys(step for each in policies for step in each.escalate)),
        )

    def alert_policy_of(self, key: str) -> AlertPolicy:
        """Return the policy for a key. A poller that is gone has the policy of tallyd's own problems."""
        if key == NETWORK.key:
            return self._network_policy
        poller, *others = key_segments(key)
        if poller not in self.sources:
            return self.own_alert_policy
        effective = self.effective(poller)
        return effective.own_policies.get(others[0] if others else "", effective.alert_policy)

    def language_of(self, channel: str) -> Language:
        """Return the language of a channel's notices."""
        return self.settings.channels[channel].language or self.settings.language

    def snapshot(
        self,
        *,
        alerts: Mapping[str, Alert],
        notified: Mapping[tuple[str, str], Notified],
        mutes: Sequence[Mute],
        now: datetime,
    ) -> Snapshot:
        """Return what each channel must still receive, and what may be forgotten."""
        return Snapshot(
            alerts=alerts,
            notified=notified,
            mutes=mutes,
            now=now,
            channels=tuple(self.settings.channels),
            dependent=self.hosts,
            alert_policy_of=self.alert_policy_of,
            channels_of_pattern=self.channels_of_pattern,
        )

    def channels_of_pattern(self, pattern: str) -> set[str]:
        """Return the channels that a mute concerns: those of the keys that it may match.

        If the subject of its pattern has a wildcard, those of all subjects of the poller.
        """
        found: list[AlertPolicy] = []
        for name in self.sources:
            if not (may_meet(pattern, f"{name}/*") or may_meet(pattern, f"{name}/*/*")):
                continue
            poller, _, rest = pattern.partition("/")
            if poller == name and not {"*", "?"} & set(rest.partition("/")[0]):
                found.append(self.alert_policy_of(pattern))
            else:
                effective = self.effective(name)
                found += [effective.alert_policy, *effective.own_policies.values()]
        if may_meet(pattern, NETWORK.key):
            found.append(self._network_policy)
        elif not found or may_meet(pattern, f"{OWN}/*") or may_meet(pattern, f"{OWN}/*/*"):
            found.append(self.own_alert_policy)
        return {channel for policy in found for channel in policy.channels}

    def kind_of(self, key: str) -> AlertKind | None:
        """Return the kind of a problem; None if the config has none with that name."""
        segments = key_segments(key)
        poller = self.sources.get(segments[0])
        kinds = OWN_KINDS if poller is None else (*RUN_KINDS, *poller.alert_kinds())
        return next((kind for kind in kinds if kind.what == segments[-1]), None)

    @cached_property
    def fixed(self) -> dict[str, str]:
        """The settings that stay until a restart, by key, without secrets and without unread secrets."""
        folders = {
            "data_dir": self.data_dir,
            "out.dir": self.out_dir,
            "log.dir": self.log_dir,
            "state.dir": self.state_dir,
            **{place_of(("pollers", name, "inbox")): path for name, path in self.inboxes.items()},
        }
        # Real paths: a command may name the same config by another path.
        known = {key: os.path.realpath(folder) for key, folder in folders.items()}
        database = self.settings.database
        if database.url.is_known:
            known["database"] = f"{digest_of_url(self.database_url)} {database.keep_days}"
        url = self.settings.state.url
        if url is None or url.is_known:
            known["state.url"] = digest_of_url(url.reveal()) if url else ""
        return known

    def changed_from(self, fixed: Mapping[str, str]) -> tuple[str, ...]:
        """Return the keys that differ from those of a running daemon (its `fixed`)."""
        return tuple(key for key, value in self.fixed.items() if fixed.get(key, value) != value)


LookClosely: TypeAlias = "Callable[[Config], tuple[ConfigProblem, ...]]"
"""Finds further problems of a config without other problems. It may take long."""


def load(
    path: Path,
    *,
    environ: Mapping[str, str],
    lenient: bool = False,
    closely: LookClosely | None = None,
    tallyd: str = "tallyd",
) -> Config:
    """Read, check and resolve a config file. Raises `ConfigError` with every problem at once.

    With `lenient`, credentials that only the running service can read become notes, not problems. `tallyd`
    is the command as a person calls it.
    """
    document = read_document(path)
    reader = SecretFiles(path.parent.absolute(), environ, lenient)
    return replace(config_of(document, path, reader, closely=closely), tallyd=tallyd)


def config_of(
    document: Document, path: Path, reader: SecretFiles, *, closely: LookClosely | None = None
) -> Config:
    """Return the config of a document that is, or will be, at `path`. Raises `ConfigError` like `load`."""
    twice = tuple(
        ConfigProblem(place_of(where), "occurs twice in one object; keep one") for where in document.twice
    )
    context = {"secrets": reader, **_named(document.json)}
    try:
        settings = Settings.model_validate_json(document.json, context=context)
    except ValidationError as error:
        # Raised outside the handler: the pydantic error holds input values and must not be chained.
        problems = problems_of(error, Settings)
    else:
        problems = ()
    host = read_host_zone()
    problems = twice + problems
    if host.trouble and not problems and settings.timezone is None:
        problems = (ConfigProblem("timezone", host.trouble),)
    if not problems:
        config = Config(
            path=path.absolute(),
            settings=settings,
            host_zone=host.zone,
            secrets=tuple(sorted(reader.values)),
            files=(path.absolute(), *sorted(reader.files)),
            digest=reader.digest_with(document.digest),
            notes=(
                *reader.notes,
                *reader.open_files({path.absolute(): document, **reader.parts}, without_password(settings)),
                *_poller_notes(settings),
                *((host.note,) if host.note and settings.timezone is None else ()),
            ),
        )
        problems = _problems_across(config)
    if not problems and closely is not None:
        problems = closely(config)
    if problems:
        raise ConfigError(path.name, problems, names=tuple(str(file) for file in reader.files))
    return config


def _problems_across(config: Config) -> tuple[ConfigProblem, ...]:
    """Return the problems between parts that are fine on their own."""
    written = {
        "out.dir": config.out_dir,
        "log.dir": config.log_dir,
        "state.dir": config.state_dir,
        **config.report_dirs,
    }
    places = {name: place_of(("pollers", name, "inbox")) for name in config.inboxes}
    return inbox_problems(config.inboxes, written, places)


def without_password(settings: Settings) -> Set[str]:
    """Return the URLs that are treated as secrets but hold no password."""
    urls = (settings.database.url, settings.state.url, settings.http.proxy)
    return {url.reveal() for url in urls if url is not None and not holds_password(url.reveal())}


def _poller_notes(settings: Settings) -> tuple[str, ...]:
    pollers = settings.pollers
    return tuple(
        f"{place_of(('pollers', name))}.{note}"  # "PLACE: WHY", a stored message
        for name, poller in pollers.items()
        for note in poller.notes({each: pollers[each] for each in pollers if each != name})
    )


def _named(text: str) -> dict[str, object]:
    """Return what keys refer to by name: the channels and the calendars; empty if the text is no config."""
    try:
        top = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(top, dict):
        return {}
    channels = top.get("channels", {})
    return {
        "channels": tuple(channels) if isinstance(channels, dict) else None,
        "calendars": calendars_in(top.get("calendars")),
    }

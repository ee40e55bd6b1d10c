"""A config as the rest of the program asks it: folders, and each poller merged over the top of the file."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from zoneinfo import ZoneInfo

from tallyd.config.document import without_addresses
from tallyd.config.effective import Effective, alert_policy, effective_of
from tallyd.config.folders import STATE_FILE, database_url, digest_of_url, slow_digest
from tallyd.config.problems import place_of
from tallyd.config.settings import Settings
from tallyd.contract.poller import Poller
from tallyd.core.alerts.alert_kind import AlertKind
from tallyd.core.alerts.daemon_alerts import NETWORK, OWN_KINDS
from tallyd.core.alerts.mutes import Mute, may_meet
from tallyd.core.alerts.notices import AlertPolicy, Notified
from tallyd.core.alerts.rules import OWN, Alert, Rules
from tallyd.core.alerts.run_alerts import RUN_KINDS
from tallyd.core.alerts.snapshot import Snapshot
from tallyd.core.language.languages import Language
from tallyd.core.naming import key_segments, problem_key
from tallyd.pollers.report import PREFIX


@dataclass(frozen=True, kw_only=True)
class Config:
    """A config that is active, or could be.

    `host_zone` was read once, at load. `secrets` are all values to redact. `files` are the file itself and
    every file that it names, to watch for changes. `texts` are the JSON of the file and of its parts. `notes`
    are lines for `check` that stop nothing. `tallyd` is the command as a person calls it.
    """

    path: Path
    settings: Settings
    host_zone: ZoneInfo
    secrets: tuple[str, ...]
    files: tuple[Path, ...]
    texts: tuple[str, ...] = field(repr=False)
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
        return {
            place_of(("reports", name, "dir")): self.data_dir / report.dir
            for name, report in self.settings.reports.items()
            if report.dir is not None
        }

    @property
    def zone(self) -> ZoneInfo:
        return self.settings.timezone or self.host_zone

    @cached_property
    def digest(self) -> str:
        """What daemons compare of their configs. It takes a while: a config may hold secrets."""
        return slow_digest("\n".join((*without_addresses(self.texts), self.zone.key or "")))

    def says_the_same(self, other: Config) -> bool:
        """Whether the files of both say the same, also those of secrets."""
        return (self.texts, self.secrets) == (other.texts, other.secrets)

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

"""What people are shown of targets: boards of now, of days and of one target, and metrics."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from tallyd.contract.board import Asked, AskedError, Past
from tallyd.contract.passages import seen_text
from tallyd.contract.poller_boards import TABLES_OF_ALL
from tallyd.core.alerts.incidents import Incident
from tallyd.core.errors import RecordsError
from tallyd.core.language.formats import clock
from tallyd.core.language.messages import tr
from tallyd.core.metric import Metric
from tallyd.core.panels import Board, Choice, StateTimeline, Table
from tallyd.core.periods import By
from tallyd.core.reading import Facts
from tallyd.core.schedule.days import day_of
from tallyd.core.states import Timeline
from tallyd.core.stored import LastReading
from tallyd.core.texts import listed, shortened
from tallyd.core.timeline import SHARES, borders_of
from tallyd.pollers.servers.alert_kinds import DATABASE
from tallyd.pollers.servers.boards.board import (
    GROUP,
    choices_of,
    chosen_targets,
    no_checks,
    now_board,
    past_board,
    reading_board,
    summary_board,
)
from tallyd.pollers.servers.boards.lag_history import (
    HOUR,
    Change,
    Hour,
    checks_of,
    passed_s,
    read_changes,
    read_hours,
)
from tallyd.pollers.servers.boards.lag_steps import read_steps
from tallyd.pollers.servers.boards.metrics import metrics_of
from tallyd.pollers.servers.boards.target_board import one_board, shares_of, target_board, timeline_of
from tallyd.pollers.servers.rounds.target_memory import CHECK, TargetMemory, memory_of
from tallyd.pollers.servers.settings import ServersSettings

MOST_SHOWN: Final = 10
"""Last changes of a target."""


class ServersShown(ServersSettings):
    """What people are shown of a servers poller."""

    def last_label(self) -> str:
        """Return what a round is called."""
        return tr("Last check")

    def last(self, past: Past) -> LastReading | None:
        """Return when a target was last checked; a round that changed nothing wrote no reading."""
        memory, taken = self._memory(past), super().last(past)
        # Copied: a round may be changing it just now.
        checked_at = max(dict(memory.checked_at).values(), default=None) or memory.written_at
        found = [taken] if taken else []
        found += [LastReading(checked_at)] if checked_at else []
        return max(found, key=lambda each: each.at, default=None)

    def now_board(self, past: Past) -> Board:
        """Return the state of each target. Raises `StateError`."""
        return self.group_board(past, "")

    def group_board(self, past: Past, group: str) -> Board:
        """Return the state of each target of a group; empty: of all. Raises `StateError`."""
        memory = self._memory(past)
        # Outside the daemon, only what the last file said is known: its data may be newer by now, not older.
        written_at = None if memory.checked_at else memory.written_at
        board = now_board(
            [each for each in self.with_items(dict(memory.known)) if group in ("", each.group)],
            dict(memory.known),
            written_at or past.now,
            past.zone,
            bars=partial(self._last_day, past),
        )
        if written_at is None or not memory.known:
            return board
        as_of = clock(written_at.replace(microsecond=0), past.zone, now=past.now)
        note = tr(
            "As of {at}, when the last file was written. The page of a running tallyd has later checks.",
            at=as_of,
        )
        return replace(board, notes=(note,))

    def _last_day(self, past: Past, targets: Collection[str]) -> Mapping[str, Timeline]:
        """Return the last day of some targets; of none if the database can't be read."""
        borders = borders_of("24h", now=past.now, zone=past.zone)
        try:
            hours = past.records.server_hours(borders[0], past.now, servers=targets)
        except RecordsError:
            return {}
        own: dict[str, list[Hour]] = {target: [] for target in targets}
        for hour in hours:
            own[hour[0]].append(hour)
        return {target: timeline_of(found, borders, every_s=self.every) for target, found in own.items()}

    @classmethod
    def subject_option(cls) -> str:
        """Return that each target has a view of its own."""
        return "target"

    def shared_subjects(self) -> frozenset[str]:
        """Return where a problem keeps every target from being checked, or its checks from being stored."""
        return frozenset({CHECK, DATABASE}) - self.targets.keys()

    def incidents_about(
        self, subject: str, past: Past, since: datetime, until: datetime, *, most: int | None = None
    ) -> Sequence[Incident]:
        """Return the incidents about a target. Those of an item are also those of its answer, not of others.

        Raises `StateError`.
        """
        target, slash, _ = subject.partition("/")
        if not slash:
            return super().incidents_about(subject, past, since, until, most=most)
        about = {subject, target, *self.shared_subjects()}
        found = super().incidents_about(target, past, since, until)
        return [each for each in found if each.subject in about][:most]

    def subject_board(self, past: Past, subject: str) -> Board:
        """Return how one target is now. Raises `StateError`."""
        memory = self._memory(past)
        known = dict(memory.known).get(subject)
        changes: tuple[Change, ...] = ()
        trouble = ""
        since = borders_of(SHARES[-1], now=past.now, zone=past.zone)[0]
        shares: tuple[Table, ...] = ()
        try:
            hours = self._hours(past, subject)
            shares = (shares_of(hours, now=past.now, zone=past.zone),)
            changes = read_changes(
                past.records, hours, target=subject, since=since, now=past.now, most=MOST_SHOWN
            )
        except RecordsError as error:
            trouble = error.text
        return one_board(
            self.target(subject),
            known,
            past.now if memory.checked_at else memory.written_at or past.now,
            past.zone,
            every_s=self.every,
            shares=shares,
            changes=changes,
            trouble=trouble,
        )

    def states(self, past: Past, asked: Asked) -> StateTimeline | None:
        """Return how the poller was, not a group; the past of one target has its states by its checks."""
        return None if asked.value("target") or asked.value(GROUP) else super().states(past, asked)

    def shares(self, past: Past, subject: str) -> Table:
        """Return for what share of the time a target was within its limit; of all, as other kinds.

        Raises `StateError`, `RecordsError`.
        """
        if not subject:
            return super().shares(past, subject)
        return shares_of(self._hours(past, subject), now=past.now, zone=past.zone)

    @staticmethod
    def _hours(past: Past, target: str) -> Sequence[Hour]:
        """Return the checks of a target in the longest range of shares. Raises `RecordsError`."""
        since = borders_of(SHARES[-1], now=past.now, zone=past.zone)[0]
        return past.records.server_hours(since, past.now, servers=(target,))

    def past_board(self, past: Past, asked: Asked) -> Board:
        """Return the checks of all targets, of a group, or of one. Raises `AskedError`, `RecordsError`."""
        target, group = asked.value("target"), asked.value(GROUP)
        targets = chosen_targets(self.group_members(), group, target) if group else self.targets
        is_going_on = bool(self.targets) and past.now < asked.span(past.zone)[1]
        nothing = no_checks(self.every if is_going_on else None)
        if target:
            return self._target_board(past, asked, target, nothing, self._choices(targets, target))
        # There are no checks of later than tomorrow, and each day is a question to the database.
        tomorrow = day_of(past.now, past.zone) + timedelta(days=1)
        known = replace(asked, last=max(asked.first, min(asked.last, tomorrow)))
        days = known.span(past.zone)
        hours = read_hours(past.records, known, past.zone, targets=targets, has_others=not group)
        checks = checks_of(hours, days, zone=past.zone, by=asked.by, now=past.now)
        return past_board(
            checks,
            by=asked.by,
            passed_s=passed_s(*days, past.now),
            nothing=nothing,
            group=group,
            choices=self._choices(targets, *(each.target for each in checks)),
        )

    def _choices(self, targets: Iterable[str], *others: str) -> tuple[Choice, ...]:
        """Return the choice of a group, if there are any, and of a target among these."""
        return choices_of(tuple(dict.fromkeys((*targets, *others))), tuple(self.group_members()))

    def _target_board(
        self, past: Past, asked: Asked, target: str, nothing: str, choices: tuple[Choice, ...]
    ) -> Board:
        borders = asked.borders(now=past.now, zone=past.zone)
        span = (borders[0], borders[-1]) if borders else asked.span(past.zone)
        and_before = past.records.server_hours(span[0] - HOUR, span[1], servers=(target,))
        hours = [hour for hour in and_before if hour[1] >= seen_text(span[0])]
        found = self.target(target)
        if not hours and found is None:
            raise AskedError(self._no_target(past, asked, target))
        by = asked.by or ("hour" if span[1] - span[0] <= timedelta(hours=25) else "day")
        steps = None
        if asked.by is None:
            steps = read_steps(
                past.records, and_before, target=target, since=span[0], last=span[1], every_s=self.every
            )
        return target_board(
            checks_of(hours, span, zone=past.zone, by=by, now=past.now),
            steps,
            timeline_of(hours, borders, every_s=self.every),
            target=target,
            by=by,
            passed_s=passed_s(*span, past.now),
            stale_after_s=found.limits.stale_after_s if found and not found.due else None,
            nothing=nothing,
            choices=choices,
        )

    def _no_target(self, past: Past, asked: Asked, target: str) -> str:
        names = [*self.targets] or sorted(past.records.server_sums(*asked.span(past.zone)))
        return tr(
            'no target "{target}" was checked in these days[; {count:there is|there are} {names}]',
            target=shortened(target, 80),
            count=len(names),
            names=listed(names),
        )

    def metrics(self, past: Past) -> Iterable[Metric]:
        """Return how old the data of each target is, and may be. Raises `StateError`."""
        known = dict(self._memory(past).known)
        targets = self.with_items(known)
        return metrics_of(past.poller, targets, known, past.now, past.zone, last=self.last(past))

    @classmethod
    def options(cls) -> tuple[str, ...]:
        """Return that a group or one target can be asked for."""
        return (GROUP, "target")

    def known(self, option: str, options: Mapping[str, str], *, poller: str) -> Collection[str] | None:
        """Return the groups, the targets of the group, or the tables; an item may be there or not."""
        del poller
        target, group = options.get("target", ""), options.get(GROUP)
        match option:
            case "target":
                return [each.name for each in self.with_items((target,)) if group in (None, each.group)]
            case "table":
                return (*TABLES_OF_ALL, *(("checks", "lag") if target else ("targets",)))
            case _:
                return self.group_members()

    @classmethod
    def default_days(cls, by: By | None) -> int:
        """Return today by the hour, else a week."""
        return 1 if by == "hour" else 7

    def reading_board(self, content: Facts) -> Board:
        """Return how many targets are in each state."""
        return reading_board(content)

    def summary_board(self, summary: Facts) -> Board:
        """Return the targets of a round by hand."""
        return summary_board(summary)

    @staticmethod
    def _memory(past: Past) -> TargetMemory:
        return memory_of(past.kept(CHECK), lambda: past.memory(CHECK))

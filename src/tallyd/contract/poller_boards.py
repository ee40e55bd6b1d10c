"""What people are shown of a poller: what each kind may say in its own way."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from tallyd.contract.board import Asked, Past
from tallyd.core.alerts.incident_states import incident_shares, incident_timeline
from tallyd.core.alerts.incidents import Incident
from tallyd.core.history import Entry, Group, missed_slot, reading_of_numbers
from tallyd.core.language.messages import tr
from tallyd.core.metric import Metric
from tallyd.core.panels import Board, Choice, StateTimeline, Table
from tallyd.core.periods import By
from tallyd.core.reading import Facts
from tallyd.core.readings_board import newest_board, number_metric, readings_board
from tallyd.core.states import Timeline
from tallyd.core.stored import LastReading, StoredReading
from tallyd.core.timeline import SHARES, borders_of
from tallyd.settings.pollers import PollerSettings

TABLES_OF_ALL: Final = ("states", "incidents")
"""The keys of the tables that the daemon adds to the past board of every poller."""


class PollerBoards(PollerSettings):
    """The boards and metrics of a poller. By default they have every number of its readings."""

    @classmethod
    def entry(cls, at: datetime, *, taken_at: datetime, body: Facts) -> Entry:
        """Return a reading as tables show it, by the content of its out file.

        `at` is the time of the slot; outside the timetable it is `taken_at`.
        """
        return reading_of_numbers(at, taken_at=taken_at, body=body)

    def column_names(self) -> Mapping[str, str]:
        """Return the names that the config gives to the numbers of its readings, by their id."""
        return {}

    def last_label(self) -> str:
        """Return what `last` is called."""
        return tr("Last reading")

    def last(self, past: Past) -> LastReading | None:
        """Return when its source was last read. Raises `StateError`."""
        return past.last_taken()

    def now_board(self, past: Past) -> Board:
        """Return how things are now. Raises `StateError`; says itself if the database cannot be read."""
        entry = self.last_entry(past)
        return self.newest_board(entry) if entry else Board()

    def past_board(self, past: Past, asked: Asked) -> Board:
        """Return the days that were asked for. Raises `AskedError`, `StateError`, `RecordsError`."""
        return self.readings_board(self.entries(past, asked), past, asked)

    def entries(self, past: Past, asked: Asked) -> tuple[Entry, ...]:
        """Return the readings of the days that were asked for. Raises `AskedError`, `StateError`."""
        since, until = asked.span(past.zone)
        # One more than is wanted tells that there are more, and costs little.
        most = None if asked.most_rows is None else asked.most_rows + 1
        rows = past.readings(since, until, most=most)
        asked.check_rows(len(rows))
        return tuple(map(self._entry, rows))

    def readings_board(
        self,
        entries: Sequence[Entry],
        past: Past,
        asked: Asked,
        *,
        group: Group | None = None,
        choices: tuple[Choice, ...] = (),
    ) -> Board:
        """Return the board of readings; `group` and `choices` as in `core.readings_board`."""
        _, until = asked.span(past.zone)
        board = readings_board(
            entries,
            self.column_names(),
            by=asked.by,
            zone=past.zone,
            next_at=past.next_at if past.next_at is None or past.next_at < until else None,
            group=group,
            choices=choices,
        )
        return replace(board, said=asked.of_whole_days(board.said))

    def metrics(self, past: Past) -> Iterable[Metric]:
        """Return its metrics. Raises `StateError` and `RecordsError`, after those that need neither."""
        entry = self.last_entry(past, in_timetable=True)
        return (number_metric(past.poller, entry),)

    @classmethod
    def options(cls) -> tuple[str, ...]:
        """Return the options of `past_board` beside the days: of `source`, `group`, `target`."""
        return ()

    def known(self, option: str, options: Mapping[str, str], *, poller: str) -> Collection[str] | None:
        """Return the values of an option that the config has; None: only what is stored can tell.

        `table` is an option, too: the keys of all tables that `past_board` can have. `options` are all that
        are asked for, of a poller with that name.
        """
        del options, poller
        return (*TABLES_OF_ALL, "readings", "time_of_day", "missed") if option == "table" else None

    @classmethod
    def default_days(cls, by: By | None) -> int:
        """Return how many days are shown, today included, if nobody asked for others."""
        del by
        return 30

    def group_board(self, past: Past, group: str) -> Board:
        """Return how a group is now; by default, how all is. Raises as `now_board`."""
        del group
        return self.now_board(past)

    @classmethod
    def subject_option(cls) -> str:
        """Return the option whose values have a view of their own; empty: none has."""
        return ""

    def subject_label(self, subject: str) -> str:
        """Return what people call a value of `subject_option`: `Gate 12 (12)`."""
        return subject

    def subject_board(self, past: Past, subject: str) -> Board:
        """Return how one value of `subject_option` is now. Raises `StateError`.

        A stat `state` says it. A stat `name` is its name in the config, if it has one beside its id.
        """
        del subject
        return self.now_board(past)

    def shared_subjects(self) -> frozenset[str]:
        """Return the subjects of problems that concern every value of `subject_option`, such as an inbox."""
        return frozenset()

    def incidents_about(
        self, subject: str, past: Past, since: datetime, until: datetime, *, most: int | None = None
    ) -> Sequence[Incident]:
        """Return the incidents about a subject and those that concern every subject, as `Past.incidents`.

        Empty: all incidents of the poller. Raises `StateError`.
        """
        subjects = {subject, *self.shared_subjects()} if subject else {""}
        found = [each for one in subjects for each in past.incidents(since, until, subject=one, most=most)]
        return sorted(found, key=lambda each: each.since, reverse=True)[:most]

    def shares(self, past: Past, subject: str) -> Table:
        """Return for what share of some ranges a subject, or the poller, was well, by its incidents.

        Raises `StateError`, `RecordsError`.
        """
        since = borders_of(SHARES[-1], now=past.now, zone=past.zone)[0]
        incidents = self.incidents_about(subject, past, since, past.now)
        uptime = past.uptime(since, past.now)
        return incident_shares(incidents, uptime, now=past.now, zone=past.zone)

    def states(self, past: Past, asked: Asked) -> StateTimeline | None:
        """Return how it was over time, by its incidents; None: its past board says that itself.

        If a subject is asked for, only incidents that concern it count. Raises `StateError`.
        """
        borders = asked.borders(now=past.now, zone=past.zone)
        subject = asked.value(self.subject_option())
        named = self.subject_label(subject) if subject else past.poller
        timeline = Timeline(())
        if borders:
            span = borders[0], borders[-1]
            incidents = self.incidents_about(subject, past, *span)
            timeline = incident_timeline(incidents, past.uptime(*span), borders)
        return StateTimeline(
            key="states",
            title=(
                tr("State of {target}, last 24 hours", target=named)
                if asked.range == "24h"
                else tr("State of {target}", target=named)
            ),
            timeline=timeline,
            nothing=tr("These days have not come yet."),
        )

    def reading_board(self, content: Facts) -> Board:
        """Return one reading as `tallyd once` shows it, by the content of its out file."""
        at = datetime.fromisoformat(str(content["taken_at"]))
        return self.newest_board(self.entry(at, taken_at=at, body=content))

    def newest_board(self, entry: Entry) -> Board:
        """Return the numbers of one reading."""
        return newest_board(entry, self.column_names())

    def summary_board(self, summary: Facts) -> Board:
        """Return the summary of a run as `tallyd once` shows it (`Reading.summary`)."""
        del summary
        return Board()

    def last_entry(self, past: Past, *, in_timetable: bool = False) -> Entry | None:
        """Return the newest reading. Raises `StateError`."""
        newest = past.last_reading(in_timetable=in_timetable)
        return self._entry(newest) if newest else None

    def _entry(self, row: StoredReading) -> Entry:
        at = row.due_at or row.taken_at
        if row.body is None:
            return missed_slot(at, reason=row.reason)
        return self.entry(at, taken_at=row.taken_at, body=row.body)

"""The Divera poller: one reading at each time of day.

It asks Divera (`client.py`), counts people by status (`parse.py`), hides small counts (`counting.py`), and
finds requirements that are not met (`requirement.py`). A reading has only numbers and names of
statuses: `parse.py` drops everything about a person.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial

from tallyd.contract.board import Asked, Past
from tallyd.contract.job import Job
from tallyd.contract.poller import Found
from tallyd.contract.poller_boards import TABLES_OF_ALL
from tallyd.contract.toolbox import Toolbox
from tallyd.core.alerts.alert_kind import AlertKind
from tallyd.core.errors import SourceError
from tallyd.core.history import NO_STATUS, Entry, statuses
from tallyd.core.language.messages import mark, tr
from tallyd.core.metric import Metric
from tallyd.core.naming import problem_key
from tallyd.core.panels import Board, StateTimeline
from tallyd.core.questions import Question, words
from tallyd.core.reading import Facts, Json, Problem, Reading, Slot
from tallyd.core.schedule.timetable import At
from tallyd.pollers.divera.board import GROUP, chosen_group, entry_of, names_of, statuses_in
from tallyd.pollers.divera.client import Answer, ask, is_users_url, pull_params, pull_url_of
from tallyd.pollers.divera.counting import hide_qualifications, hide_small
from tallyd.pollers.divera.fulfilment import judged, slot_local
from tallyd.pollers.divera.fulfilment_board import (
    FULFILMENT,
    RequirementSlots,
    fulfilment_board,
    weekly_key,
    with_fulfilment,
    with_requirements,
)
from tallyd.pollers.divera.metrics import people_metrics, requirement_metrics
from tallyd.pollers.divera.parse import Tally, read_monitor, read_names, read_users
from tallyd.pollers.divera.personal_data import texts_of_pull, texts_of_users
from tallyd.pollers.divera.questions import QUESTIONS, TIMES
from tallyd.pollers.divera.requirement import BELOW, STATUS_ID, Requirement
from tallyd.pollers.divera.settings import DiveraSettings
from tallyd.pollers.divera.vehicles import found_vehicles, with_vehicles, with_vehicles_now

_LIMIT_S = 600.0
"""A run without progress for this long is overdue. Each try and each wait is shorter, and shows progress."""


class DiveraPoller(DiveraSettings):
    __doc__ = mark(
        "Counts the people of a Divera unit by status, at fixed times of day."
    )  # people read it, in their language

    @classmethod
    def alert_kinds(cls) -> tuple[AlertKind, ...]:
        """Return the one problem that its readings can have."""
        return (BELOW,)

    def watched(self) -> Mapping[str, frozenset[str]]:
        """Return the requirements that are watched."""
        return {BELOW.what: frozenset(each.id for each in self.at_least)}

    def jobs(self) -> tuple[Job, ...]:
        """Return the one job, `count`."""
        count = Job(
            name=mark("count"),
            when=At(self.at, self.days),
            evaluates=frozenset({BELOW.what}),
            limit_s=_LIMIT_S,
            catch_up_s=self.catch_up,
            run=self._take_reading,
        )
        return (count,)

    def _take_reading(self, slot: Slot, tools: Toolbox) -> tuple[Reading, ...]:
        answer = tools.retry(lambda: self._ask(tools))
        tally = answer.value
        fetched = self._fetched_names(tools, tally)
        names = {**(fetched or self._remembered_names(tools)), **self.status_names}
        taken_at = tools.now()
        local = (taken_at if slot.key is None else slot.due_at).astimezone(tools.zone)
        applying = [each for each in self.at_least if each.applies(local)]
        others = [each for each in self.at_least if each not in applying]
        return (
            Reading(
                taken_at=taken_at,
                facts=self._facts(tally, names),
                problems=self._problems(applying, tally, names, tools, since=slot.stands_for(taken_at)),
                outside_hours=frozenset(problem_key(tools.poller, each.id, BELOW.what) for each in others),
                memory={"names": dict(fetched)} if fetched else None,
                skew_s=answer.skew_s,
            ),
        )

    def _problems(
        self,
        applying: Iterable[Requirement],
        tally: Tally,
        names: Mapping[str, str],
        tools: Toolbox,
        *,
        since: datetime,
    ) -> tuple[Problem, ...]:
        """Return a problem for each requirement that applies and is not met."""
        return tuple(
            each.problem(
                tools.poller,
                found,
                names,
                since=since,
                shown=tally.counts if self.source == "monitor" else each.statuses,
                is_hidden=self.hide_below is not None,
            )
            for each in applying
            if (found := each.found(tally.counts, tally.qualifications)) < each.count
        )

    def _ask(self, tools: Toolbox) -> Answer[Tally]:
        if self.source == "users":
            return ask(tools, self.address, self.accesskey, {}, read=read_users)
        params = pull_params(tools.now(), cluster=self.fetch_status_names or self.vehicles)
        read = partial(read_monitor, qualifications=self.counts_qualifications, vehicles=self.vehicles)
        return ask(tools, self.address, self.accesskey, params, read=read)

    def _ask_names(self, tools: Toolbox) -> Mapping[str, str]:
        params = pull_params(tools.now(), cluster=True)
        return ask(tools, pull_url_of(self.address), self.accesskey, params, read=read_names).value

    def _names_or_empty(self, tools: Toolbox) -> Mapping[str, str]:
        try:
            return self._ask_names(tools)
        except SourceError:
            # A count without names is worth more than no count; ids are what everything is keyed by.
            return {}

    def _fetched_names(self, tools: Toolbox, tally: Tally) -> Mapping[str, str]:
        """Return the names that Divera sent now; empty if it was not asked, or sent none."""
        if not self.fetch_status_names:
            return {}
        return tally.names if self.source == "monitor" else self._names_or_empty(tools)

    def _remembered_names(self, tools: Toolbox) -> Mapping[str, str]:
        """Return the names that Divera sent last time."""
        names = tools.memory().get("names") if self.fetch_status_names else None
        found = names.items() if isinstance(names, dict) else ()
        return {status: name for status, name in found if isinstance(name, str)}

    def _shown(self, counts: Mapping[str, int]) -> Mapping[str, int | None]:
        return counts if self.hide_below is None else hide_small(counts, self.hide_below)

    def people_facts(
        self, counts: Mapping[str, int], names: Mapping[str, str], *, source: str
    ) -> dict[str, Json]:
        """Return what the out file says about people. The statuses in `names` are those in `counts`, no
        others: a name without a count would tell that somebody is there.
        """
        shown = self._shown(counts)
        facts: dict[str, Json] = {
            "source": source,
            "total": sum(counts.values()) if self.hide_below is None else None,
            "counts": dict(shown),
            "names": {status: names[status] for status in shown if status in names},
        }
        if self.hide_below is not None:
            facts["hide_below"] = self.hide_below
        return facts

    def _facts(self, tally: Tally, names: Mapping[str, str]) -> Facts:
        """Return the kind's keys of the out file."""
        facts = self.people_facts(tally.counts, names, source=self.source)
        if self.counts_qualifications:
            facts["qualifications"] = self._shown_qualifications(tally, self._shown(tally.counts))
        if self.vehicles:
            facts["vehicles"] = None if tally.vehicles is None else dict(tally.vehicles)
        return facts

    def _shown_qualifications(self, tally: Tally, shown: Mapping[str, int | None]) -> Json:
        """Return qualification counts by status; a status where Divera lists none is left out."""
        listed_ones = {status: row for status, row in tally.qualifications.items() if row}
        if self.hide_below is None:
            return {status: dict(row) for status, row in listed_ones.items()}
        safe = hide_qualifications(listed_ones, shown=shown, k=self.hide_below)
        return {status: None if row is None else dict(row) for status, row in safe.items()}

    # -- what people are shown --------------------------------------------------------------------------

    @classmethod
    def entry(cls, at: datetime, *, taken_at: datetime, body: Facts) -> Entry:
        """Return a reading as people by status."""
        return entry_of(at, taken_at=taken_at, body=body)

    def column_names(self) -> Mapping[str, str]:
        """Return the names of the statuses."""
        return self.status_names

    def now_board(self, past: Past) -> Board:
        """Return the newest reading, with its requirements."""
        entry = self.last_entry(past)
        if entry is None:
            return Board()
        names = {each.id: each.label for each in statuses([entry], self.status_names)}
        return with_requirements(self.newest_board(entry), entry, self.at_least, names, past.zone)

    @classmethod
    def options(cls) -> tuple[str, ...]:
        """Return the options of the past board: what to count together, fulfilment instead of numbers."""
        return (GROUP, FULFILMENT)

    def known(self, option: str, options: Mapping[str, str], *, poller: str) -> Collection[str] | None:
        """Return the requirements or the tables. Any status may be in the readings."""
        requirements = [each.id for each in self.at_least]
        if option == GROUP:
            are_statuses = all(map(STATUS_ID.fullmatch, statuses_in(options[GROUP])))
            return None if are_statuses and not options.get(FULFILMENT) else requirements
        if option == "table":
            judged = ("requirements", *(weekly_key(each) for each in requirements)) if requirements else ()
            if options.get(FULFILMENT):
                return (*TABLES_OF_ALL, *judged, "fulfilment")
            counted = super().known(option, options, poller=poller) or ()
            return (*counted, "weekly", *(("vehicles",) if self.vehicles else ()), *judged)
        return None

    def past_board(self, past: Past, asked: Asked) -> Board:
        """Return the days that were asked for: a group of statuses, and how often requirements were met."""
        entries = self.entries(past, asked)
        columns = statuses(entries, self.status_names)
        names = {each.id: each.label for each in columns}
        times = self.at if self.at_least else ()  # one that has left the config has neither
        timetable = [slot_local(entry.at, times, past.zone) for entry in entries if entry.origin != "once"]
        shown = names_of(self.at_least, names)
        judged_ones = [
            RequirementSlots(id=each.id, name=shown[each.id], slots=judged(each, entries, times, past.zone))
            for each in self.at_least
        ]
        if asked.value(FULFILMENT):
            return fulfilment_board(judged_ones, timetable, asked)
        group, choices = chosen_group(asked.value(GROUP), columns, self.at_least)
        board = self.readings_board(entries, past, asked, group=group, choices=choices)
        board = with_fulfilment(board, judged_ones, timetable, asked.value(GROUP))
        return with_vehicles(board, entries, by=asked.by, zone=past.zone)

    def newest_board(self, entry: Entry) -> Board:
        """Return the people and vehicles of one reading."""
        return with_vehicles_now(super().newest_board(entry), entry)

    def states(self, past: Past, asked: Asked) -> StateTimeline | None:
        """Return how it was over time; None with fulfilment, which says more, and should fit on one page."""
        return None if asked.value(FULFILMENT) else super().states(past, asked)

    def metrics(self, past: Past) -> Iterable[Metric]:
        """Return the people of the last reading of the timetable, and whether requirements were met."""
        entry = self.last_entry(past, in_timetable=True)
        return (
            *people_metrics(past.poller, entry),
            *requirement_metrics(past.poller, entry, self.at_least, past.zone),
        )

    # -- for a person who writes a config ---------------------------------------------------------------

    def probe(self, tools: Toolbox) -> tuple[Found, ...]:
        """Ask once and return every status with its name and count, also of vehicles; a hidden count is None.

        With `users` it also asks for the names of the statuses, so a person can put them into the config.
        Raises `SourceError`.
        """
        tally = self._ask(tools).value
        fetched = tally.names
        if self.source == "users" and is_users_url(self.address):
            fetched = self._ask_names(tools) if self.fetch_status_names else self._names_or_empty(tools)
        names = {**fetched, **self.status_names}
        shown = self._shown(tally.counts)
        people = (
            Found(status, names.get(status) or _own_name(status), shown.get(status))
            for status in tally.counts
        )
        return (*people, *(found_vehicles(tally.vehicles) if self.vehicles else ()))

    @classmethod
    def found_headings(cls) -> tuple[str, ...]:
        """Return the headings of the statuses found."""
        return (tr("id"), tr("name"), tr("number"))

    @classmethod
    def starter(cls, secrets: str) -> Mapping[str, Json]:
        """Return a poller to begin with."""
        return {
            "//": tr("The key of a system user, alone in this file {place}", place=secrets),
            "accesskey": "file:secrets/divera-key",
            "at": words(TIMES),
        }

    @classmethod
    def questions(cls) -> tuple[Question, ...]:
        """Return what a person is asked."""
        return QUESTIONS

    @classmethod
    def learned(cls, found: Sequence[Found]) -> Mapping[str, Json]:
        """Return the names of the statuses that were found."""
        named = {each.id: each.name for each in found if each.name and STATUS_ID.fullmatch(each.id)}
        return {"status_names": {id_: name for id_, name in named.items() if name != _own_name(id_)}}

    def personal_texts(self, tools: Toolbox) -> Iterable[tuple[str, str]]:
        """Return (field, value) of all personal texts that Divera sends, or could send, to this poller.

        With `monitor` this asks for more than a reading does. Raises `SourceError`.
        """
        key, pull = self.accesskey, pull_params(tools.now(), cluster=True)
        if self.source == "monitor":
            found = ask(tools, self.address, key, pull, read=texts_of_pull).value
        else:
            found = ask(tools, self.address, key, {}, read=texts_of_users).value
            if self.fetch_status_names:
                found += ask(tools, pull_url_of(self.address), key, pull, read=texts_of_pull).value
        # A requirement may be called like the vehicle that it is for.
        names = [each.name for each in self.at_least if each.name]
        return tuple(
            (field, value)
            for field, value in dict.fromkeys(found)
            if not (field.startswith("cluster.vehicle") and any(value in name for name in names))
        )


def _own_name(status: str) -> str | None:
    """Return what tallyd itself calls a status without a name in Divera; None: only its id."""
    return tr("no status") if status == NO_STATUS else None

"""The job `report`: today's counts so far, and a final or corrected report of a past day if that is due.

The numbers come only from the minute counts, so the cost does not depend on the number of people.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from tallyd.contract.passages import read_seen
from tallyd.contract.toolbox import Toolbox
from tallyd.core.errors import RecordsError, SourceError
from tallyd.core.naming import local_text
from tallyd.core.outbox import report_json, unsent_json
from tallyd.core.reading import Facts, Json, OutboxMessage, Reading, Slot
from tallyd.core.schedule.days import day_of, day_span
from tallyd.pollers.visitors.inside import DayCount, Resets, read_day, together
from tallyd.pollers.visitors.report.reported_days import ledger_of
from tallyd.pollers.visitors.report.upstream import Form, body
from tallyd.pollers.visitors.settings import ReportSettings, VisitorsSettings


def report(settings: VisitorsSettings, slot: Slot, tools: Toolbox) -> tuple[Reading, ...]:
    """Return the reading of today, the last of them, and before it one for each past day that needs one.

    Today is the local day of the slot, or of now outside the timetable; a slot at midnight belongs to the day
    that begins. A past day needs a reading if it has no final one yet, or if its counts changed within
    `correct_within`. Raises `SourceError` while the database is unreadable.
    """
    made = _Made(settings, tools, slot.due_at if slot.key is not None else tools.now())
    ledger = ledger_of(tools.memory())
    within = timedelta(seconds=made.report.correct_within)
    past, today = ledger.past_days(made.at, tools.zone, correct_within=within), made.today
    readings = []
    for day in past:
        counts = made.counts(day)
        if ledger.wants(day, counts):
            messages = made.messages(day, counts, ledger.ssids(day))
            ledger = ledger.noted(day, counts, (each.ssid for each in messages), is_final=True)
            readings.append(made.reading(day, counts, messages))
    counts = made.counts(today)
    messages = made.messages(today, counts, ledger.ssids(today))
    ledger = ledger.noted(today, counts, (each.ssid for each in messages), is_final=False)
    # The memory is in the last reading: if that is not stored, the next run makes all of them again.
    memory = ledger.kept((*past, today)).memory()
    return (*readings, made.reading(today, counts, messages, memory=memory))


@dataclass(frozen=True)
class _Made:
    """Makes readings from counts, at one instant."""

    settings: VisitorsSettings
    tools: Toolbox
    at: datetime

    @property
    def report(self) -> ReportSettings:
        if self.settings.report is None:
            raise AssertionError("a poller without `report` has no such job")
        return self.settings.report

    @property
    def today(self) -> date:
        return day_of(self.at, self.tools.zone)

    @property
    def resets(self) -> Resets:
        return Resets(self.tools.zone, self.settings.reset_at)

    def counts(self, day: date) -> Mapping[str, DayCount]:
        """Return the day's counts by source, up to its end, so that a fast clock loses nobody."""
        if self.tools.records is None:
            raise AssertionError("a visitors poller is handed the records that it needs")
        self.tools.alive()
        try:
            return read_day(self.tools.records, day, at=self.at, resets=self.resets)
        except RecordsError as error:
            raise SourceError(error.text, transient=True) from None

    def reading(
        self,
        day: date,
        counts: Mapping[str, DayCount],
        messages: tuple[OutboxMessage, ...],
        *,
        memory: Facts | None = None,
    ) -> Reading:
        is_final = day != self.today
        facts: dict[str, Json] = {"day": day.isoformat()}
        if is_final:
            facts["final"] = True
        facts["window"] = self._window(day, together(counts.values()))
        facts.update(_counts_json(self.settings, counts))
        facts["report"] = self._report_json(messages)
        return Reading(
            taken_at=self.tools.now(),
            facts=facts,
            part=day.isoformat() if is_final else None,
            outbox=messages if self.report.is_posted else (),
            memory=memory,
        )

    def messages(
        self, day: date, counts: Mapping[str, DayCount], known: Collection[str]
    ) -> tuple[OutboxMessage, ...]:
        """Return the messages for the upstream, posted or not. `known` are its names with one of that day.

        With `skip` there is none without a record of that day while nobody is inside. But who was sent that
        somebody was inside, is also sent that nobody is.
        """
        return tuple(self._messages(day, counts, known))

    def _messages(
        self, day: date, counts: Mapping[str, DayCount], known: Collection[str]
    ) -> Iterator[OutboxMessage]:
        report = self.report
        form = Form(
            zone=self.tools.zone,
            window=report.window,
            every_s=report.every,
            time_format=report.time_format,
            tags=report.tags.by_type,
        )
        for ssid, members in _sources_by_ssid(self.settings):
            count = together(counts.values() if members is None else _of(counts, members))
            if count.has_records or count.inside or ssid in known or report.when_empty == "zeros":
                yield OutboxMessage(ssid=ssid, day=day, body=body(ssid, count, form, day=day, due_at=self.at))

    def _report_json(self, messages: tuple[OutboxMessage, ...]) -> Json:
        if not self.report.is_posted:
            return unsent_json("off", messages)
        return report_json(messages) if messages else unsent_json("skipped")

    def _window(self, day: date, counted: DayCount) -> Json:
        zone, count = self.tools.zone, counted.count
        begin, end = day_span(day, zone)
        return {
            "from": local_text(begin, zone),
            "to": local_text(min(self.at, end), zone),
            "first": local_text(read_seen(count.first_at), zone) if count.first_at else None,
            "last": local_text(read_seen(count.last_at), zone) if count.last_at else None,
            "inside_from": local_text(self.resets.span(day, self.at)[0], zone),
        }


def _sources_by_ssid(settings: VisitorsSettings) -> Iterator[tuple[str, tuple[str, ...] | None]]:
    """Yield the upstream's names, each with its sources; None: all sources."""
    ssid = settings.report.ssid if settings.report else None
    if isinstance(ssid, str):
        yield ssid, None
    else:
        for name, each in (ssid or {}).items():
            yield each, settings.groups.get(name, (name,))


def _of(counts: Mapping[str, DayCount], sources: tuple[str, ...]) -> Iterator[DayCount]:
    return (counts[source] for source in sources if source in counts)


def _counts_json(settings: VisitorsSettings, counts: Mapping[str, DayCount]) -> dict[str, Json]:
    """Return the counts of all sources together, each source (configured ones first), and each group."""
    sources = [*settings.sources, *sorted(counts.keys() - settings.sources.keys())]
    labels = {name: source.label for name, source in settings.sources.items() if source.label is not None}
    return {
        "counts": visits_json(together(counts.values())),
        "by_source": {source: visits_json(counts.get(source, DayCount())) for source in sources},
        "by_group": {
            group: visits_json(together(_of(counts, members))) for group, members in settings.groups.items()
        },
        "names": dict(labels),
    }


def visits_json(counted: DayCount) -> dict[str, Json]:
    """Return the counts as out files have them.

    `balance` is `inside` without the corrections, and may be negative.
    """
    count = counted.count
    return {
        "in": count.n_in,
        "out": count.n_out,
        "inside": counted.inside,
        "other": count.n_other,
        "balance": counted.balance,
        "corrected": counted.corrected,
    }

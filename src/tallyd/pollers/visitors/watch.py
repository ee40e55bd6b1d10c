"""The job `watch` of a centre: evaluates what other hosts have noted, and which of them run."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from tallyd.contract.arrivals import Arrival
from tallyd.contract.toolbox import Toolbox
from tallyd.core.errors import RecordsError
from tallyd.core.language.messages import english
from tallyd.core.naming import local_text
from tallyd.core.reading import Facts, Json, Reading, Slot
from tallyd.pollers.visitors.alerts.memory import read_memory, to_remember
from tallyd.pollers.visitors.alerts.problems import Run, evaluate
from tallyd.pollers.visitors.alerts.rejections import MOST_ASKED
from tallyd.pollers.visitors.alerts.shared import ARRIVALS, SHARED, Shared, read_shared, shared_of
from tallyd.pollers.visitors.ingest.sweep_counts import Tally
from tallyd.pollers.visitors.settings import VisitorsSettings

EVERY_S: Final = 10.0
"""As often as a host notes a sign of life."""


def watch(settings: VisitorsSettings, slot: Slot, tools: Toolbox) -> tuple[Reading, ...]:
    """Evaluate what is known of all hosts; return one reading. It raises only exceptions that are bugs."""
    del slot  # a plain interval
    records = tools.records
    if records is None:
        raise TypeError("the watch of a visitors poller needs the database of records")
    now, stored = tools.now(), tools.memory()
    known, tally = read_memory(stored, now), Tally()
    shared, ledger = shared_of(tools.kept), None
    try:
        shared = read_shared(records, shared, now=now)
        ledger = records.ledger(rejected=True, most=MOST_ASKED)
    except RecordsError as error:
        tally.database = error.text
        shared = shared and replace(shared, answers_since=None)
    run = Run(
        poller=tools.poller,
        zone=tools.zone,
        looked_at=now,
        now=now,
        look=None,
        tally=tally,
        shared=shared,
        ledger=ledger,
    )
    evaluated = evaluate(run, known, settings)
    tools.kept[SHARED], tools.kept[ARRIVALS] = shared, run.arrivals
    return (
        Reading(
            taken_at=now,
            facts=None,
            problems=evaluated.problems,
            memory=to_remember(known, evaluated.memory, stored),
            evaluates=evaluated.evaluates,
            summary=_summary(shared, tally, tools),
        ),
    )


def _summary(shared: Shared | None, tally: Tally, tools: Toolbox) -> Facts:
    """Return what is known of each source, for a person who ran the watch by hand."""
    found = shared.arrivals if shared else {}
    sources: dict[str, Json] = {source: _arrival_json(each, tools) for source, each in sorted(found.items())}
    trouble = (
        english("the database cannot be read: {reason}", reason=tally.database) if tally.database else None
    )
    return {"sources": sources, "trouble": trouble}


def _arrival_json(arrival: Arrival, tools: Toolbox) -> dict[str, Json]:
    record_at = arrival.last_record_at
    return {
        "last_file_at": local_text(arrival.last_file_at, tools.zone),
        "last_record_at": local_text(record_at, tools.zone) if record_at else None,
        "state": arrival.state,
        "reason": arrival.reason,
        "host": arrival.host,
    }

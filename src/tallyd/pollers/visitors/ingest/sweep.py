"""The sweep: looks into the inbox, ingests the files that wait there, and evaluates silence."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta, tzinfo
from functools import partial

from tallyd.contract.inbox import Look
from tallyd.contract.passages import LedgerRow
from tallyd.contract.records import Records
from tallyd.contract.toolbox import Toolbox
from tallyd.core.errors import RecordsError
from tallyd.core.language.messages import english
from tallyd.core.reading import Reading, Slot
from tallyd.pollers.visitors.alerts.memory import SAVED_EVERY, Remembered, read_memory, to_remember
from tallyd.pollers.visitors.alerts.problems import STANDS_S, Run, evaluate
from tallyd.pollers.visitors.alerts.rejections import MOST_ASKED
from tallyd.pollers.visitors.alerts.shared import ARRIVALS, SHARED, read_shared, shared_of
from tallyd.pollers.visitors.ingest.arrival_notes import ArrivalNotes
from tallyd.pollers.visitors.ingest.file_pass import Pass
from tallyd.pollers.visitors.ingest.ingest import Taking
from tallyd.pollers.visitors.ingest.interval_parser import IntervalReading
from tallyd.pollers.visitors.ingest.record_parser import Reading as PassageReading
from tallyd.pollers.visitors.ingest.shape import Shape
from tallyd.pollers.visitors.ingest.sweep_counts import Tally
from tallyd.pollers.visitors.ingest.typed_records import RecordDecoder
from tallyd.pollers.visitors.settings import VisitorsSettings

log = logging.getLogger("tallyd")


def sweep(settings: VisitorsSettings, slot: Slot, tools: Toolbox) -> tuple[Reading, ...]:
    """Ingest the files that wait in the inbox, oldest first, and evaluate its problems; return one reading.

    If the database is unavailable, or tallyd stops, the remaining files stay in the inbox. It raises only
    exceptions that are bugs.
    """
    del slot  # a plain interval
    inbox, records = tools.inbox, tools.records
    if inbox is None or records is None:
        raise TypeError("the sweep of a visitors poller needs an inbox and the database of records")
    looked_at = tools.now()
    look = inbox.look()
    stored = tools.memory()
    known = read_memory(stored, looked_at)
    shared, notes, ledger = shared_of(tools.kept), _notes(tools), None
    begin = _pass_of(settings, tools.zone)
    taking = Taking(settings, tools, inbox, records, begin=begin, notes=notes, seen=look.arrivals)
    tally = taking.tally
    tally.waiting = len(look.waiting)
    try:
        # First what is shared: if the database does not answer, no file is read for nothing.
        if shared is None or known.database or shared.is_old(looked_at):
            shared = read_shared(records, shared, now=looked_at)
        taking.all(look.waiting)
        notes.add_seen(look, shared, why_away=_why_away(look, known, looked_at))
        _note(notes, records, tools.now())
        ledger = _ledger(tally, known, records, tools)
    except RecordsError as error:
        tally.database = error.text
        shared = shared and replace(shared, answers_since=None)
    tally.waiting += look.more
    tally.unsettled += look.unsettled
    if look.more and tally.taken and tally.database is None and not tools.stop():
        tools.wake()
    run = Run(
        poller=tools.poller,
        zone=tools.zone,
        looked_at=looked_at,
        now=tools.now(),
        look=look,
        tally=tally,
        shared=shared,
        ledger=ledger,
    )
    evaluated = evaluate(run, known, settings)
    tools.kept[SHARED] = shared
    tools.kept[ARRIVALS] = run.arrivals  # for the page
    _tell(tally, known, tools.poller)
    return (
        Reading(
            taken_at=run.now,
            facts=None,
            problems=evaluated.problems,
            memory=to_remember(known, evaluated.memory, stored),
            evaluates=evaluated.evaluates,
            summary={**tally.summary(), "trouble": _trouble(look, tally)},
        ),
    )


def _trouble(look: Look, tally: Tally) -> str | None:
    """Return in English why files stay in the inbox, for who ran the sweep by hand; None: no problem."""
    if look.state != "here":
        is_gone = look.state == "gone"
        return english("the inbox is missing") if is_gone else english("nothing is mounted on the inbox")
    if tally.database is not None:
        return english("files wait in the inbox: {reason}", reason=tally.database)
    for name, reason in {**look.untakable, **tally.failed}.items():
        return reason if look.is_blind else english("{place}: {why}", place=name, why=reason)
    return None


def _notes(tools: Toolbox) -> ArrivalNotes:
    known = tools.kept.setdefault("notes", ArrivalNotes())
    if not isinstance(known, ArrivalNotes):
        raise TypeError("the sweep's own was overwritten")
    return known


def _note(notes: ArrivalNotes, records: Records, now: datetime) -> None:
    """Note the arrivals that no transaction of a file has noted. Raises `RecordsError`."""
    came = notes.due(now)
    records.ingest((), now=now, keep_rows=False, came=came)
    notes.note(came, now)


def _why_away(look: Look, known: Remembered, now: datetime) -> str | None:
    """Return in English why this host has not seen its inbox for a while; None: it has."""
    is_seen = look.state == "here" and not look.is_blind
    if is_seen or known.unseen_since is None or now - known.unseen_since < timedelta(seconds=STANDS_S):
        return None
    return _trouble(look, Tally())


def _ledger(
    tally: Tally, known: Remembered, records: Records, tools: Toolbox
) -> tuple[LedgerRow, ...] | None:
    """Return the newest rejected files if they may have changed; None: the ledger was not read.

    It reads the ledger in the first run of a process, because the previous process may have died before it
    reported its last rejections. Raises `RecordsError`.
    """
    now, asked_at = tools.now(), tools.kept.get("ledger read at")
    is_time = not isinstance(asked_at, datetime) or now - asked_at >= SAVED_EVERY or known.rejected
    if not (asked_at is None or tally.rejected or (tally.taken and is_time)):
        return None
    found = records.ledger(rejected=True, most=MOST_ASKED)
    tools.kept["ledger read at"] = now
    return found


def _tell(tally: Tally, known: Remembered, poller: str) -> None:
    whose = {"poller": poller, "job": "sweep"}
    if tally.taken:
        counts = {name: count for name, count in tally.counts.items() if count}
        fields = {**counts, "records": tally.records, "skipped": tally.skipped}
        log.info("files ingested", extra={**whose, **fields})
    if tally.database is not None and known.database is None:
        log.warning("files wait in the inbox", extra={**whose, "reason": tally.database})
    if tally.database is None and known.database is not None:
        log.info("files are ingested again", extra=whose)


def _pass_of(settings: VisitorsSettings, zone: tzinfo) -> Callable[[datetime], Pass]:
    """Return what begins a pass over a file of a poller."""
    shape, skips_bad = _shape_of(settings, zone), settings.on_bad_record == "skip-record"
    if settings.records == "passages":
        return partial(PassageReading, RecordDecoder(shape), skips_bad=skips_bad)
    return partial(IntervalReading, settings.intervals, shape, skips_bad=skips_bad)


def _shape_of(settings: VisitorsSettings, zone: tzinfo) -> Shape:
    """Return the format of a poller's records."""
    fields, directions = settings.fields, settings.directions
    return Shape(
        person=fields.id,
        direction=fields.direction,
        time=fields.time,
        frame=fields.frame,
        way_in=directions.way_in,
        way_out=directions.way_out,
        time_format=settings.time_format,
        zone=zone,
    )

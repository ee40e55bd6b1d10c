"""Reads a report: what is stored of each poller on the days that are asked for."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime

from tallyd.adapters.records.reader import RecordsReader
from tallyd.adapters.state import State
from tallyd.config.model import Config
from tallyd.config.settings import BY_KIND
from tallyd.contract.board import Asked, AskedError
from tallyd.contract.poller import Poller
from tallyd.core.alerts.incident_view import incident_panel
from tallyd.core.errors import RecordsError
from tallyd.core.language.languages import reading_in
from tallyd.core.panels import filled
from tallyd.core.schedule.days import day_of
from tallyd.core.texts import listed
from tallyd.pollers.report import PREFIX
from tallyd.presentation.boards import Chapter
from tallyd.settings.types import not_in_config
from tallyd.storage.incidents import AskedIncidents
from tallyd.storage.past import StoredPast, past_of, poller_of
from tallyd.storage.shown import BugError, Shown


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is asked for, as the options of `tallyd report`; an empty text is one that nobody gave.

    `shape` is `table`, `csv`, `json` or `html`; `excel` makes it a CSV for Excel. `table` is the key of the
    only table that is wanted. `options` are those of `Poller.options`.
    """

    start: str = ""
    end: str = ""
    back: str = ""
    poller: str = ""
    by: str = ""
    shape: str = "table"
    excel: bool = False
    table: str = ""
    options: Mapping[str, str]


def read_chapters(config: Config, wanted: Wanted, now: datetime) -> tuple[list[Chapter], list[str]]:
    """Return a chapter for each poller, and why one is missing (in English).

    Raises `AskedError` if options make no sense, or name what does not exist; `StateError`.
    """
    with closing(State(config.state_at)) as state, closing(RecordsReader(config.database_url)) as reader:
        return _read(config, wanted, state, reader, now)


def _read(
    config: Config, wanted: Wanted, state: State, reader: RecordsReader, now: datetime
) -> tuple[list[Chapter], list[str]]:
    chapters: list[Chapter] = []
    troubles: list[str] = []
    unknown: list[str] = []
    open_keys, _ = state.alerts.standing_keys()
    for name, source in _pollers(config, wanted, state, now).items():
        past = past_of(name, config, state, reader, now=now, open_keys=open_keys)
        is_former = name not in config.settings.pollers
        try:
            chapter = _chapter(config, source, past, wanted, has_now=wanted.shape == "json" and not is_former)
        except (RecordsError, BugError) as error:
            troubles.append(f"{name}: {error.text}")  # "PLACE: WHY", a stored message
        except AskedError as error:
            unknown.append(str(error))
        else:
            if chapter.table.rows or wanted.poller or not is_former:
                chapters.append(chapter)
    if unknown and not chapters and not troubles:
        raise AskedError("; ".join(dict.fromkeys(unknown)))
    return chapters, troubles


def _chapter(config: Config, source: Poller, past: StoredPast, wanted: Wanted, *, has_now: bool) -> Chapter:
    """Raises `AskedError`, `RecordsError`, `StateError`, `BugError`."""
    shown = Shown()
    asked = Asked.read(
        first=wanted.start,
        last=wanted.end,
        back=wanted.back,
        by=wanted.by,
        options=wanted.options,
        today=day_of(past.now, past.zone),
        default_days=source.default_days,
    )
    subject = asked.value(source.subject_option())
    named = source.subject_label(subject) if subject else ""
    board = shown.past(source, past, asked)
    incidents = shown.incidents(source, past, asked, config)
    days = AskedIncidents(days=asked, poller=past.poller, zone=past.zone, pollers=())
    nothing = days.why_nothing(past.state, now=past.now, group=named or asked.value("group"))
    chapter = Chapter(
        poller=past.poller,
        subject=named,
        kind=source.kind,
        zone=past.zone,
        first=asked.first,
        last=asked.last,
        board=replace(board, details=(*board.details, incident_panel(incidents, nothing=nothing))),
        now=filled(shown.now(source, past, subject, asked.value("group"))) if has_now or subject else None,
        key=wanted.table,
        incidents=incidents,
        words=_words(past.poller, asked),
    )
    keys = [table.key for table in chapter.tables]
    if wanted.table and wanted.table not in keys:
        raise AskedError(
            f'{past.poller} has no table "{wanted.table}" then; its tables are: {", ".join(keys)}'
        )
    return chapter


def _words(poller: str, asked: Asked) -> tuple[str, ...]:
    """Return the options of `tallyd report` that ask for the same."""
    words = ["--poller", poller, "--from", asked.first.isoformat(), "--to", asked.last.isoformat()]
    for option, value in (("by", asked.by), *asked.options.items()):
        if value:
            words += [f"--{option}"] if option == "fulfilment" else [f"--{option}", value]
    return tuple(words)


def _pollers(config: Config, wanted: Wanted, state: State, now: datetime) -> dict[str, Poller]:
    """Return the configured pollers in their order, then former ones, as far as they know the options."""
    configured = tuple(config.settings.pollers)
    former = (name for name in state.readings.pollers() if not name.startswith(PREFIX))
    names = (wanted.poller,) if wanted.poller else dict.fromkeys((*configured, *former))
    known = {name: poller for name in names if (poller := poller_of(name, config, state, now=now))}
    if wanted.poller and not known:
        hint = not_in_config(wanted.poller, configured)
        raise AskedError(f'there is no poller "{wanted.poller}", and no reading of one{hint}')
    found = {name: poller for name, poller in known.items() if {*wanted.options} <= {*poller.options()}}
    if wanted.options and not found:
        with reading_in("en"):  # as every complaint about options
            raise AskedError(_why_not_together(wanted))
    return found


def _why_not_together(wanted: Wanted) -> str:
    options = listed([f"--{option}" for option in wanted.options])
    kinds = [kind for kind, each in BY_KIND.items() if {*wanted.options} <= {*each.options()}]
    if not kinds:
        return f"{options} can't go together; leave one out"
    whose = f'"{wanted.poller}" is none' if wanted.poller else "there is none"
    return f"{options} is for pollers of kind {listed(kinds)}; {whose}"

"""`tallyd report`: counts over time, on stdout. Creates nothing if tallyd never ran.

docs/files.md describes the JSON.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import typer

from tallyd.adapters.records.reader import RecordsReader
from tallyd.adapters.state import State, StateError
from tallyd.cli.shared import has_not_run, has_state, load_config, say_days, utc_now, wrong_usage
from tallyd.config.model import Config
from tallyd.config.settings import BY_KIND
from tallyd.contract.board import Asked, AskedError
from tallyd.contract.poller import Poller
from tallyd.core.alerts.incident_view import last_incidents
from tallyd.core.errors import EXIT_OK, EXIT_PROBLEM, RecordsError
from tallyd.core.language.formats import dated
from tallyd.core.language.languages import reading_in
from tallyd.core.language.messages import tr, translated
from tallyd.core.panels import Board, Panel, filled
from tallyd.core.reading import Json
from tallyd.core.schedule.days import day_of
from tallyd.core.texts import listed
from tallyd.presentation.boards import BoardPrinter, Chapter, board_json, chapters_csv, period_text
from tallyd.presentation.terminal import complain, say, show_file, show_json
from tallyd.settings.types import not_in_config
from tallyd.storage.past import StoredPast, past_of, poller_of
from tallyd.storage.shown import BugError, Shown


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """The options of the command; an empty text is one that nobody gave.

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


def report(path: Path, wanted: Wanted) -> int:
    """Print the counts of these days; return the exit status.

    Ends the command with status 2 for options that make no sense, or name what does not exist.
    """
    if wanted.excel and wanted.shape in ("json", "html"):
        wrong_usage(
            f"--excel is CSV, not {wanted.shape.upper()}; leave out --excel or --format {wanted.shape}"
        )
    if wanted.table and wanted.shape in ("json", "html"):
        wrong_usage(f"--format {wanted.shape} has all tables; leave out --table")
    config = load_config(path, lenient=True)
    is_for_people = wanted.excel or wanted.shape in ("table", "html")
    with reading_in(config.settings.language if is_for_people else "en"):
        return _report(config, wanted, utc_now())


def _report(config: Config, wanted: Wanted, now: datetime) -> int:
    if not has_state(config.state_at):
        text = tr(
            "{cause}: then the report has what the database of records holds", cause=has_not_run(config)
        )
        complain(text)
        return EXIT_PROBLEM
    try:
        with (
            closing(State(config.state_at)) as state,
            closing(RecordsReader(config.database_url)) as reader,
        ):
            chapters, troubles = _read(config, wanted, state, reader, now)
    except StateError as error:
        complain(f"tallyd: {translated(str(error))}")
        return EXIT_PROBLEM
    for trouble in troubles:
        complain(f"tallyd: {trouble}")
    if chapters or not troubles:
        _show(config, wanted, chapters, troubles, now)
        sys.stdout.flush()  # so that a reader who went away (`| head`) is noticed where it is handled
    return EXIT_PROBLEM if troubles else EXIT_OK


# -- what is stored -----------------------------------------------------------------------------------------


def _read(
    config: Config, wanted: Wanted, state: State, reader: RecordsReader, now: datetime
) -> tuple[list[Chapter], list[str]]:
    """Return a chapter for each poller, and why one is missing. Raises `StateError`."""
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
            troubles.append(f"{name}: {translated(error.text)}")
        except AskedError as error:
            unknown.append(str(error))
        else:
            if chapter.table.rows or wanted.poller or not is_former:
                chapters.append(chapter)
    if unknown and not chapters and not troubles:
        wrong_usage("; ".join(dict.fromkeys(unknown)))
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
    incidents = last_incidents(
        shown.last_incidents(source, past, asked, config), until=asked.last, subject=named
    )
    chapter = Chapter(
        poller=past.poller,
        subject=named,
        kind=source.kind,
        zone=past.zone,
        first=asked.first,
        last=asked.last,
        board=replace(board, details=(*board.details, incidents)),
        now=filled(shown.now(source, past, subject, asked.value("group"))) if has_now or subject else None,
        key=wanted.table,
    )
    keys = [table.key for table in chapter.tables]
    if wanted.table and wanted.table not in keys:
        raise AskedError(
            f'{past.poller} has no table "{wanted.table}" then; its tables are: {", ".join(keys)}'
        )
    return chapter


def _pollers(config: Config, wanted: Wanted, state: State, now: datetime) -> dict[str, Poller]:
    """Return the configured pollers in their order, then former ones, as far as they know the options."""
    configured = tuple(config.settings.pollers)
    names = (wanted.poller,) if wanted.poller else dict.fromkeys((*configured, *state.readings.pollers()))
    known = {name: poller for name in names if (poller := poller_of(name, config, state, now=now))}
    if wanted.poller and not known:
        hint = not_in_config(wanted.poller, configured)
        wrong_usage(f'there is no poller "{wanted.poller}", and no reading of one{hint}')
    found = {name: poller for name, poller in known.items() if {*wanted.options} <= {*poller.options()}}
    if wanted.options and not found:
        with reading_in("en"):  # as every complaint about options
            wrong_usage(_why_not_together(wanted))
    return found


def _why_not_together(wanted: Wanted) -> str:
    options = listed([f"--{option}" for option in wanted.options])
    kinds = [kind for kind, each in BY_KIND.items() if {*wanted.options} <= {*each.options()}]
    if not kinds:
        return f"{options} can't go together; leave one out"
    whose = f'"{wanted.poller}" is none' if wanted.poller else "there is none"
    return f"{options} is for pollers of kind {listed(kinds)}; {whose}"


# -- how it is shown ----------------------------------------------------------------------------------------


def _show(
    config: Config, wanted: Wanted, chapters: Sequence[Chapter], troubles: Sequence[str], now: datetime
) -> None:
    if chapters and not wanted.start and not wanted.back:
        say_days(min(each.first for each in chapters), max(each.last for each in chapters))
    if wanted.shape == "json":
        show_json([_json(chapter, wanted) for chapter in chapters])
    elif wanted.shape == "html":
        _show_html(config, chapters, troubles, now)
    elif wanted.excel or wanted.shape == "csv":
        _show_csv(chapters, wanted)
    else:
        _show_tables(chapters)


def _show_tables(chapters: Sequence[Chapter]) -> None:
    if not chapters:
        say(tr("No poller is configured, and none has readings from these days."))
    for number, chapter in enumerate(chapters):
        if number:
            say()
        heading = tr("{poller}, {period}", poller=chapter.poller, period=period_text([chapter]))
        printer = BoardPrinter(zone=chapter.zone, now=None, see_columns=tr("--wide, or --format csv"))
        if chapter.key:
            printer.show(heading, chapter.board, [chapter.table])
            continue
        if chapter.now:
            subject = tr("[{heading}: ]{text}", heading=chapter.poller, text=chapter.subject)
            printer.show(subject, chapter.now, _whole(chapter.now))
            say()
        panels = _whole(chapter.board) if chapter.subject else chapter.board.panels
        printer.show(heading, chapter.board, panels)


def _whole(board: Board) -> tuple[Panel, ...]:
    return (*board.panels, *board.details)


def _show_csv(chapters: Sequence[Chapter], wanted: Wanted) -> None:
    if len({chapter.table.key for chapter in chapters}) > 1:
        names = ", ".join(chapter.poller for chapter in chapters)
        wrong_usage(f"one CSV can't hold pollers of different kinds; add --poller and one of: {names}")
    for note in dict.fromkeys(note for chapter in chapters for note in chapter.board.notes):
        complain(note, style="quiet")
    if chapters:
        name_pollers = not wanted.poller and len(chapters) > 1
        show_file(chapters_csv(chapters, excel=wanted.excel, name_pollers=name_pollers))


def _show_html(config: Config, chapters: Sequence[Chapter], troubles: Sequence[str], now: datetime) -> None:
    try:
        # Imported here: it needs a library that tallyd can do without.
        from tallyd.presentation.html.report import report_html  # noqa: PLC0415 # see above
    except ModuleNotFoundError as error:
        text = tr(
            "--format html needs a library that is not installed ({library}). Install tallyd with what the "
            "page needs ({command}), or use another --format",
            library=error.name,
            command='pip install "tallyd[web]"',
        )
        complain(f"tallyd: {text}")
        raise typer.Exit(EXIT_PROBLEM) from None
    made = f"{dated(now.replace(second=0, microsecond=0), config.zone)} ({config.zone})"
    show_file(report_html(config.settings.name, made, chapters, troubles))


def _json(chapter: Chapter, wanted: Wanted) -> Json:
    return {
        "poller": chapter.poller,
        "kind": chapter.kind,
        "zone": str(chapter.zone),
        "from": chapter.first.isoformat(),
        "to": chapter.last.isoformat(),
        "by": wanted.by or None,
        "range": wanted.back or None,
        "options": dict(wanted.options),
        "now": board_json(chapter.now, chapter.zone) if chapter.now else None,
        "past": board_json(chapter.board, chapter.zone),
    }

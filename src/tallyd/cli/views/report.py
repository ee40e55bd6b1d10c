"""`tallyd report`: counts over time, on stdout. Creates nothing if tallyd never ran.

docs/files.md describes the JSON.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import typer

from tallyd.adapters.state import StateError
from tallyd.cli.shared import has_not_run, has_state, load_config, say_days, utc_now, wrong_usage
from tallyd.config.model import Config
from tallyd.contract.board import AskedError
from tallyd.core.errors import EXIT_OK, EXIT_PROBLEM
from tallyd.core.language.languages import reading_in
from tallyd.core.language.messages import tr, translated
from tallyd.core.panels import Board, Panel
from tallyd.presentation.boards import BoardPrinter, Chapter, chapters_csv, period_text
from tallyd.presentation.terminal import complain, say, show_file, show_json
from tallyd.reporting.chapters import Wanted, read_chapters
from tallyd.reporting.rendering import chapter_json, html_text


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
        chapters, found = read_chapters(config, wanted, now)
    except AskedError as error:
        wrong_usage(str(error))
    except StateError as error:
        complain(f"tallyd: {translated(str(error))}")
        return EXIT_PROBLEM
    troubles = [translated(trouble) for trouble in found]
    for trouble in troubles:
        complain(f"tallyd: {trouble}")
    if chapters or not troubles:
        _show(config, wanted, chapters, troubles, now)
        sys.stdout.flush()  # so that a reader who went away (`| head`) is noticed where it is handled
    return EXIT_PROBLEM if troubles else EXIT_OK


# -- how it is shown ----------------------------------------------------------------------------------------


def _show(
    config: Config, wanted: Wanted, chapters: Sequence[Chapter], troubles: Sequence[str], now: datetime
) -> None:
    if chapters and not wanted.start and not wanted.back:
        say_days(min(each.first for each in chapters), max(each.last for each in chapters))
    if wanted.shape == "json":
        show_json([chapter_json(chapter, wanted) for chapter in chapters])
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
        show_file(html_text(config, chapters, troubles, now))
    except ModuleNotFoundError as error:
        text = tr(
            "--format html needs a library that is not installed ({library}). Install tallyd with what the "
            "page needs ({command}), or use another --format",
            library=error.name,
            command='pip install "tallyd[web]"',
        )
        complain(f"tallyd: {text}")
        raise typer.Exit(EXIT_PROBLEM) from None

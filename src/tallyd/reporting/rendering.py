"""Renders a report as files: HTML, CSV or JSON."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from tallyd.config.model import Config
from tallyd.core.alerts.message import Attachment
from tallyd.core.language.formats import dated
from tallyd.core.reading import Json
from tallyd.presentation.boards import Chapter, board_json, chapters_csv
from tallyd.presentation.terminal import json_text
from tallyd.reporting.chapters import Wanted


def html_text(config: Config, chapters: Sequence[Chapter], troubles: Sequence[str], now: datetime) -> str:
    """Return a report as HTML. Raises `ModuleNotFoundError` if it needs a library that is not installed."""
    # Imported here: it needs a library that tallyd can do without.
    from tallyd.presentation.html.report import report_html  # noqa: PLC0415 # see above

    made = f"{dated(now.replace(second=0, microsecond=0), config.zone)} ({config.zone})"
    return report_html(config.settings.name, made, chapters, troubles)


def chapter_json(chapter: Chapter, wanted: Wanted) -> Json:
    """Return a chapter for programs; docs/files.md describes it."""
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


def files_of(
    config: Config, wanted: Wanted, stem: str, chapters: Sequence[Chapter], now: datetime
) -> tuple[Attachment, ...]:
    """Return the files of a report whose names begin with `stem`; one for each poller if it is CSV.

    Raises `ModuleNotFoundError` as `html_text` does.
    """
    if wanted.shape == "csv":
        return tuple(
            Attachment(
                f"{stem}_{each.poller}.csv", chapters_csv([each], excel=wanted.excel, name_pollers=False)
            )
            for each in chapters
        )
    if wanted.shape == "json":
        text = json_text([chapter_json(each, wanted) for each in chapters])
    else:
        text = html_text(config, chapters, (), now)
    return (Attachment(f"{stem}.{wanted.shape}", text),)

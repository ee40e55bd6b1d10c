"""What `tallyd report --format html` prints: one file with plots that loads nothing, for mail or archive."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import datetime

import tallyd
from tallyd.cli.report_asked import Part
from tallyd.cli.report_html_readings import readings_chapter
from tallyd.cli.report_html_servers import lags_chapter
from tallyd.cli.report_html_visits import visits_chapter
from tallyd.cli.report_readings import Readings
from tallyd.cli.report_servers import AllLags
from tallyd.cli.report_visits import AllVisits
from tallyd.config.model import Config
from tallyd.core.errors import EXIT_OK, EXIT_PROBLEM
from tallyd.presentation.terminal import complain
from tallyd.web.report_view import Chapter, Report, period_text


def show_html(config: Config, parts: Sequence[Part], troubles: Sequence[str], *, now: datetime) -> int:
    """Print the file; return the exit status. Where nothing could be read, nothing is printed.

    `troubles` are why something is missing; the file says it too.
    """
    try:
        # Here: it is the one module that needs a library which tallyd can do without.
        from tallyd.web.report_page import page  # noqa: PLC0415 # see above
    except ModuleNotFoundError as error:
        complain(
            f"tallyd: --format html needs a library that is not installed ({error.name}). Install tallyd "
            'with what the page needs (pip install "tallyd[web]"), or use another --format'
        )
        return EXIT_PROBLEM
    if parts:
        text = page(_report(config, parts, troubles, now=now))
        # As bytes: the file says of itself that it is UTF-8, whatever the locale says of stdout.
        sys.stdout.flush()
        sys.stdout.buffer.write(text.encode("utf-8", "backslashreplace"))
        sys.stdout.flush()
    return EXIT_PROBLEM if troubles else EXIT_OK


def _report(config: Config, parts: Sequence[Part], troubles: Sequence[str], *, now: datetime) -> Report:
    chapters = [chapter for part in parts for chapter in _chapters(part)]
    first = min((chapter.first for chapter in chapters), default=None)
    last = max((chapter.last for chapter in chapters), default=None)
    zones = dict.fromkeys(chapter.zone for chapter in chapters)
    return Report(
        name=config.settings.name,
        period=period_text(first, last) if first and last else "no days",
        zone=", ".join(zones) or str(config.zone),
        made=f"{now.astimezone(config.zone):%Y-%m-%d %H:%M} ({config.zone})",
        version=tallyd.__version__,
        chapters=tuple(chapters),
        troubles=tuple(troubles),
    )


def _chapters(part: Part) -> list[Chapter]:
    if isinstance(part, AllVisits):
        return [visits_chapter(past) for past in part.pasts]
    if isinstance(part, AllLags):
        return [lags_chapter(past, part.by) for past in part.pasts]
    if isinstance(part, Readings):
        return [readings_chapter(past, part.by) for past in part.pasts]
    raise TypeError(part)

"""Makes and sends the reports that come by themselves. Implements `contract.reporter.Reporter`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Final

from tallyd.adapters.outfiles import FOLDER_MODE, replace_file
from tallyd.adapters.state import StateError
from tallyd.config.model import Config
from tallyd.contract.board import AskedError
from tallyd.contract.reporter import ReportAsked
from tallyd.core.alerts.message import Attachment, Message
from tallyd.core.errors import DeliveryError, SourceError
from tallyd.core.language.languages import reading_in
from tallyd.core.language.messages import english, tr
from tallyd.core.reading import Facts
from tallyd.core.system_words import reason_of
from tallyd.presentation.boards import Chapter
from tallyd.reporting.chapters import Wanted, read_chapters
from tallyd.reporting.rendering import files_of
from tallyd.reporting.summary import Summary, message_of, own_incidents

MOST_ATTACHED: Final = 10_000_000
"""Characters of all files of one message. Mail servers refuse more: such a report is sent without them."""


@dataclass(frozen=True, kw_only=True)
class StoredReporter:
    """Makes reports from state.db and the database of records of a config, for now.

    `deliver` sends a message to a channel's URL. `writes` false: nothing is written (a dry run).
    """

    config: Config
    now: Callable[[], datetime]
    deliver: Callable[[str, Message], None]
    writes: bool = True

    def write(self, asked: ReportAsked) -> Facts:
        """Make the report, write its files if it has a folder, and return what its out file says of it."""
        with reading_in(self.config.settings.language), _explained():
            summary, files = self._made(asked)
        if asked.folder is not None and self.writes:
            folder = self.config.data_dir / asked.folder
            for file in files:
                _write(folder / file.name, file.text)
        return {
            "pollers": [chapter.poller for chapter in summary.chapters],
            "files": [file.name for file in files] if asked.folder is not None else [],
            "incidents": summary.count,
        }

    def send(self, asked: ReportAsked, channel: str) -> None:
        """Make the report in the language of a channel, and send it there. Also raises `Stopped`."""
        config = self.config
        with reading_in(config.language_of(channel)), _explained():
            summary, files = self._made(asked)
            message = message_of(config, summary)
            if sum(len(file.text) for file in files) <= MOST_ATTACHED:
                message = replace(message, files=files)
            else:
                message = replace(message, text=f"{message.text}\n{_too_large(asked)}")
        try:
            self.deliver(config.settings.channels[channel].url.reveal(), message)
        except DeliveryError as error:
            raise SourceError(error.text, transient=True) from None

    def _made(self, asked: ReportAsked) -> tuple[Summary, tuple[Attachment, ...]]:
        config, now = self.config, self.now()
        wanted = _wanted(asked)
        chapters = self._chapters(asked.pollers, wanted, now)
        own = own_incidents(config, asked.first, asked.last, now)
        options = {**({"by": asked.by} if asked.by else {}), **asked.options}
        summary = Summary(name=asked.name, chapters=chapters, own=own, options=options)
        if asked.format == "html" or asked.excel:
            return summary, files_of(config, wanted, _stem(asked), chapters, now)
        with reading_in("en"):  # what programs read is English, as in `tallyd report`
            english_ones = self._chapters(asked.pollers, wanted, now)
            return summary, files_of(config, wanted, _stem(asked), english_ones, now)

    def _chapters(self, pollers: Sequence[str], wanted: Wanted, now: datetime) -> tuple[Chapter, ...]:
        found: list[Chapter] = []
        for poller in pollers or ("",):
            chapters, troubles = read_chapters(self.config, replace(wanted, poller=poller), now)
            if troubles:
                raise SourceError("; ".join(troubles), transient=True)
            found += chapters
        return tuple(found)


def _wanted(asked: ReportAsked) -> Wanted:
    return Wanted(
        start=asked.first.isoformat(),
        end=asked.last.isoformat(),
        by=asked.by or "",
        shape=asked.format,
        excel=asked.excel,
        table=asked.table,
        options=asked.options,
    )


def _too_large(asked: ReportAsked) -> str:
    return tr(
        "The report is too large to be attached[; it is in the folder {folder}].", folder=asked.folder or ""
    )


def _stem(asked: ReportAsked) -> str:
    """Return how the names of its files begin: `weekly_2026-11-23_2026-11-29`."""
    days = dict.fromkeys((asked.first.isoformat(), asked.last.isoformat()))
    return "_".join((asked.name, *days))


@contextmanager
def _explained() -> Iterator[None]:
    """Raise `SourceError` for everything that keeps a report from being made."""
    try:
        yield
    except (AskedError, StateError) as error:
        raise SourceError(str(error), transient=True) from error
    except ModuleNotFoundError as error:
        text = english("a library is not installed ({library})", library=error.name)
        raise SourceError(text, transient=True) from error


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        replace_file(path, text.encode("utf-8", "backslashreplace"))
    except OSError as error:
        text = english("cannot write {file}: {why}", file=path, why=reason_of(error))
        raise SourceError(text, transient=True) from error

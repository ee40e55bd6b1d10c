"""Logging: a rotating file of JSON lines and readable lines on stderr, without secrets.

All of tallyd logs in the same way: `log = logging.getLogger("tallyd")`, then
`log.info("reading taken", extra={"poller": poller, "job": job, "total": total})`. The event is constant text,
the data is in `extra`. Write `extra` as a literal, so that the linter (G101) finds names that clash with
those of `logging`.

Logging never raises into its caller. While the file can't be written, lines still reach stderr, `on_failure`
is called, and every line tries the file again.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterable
from datetime import tzinfo
from typing import Literal, TextIO

from tallyd.adapters.logs import excepthooks
from tallyd.adapters.logs.formatters import OURS, JsonLines, TextLines
from tallyd.adapters.logs.handlers import FileWriter, Sink, StreamWriter
from tallyd.adapters.logs.rotating_file import LogFile, RotatingFile
from tallyd.core.privacy.redaction import Redactor

__all__ = ["Level", "LogFile", "Logs"]

Level = Literal["DEBUG", "INFO", "WARNING", "ERROR"]

log = logging.getLogger(OURS)


class Logs:
    """The process's logging, from construction to the end of the process.

    Commands log to stderr only, the daemon also to `file`. `zone` is for the times on a terminal (default:
    the host's); its name follows each time, since pollers may have other zones. `on_failure` gets a text for
    people when the file can't be written or rotated. `on_recovered` is called when it can again. Both run on
    the thread that logged, without a lock. They must not raise. What they log reaches stderr only.
    """

    def __init__(
        self,
        *,
        level: Level = "INFO",
        secrets: Iterable[str] = (),
        file: LogFile | None = None,
        stream: TextIO | None = None,
        zone: tzinfo | None = None,
        on_failure: Callable[[str], None] = lambda _text: None,
        on_recovered: Callable[[], None] = lambda: None,
    ) -> None:
        self._redactor = Redactor(secrets)
        self._on_failure = on_failure
        self._on_recovered = on_recovered
        self._file: FileWriter | None = None
        self._sinks: list[Sink] = []
        self._levels_before = logging.getLogger().level, log.level
        self._restore_hooks = excepthooks.install()
        stream = stream or sys.stderr
        if stream is not None:  # None: the process was started without a stderr
            self._add(Sink(_text_lines(self.redact, stream, zone), StreamWriter(stream).write))
        self.reconfigure(level=level, file=file)

    def redact(self, text: str) -> str:
        """Return `text` without the known secrets, for output other than the log."""
        return self._redactor.redact(text)

    def reconfigure(
        self,
        *,
        level: Level | None = None,
        secrets: Iterable[str] | None = None,
        file: LogFile | None = None,
    ) -> None:
        """Change the settings that are not None. Secrets are added; the old ones stay hidden.

        Libraries log at WARNING or above, whatever the level: below it they print URLs with keys.
        """
        if secrets is not None:
            self._redactor = self._redactor.with_secrets(secrets)
        if level is not None:
            log.setLevel(level)
            logging.getLogger().setLevel(max(log.level, logging.WARNING))
        if file is not None and self._file is not None:
            self._file.settings(file)
        elif file is not None:
            formatter = JsonLines(self.redact)
            self._file = FileWriter(RotatingFile(file), formatter, self._failed, self._recovered)
            self._add(Sink(formatter, self._file.write))

    @property
    def failure(self) -> str | None:
        """Why the file could not be written or rotated at the last line; None if it could."""
        return self._file.failure if self._file else None

    def try_again(self) -> None:
        """After a failure, find out whether the file can be written again.

        There may be no new line for hours.
        """
        if self.failure is not None:
            self._sinks[-1].write(None)

    def stop(self) -> None:
        """Restore handlers, levels and hooks, for tests.

        Do not call it before the process ends: Python's own hook would print a last exception with its
        secrets.
        """
        for sink in self._sinks:
            logging.getLogger().removeHandler(sink)
            sink.close()
        self._sinks.clear()
        if self._file:
            self._file.close()
        root_level, own_level = self._levels_before
        logging.getLogger().setLevel(root_level)
        log.setLevel(own_level)
        self._restore_hooks()

    def _add(self, sink: Sink) -> None:
        self._sinks.append(sink)
        logging.getLogger().addHandler(sink)

    def _failed(self, text: str) -> None:
        log.error("log file failed", extra={"why": text})
        self._on_failure(text)

    def _recovered(self) -> None:
        log.info("log file is written again")
        self._on_recovered()


def _text_lines(redact: Callable[[str], str], stream: TextIO, zone: tzinfo | None) -> TextLines:
    """Return the formatter for `stream`. The journal adds the time itself, and a terminal needs no date."""
    if _is_journal(stream):
        return TextLines(redact, timestamp="", priorities=True)
    day = "" if stream.isatty() else "%Y-%m-%d "
    return TextLines(redact, timestamp=f"{day}%H:%M:%S %Z", zone=zone)


def _is_journal(stream: TextIO) -> bool:
    """Whether systemd connected this stream to the journal (`JOURNAL_STREAM=device:inode`)."""
    try:
        found = os.fstat(stream.fileno())
    except (OSError, ValueError):  # not a file, or closed
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{found.st_dev}:{found.st_ino}"

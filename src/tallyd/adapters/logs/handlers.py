"""The two destinations of a log line: a stream and a file. They never raise into the code that logs."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from functools import partial
from typing import TextIO

from tallyd.adapters.logs.formatters import is_ours, own_record
from tallyd.adapters.logs.rotating_file import LogFile, RotatingFile
from tallyd.core.language.messages import english, mark_english
from tallyd.core.system_words import reason_of
from tallyd.core.texts import visible

Callback = Callable[[], None]

_UNWRITTEN = mark_english(
    "{file} cannot be written: {why}; log lines go to stderr only. "
    "Free disk space, or correct the folder's owner and mode; no restart is needed."
)
_UNROTATED = mark_english(
    "{file} cannot be rotated: {why}; it grows past its size. "
    "Free disk space, or correct the folder's owner and mode; no restart is needed."
)


class Sink(logging.Handler):
    """Formats a record and passes it to `write`, unless this thread is already doing so.

    Otherwise a value whose `str` logs, or a callback that logs, would never end. Libraries log at WARNING or
    above, even those that set their own level: below it they print URLs with keys.

    One thread at a time calls `write`. The callback that it returns runs without the lock, so it may wait for
    another thread that logs.
    """

    def __init__(self, formatter: logging.Formatter, write: Callable[[str | None], Callback | None]) -> None:
        super().__init__()
        self.setFormatter(formatter)
        self._write = write
        self._here = threading.local()

    def handle(self, record: logging.LogRecord) -> bool:
        """Write the record as a line. Return whether it was written."""
        is_busy = getattr(self._here, "is_busy", False)
        if is_busy or (record.levelno < logging.WARNING and not is_ours(record)):
            return False
        self._here.is_busy = True
        try:
            self.write(self._line(record))
        finally:
            self._here.is_busy = False
        return True

    def write(self, line: str | None) -> None:
        """Write a formatted record. None: only find out whether writing works again."""
        self.acquire()
        try:
            callback = self._write(line)
        finally:
            self.release()
        if callback:
            callback()

    def _line(self, record: logging.LogRecord) -> str:
        try:
            return self.format(record)
        except Exception as failure:  # a log line must not stop a count, whatever its values do
            extra = {
                "from": record.name,
                "at": f"{record.filename}:{record.lineno}",
                "why": repr(type(failure)),
            }
            return self.format(own_record(record.levelno, "a log line could not be formatted", extra))


class StreamWriter:
    """Writes to a terminal, a pipe or the journal."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, line: str | None) -> None:
        """Write the line. A closed stream is ignored: there is nobody left to report it to."""
        if line is None:
            return
        try:
            self._stream.write(line + "\n")
            self._stream.flush()
        except (OSError, ValueError):  # ValueError: closed
            return


class FileWriter:
    """Writes to the file. Reports when writing begins to fail, when the reason changes, and when it works
    again.

    Then it also writes into the file how many lines are missing.
    """

    def __init__(
        self,
        file: RotatingFile,
        formatter: logging.Formatter,
        on_failure: Callable[[str], None],
        on_recovered: Callback,
    ) -> None:
        self.failure: str | None = None
        self._file = file
        self._formatter = formatter
        self._on_failure = on_failure
        self._on_recovered = on_recovered
        self._missing = 0

    def write(self, line: str | None) -> Callback | None:
        """Append the line; return the callback to run then. Without a line: try again after a failure."""
        if line is None and self.failure is None:
            return None
        lines = [*([self._gap()] if self._missing else []), *([line] if line is not None else [])]
        try:
            unrotated = self._file.append("".join(f"{text}\n" for text in lines).encode())
        except OSError as failure:
            self._missing += line is not None
            return self._failed(_UNWRITTEN, failure)
        self._missing = 0
        if unrotated:
            return self._failed(_UNROTATED, unrotated)
        if self.failure is None:
            return None
        self.failure = None
        return self._on_recovered

    def settings(self, settings: LogFile) -> None:
        """Use another path, size or number of older files from the next line on."""
        self._file.settings = settings

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _failed(self, message: str, failure: OSError) -> Callback | None:
        text = english(message, file=self._file.settings.path, why=reason_of(failure))
        if self.failure == text:
            return None
        self.failure = text
        return partial(self._on_failure, visible(text))

    def _gap(self) -> str:
        extra = {"missing_lines": self._missing, "why": self.failure}
        return self._formatter.format(own_record(logging.WARNING, "log file is written again", extra))

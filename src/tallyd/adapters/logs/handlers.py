"""The two places a log line goes to. Neither ever raises into the code that logs."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from functools import partial
from typing import TextIO

from tallyd.adapters.logs.formatters import is_ours, own_record
from tallyd.adapters.logs.rotating_file import LogFile, RotatingFile
from tallyd.core.texts import visible

Tell = Callable[[], None]


class Sink(logging.Handler):
    """Formats a record and hands it to `write`, unless this very thread is at it already.

    A value whose `str` logs, or a listener that logs, would otherwise never end. Libraries are heard from
    WARNING on, even those that set a level of their own: below it they print URLs with keys.

    `write` is called by one thread at a time. What it returns is called after the next thread was let in,
    so that a listener may wait for a lock which that thread holds.
    """

    def __init__(self, formatter: logging.Formatter, write: Callable[[str | None], Tell | None]) -> None:
        super().__init__()
        self.setFormatter(formatter)
        self._write = write
        self._here = threading.local()

    def handle(self, record: logging.LogRecord) -> bool:
        """Write the record as a line; return whether it was for this sink."""
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
        """Write a formatted record; None: only find out whether it could be."""
        self.acquire()
        try:
            tell = self._write(line)
        finally:
            self.release()
        if tell:
            tell()

    def _line(self, record: logging.LogRecord) -> str:
        try:
            return self.format(record)
        except Exception as failure:  # the values of strangers: a log line may not stop a count
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
        """Write the line. Where nobody reads any more, there is nobody left to tell."""
        if line is None:
            return
        try:
            self._stream.write(line + "\n")
            self._stream.flush()
        except (OSError, ValueError):  # ValueError: closed
            return


class FileWriter:
    """Writes to the file, and says when that begins to fail, when the reason changes and when it ends.

    How many lines are missing from the file is written into it once it can be.
    """

    def __init__(
        self,
        file: RotatingFile,
        formatter: logging.Formatter,
        on_failure: Callable[[str], None],
        on_recovered: Tell,
    ) -> None:
        self.failure: str | None = None
        self._file = file
        self._formatter = formatter
        self._on_failure = on_failure
        self._on_recovered = on_recovered
        self._missing = 0

    def write(self, line: str | None) -> Tell | None:
        """Append the line; return what is to be told of it. None: only when it failed so far, try again."""
        if line is None and self.failure is None:
            return None
        lines = [*([self._gap()] if self._missing else []), *([line] if line is not None else [])]
        try:
            unrotated = self._file.append("".join(f"{text}\n" for text in lines).encode())
        except OSError as failure:
            self._missing += line is not None
            return self._failed("written", failure, "log lines go to stderr only")
        self._missing = 0
        if unrotated:
            return self._failed("rotated", unrotated, "it grows past its size")
        if self.failure is None:
            return None
        self.failure = None
        return self._on_recovered

    def settings(self, settings: LogFile) -> None:
        """Take over another place, size or number of older files, from the next line on."""
        self._file.settings = settings

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _failed(self, what: str, failure: OSError, meanwhile: str) -> Tell | None:
        text = (
            f"{self._file.settings.path} cannot be {what}: {failure.strerror or failure}; {meanwhile}. "
            "Make room, or set right the folder's owner and mode; no restart is needed."
        )
        if self.failure == text:
            return None
        self.failure = text
        return partial(self._on_failure, visible(text))

    def _gap(self) -> str:
        extra = {"missing_lines": self._missing, "why": self.failure}
        return self._formatter.format(own_record(logging.WARNING, "log file is written again", extra))

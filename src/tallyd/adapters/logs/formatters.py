"""Formats a log record as one line: JSON for the file, text for a terminal or the journal."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from datetime import UTC, datetime, tzinfo
from typing import Any

from pythonjsonlogger.core import RESERVED_ATTRS, LogData, merge_record_extra
from pythonjsonlogger.json import JsonFormatter

from tallyd.core.log_lines import Clean, cut, json_line, plain, shown, text_pairs
from tallyd.core.reading import Json
from tallyd.core.texts import visible

OURS = "tallyd"
_OWN_NAMES = frozenset({"time", "level", "event", "logger", "exception", "stack"})
_FIRST = ("poller", "job")
_PRIORITY = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}


def is_ours(record: logging.LogRecord) -> bool:
    """Whether tallyd itself logged this, not a library."""
    return record.name == OURS or record.name.startswith(OURS + ".")


class JsonLines(JsonFormatter):
    """One JSON object: `time` (UTC), `level`, `event`, `logger` of a library, `poller`, `job`, the rest."""

    def __init__(self, clean: Clean) -> None:
        super().__init__()
        self._clean = clean

    def format(self, record: logging.LogRecord) -> str:
        """Return the cleaned line without its line break."""
        return super().format(_readable(record))

    def add_fields(self, log_data: LogData, record: logging.LogRecord, message_dict: dict[str, Any]) -> None:
        """Fill `log_data` with JSON values, in the order in which they are written."""
        at = datetime.fromtimestamp(record.created, UTC)
        log_data["time"] = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        log_data["level"] = record.levelname
        log_data["event"] = cut(record.getMessage(), self._clean)
        if not is_ours(record):
            log_data["logger"] = record.name
        log_data.update(_extra(record, self._clean))
        for name, text in (("exception", "exc_info"), ("stack", "stack_info")):
            if message_dict.get(text):
                log_data[name] = cut(message_dict[text], self._clean)

    def jsonify_log_record(self, log_data: LogData) -> str:
        """Return the JSON. Characters that could break or disguise the line are escaped."""
        return json_line(log_data, self._clean)


class TextLines(logging.Formatter):
    """`08:00:00 CET WARNING divera count: event key=value`, and a traceback indented below it.

    `timestamp` is a strftime pattern in `zone` (default: the host's); empty for none. `priorities`: each line
    begins with its level for the journal, such as `<4>`.
    """

    def __init__(
        self, clean: Clean, *, timestamp: str, zone: tzinfo | None = None, priorities: bool = False
    ) -> None:
        super().__init__()
        self._clean = clean
        self._timestamp = timestamp
        self._zone = zone
        self._priorities = priorities

    def format(self, record: logging.LogRecord) -> str:
        """Return the cleaned lines without the last line break."""
        record = _readable(record)
        lines = [self._first_line(record), *self._below(record)]
        before = f"<{_PRIORITY.get(record.levelno, 6)}>" if self._priorities else ""
        return "\n".join(before + line for line in self._clean("\n".join(lines)).split("\n"))

    def _first_line(self, record: logging.LogRecord) -> str:
        extra = _extra(record, self._clean)
        who = [str(extra.pop(name)) for name in _FIRST if name in extra] if is_ours(record) else [record.name]
        at = datetime.fromtimestamp(record.created, UTC).astimezone(self._zone)
        head = " ".join(part for part in (at.strftime(self._timestamp), record.levelname, *who) if part)
        event = cut(record.getMessage(), self._clean)
        return " ".join([visible(f"{head}: {event}" if who else f"{head} {event}"), *text_pairs(extra)])

    def _below(self, record: logging.LogRecord) -> Iterator[str]:
        # Indented, so that a line break in an exception's text can't fake a log line.
        texts = (record.exc_info and self.formatException(record.exc_info), record.stack_info)
        for text in texts:
            if text:
                yield from ("  " + visible(line) for line in cut(text, self._clean).split("\n"))


def _readable(record: logging.LogRecord) -> logging.LogRecord:
    """Return a copy whose `getMessage` never fails."""
    try:
        message = record.getMessage()
    except Exception:  # wrong arguments, or a `__str__` that fails
        message = f"{shown(record.msg)} {[shown(item) for item in _args(record)]}"
    safe = copy(record)
    safe.msg, safe.args = message.strip(), None
    if record.exc_info and record.exc_info[1] is None:  # exc_info=True where there is no exception
        safe.exc_info = None
    return safe


def _args(record: logging.LogRecord) -> Sequence[object]:
    return record.args if isinstance(record.args, tuple) else (record.args,)


def own_record(level: int, event: str, extra: Mapping[str, object]) -> logging.LogRecord:
    """Return a record as tallyd logs it, for use without a logger."""
    return logging.makeLogRecord(
        {"name": OURS, "levelno": level, "levelname": logging.getLevelName(level), "msg": event, **extra}
    )


def _extra(record: logging.LogRecord, clean: Clean) -> dict[str, Json]:
    """Return the data of the event, `poller` and `job` first. A name that the line itself uses gets a `_`."""
    found = merge_record_extra(record, {}, reserved=RESERVED_ATTRS)
    names = [*(name for name in _FIRST if name in found), *(name for name in found if name not in _FIRST)]
    return {f"{name}_" if name in _OWN_NAMES else str(name): plain(found[name], clean) for name in names}

"""Logging for the length of a test, and its output."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any

from tallyd.adapters.logs import LogFile, Logs

OWN = logging.getLogger("tallyd.test")


@contextmanager
def logging_to(path: Path | None = None, /, **settings: Any) -> Iterator[Logs]:
    """Log to `path` and to `stream` (default: nowhere to be seen), and to nothing else."""
    if path is not None:
        settings["file"] = LogFile(path=path)
    settings.setdefault("stream", StringIO())
    root = logging.getLogger()
    others, root.handlers = root.handlers, []
    logs = Logs(**settings)
    try:
        yield logs
    finally:
        logs.stop()
        root.handlers = others


def lines_of(path: Path) -> list[dict[str, Any]]:
    """Return the log's lines; fails where one is not a JSON object of its own."""
    text = path.read_text(encoding="utf-8")
    assert text == "" or text.endswith("\n")
    lines = [json.loads(line) for line in text.splitlines()]
    assert all(isinstance(line, dict) for line in lines)
    return lines


def events_of(path: Path) -> list[str]:
    """Return the events of the log's lines."""
    return [line["event"] for line in lines_of(path)]


def read_pipe(descriptor: int) -> str:
    """Return what was written to a pipe or a pseudo terminal so far."""
    return os.read(descriptor, 1 << 16).decode("utf-8")

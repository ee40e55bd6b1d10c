"""A report as one file of HTML that loads nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from zoneinfo import ZoneInfo

from tallyd.core.panels import Board


@dataclass(frozen=True, kw_only=True)
class Chapter:
    """The board of one poller, from the first to the last local day, both included."""

    poller: str
    kind: str
    zone: ZoneInfo
    first: date
    last: date
    board: Board


def report_html(name: str, made: str, chapters: Sequence[Chapter], troubles: Sequence[str]) -> str:
    """Return the file. `name` is tallyd's own, `made` says when, `troubles` why something is missing."""
    raise NotImplementedError

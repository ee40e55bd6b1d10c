"""What makes and sends the reports that come by themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Literal, Protocol, TypeAlias

from tallyd.core.periods import By
from tallyd.core.reading import Facts

ReportFormat: TypeAlias = Literal["html", "csv", "json"]


@dataclass(frozen=True, kw_only=True)
class ReportAsked:
    """A report of the local days from `first` to `last`, both included.

    `pollers` () are all of the config. `by`, `options`, `table` and `excel` are as in `tallyd report`.
    `folder` is where its files go, relative to `data_dir`; None: nowhere.
    """

    name: str
    first: date
    last: date
    pollers: tuple[str, ...]
    by: By | None
    options: Mapping[str, str]
    format: ReportFormat
    table: str
    excel: bool
    folder: str | None


class Reporter(Protocol):
    """Makes reports from what is stored. Both methods may be repeated, and raise `SourceError`."""

    def write(self, asked: ReportAsked) -> Facts:
        """Make the report, write its files if it has a folder, and return what its out file says of it."""
        ...

    def send(self, asked: ReportAsked, channel: str) -> None:
        """Make the report in the language of a channel, and send it there. Also raises `Stopped`."""
        ...

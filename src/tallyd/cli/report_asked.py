"""What `tallyd report` was asked for, and the shape that each kind of poller answers in."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import NoReturn, Protocol

import typer

from tallyd.core.errors import EXIT_USAGE
from tallyd.core.periods import By
from tallyd.core.reading import Json
from tallyd.presentation.terminal import complain

DEFAULT_DAYS = 30
SEE_ALL = "--wide, or --format csv"
"""How columns are seen that find no room on a terminal."""
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_FIRST_YEAR, _LAST_YEAR = 1970, 9998  # no reading is older, and a day may be added on either side


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The options: local days, both inclusive; `by` None is each kind's own; one of `source` and `group`.

    `with_plots`: what only plots need is read as well.
    """

    start: date | None
    end: date | None
    poller: str | None
    by: By | None
    source: str | None
    group: str | None
    now: datetime
    with_plots: bool = False

    @property
    def is_of_some(self) -> bool:
        """Whether only a part of what a poller counts is asked for."""
        return self.source is not None or self.group is not None

    def period(self, today: date, *, days: int = DEFAULT_DAYS) -> tuple[date, date]:
        """Return the first and the last day, without `start` so many; ends the command with status 2 where
        the first is later.
        """
        last = self.end or today
        first = self.start or last - timedelta(days=days - 1)
        if first > last:
            usage(
                f"--from {first} is after --to {last}"
                if self.end
                else f"--from {first} is after today, {last}"
            )
        return first, last


class Part(Protocol):
    """What is reported of all pollers of one kind together."""

    @property
    def pollers(self) -> tuple[str, ...]:
        """The pollers that there is something to say of."""
        ...

    def show(self) -> None:
        """Print tables."""
        ...

    def as_json(self) -> list[Json]:
        """Return one object a poller."""
        ...

    def as_csv(self, *, excel: bool, name_pollers: bool) -> str:
        """Return CSV with one line of headings."""
        ...


def day_asked(option: str, written: str | None) -> date | None:
    """Return the day of an option; ends the command with status 2 where there is no such day."""
    if written is None:
        return None
    try:
        day = date.fromisoformat(written) if _DAY.fullmatch(written) else None
    except ValueError:
        day = None
    if day is None or not _FIRST_YEAR <= day.year <= _LAST_YEAR:
        usage(f"{option} {written}: no such day; write it as YYYY-MM-DD, such as 2026-11-20")
    return day


def usage(text: str) -> NoReturn:
    """End the command: it was asked for something that makes no sense."""
    complain(f"tallyd: {text}")
    raise typer.Exit(EXIT_USAGE)

"""The form of a poller's page: what can be chosen of its days, and links to days that people often want."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from datetime import date, timedelta
from typing import Final, TypeAlias

from tallyd.contract.board import Asked
from tallyd.core.language.messages import mark, tr, translation
from tallyd.core.panels import Board, Choice, main_tables
from tallyd.core.timeline import RANGES, range_name
from tallyd.presentation.html.view import View

MOST_ROWS: Final = 25_000
"""Of the days of one poller: ten years with six readings a day. More would cost the daemon its memory."""
MOST_LISTED: Final = 200
"""A choice of more values is a field to type into."""
_RANGES: Final = {mark("Today"): 1, mark("7 days"): 7, mark("30 days"): 30, mark("12 months"): 365}
_Range: TypeAlias = "tuple[str, str]"


def ranges(view: View, asked: Asked, board: Board, today: date, *, is_subject: bool) -> Iterator[_Range]:
    """Yield the names and addresses of days that people often want; of a subject, of ranges until now.

    With too many rows by hour or by day, they lead to the kind's own way.
    """
    rows_a_day = _subjects(board) * {"hour": 25, "day": 1}.get(asked.by or "", 0)

    def of(first: date, last: date) -> str:
        is_too_long = rows_a_day * ((last - first).days + 1) > MOST_ROWS
        by = {"by": ""} if is_too_long else {}
        return view.link(**{"from": f"{first}", "to": f"{last}", "range": "", "page": "", **by})

    days = asked.last - asked.first + timedelta(days=1)
    if asked.first - days > date(1970, 1, 1):
        yield tr("Earlier"), of(asked.first - days, asked.last - days)
    if asked.last < today:
        yield tr("Later"), of(asked.first + days, asked.last + days)
    if is_subject:
        for back in RANGES:
            yield range_name(back), view.link(**{"range": back, "from": "", "to": "", "by": "", "page": ""})
        return
    for name, length in _RANGES.items():
        yield tr(name), of(today - timedelta(days=length - 1), today)


def _subjects(board: Board) -> int:
    """Return how many subjects have rows of their own in the days that are shown; without any, one."""
    return max(
        (
            len({row[place] for row in table.rows})
            for table in main_tables(board.panels)
            for place, column in enumerate(table.columns)
            if column.is_subject
        ),
        default=1,
    )


def choices(options: Collection[str], board: Board, asked: Asked) -> list[Choice]:
    """Return the choices of a board; without values, one that is a field to type into."""
    offered = {choice.option: choice for choice in board.choices}
    found = []
    for option in options:
        label = translation(option.capitalize())  # as boards call it that offer values
        choice = offered.get(option) or Choice(option=option, label=label, values=())
        if option in offered or option in asked.options:
            is_long = len(choice.values) > MOST_LISTED
            found.append(replace(choice, values=()) if is_long else choice)
    return found

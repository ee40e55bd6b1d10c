"""How commands show things: text with rich's styles on a terminal, plain aligned text in a pipe.

Foreign text (names of statuses, pollers, people's mistakes) is shown as text: no control character acts,
and no markup is read.

Functions import what they need of rich: it takes 20 ms and 2 MiB, and neither a pipe nor the daemon needs it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import zip_longest
from typing import TYPE_CHECKING, TextIO, TypeAlias

from rich.cells import cell_len

from tallyd.core.language.messages import tr
from tallyd.core.reading import Json
from tallyd.core.texts import listed, visible
from tallyd.presentation.invocation import filled

if TYPE_CHECKING:
    from rich.console import Console

Row: TypeAlias = "Sequence[object]"

_GAP = 2
_INDENT = "    "
_is_wide: ContextVar[bool] = ContextVar("_is_wide", default=False)

STYLES = {"error": "bold red", "warning": "yellow", "fine": "green", "quiet": "dim", "title": "bold"}


def say(text: str = "", *, style: str | None = None) -> None:
    """Print a line to stdout, `{tallyd}` as the command is called here.

    `style` is one of STYLES and is dropped in a pipe.
    """
    _print(text, style, sys.stdout)


def complain(text: str, *, style: str | None = "error") -> None:
    """Print a line to stderr, otherwise like `say`."""
    _print(text, style, sys.stderr)


def _print(text: str, style: str | None, stream: TextIO | None) -> None:
    if stream is None:  # closed
        return
    lines = "\n".join(visible(line) for line in filled(text).split("\n"))
    if stream.isatty():
        _console(stream).print(lines, style=STYLES.get(style or "", ""))
    else:
        stream.write(f"{lines}\n")


def _console(stream: TextIO, *, soft_wrap: bool = True) -> Console:
    """Return a console that shows text as it is. With `soft_wrap`, the terminal wraps long lines."""
    from rich.console import Console  # noqa: PLC0415 # see above

    return Console(file=stream, markup=False, emoji=False, highlight=False, soft_wrap=soft_wrap)


def show_json(content: Json) -> None:
    """Print JSON, readable, UTF-8."""
    sys.stdout.write(json_text(content))


def json_text(content: Json) -> str:
    """Return JSON, readable."""
    return json.dumps(content, ensure_ascii=False, indent=1) + "\n"


def show_file(text: str) -> None:
    """Print the content of a file: CSV and HTML are UTF-8, whatever the locale says of stdout."""
    sys.stdout.flush()
    sys.stdout.buffer.write(text.encode("utf-8", "backslashreplace"))


def show_table(
    headings: Sequence[str],
    rows: Sequence[Row],
    *,
    right: frozenset[int] = frozenset(),
    prose: frozenset[int] = frozenset(),
    vital: frozenset[int] = frozenset(),
    broken: frozenset[int] = frozenset(),
    see: str = "--wide",
) -> None:
    """Print a table. None is an empty cell. All others are numbers of columns; `right` are aligned there.

    On a terminal that is narrower, `prose` stands below its row. Of the other columns, what finds no room
    beside the first and the `vital` ones is left out from the right on; `see` says how to see it. Headings
    and `broken` values are wrapped between words, no other value is. In a pipe, and with `wide_tables`, all
    is on one line.
    """
    cells = [
        ["" if cell is None else visible(filled(str(cell))) for cell in row] for row in (headings, *rows)
    ]
    room = _room()
    natural = [max(map(cell_len, column)) for column in zip(*cells, strict=True)]
    is_whole = _together(natural) <= room
    widths = dict(enumerate(natural)) if is_whole else _widths(cells, room, prose, vital, broken)
    lines = [list(_lines(row, widths, right)) for row in cells]
    if not is_whole:
        for shown, row in zip(lines[1:], cells[1:], strict=True):
            shown += [
                line for number in sorted(prose) for line in _below(cells[0][number], row[number], room)
            ]
    _print_table(lines)
    left_out = [heading for number, heading in enumerate(cells[0]) if number not in widths.keys() | prose]
    if left_out:
        said = tr(
            "Left out, for lack of room: {columns}. To see all: {see}", columns=listed(left_out), see=see
        )
        _console(sys.stdout, soft_wrap=False).print(said, style=STYLES["quiet"])


def _room() -> int:
    """Return how many cells a line may have."""
    return _console(sys.stdout).width if sys.stdout.isatty() and not _is_wide.get() else sys.maxsize


def show_prose(text: str, *, style: str | None = "quiet") -> None:
    """Print a sentence, on a terminal broken between words; a text without spaces anywhere."""
    for line in _wrapped(visible(text), _room()):
        say(line, style=style)


def _print_table(rows: Sequence[Sequence[str]]) -> None:
    header, *others = ("\n".join(lines) for lines in rows)
    if sys.stdout.isatty():
        console = _console(sys.stdout)
        console.print(header, style="bold")
        for each in others:
            console.print(each)
    else:
        sys.stdout.write("".join(f"{each}\n" for each in (header, *others)))


@contextmanager
def wide_tables() -> Iterator[None]:
    """Print tables on a terminal as wide as they are."""
    token = _is_wide.set(True)
    try:
        yield
    finally:
        _is_wide.reset(token)


@contextmanager
def progress_shown(what: str) -> Iterator[Callable[[int, int], None]]:
    """Show a bar on a terminal while a long command runs; call what is yielded with (done, of how many)."""
    if not sys.stderr or not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    from rich.progress import (  # noqa: PLC0415 # see above
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=_console(sys.stderr, soft_wrap=False), transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _widths(
    rows: Sequence[Sequence[str]],
    room: int,
    prose: frozenset[int],
    vital: frozenset[int],
    broken: frozenset[int],
) -> dict[int, int]:
    """Return the columns that find room, each with its width in cells; the first one always does."""
    columns = list(zip(*rows, strict=True))
    least = [
        max(map(cell_len, [*heading.split(), *(" ".join(values).split() if number in broken else values)]))
        for number, (heading, *values) in enumerate(columns)
    ]
    widths = {0: min(least[0], room)}
    for number in sorted(range(1, len(columns)), key=lambda number: (number not in vital, number)):
        if number not in prose and _together([*widths.values(), least[number]]) <= room:
            widths[number] = least[number]
    for number in sorted(widths.keys() - broken):
        spare = room - _together(widths.values())
        widths[number] += min(spare, max(map(cell_len, columns[number])) - widths[number])
    return dict(sorted(widths.items()))


def _together(widths: Collection[int]) -> int:
    """Return how wide columns are side by side."""
    return sum(widths) + _GAP * (len(widths) - 1)


def _lines(row: Sequence[str], widths: Mapping[int, int], right: frozenset[int]) -> Iterator[str]:
    """Yield the lines of a row: one, or several where a heading is wrapped."""
    wrapped = [_wrapped(row[number], width) for number, width in widths.items()]
    for parts in zip_longest(*wrapped, fillvalue=""):
        padded = [
            " " * (width - cell_len(part)) + part
            if number in right
            else part + " " * (width - cell_len(part))
            for (number, width), part in zip(widths.items(), parts, strict=True)
        ]
        yield (" " * _GAP).join(padded).rstrip()


def _below(heading: str, text: str, room: int) -> Iterator[str]:
    """Yield the lines of prose that stands below its row."""
    if text:
        whole = tr("[{heading}: ]{text}", heading=heading, text=text)
        yield from (_INDENT + line for line in _wrapped(whole, max(1, room - len(_INDENT))))


def _wrapped(text: str, width: int) -> list[str]:
    if cell_len(text) <= width:
        return [text]
    from rich.text import Text  # noqa: PLC0415 # see above

    return [line.plain.rstrip() for line in Text(text).wrap(_console(sys.stdout), width, overflow="fold")]

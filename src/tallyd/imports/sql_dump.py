"""Rows out of a dump of mysqldump, piece by piece. Nothing in it is executed.

A strict reader of INSERT. docs/decisions.md says why it is our own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, TextIO, TypeAlias

from tallyd.core.language.messages import tr
from tallyd.imports.values import OldDataError, open_text

Fields: TypeAlias = "list[str | None]"
"""The values of a row as text; NULL is None."""

_PIECE: Final = 1 << 20
_LONGEST: Final = 16 << 20
"""Longest row or statement, in characters."""
_HEAD: Final = 4096
"""So much is looked at before the kind of a statement is decided."""

# Possessive, so that a piece that is cut off is found out at once.
_QUOTED: Final = r"'(?:[^'\\]++|\\.|'')*+'"
_NAME: Final = r"(?:[`\"]?\w++[`\"]?\.)?(?:`(?P<{0}>[^`]++)`|\"(?P<{0}q>[^\"]++)\"|(?P<{0}b>\w++))"
_START: Final = re.compile(
    r"(?P<blank>\s++|;|(?:--|\#)[^\n]*+(?:\n|\Z)|/\*.*?\*/)"
    rf"|(?P<insert>(?:INSERT(?:\s++IGNORE)?|REPLACE)\s++INTO\s++{_NAME.format('into')}"
    r"\s*+(?:\((?P<columns>[^)]*+)\))?\s*+VALUES)"
    rf"|(?P<create>CREATE\s++TABLE\s++(?:IF\s++NOT\s++EXISTS\s++)?{_NAME.format('made')}"
    rf"\s*+\((?P<body>(?:[^;'\"`]++|{_QUOTED}|\"[^\"]*+\"|`[^`]*+`)*+);)"
    rf"|(?P<other>(?!INSERT\b|REPLACE\b|CREATE\s++TABLE\b)\w(?:[^;'\"`]++|{_QUOTED}|\"[^\"]*+\"|`[^`]*+`)*+;)",
    re.IGNORECASE | re.DOTALL,
)
_ROW: Final = re.compile(rf"\s*+\((?P<row>(?:[^'()]++|{_QUOTED})*+)\)\s*+(?P<end>[,;])", re.DOTALL)
_FIELD: Final = re.compile(
    rf"\s*+(?:(?:_\w++\s*+)?(?P<text>{_QUOTED})|(?P<bare>[^\s,'()]++))\s*+(?:,|\Z)", re.DOTALL
)
_COLUMN: Final = re.compile(r"^\s*+[`\"]([^`\"]++)[`\"]\s++(\w++)", re.MULTILINE)
_ESCAPE: Final = re.compile(r"\\(.)|''", re.DOTALL)
_ESCAPED: Final = {"0": "\0", "b": "\b", "n": "\n", "r": "\r", "t": "\t", "Z": "\x1a"}
_BEGINS: Final = ("-- MySQL dump", "-- MariaDB dump")
_ENDS: Final = "-- Dump completed"
_IN_UTC: Final = "TIME_ZONE='+00:00'"


def dumped_rows(
    path: Path, choose: Callable[[str, Sequence[str]], Sequence[int | None] | None]
) -> Iterator[Fields | None]:
    """Yield the rows of the table that `choose` wants, with the columns that it names; None: a bad row.

    `choose` gets the name and the columns of each table. Raises `OldDataError`, also if the dump is cut off.
    """
    columns: dict[str, list[tuple[str, str]]] = {}
    with open_text(path) as file:
        dump = _Dump(path, file)
        is_in_utc = has_begun = has_ended = False
        while found := dump.next(_START):
            if blank := found["blank"]:
                is_in_utc = is_in_utc or _IN_UTC in blank
                has_begun = has_begun or blank.startswith(_BEGINS)
                has_ended = has_ended or blank.startswith(_ENDS)
            elif found["create"]:
                name = found["made"] or found["madeq"] or found["madeb"]
                own = _COLUMN.findall(found["body"])
                if choose(name, [column for column, _ in own]) is not None and name in columns:
                    raise _of_two_databases(path, name)
                columns[name] = own
            elif found["insert"]:
                name = found["into"] or found["intoq"] or found["intob"]
                own = columns.get(name, [])
                if written := found["columns"]:
                    kinds = dict(own)
                    names = [column.strip(' `"\n\t') for column in written.split(",")]
                    own = [(column, kinds.get(column, "")) for column in names]
                places = choose(name, [column for column, _ in own])
                read = [own[place] for place in places or () if place is not None]
                if is_in_utc and any(kind.lower() == "timestamp" for _, kind in read):
                    raise _in_another_zone(path)
                yield from _rows(dump, places, len(own))
        if has_begun and not has_ended:
            raise dump.cut_off()


def _of_two_databases(path: Path, name: str) -> OldDataError:
    return OldDataError(
        tr("{file} has the table {table} of more than one database; dump one", file=path, table=name)
    )


def _in_another_zone(path: Path) -> OldDataError:
    # What its program wrote is local time, which MySQL took for that of its own zone: nobody knows which.
    return OldDataError(
        tr("{file} has times in UTC (TIMESTAMP); make it again with mysqldump --skip-tz-utc", file=path)
    )


def _rows(dump: _Dump, places: Sequence[int | None] | None, count: int) -> Iterator[Fields | None]:
    """Yield the rows of an INSERT, if `places` are wanted of them."""
    while (found := dump.next(_ROW)) is not None:
        if places is not None:
            fields = _fields(found["row"])
            if len(fields) != count:
                yield None
            else:
                yield [None if place is None else fields[place] for place in places]
        if found["end"] == ";":
            return
    raise dump.cut_off()


def _fields(row: str) -> Fields:
    """Return the values of a row; those that have no form of a value are missing at its end."""
    fields: Fields = []
    at = 0
    while at < len(row) and (found := _FIELD.match(row, at)):
        at = found.end()
        text, bare = found["text"], found["bare"]
        if text is None:
            fields.append(None if bare.upper() == "NULL" else bare)
        elif "\\" in text or "''" in text:
            fields.append(_ESCAPE.sub(_unescaped, text[1:-1]))
        else:
            fields.append(text[1:-1])
    return fields if at == len(row) else []


def _unescaped(found: re.Match[str]) -> str:
    return "'" if found[1] is None else _ESCAPED.get(found[1], found[1])


class _Dump:
    """The text of a dump, of which a piece is in memory."""

    def __init__(self, path: Path, file: TextIO) -> None:
        self._path = path
        self._file = file
        self._text = ""
        self._at = 0
        self._is_whole = False

    def next(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """Return the match that comes next; None at the end. Raises `OldDataError` for any other text."""
        while True:
            if len(self._text) - self._at < _HEAD and not self._is_whole:
                self._read()
            found = pattern.match(self._text, self._at)
            if found and (found.end() < len(self._text) or self._is_whole):
                self._at = found.end()
                return found
            if self._is_whole:
                if self._at < len(self._text):
                    raise self.cut_off()
                return None
            if len(self._text) - self._at > _LONGEST:
                raise OldDataError(
                    tr("{file}: a statement cannot be read; make the dump with mysqldump", file=self._path)
                )
            self._read()

    def cut_off(self) -> OldDataError:
        """Return what to raise for a dump without its end."""
        return OldDataError(tr("{file} ends too early: this dump is not complete", file=self._path))

    def _read(self) -> None:
        piece = self._file.read(_PIECE)
        self._is_whole = not piece
        self._text = self._text[self._at :] + piece
        self._at = 0

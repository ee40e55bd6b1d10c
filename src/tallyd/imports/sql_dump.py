"""Rows out of a dump of mysqldump, piece by piece. Nothing in it is executed.

A strict reader of INSERT. docs/decisions.md says why it is our own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, TextIO, TypeAlias

from tallyd.core.language.messages import tr
from tallyd.imports.values import OldDataError, open_text
from tallyd.imports.wanted import Places, Row, Wanted

Kinds: TypeAlias = "dict[str, str]"
"""The columns of a table with their types."""

_PIECE: Final = 1 << 20
_LONGEST: Final = 16 << 20
"""Longest row or statement, in characters."""

# Possessive, so that a piece that is cut off is found out at once.
_QUOTED: Final = r"'(?:[^'\\]++|\\.|'')*+'"
_NAME: Final = r"(?:`[^`]++`|\"[^\"]++\"|[\w.]++)++"
_OTHERS: Final = rf"(?:[^;'\"`]++|{_QUOTED}|\"[^\"]*+\"|`[^`]*+`)*+;"
_START: Final = re.compile(
    r"(?P<blank>\s++|;|(?:--|\#)[^\n]*+(?:\n|\Z)|/\*.*?\*/)"
    rf"|(?:INSERT(?:\s++IGNORE)?|REPLACE)\s++INTO\s++(?P<into>{_NAME})"
    r"\s*+(?:\((?P<columns>[^)]*+)\))?\s*+VALUES"
    rf"|CREATE\s++TABLE\s++(?:IF\s++NOT\s++EXISTS\s++)?(?P<made>{_NAME})\s*+\((?P<body>{_OTHERS})"
    rf"|(?!INSERT\b|REPLACE\b|CREATE\s++TABLE\b)\w{_OTHERS}",
    re.IGNORECASE | re.DOTALL,
)
_ROW: Final = re.compile(rf"\s*+\((?P<row>(?:[^'()]++|{_QUOTED})*+)\)\s*+(?P<end>[,;])", re.DOTALL)
_FIELD: Final = re.compile(
    rf"\s*+(?:(?:_\w++\s*+)?(?P<text>{_QUOTED})|(?P<bare>[^\s,'()]++))\s*+(?:,|\Z)|(?P<bad>.)", re.DOTALL
)
_COLUMN: Final = re.compile(r"^\s*+[`\"]([^`\"]++)[`\"]\s++(\w++)", re.MULTILINE)
_PART: Final = re.compile(r"[^`\".]++")
_ESCAPE: Final = re.compile(r"\\(.)|''", re.DOTALL)
_ESCAPED: Final = {"0": "\0", "b": "\b", "n": "\n", "r": "\r", "t": "\t", "Z": "\x1a"}
_BEGINS: Final = frozenset({"-- MySQL dump", "-- MariaDB dump"})
_ENDS: Final = "-- Dump completed"
_IN_UTC: Final = "TIME_ZONE='+00:00'"
_SIGNS: Final = (*_BEGINS, _ENDS, _IN_UTC)
"""What the comments of a dump say of it."""


def dumped_rows(path: Path, wanted: Wanted) -> Iterator[Row | None]:
    """Yield the rows of the wanted table; None: a bad row.

    Raises `OldDataError`, also if the dump is cut off.
    """
    tables: dict[str, Kinds] = {}
    signs: set[str] = set()
    with open_text(path) as file:
        dump = _Dump(path, file)
        while found := dump.next(_START):
            if blank := found["blank"]:
                signs.update(sign for sign in _SIGNS if sign in blank)
            elif found["made"]:
                name = _name(found["made"])
                is_again = name in tables
                tables[name] = dict(_COLUMN.findall(found["body"]))
                if wanted.find(tables, str(path))[0] == name and is_again:
                    raise _of_two_databases(path, name)
            elif found["into"]:
                name, kinds = _inserted(found, tables)
                chosen, places = wanted.find(tables | {name: kinds}, str(path))
                if chosen == name and _IN_UTC in signs:
                    _check_zone(path, [*kinds.values()], places)
                yield from _rows(dump, places if chosen == name else None, len(kinds))
        if signs & _BEGINS and _ENDS not in signs:
            raise dump.cut_off()
    if not wanted.find(tables, str(path))[0]:
        raise wanted.missing(tables, str(path))


def _name(written: str) -> str:
    """Return the name of a table without that of its database."""
    return str(_PART.findall(written)[-1])


def _inserted(found: re.Match[str], tables: dict[str, Kinds]) -> tuple[str, Kinds]:
    """Return the table of an INSERT, and its columns in their order there."""
    name = _name(found["into"])
    kinds = tables.setdefault(name, {})
    if written := found["columns"]:
        columns = [column.strip(' `"\n\t') for column in written.split(",")]
        kinds = {column: kinds.get(column, "") for column in columns}
        tables[name] = tables[name] or kinds
    return name, kinds


def _of_two_databases(path: Path, name: str) -> OldDataError:
    return OldDataError(
        tr("{file} has the table {table} of more than one database; dump one", file=path, table=name)
    )


def _check_zone(path: Path, kinds: Sequence[str], places: Places) -> None:
    """Raise `OldDataError` for times in UTC."""
    # What its program wrote is local time, which MySQL took for that of its own zone: nobody knows which.
    if any(kinds[at].lower() == "timestamp" for at in places if at is not None):
        raise OldDataError(
            tr("{file} has times in UTC (TIMESTAMP); make it again with mysqldump --skip-tz-utc", file=path)
        )


def _rows(dump: _Dump, places: Places | None, count: int) -> Iterator[Row | None]:
    """Yield the rows of an INSERT, if `places` are wanted of them."""
    while found := dump.next(_ROW):
        if places is not None:
            fields = _fields(found["row"])
            yield [None if at is None else fields[at] for at in places] if len(fields) == count else None
        if found["end"] == ";":
            return
    raise dump.cut_off()


def _fields(row: str) -> list[str | None]:
    """Return the values of a row, NULL as None; nothing if one has no form of a value."""
    fields: list[str | None] = []
    for text, bare, bad in _FIELD.findall(row):
        if bad:
            return []
        if not text:
            fields.append(None if bare.upper() == "NULL" else bare)
        elif "\\" in text or "''" in text:
            fields.append(_ESCAPE.sub(_unescaped, text[1:-1]))
        else:
            fields.append(text[1:-1])
    return fields


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
            piece = self._file.read(_PIECE)
            self._is_whole = not piece
            self._text = self._text[self._at :] + piece
            self._at = 0

    def cut_off(self) -> OldDataError:
        """Return what to raise for a dump without its end."""
        return OldDataError(
            tr("{file} ends too early, or is no dump; make it again with mysqldump", file=self._path)
        )

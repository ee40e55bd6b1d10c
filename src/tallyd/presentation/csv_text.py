"""CSV that spreadsheets read as it was meant: RFC 4180, and no cell that begins a formula."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import TypeAlias

from tallyd.core.language.languages import language
from tallyd.core.texts import visible

CsvCell: TypeAlias = str | int | float | None

BYTE_ORDER_MARK = "\ufeff"
# What makes Excel, LibreOffice or Google Sheets calculate; the wide forms are read like the narrow ones.
_BEGINS_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def csv_text(rows: Iterable[Sequence[CsvCell]], *, excel: bool = False) -> str:
    """Return rows as CSV: commas, quotes where needed, CRLF; None is an empty cell.

    `excel` is for an Excel that is set to German, which no plain CSV satisfies: a byte order mark (or it
    takes UTF-8 for Windows-1252), semicolons between cells (the comma is its decimal mark), and for the
    same reason commas in numbers. Excel in Taiwan wants only the byte order mark.
    """
    has_commas = excel and language() != "zh-TW"
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=";" if has_commas else ",", lineterminator="\r\n")
    writer.writerows([_spelled(cell, has_commas=has_commas) for cell in row] for row in rows)
    return (BYTE_ORDER_MARK if excel else "") + text.getvalue()


def _spelled(cell: CsvCell, *, has_commas: bool) -> str:
    if cell is None:
        return ""
    if isinstance(cell, str):
        return harmless(cell)
    return str(cell).replace(".", ",") if has_commas else str(cell)


def harmless(text: str) -> str:
    """Return text as one visible line; an apostrophe in front where a spreadsheet would calculate.

    The apostrophe is how spreadsheets themselves mark text. Numbers are not to be passed through here.
    """
    return ("'" if text.startswith(_BEGINS_FORMULA) else "") + visible(text)

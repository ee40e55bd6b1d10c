"""The columns that several tables of visitors have."""

from __future__ import annotations

from typing import Final

from tallyd.core.language.messages import tr
from tallyd.core.panels import Column

SOURCE: Final = "source"
GROUP: Final = "group"
CORRECTED: Final = "corrected"


def source_column() -> Column:
    """Return the column of the sources."""
    return Column(key=SOURCE, heading=tr("source"), option=SOURCE, is_subject=True, is_vital=True)


def group_column() -> Column:
    """Return the column of the groups."""
    return Column(key=GROUP, heading=tr("group"), option=GROUP, is_vital=True)


def name_column() -> Column:
    """Return the column of the names of sources for people."""
    return Column(key="name", heading=tr("name"), is_vital=True)


def ways() -> tuple[Column, Column, Column]:
    """Return the columns of how many came, left and are inside."""
    return (
        Column(key="in", heading=tr("in"), unit="number", is_vital=True),
        Column(key="out", heading=tr("out"), unit="number", is_vital=True),
        Column(key="inside", heading=tr("inside"), unit="number", is_vital=True),
    )


def other() -> Column:
    """Return the column of how many went another way."""
    return Column(key="other", heading=tr("other"), unit="number")


def corrected_column() -> Column:
    """Return the column of the corrections since the last reset."""
    return Column(key=CORRECTED, heading=tr("corrected"), unit="number")

"""How much the pollers of a config will write in a year, for `tallyd check`."""

from __future__ import annotations

from math import ceil

from tallyd.config.model import Config
from tallyd.contract.growth import Growth
from tallyd.core.language.formats import grouped, size_text, span
from tallyd.core.language.messages import tr
from tallyd.presentation.terminal import say, show_table

_BLOCK_BYTES = 4096
"""What a file system gives to a small file."""
_ROW_BYTES = 700
"""What state.db needs for a reading, its indexes and its report, beside the content of the out file."""


def show_growth(config: Config) -> None:
    """Print what is expected to be written in a year, and how long it is kept."""
    rows = [
        (name, *_cells(growth, config.effective(name).keep_days))
        for name, poller in config.settings.pollers.items()
        if (growth := poller.growth()) != Growth(files=0)
    ]
    if rows:
        say(tr("Expected growth in a year:"))
        headings = (tr("poller"), tr("out files"), "out/", "state.db", tr("kept"), tr("database, at most"))
        show_table(headings, rows, right=frozenset({1, 2, 3, 5}))


def _cells(growth: Growth, keep_days: int | None) -> tuple[str | None, ...]:
    on_disk = ceil(growth.file_bytes / _BLOCK_BYTES) * _BLOCK_BYTES
    return (
        grouped(round(growth.files)),
        size_text(growth.files * on_disk),
        size_text(growth.files * (growth.file_bytes + _ROW_BYTES)),
        tr("for ever") if keep_days is None else span(keep_days * 86400.0),
        size_text(growth.rows_bytes) if growth.rows_bytes else None,
    )

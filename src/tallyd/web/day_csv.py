"""A day of visitors as CSV, with the columns of `tallyd report`."""

from __future__ import annotations

from collections.abc import Iterable

from tallyd.core.periods import LABELS
from tallyd.pollers.visitors.visit_history import Visits
from tallyd.presentation.csv_text import Cell, csv_text


def day_csv(hours: Iterable[Visits], *, excel: bool) -> str:
    """Return one line an hour, with one line of headings."""
    lines: list[list[Cell]] = [[*LABELS["hour"], "in", "out", "inside", "most inside", "other"]]
    for hour in hours:
        labels = [hour.labels[name] for name in LABELS["hour"]]
        lines.append([*labels, hour.n_in, hour.n_out, hour.inside, hour.most_inside, hour.n_other])
    return csv_text(lines, excel=excel)

"""The reports that come by themselves as a table: the last of each, who has it, when the next one comes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Final

from tallyd.adapters.state import State
from tallyd.config.jobs import poller_tasks
from tallyd.config.model import Config
from tallyd.core.language.formats import day_text
from tallyd.core.language.messages import mark, tr, translated
from tallyd.core.panels import Cell, Column, Table
from tallyd.core.reading import Facts
from tallyd.core.states import State as Shown
from tallyd.core.stored import OutboxRow, RowState
from tallyd.core.texts import items_text
from tallyd.pollers.report import PREFIX

_STATES: Final[Mapping[RowState, Shown]] = {
    "parked": Shown("error", mark("rejected for good")),
    "waiting": Shown("warning", mark("waits")),
    "sent": Shown("fine", mark("accepted")),
}
"""The worst first."""


def reports_table(config: Config, state: State, *, now: datetime) -> Table:
    """Return the table; it has no row if the config has no reports. Raises `StateError`."""
    columns = (
        Column(key="report", heading=tr("report"), is_vital=True),
        Column(key="days", heading=tr("of"), is_vital=True),
        Column(key="made", heading=tr("made"), unit="instant"),
        Column(key="state", heading=tr("state"), is_vital=True),
        Column(key="channels", heading=tr("channels")),
        Column(key="next", heading=tr("next run"), unit="instant", is_vital=True),
        Column(key="answer", heading=tr("answer"), is_note=True),
    )
    rows = tuple(_row(config, state, name, now) for name in config.settings.reports)
    return Table(key="reports", title=tr("Reports"), columns=columns, rows=rows)


def _row(config: Config, state: State, name: str, now: datetime) -> tuple[Cell, ...]:
    last, sent = state.readings.last(PREFIX + name, now=now), _newest(state.outbox.all(PREFIX + name))
    worst = min((row.state for row in sent), key=[*_STATES].index, default=None)
    failed = next((row for row in sent if row.state == worst != "sent"), None)
    (task,) = poller_tasks(config, PREFIX + name)
    return (
        name,
        _days(last.body) if last and last.body else tr("none yet"),
        last.taken_at if last else None,
        _STATES[worst] if worst else None,
        items_text(row.message.ssid for row in sent),
        task.next_at(now),
        translated(failed.answer or "") if failed else "",
    )


def _newest(rows: Sequence[OutboxRow]) -> tuple[OutboxRow, ...]:
    """Return the newest message to each channel; `rows` begin with the newest day."""
    return tuple({row.message.ssid: row for row in reversed(rows)}.values())


def _days(content: Facts) -> str:
    first, last = (date.fromisoformat(str(content[key])) for key in ("from", "to"))
    return tr("{first}[ to {last}]", first=day_text(first), last=day_text(last) if first < last else "")

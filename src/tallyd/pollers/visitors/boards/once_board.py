"""What `tallyd once` shows of visitors: a report, what a sweep did, and what a watch found."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from tallyd.core.language.formats import day_text
from tallyd.core.language.messages import mark, tr, translated, translation
from tallyd.core.panels import Board, Column, Stat, Table
from tallyd.pollers.visitors.boards.columns import group_column, name_column, other, source_column, ways
from tallyd.pollers.visitors.corrections import signed

_FILES = {
    "done": mark("Files ingested"),
    "empty": mark("Files without records"),
    "repeat": mark("Files already ingested"),
    "rejected": mark("Files rejected"),
    "waiting": mark("Files waiting"),
    "unsettled": mark("Files still being written"),
}
_REPORTS = {
    "sent": mark("sent"),
    "queued": mark("queued"),
    "skipped": mark("skipped"),
    "off": mark("off"),
}
"""What became of a report, by `report.state` of an out file."""
_ARRIVALS = {
    "done": mark("ingested"),
    "empty": mark("without records"),
    "rejected": mark("rejected"),
    "seen": mark("not ingested yet"),
    "away": mark("inbox not visible"),
}
"""What became of the newest file of a source, by `Arrival.state`."""


def reading_board(content: Mapping[str, Any]) -> Board:
    """Return a report by the content of its out file."""
    names, report = content.get("names", {}), content["report"]
    sources = tuple(
        (source, names.get(source), *_all_ways(each)) for source, each in content["by_source"].items()
    )
    groups = tuple((group, *_all_ways(each)) for group, each in content["by_group"].items())
    names_of_ways = {"in": tr("In"), "out": tr("Out"), "inside": tr("Inside"), "other": tr("Other")}
    counts = zip(names_of_ways.items(), _all_ways(content["counts"]), strict=True)
    numbers = (*ways(), other())
    columns = (source_column(), name_column(), *numbers)
    tables = (
        Table(key="sources", title=tr("Sources"), columns=columns, rows=sources),
        Table(key="groups", title=tr("Groups"), columns=(group_column(), *numbers), rows=groups),
    )
    corrected = content["counts"]["corrected"]
    day = day_text(date.fromisoformat(content["day"]))
    return Board(
        panels=(
            *(Stat(key=key, name=name, value=count) for (key, name), count in counts),
            *(table for table in tables if table.rows),
        ),
        said=tr("{day}, final", day=day) if content.get("final") else day,
        notes=(
            *([tr("inside is corrected by {number}", number=signed(corrected))] if corrected else ()),
            tr(
                "report: {state}[: {answer}]",
                state=translation(_REPORTS[report["state"]]),
                answer=translated(report["answer"] or ""),
            ),
        ),
    )


def _all_ways(counts: Mapping[str, int]) -> tuple[int, int, int, int]:
    return (counts["in"], counts["out"], counts["inside"], counts["other"])


def summary_board(summary: Mapping[str, Any]) -> Board:
    """Return what a sweep did with the files (`Tally.summary`)."""
    files, skipped = summary["files"], summary["skipped"]
    stats = [
        Stat(key=f"files_{key}", name=translation(name), value=files[key])
        for key, name in _FILES.items()
        if files[key] or key == "done"
    ]
    rows = tuple((each["source"], each["name"], translated(each["reason"])) for each in summary["refused"])
    columns = (
        Column(key="source", heading=tr("source"), is_vital=True),
        Column(key="file", heading=tr("file"), is_vital=True),
        Column(key="reason", heading=tr("reason"), is_note=True),
    )
    return Board(
        panels=(
            *stats,
            Stat(key="records", name=tr("Records"), value=summary["records"]),
            *(
                [Table(key="rejected", title=tr("Rejected files"), columns=columns, rows=rows)]
                if rows
                else ()
            ),
        ),
        notes=(_skipped(skipped),) if skipped else (),
    )


def watch_board(summary: Mapping[str, Any]) -> Board:
    """Return what a watch found (`watch.py`): when the newest file of each source came, and where."""
    rows = tuple(
        (
            source,
            translation(_ARRIVALS[each["state"]]),
            datetime.fromisoformat(each["last_file_at"]),
            each["host"],
            translated(each["reason"] or ""),
        )
        for source, each in summary["sources"].items()
    )
    columns = (
        source_column(),
        Column(key="state", heading=tr("state"), is_vital=True),
        Column(key="last_file", heading=tr("last file"), unit="instant", is_vital=True),
        Column(key="host", heading=tr("host")),
        Column(key="reason", heading=tr("reason"), is_note=True),
    )
    nothing = () if rows else (tr("No host has noted a file yet."),)
    table = Table(key="sources", title=tr("Newest files"), columns=columns, rows=rows)
    return Board(panels=(table,) if rows else (), notes=nothing)


def _skipped(records: int) -> str:
    return tr(
        "{records:# record cannot be read and was skipped|# records cannot be read and were skipped}",
        records=records,
    )

"""What `tallyd once` shows of visitors: a report, and what a sweep did."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tallyd.core.panels import Board, Column, Stat, Table
from tallyd.pollers.visitors.boards.board import GROUP_COLUMN, NAME_COLUMN, SOURCE_COLUMN
from tallyd.pollers.visitors.boards.visits_chart import OTHER, WAYS

_FILES = {
    "done": "ingested",
    "empty": "without records",
    "repeat": "already ingested",
    "rejected": "rejected",
    "waiting": "waiting",
    "unsettled": "still being written",
}


def reading_board(content: Mapping[str, Any]) -> Board:
    """Return a report by the content of its out file."""
    names, report = content.get("names", {}), content["report"]
    sources = tuple(
        (source, names.get(source), *_all_ways(each)) for source, each in content["by_source"].items()
    )
    groups = tuple((group, *_all_ways(each)) for group, each in content["by_group"].items())
    counts = zip((*WAYS, OTHER), _all_ways(content["counts"]), strict=True)
    columns = (SOURCE_COLUMN, NAME_COLUMN, *WAYS, OTHER)
    tables = (
        Table(key="sources", title="Sources", columns=columns, rows=sources),
        Table(key="groups", title="Groups", columns=(GROUP_COLUMN, *WAYS, OTHER), rows=groups),
    )
    corrected = content["counts"]["corrected"]
    answer = f": {report['answer']}" if report["answer"] else ""
    return Board(
        panels=(
            *(Stat(key=way.key, name=way.heading.capitalize(), value=count) for way, count in counts),
            *(table for table in tables if table.rows),
        ),
        said=f"{content['day']}{', final' if content.get('final') else ''}",
        notes=(
            *([f"inside is corrected by {corrected:+}"] if corrected else ()),
            f"report: {report['state']}{answer}",
        ),
    )


def _all_ways(counts: Mapping[str, int]) -> tuple[int, int, int, int]:
    return (counts["in"], counts["out"], counts["inside"], counts["other"])


def summary_board(summary: Mapping[str, Any]) -> Board:
    """Return what a sweep did with the files (`Tally.summary`)."""
    files, skipped = summary["files"], summary["skipped"]
    stats = [
        Stat(key=f"files_{key}", name=f"Files {word}", value=files[key])
        for key, word in _FILES.items()
        if files[key] or key == "done"
    ]
    rows = tuple((each["source"], each["name"], each["reason"]) for each in summary["refused"])
    columns = (
        Column(key="source", heading="source", is_vital=True),
        Column(key="file", heading="file", is_vital=True),
        Column(key="reason", heading="reason", is_note=True),
    )
    return Board(
        panels=(
            *stats,
            Stat(key="records", name="Records", value=summary["records"]),
            *([Table(key="rejected", title="Rejected files", columns=columns, rows=rows)] if rows else ()),
        ),
        notes=(f"{skipped} records cannot be read and were skipped",) if skipped else (),
    )

"""How `tallyd once` shows readings and what was done for them: tables on a terminal, else JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tallyd.core.history import numbers_of
from tallyd.core.reading import Facts, Json
from tallyd.core.texts import listed, number_text, span
from tallyd.presentation.terminal import say, show_json, show_table

MOST_LISTED = 20
_SEE_ALL = "--wide, or --json"
_AT_THE_END = ("waiting", "unsettled")
"""What counts is how many there are in the end."""


def together(summaries: Sequence[Facts]) -> Facts:
    """Return the summary of several rounds: numbers are added up, lists joined up to MOST_LISTED."""
    total: dict[str, Json] = {}
    for summary in summaries:
        for key, value in summary.items():
            before = total.get(key)
            if isinstance(value, dict):
                total[key] = dict(together([before, value] if isinstance(before, dict) else [value]))
            elif isinstance(value, list) and isinstance(before, list):
                total[key] = [*before, *value][:MOST_LISTED]
            elif isinstance(value, int) and isinstance(before, int) and key not in _AT_THE_END:
                total[key] = before + value
            else:
                total[key] = value
    return total


class Shown:
    """Shows one thing after the other; as JSON, all of it in the end: one object, or a list of several."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._content: list[Json] = []

    def finish(self) -> None:
        """Show what was kept until the end."""
        if self._content:
            show_json(self._content[0] if len(self._content) == 1 else self._content)

    def reading(self, content: dict[str, Json]) -> None:
        """Show the content of an out file."""
        if self._as_json:
            self._content.append(content)
            return
        _TABLES.get(str(content["kind"]), _numbers)(content)
        problems = content.get("problems")
        for problem in problems if isinstance(problems, list) else []:
            if isinstance(problem, dict):
                say(str(problem["text"]), style=str(problem["severity"]))

    def summary(self, poller: str, job: str, summary: Facts) -> None:
        """Show what a job did, or found, beside a reading."""
        if self._as_json:
            self._content.append({"poller": poller, "job": job, **summary})
        elif "files" in summary:
            _files(summary)
        elif "targets" in summary:
            _targets(summary)


def _statuses(content: Mapping[str, Any]) -> None:
    """A table of a Divera unit's statuses."""
    counts, names = content.get("counts"), content.get("names")
    if not isinstance(counts, dict):
        return
    known = names if isinstance(names, dict) else {}
    rows = [
        (status, known.get(status), "hidden" if count is None else count) for status, count in counts.items()
    ]
    if content.get("total") is not None:
        rows.append(("total", None, str(content["total"])))
    show_table(("status", "name", "count"), rows, right=frozenset({2}), see=_SEE_ALL)


def _numbers(content: Mapping[str, Any]) -> None:
    """A table of every number of a reading."""
    rows = [(name, number_text(value)) for name, value in numbers_of(content)]
    show_table(("name", "value"), rows, right=frozenset({1}), see=_SEE_ALL)


def _visits(content: Mapping[str, Any]) -> None:
    """A table of today's visitors: all of them, each source, each group."""
    names = content.get("names", {})
    rows: list[tuple[object, ...]] = [("all together", None, *_ways(content["counts"]))]
    rows += [(source, names.get(source), *_ways(counts)) for source, counts in content["by_source"].items()]
    rows += [(group, "group", *_ways(counts)) for group, counts in content["by_group"].items()]
    final = ", final" if content.get("final") else ""
    say(f"{content['day']}{final}")
    show_table(
        ("source", "name", "in", "out", "inside", "other"), rows, right=frozenset({2, 3, 4, 5}), see=_SEE_ALL
    )
    report = content["report"]
    answer = f": {report['answer']}" if report["answer"] else ""
    say(f"report: {report['state']}{answer}", style="warning" if report["state"] == "queued" else "quiet")


def _ways(counts: Mapping[str, int]) -> tuple[int, int, int, int]:
    return (counts["in"], counts["out"], counts["inside"], counts["other"])


def _lags(content: Mapping[str, Any]) -> None:
    """One line of how many targets are in which state; the targets themselves stand in the summary."""
    found = [f"{count} {state}" for state, count in content["counts"].items() if count]
    say(listed(found, most=6) if found else "no target")


def _files(summary: Mapping[str, Any]) -> None:
    words = {
        "done": "taken",
        "empty": "without records",
        "repeat": "known already",
        "rejected": "refused",
        "waiting": "left waiting",
        "unsettled": "still being written",
    }
    found = [f"{summary['files'][key]} {word}" for key, word in words.items() if summary["files"].get(key)]
    say(f"files: {listed(found, most=6) if found else 'none'}; {summary['records']} records")
    if summary.get("skipped"):
        say(f"{summary['skipped']} records that can't be read were left out", style="warning")
    for one in summary.get("refused", ()):
        say(f"refused: {one['source']}: {one['name']}: {one['reason']}", style="warning")


def _targets(summary: Mapping[str, Any]) -> None:
    rows = [
        (one["target"], one["state"], "-" if one["lag_s"] is None else span(one["lag_s"]), one["since"])
        for one in summary["targets"]
    ]
    show_table(("target", "state", "lag", "since"), rows, right=frozenset({2}), see=_SEE_ALL)


_TABLES: Mapping[str, Callable[[Mapping[str, Any]], None]] = {
    "divera": _statuses,
    "visitors": _visits,
    "servers": _lags,
}
"""How a kind shows its reading; a kind that is not named here shows every number."""

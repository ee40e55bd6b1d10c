"""The out file as a value: which keys, in which order (format `tallyd/1`, see docs/files.md)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from io import StringIO

from tallyd.core.alerts.values import Wording
from tallyd.core.alerts.wording import said
from tallyd.core.language.languages import reading_in
from tallyd.core.naming import local_text
from tallyd.core.reading import Facts, Json, Origin, Problem

SCHEMA = "tallyd/1"
OWN_KEYS = frozenset(
    {
        *("schema", "poller", "kind", "origin", "due_at", "taken_at", "late_s"),
        *("part", "clock_suspect", "problems"),
    }
)
"""The keys that every out file may have; the others are its kind's."""
CLOCK_SUSPECT_AFTER_S = 60.0
"""If a source's clock differs by more than this, ours is suspect: a small machine boots in the past."""


@dataclass(frozen=True, kw_only=True)
class Heading:
    """What every out file begins with. `due_at` is None for a reading outside the timetable.

    `tallyd` is the command as a person calls it, for what problems advise.
    `part` tells several readings of one slot apart; the slot's own has None, and does not show it. `beside`
    are the poller's open problems that are for other jobs to find.
    """

    poller: str
    kind: str
    origin: Origin
    due_at: datetime | None
    taken_at: datetime
    zone: tzinfo
    tallyd: str = "tallyd"
    clock_suspect: bool = False
    part: str | None = None
    beside: tuple[Problem, ...] = ()


def document(heading: Heading, facts: Facts, problems: Iterable[Problem]) -> dict[str, Json]:
    """Return the out file's content, only JSON values. `problems` are those of the reading itself."""
    content: dict[str, Json] = {
        "schema": SCHEMA,
        "poller": heading.poller,
        "kind": heading.kind,
        "origin": heading.origin,
        "due_at": local_text(heading.due_at, heading.zone) if heading.due_at else None,
        "taken_at": local_text(heading.taken_at, heading.zone),
        "late_s": round((heading.taken_at - heading.due_at).total_seconds(), 1) if heading.due_at else None,
    }
    if heading.part is not None:
        content["part"] = heading.part
    if heading.clock_suspect:
        content["clock_suspect"] = True
    content.update(facts)
    wording = Wording(now=heading.taken_at, zone=heading.zone, tallyd=heading.tallyd)
    content["problems"] = [problem_json(problem, wording) for problem in (*problems, *heading.beside)]
    return content


def facts_of(content: Facts) -> Facts:
    """Return the kind's own keys of an out file."""
    return {key: value for key, value in content.items() if key not in OWN_KEYS}


def problem_json(problem: Problem, wording: Wording) -> dict[str, Json]:
    """Return a problem as out files, `status --json` and the log show it: in English for every reader."""
    with reading_in("en"):
        text = said(problem, wording)
    return {
        "key": problem.key,
        "severity": problem.severity,
        "text": text,
        "since": local_text(problem.since, wording.zone),
    }


def stored_text(content: Mapping[str, Json]) -> str:
    """Return a content as state.db stores it: everything that the file needs, whenever it is written.

    Raises ValueError for NaN or Infinity, which are not JSON.
    """
    return json.dumps(content, ensure_ascii=False, allow_nan=False)


def file_text(content: Mapping[str, Json]) -> str:
    """Return the bytes of an out file as text: UTF-8 JSON, one key a line, a newline at the end.

    The same content always gives the same bytes, so that a file can be written a second time.
    """
    text = StringIO()  # not `dumps`: it holds all the pieces at once, five for each key
    json.dump(content, text, ensure_ascii=False, indent=1, allow_nan=False)
    text.write("\n")
    return text.getvalue()


def is_clock_suspect(skew_s: float | None) -> bool:
    """Whether a source's `Date` says that our clock is wrong."""
    return skew_s is not None and abs(skew_s) > CLOCK_SUSPECT_AFTER_S

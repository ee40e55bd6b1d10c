"""The output of a round: facts of the out file, rows of `once` and of the database, lines of the log."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from typing import TypeAlias

from tallyd.contract.lags import LagRow
from tallyd.contract.passages import seen_text
from tallyd.core.naming import local_text
from tallyd.core.reading import Facts, Json
from tallyd.pollers.servers.freshness import BY_SERIOUSNESS, STATES, CheckResult, Known, Step
from tallyd.pollers.servers.rounds.target_memory import Tally

Named: TypeAlias = "Sequence[tuple[str, Step]]"


def facts_of(steps: Named, written: Named, tallies: Mapping[str, Tally], zone: tzinfo) -> Facts:
    """Return the kind's keys of the out file: counts of all `steps`, and the targets that are `written`."""
    counts = Counter(step.known.state for _, step in steps)
    targets: dict[str, Json] = {name: _target(step, tallies.get(name), zone) for name, step in written}
    return {
        "counts": {state: counts[state] for state in STATES},
        "has_all_targets": len(written) == len(steps),
        "targets": targets,
    }


def _target(step: Step, tally: Tally | None, zone: tzinfo) -> Json:
    known, result, tally = step.known, step.result, tally or Tally()
    values: dict[str, Json] = {
        "state": known.state,
        "computed_time": _text(known.computed_at, zone),
        "lag_s": _rounded(result.lag_s),
        "since": _text(known.since, zone),
        "unchanged_s": _rounded(step.unchanged_s),
        "skew_s": _rounded(result.skew_s),
        "checks": tally.checks,
        "failed": tally.failed,
        "lag_s_max": _rounded(tally.lag_s_max),
    }
    if result.reason:
        values["reason"] = result.reason
    return values


def summary_of(steps: Sequence[tuple[str, Step]], zone: tzinfo) -> Facts:
    """Return a row for each target, most serious first, then by lag."""

    def place(row: tuple[str, Step]) -> tuple[int, float, str]:
        name, step = row
        return BY_SERIOUSNESS.index(step.known.state), -(step.result.lag_s or 0.0), name

    rows: list[Json] = [_row(name, step.known, step.result, zone) for name, step in sorted(steps, key=place)]
    return {"targets": rows}


def _row(name: str, known: Known, result: CheckResult, zone: tzinfo) -> Json:
    return {
        "target": name,
        "state": known.state,
        "lag_s": _rounded(result.lag_s),
        "since": _text(known.since, zone),
        "computed_time": _text(known.computed_at, zone),
        "reason": result.reason or None,
    }


def log_fields(name: str, step: Step, zone: tzinfo) -> dict[str, object]:
    """Return the fields of a log line about a target, without unknown values."""
    result = step.result
    fields: dict[str, object] = {
        "target": name,
        "state": result.state,
        "was": step.was if step.is_change else None,
        "lag_s": _rounded(result.lag_s),
        "computed_time": _text(result.computed_at, zone),
        "advanced_s": _rounded(step.advanced_s),
        "unchanged_s": _rounded(step.unchanged_s),
        "skew_s": _rounded(result.skew_s),
        "checked_at": _text(result.at, zone),
        "reason": result.reason or None,
    }
    return {key: value for key, value in fields.items() if value is not None}


def lag_row(server: str, step: Step) -> LagRow:
    """Return the row of a change."""
    result = step.result
    return LagRow(
        server=server,
        checked_at=seen_text(result.at),
        computed_time=_computed_text(result.computed_at) if result.computed_at else None,
        lag_s=None if result.lag_s is None else round(result.lag_s, 3),
        state=result.state,
        advanced_s=None if step.advanced_s is None else round(step.advanced_s, 3),
    )


def _text(at: datetime | None, zone: tzinfo) -> str | None:
    return None if at is None else local_text(at, zone)


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 1)


def _computed_text(at: datetime) -> str:
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ", timespec="milliseconds")

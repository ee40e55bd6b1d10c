"""/api/v1: how things are, what is wrong, and what was counted, as JSON. docs/page.md has the shapes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

import tallyd
from tallyd.adapters.state import StateError
from tallyd.config.jobs import Task, tasks_of
from tallyd.contract.board import AskedError
from tallyd.core.alerts.acknowledgement import acknowledgement_json
from tallyd.core.alerts.incident_view import incident_json
from tallyd.core.alerts.mutes import mute_of
from tallyd.core.alerts.rules import Alert
from tallyd.core.naming import local_text
from tallyd.core.out_document import problem_json
from tallyd.core.reading import Json
from tallyd.core.schedule.days import day_span
from tallyd.core.stored import StoredReading
from tallyd.presentation.cells import timeline_json
from tallyd.storage.incidents import views_of
from tallyd.web.context import Context
from tallyd.web.machine.health import is_healthy

LIMIT: Final = 100
MOST: Final = 1000
MOST_SKIPPED: Final = 100_000
MOST_CHARS: Final = 1_000_000
"""Of the readings of one answer: one of ten thousand targets has two millions."""
_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_INSTANT: Final = re.compile(r"\d{4}-\d{2}-\d{2}T[0-9:.]{5,15}(?:Z|[+-]\d{2}:\d{2})", re.ASCII)
_YEARS: Final = range(1970, 9999)
_EARLIEST, _LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)
_PARAMETERS: Final = frozenset({"poller", "from", "to", "limit"})
Content = Callable[[Context, Mapping[str, str]], Json]


def routes(context: Context) -> list[Route]:
    """Return the routes below `/api/v1`. Each answers 400 and 503 with `{"error": ...}`."""
    contents: dict[str, Content] = {
        "status": status,
        "alerts": alerts,
        "incidents": incidents,
        "readings": readings,
    }
    return [Route(f"/api/v1/{name}", _answering(context, content)) for name, content in contents.items()]


def _answering(context: Context, content: Content) -> Callable[[Request], Response]:
    def answer(request: Request) -> Response:
        try:
            return _json(content(context, request.query_params))
        except AskedError as error:
            return _json({"error": str(error)}, status=400)
        except StateError:
            # Not its own words: they name paths of this machine.
            see = context.config().tallyd
            return _json({"error": f"state.db cannot be read now; see {see} status"}, status=503)

    return answer


def _json(content: Json, *, status: int = 200) -> Response:
    text = json.dumps(content, ensure_ascii=False, allow_nan=False)
    return Response(text.encode(), status_code=status, media_type="application/json")


# -- status --------------------------------------------------------------------------------------------------


def status(context: Context, asked: Mapping[str, str]) -> Json:
    """Return how tallyd is, and each job: its last reading, the slots missed since, its next run."""
    _refuse_others(asked, frozenset())
    config, now = context.config(), context.now()
    return {
        "version": tallyd.__version__,
        "name": config.settings.name,
        "zone": str(config.zone),
        "at": local_text(now, config.zone),
        "healthy": is_healthy(context),
        "problems": sum(alert.is_open for alert in context.alerts().values()),
        "unwritten": len(context.state.out_files.unwritten()),
        "states": timeline_json(context.own_states().timeline, config.zone),
        "jobs": [_job(context, task, now) for task in tasks_of(config)],
        "reports": [
            row.json(config.zone)
            for poller in sorted(context.state.outbox.pollers())
            for row in context.state.outbox.all(poller)[:MOST]
        ],
    }


def _job(context: Context, task: Task, now: datetime) -> Json:
    history, zone = context.state.readings, task.zone
    last, next_at = history.last_taken(task.poller, now=now), task.next_at(now)
    return {
        "poller": task.poller,
        "kind": task.source.kind,
        "job": task.job.name,
        "zone": str(zone),
        "last_taken_at": local_text(last.at, zone) if last else None,
        "last_by_hand": last is not None and last.is_by_hand,
        "missed_since": [
            local_text(at, zone) for at in history.missed_since_taken(*task.name, now=now)[-MOST:]
        ],
        "next_due_at": local_text(next_at, zone) if next_at else None,
    }


# -- alerts --------------------------------------------------------------------------------------------------


def alerts(context: Context, asked: Mapping[str, str]) -> Json:
    """Return the open problems, errors first, then oldest first, and after them those that may become some.

    There are `limit` of both at most; `next_skip` is what to skip for the others, null if there are none.
    """
    _refuse_others(asked, frozenset({"limit", "skip"}))
    limit, skip = _limit(asked), _skip(asked)
    found = sorted(
        (each for each in context.alerts().values() if each.over_at is None),
        key=lambda each: (each.is_waiting, each.severity, each.since, each.key),
    )
    shown = found[skip : skip + limit]
    return {
        "open": [_alert(context, each) for each in shown if each.is_open],
        "waiting": [_alert(context, each) for each in shown if each.is_waiting],
        "next_skip": skip + limit if len(found) > skip + limit else None,
    }


def _alert(context: Context, alert: Alert) -> Json:
    config, now = context.config(), context.now()
    mute = mute_of(alert.key, context.mutes(), now=now)
    wording = config.alert_policy_of(alert.key).wording(now)
    return {
        **problem_json(alert, wording),
        "muted_until": local_text(mute.until, wording.zone) if mute else None,
        "acknowledged": acknowledgement_json(alert.acknowledged, wording.zone),
    }


# -- incidents -----------------------------------------------------------------------------------------------


def incidents(context: Context, asked: Mapping[str, str]) -> Json:
    """Return incidents that overlap with from <= time < to, the one that began last first: at most `limit`.

    `skip` leaves out the first ones. `next_skip` is what to ask for then; null where there are no others.
    """
    _refuse_others(asked, _PARAMETERS | {"skip"})
    poller = asked.get("poller", "")
    zone, limit, skip = _zone(context, poller), _limit(asked), _skip(asked)
    found = context.state.incidents.between(
        _instant(asked, "from", zone, is_end=False) or _EARLIEST,
        _instant(asked, "to", zone, is_end=True) or _LATEST,
        poller=poller,
        most=limit + 1,
        skip=skip,
    )
    views = views_of(found[:limit], context.config(), now=context.now())
    return {
        "incidents": [incident_json(view) for view in views],
        "next_skip": skip + limit if len(found) > limit else None,
    }


# -- readings ------------------------------------------------------------------------------------------------


def readings(context: Context, asked: Mapping[str, str]) -> Json:
    """Return readings and missed slots with from <= time < to, oldest first: `limit` or `MOST_CHARS` at most.

    Those of one instant are never torn apart, so there may be a few more. Where there are others,
    `next_from` is what to ask for then; else it is null.
    """
    _refuse_others(asked, _PARAMETERS)
    zone, poller = _zone(context, asked.get("poller")), asked.get("poller")
    since, until = _instant(asked, "from", zone, is_end=False), _instant(asked, "to", zone, is_end=True)
    fitting = context.state.readings.fitting(poller=poller, since=since, until=until, most_chars=MOST_CHARS)
    limit = min(_limit(asked), max(1, fitting))
    history = context.state.readings.history
    rows = history(poller=poller, since=since, until=until, most=limit + 1)
    next_at = _at(rows[limit]) if len(rows) > limit else None
    if next_at is not None:
        rows = tuple(row for row in rows if _at(row) < next_at)
        if not rows:
            after = next_at + timedelta(microseconds=1)
            rows, next_at = history(poller=poller, since=next_at, until=after), after
    return {
        "readings": [_reading(row, _zone(context, row.poller)) for row in rows],
        "next_from": local_text_exact(next_at, zone) if next_at else None,
    }


def local_text_exact(at: datetime, zone: tzinfo) -> str:
    """Return ISO 8601 local time with offset, to the microsecond: it is asked for again."""
    return at.astimezone(zone).isoformat(timespec="microseconds")


def _reading(row: StoredReading, zone: tzinfo) -> Json:
    return {
        "poller": row.poller,
        "kind": row.kind,
        "job": row.job,
        "at": local_text(_at(row), zone),
        "outcome": row.outcome,
        "reason": row.reason,
        "file": f"{row.poller}/{row.out_name}" if row.out_name else None,
        "content": dict(row.body) if row.body is not None else None,
    }


def _at(row: StoredReading) -> datetime:
    return row.due_at or row.taken_at


def _zone(context: Context, poller: str | None) -> tzinfo:
    config = context.config()
    if poller is None or poller not in config.settings.pollers:
        return config.zone
    return config.effective(poller).zone


def _refuse_others(asked: Mapping[str, str], known: frozenset[str]) -> None:
    if not asked.keys() <= known:
        names = ", ".join(sorted(known)) or "none"
        raise AskedError(f"unknown parameter; there are: {names}")


def _limit(asked: Mapping[str, str]) -> int:
    return _number(asked, "limit", LIMIT, 1, MOST)


def _skip(asked: Mapping[str, str]) -> int:
    return _number(asked, "skip", 0, 0, MOST_SKIPPED)


def _number(asked: Mapping[str, str], name: str, default: int, least: int, most: int) -> int:
    written = asked.get(name, str(default))
    if not re.fullmatch(r"\d{1,7}", written, re.ASCII) or not least <= int(written) <= most:
        raise AskedError(f"{name} must be a whole number from {least} to {most}")
    return int(written)


def _instant(asked: Mapping[str, str], name: str, zone: tzinfo, *, is_end: bool) -> datetime | None:
    """Return an instant; of a day its first, or as `to` the first of the next: both days are included."""
    written = asked.get(name)
    if written is None:
        return None
    try:
        if _DAY.fullmatch(written):
            day = date.fromisoformat(written)
            if day.year in _YEARS:
                return day_span(day, zone)[is_end]
        elif _INSTANT.fullmatch(written):
            found = datetime.fromisoformat(written)
            if found.year in _YEARS:
                return found
    except (ValueError, OverflowError):
        pass
    raise AskedError(
        f"{name} must be a day such as 2026-11-20, or an instant such as 2026-11-20T08:00:00+01:00 "
        "(in a URL, + is written %2B)"
    )

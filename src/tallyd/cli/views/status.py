"""`tallyd status`: what is active, what ran, what comes, what is wrong, and the board of each poller."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from tallyd.adapters.state import State, StateError
from tallyd.cli.shared import Place, find_state, has_state, utc_now
from tallyd.cli.views.alerts import NOT_YET, mute_json, say_how_to_mute, say_left_out
from tallyd.cli.views.status_read import JobStatus, Status, read_status
from tallyd.core.alerts.acknowledgement import acknowledgement_json
from tallyd.core.alerts.mutes import mute_of
from tallyd.core.alerts.notice_text import mute_text
from tallyd.core.alerts.rules import Alert
from tallyd.core.alerts.wording import said
from tallyd.core.errors import EXIT_OK, EXIT_PROBLEM
from tallyd.core.hosts import host_json, hosts_table
from tallyd.core.language.formats import dated, day_text, span
from tallyd.core.language.languages import reading_in
from tallyd.core.language.messages import tr, translated, translation
from tallyd.core.leader import leader_json
from tallyd.core.naming import local_text
from tallyd.core.out_document import problem_json
from tallyd.core.panels import Board
from tallyd.core.reading import Json
from tallyd.core.schedule.timetable import Every
from tallyd.core.texts import items_text
from tallyd.presentation.boards import BoardPrinter, board_json
from tallyd.presentation.terminal import complain, say, show_json, show_table

MOST_ROWS = 8
"""Of a table of a board."""
MOST_ALERTS = 50


def status(path: Path, *, as_json: bool) -> int:
    """Show how things are; return the exit status. Raises `ConfigError` where no folder is known at all."""
    place = find_state(path)
    with reading_in("en" if as_json else place.language):
        return _status(path, place, as_json=as_json)


def _status(path: Path, place: Place, *, as_json: bool) -> int:
    try:
        most = None if as_json else MOST_ALERTS
        found = read_status(place, most_alerts=most) if has_state(place.at) else None
        missing = "" if found else _never_ran(path.absolute(), place)
    except StateError as error:
        complain(f"tallyd: {translated(str(error))}")
        return EXIT_PROBLEM
    if found is None:
        complain(missing)
        return EXIT_PROBLEM
    if as_json:
        show_json(_json(found))
    else:
        _show(found)
    return EXIT_OK


def _never_ran(path: Path, place: Place) -> str:
    if not has_state(place.at):
        return tr(
            "tallyd has not run with {config} yet (no readings in {database})", config=path, database=place.at
        )
    with closing(State(place.at)) as state:  # `tallyd once` has made it
        found = [state.readings.last(name, now=utc_now()) for name in state.readings.pollers()]
    taken = [(last.poller, str((last.body or {}).get("taken_at"))) for last in found if last is not None]
    by_hand = items_text(f"{poller} {_dated(at)}" for poller, at in taken)
    return tr(
        "tallyd run has not been started with {config} yet; readings taken by hand: {readings}",
        config=path,
        readings=by_hand or tr("none"),
    )


def _dated(text: str) -> str:
    """Return a local time of an out file with its date and minute."""
    at = datetime.fromisoformat(text).replace(second=0, microsecond=0)
    return dated(at, at.tzinfo or UTC)


def _show(found: Status) -> None:
    text, style = found.headline()
    say(text, style=style)
    if not found.jobs:
        say(tr("No poller is configured. Add one to the config; tallyd reloads it automatically."))
    else:
        _show_jobs(found)
    _show_boards(found)
    _show_hosts(found)
    for alert in found.alerts:
        say(_alert_text(alert, found), style=alert.severity if alert.is_open else "quiet")
    if any(alert.is_open for alert in found.alerts):
        say_how_to_mute()
    else:
        say(tr("No open alert."), style="fine")
    say_left_out(found.standing, shown=len(found.alerts))
    for mute in found.mutes:
        say(mute_text(mute, found.note.zone, now=found.now), style="quiet")
    if found.unwritten:
        text = tr(
            "{readings:# reading waits|# readings wait} to be written to out/.", readings=found.unwritten
        )
        say(text, style="warning")


def _show_jobs(found: Status) -> None:
    rows = [
        (
            one.job.poller,
            translation(one.job.job),
            found.taken(one.last) if one.last else tr("none yet"),
            len(one.missed) or None,
            _next(one, found),
        )
        for one in found.jobs
    ]
    show_table(
        (tr("poller"), tr("job"), tr("last reading"), tr("missed"), tr("next run")),
        rows,
        right=frozenset({3}),
        see=tr("--wide, or --json"),
    )
    for one in found.jobs:
        if found.pid and one.unknown:
            text = tr(
                "{poller} {job}: no reading known for {at}",
                poller=one.job.poller,
                job=translation(one.job.job),
                at=found.clock(one.unknown),
            )
            say(text, style="warning")


def _alert_text(alert: Alert, found: Status) -> str:
    mute, ack = mute_of(alert.key, found.mutes, now=found.now), alert.acknowledged
    return tr(
        "{kind} since {since}: {text} [[{key}]][ (muted until {muted})][ [[acknowledged {acknowledged}]]]",
        kind=translation(alert.severity if alert.is_open else NOT_YET),
        since=found.clock(alert.since),
        text=said(alert, found.wording),
        key=alert.key,
        muted=found.clock(mute.until) if mute else "",
        acknowledged=ack.text(found.note.zone, now=found.now) if ack else "",
    )


def _show_boards(found: Status) -> None:
    """Show the board of each poller; without a readable config, at least the reports that wait."""
    boards = [each for each in found.boards if each.board != Board()]
    for row in found.reports if not found.boards else ():
        if row.state != "sent":
            text = tr(
                "{poller}: report {ssid} of {day} is not sent; tries: {tries}[, {answer}]",
                poller=row.poller,
                ssid=row.message.ssid,
                day=day_text(row.message.day),
                tries=row.tries,
                answer=translated(row.answer or ""),
            )
            say(text, style="warning")
    for each in boards:
        printer = BoardPrinter(
            zone=each.zone,
            now=found.now,
            see_columns=tr("--wide, or --json"),
            see_rows="{tallyd} status --json",
            most_rows=MOST_ROWS,
        )
        say()
        printer.show(each.poller, each.board, (*each.board.panels, *each.board.details))
    if boards:
        say()


def _show_hosts(found: Status) -> None:
    table = hosts_table(found.hosts, now=found.now)
    if table.rows:
        printer = BoardPrinter(
            zone=found.note.zone, now=found.now, see_columns=tr("--wide, or --json"), most_rows=MOST_ROWS
        )
        printer.show(table.title, Board(), (table,))
        say()


def _next(one: JobStatus, found: Status) -> str:
    """Return when a job runs next: its slot, or its interval where it has no slots."""
    if not found.pid:
        return tr("when tallyd runs")
    if one.next_at is None and isinstance(one.job.when, Every):
        return tr("every {interval}", interval=span(one.job.when.interval_s))
    return found.clock(one.next_at)


def _json(found: Status) -> dict[str, Json]:
    rejected, zone = found.note.rejected, found.note.zone
    return {
        "config": {
            "path": found.note.path,
            "in_force_since": local_text(found.note.since, zone),
            "refused_since": local_text(rejected.since, zone) if rejected else None,
            "refused": list(rejected.lines) if rejected else [],
            "on_disk": found.trouble,
        },
        "running": found.pid is not None,
        "pid": found.pid,
        "role": "standby" if found.is_standby else "active",
        "leader": leader_json(found.leader, zone) if found.leader else None,
        "jobs": [_job_json(one) for one in found.jobs],
        "problems": [_problem_json(found, alert) for alert in found.alerts if alert.is_open],
        "waiting": [_problem_json(found, alert) for alert in found.alerts if alert.is_waiting],
        "mutes": [mute_json(mute, zone) for mute in found.mutes],
        "unwritten": found.unwritten,
        "reports": [{**row.json(zone), "slot_at": local_text(row.slot_at, zone)} for row in found.reports],
        "hosts": [host_json(host, now=found.now) for host in found.hosts],
        "now": {each.poller: board_json(each.board, each.zone) for each in found.boards},
    }


def _problem_json(found: Status, alert: Alert) -> Json:
    return {
        **problem_json(alert, found.wording),
        "acknowledged": acknowledgement_json(alert.acknowledged, found.note.zone),
    }


def _job_json(one: JobStatus) -> dict[str, Json]:
    zone, last = one.job.zone, one.last
    return {
        "poller": one.job.poller,
        "kind": one.job.kind,
        "job": one.job.job,
        "last_taken_at": local_text(last.taken_at, zone) if last else None,
        "last_by_hand": last is not None and last.taken.is_by_hand,
        "last_file": f"{last.poller}/{last.out_name}" if last else None,
        "missed_since": [local_text(at, zone) for at in one.missed],
        "next_due_at": local_text(one.next_at, zone) if one.next_at else None,
    }

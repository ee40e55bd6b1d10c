"""`tallyd check`: every problem of the config at once; if there is none, the next runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import date, datetime, tzinfo
from itertools import islice
from pathlib import Path

from tallyd.adapters.locks import holder
from tallyd.adapters.records.reader import RecordsReader
from tallyd.cli.config.check_folders import folder_notes, folder_problems, runs_as_this_user, service_folders
from tallyd.cli.config.check_growth import show_growth
from tallyd.cli.config.check_state import those_who_take_turns, try_state
from tallyd.cli.config.found import ask_source, show_found, show_learned, sources_of
from tallyd.cli.process.equipment import channels, look_closely
from tallyd.cli.shared import load_config, utc_now
from tallyd.cli.views.other_hosts import other_hosts
from tallyd.config.active_file import read_active
from tallyd.config.jobs import duties_of, tasks_of
from tallyd.config.model import Config
from tallyd.config.problems import place_of
from tallyd.core.alerts.daemon_alerts import doubled_problem
from tallyd.core.alerts.values import Wording
from tallyd.core.alerts.wording import said
from tallyd.core.errors import EXIT_OK, EXIT_PROBLEM, ConfigError, DeliveryError, RecordsError, SourceError
from tallyd.core.hosts import doubled
from tallyd.core.language.formats import day_text, offset_if_twice, weekday_text
from tallyd.core.language.languages import reading_in
from tallyd.core.language.messages import english, mark, tr, translated, translation
from tallyd.core.privacy.redaction import Redactor
from tallyd.core.schedule.calendar import NEAR_DAYS, Calendar
from tallyd.core.schedule.timetable import next_slots
from tallyd.core.texts import items_text
from tallyd.presentation.terminal import complain, say, show_table

RUNS_SHOWN = 3
DAYS_SHOWN = 5
DUE_SHOWN = 10
_WEEKDAYS = (mark("mon"), mark("tue"), mark("wed"), mark("thu"), mark("fri"), mark("sat"), mark("sun"))


def check(path: Path, *, online: bool) -> int:
    """Check a config; return the exit status. Raises `ConfigError`."""
    config = load_config(path, lenient=not online, closely=look_closely)
    problems = folder_problems(config, only=service_folders(config), tries=runs_as_this_user(config))
    if problems:
        raise ConfigError(config.path.name, problems)
    with reading_in(config.settings.language):
        _show(config, utc_now())
        if not online:
            return EXIT_OK
        return max(_ask_sources(config), _look_for_doubles(config), try_state(config), _try_channels(config))


def _show(config: Config, now: datetime) -> None:
    say(tr("{config} is fine.", config=config.path), style="fine")
    if config.settings.timezone:
        say(tr("Time zone: {zone} (timezone in the config)", zone=config.zone))
    else:
        say(tr("Time zone: {zone} (of this machine)", zone=config.zone))
    _show_runs(config, now)
    _show_due_times(config, now)
    calendars = [each.named(name) for name, each in config.settings.calendars.items()]
    _show_days_off(calendars, today=now.astimezone(config.zone).date())
    show_growth(config)
    notes = (
        *config.notes,
        *_notes_of_days(config, calendars, now),
        *folder_notes(config),
        *_running_notes(config),
    )
    for note in notes:
        say(tr("Note: {note}", note=translated(note)), style="warning")


def _show_runs(config: Config, now: datetime) -> None:
    rows = [
        (task.poller, translation(task.job.name), *_shown(at, task.zone))
        for task in tasks_of(config)
        for at in next_slots(task.job.when, task.zone, after=now, count=RUNS_SHOWN)
    ]
    if rows:
        say(tr("Next runs:"))
        show_table((tr("poller"), tr("job"), tr("at"), tr("zone")), rows)
    if not config.settings.pollers:
        say(tr('No poller is configured yet. Add one under "pollers"; for an example, run: {tallyd} init'))


def _show_due_times(config: Config, now: datetime) -> None:
    found = []
    for name, poller in config.settings.pollers.items():
        zone = config.effective(name).zone
        found += [(at, name, subject, zone) for subject, at in poller.due_times(now, zone)]
    if found:
        found.sort(key=lambda each: each[0])
        more = len(found) > DUE_SHOWN
        text = tr(
            "Next due times[ (the first {shown} of {all})]:",
            shown=DUE_SHOWN if more else None,
            all=len(found) if more else None,
        )
        say(text)
        rows = [(name, subject, *_shown(at, zone)) for at, name, subject, zone in found[:DUE_SHOWN]]
        show_table((tr("poller"), tr("subject"), tr("at"), tr("zone")), rows)


def _shown(at: datetime, zone: tzinfo) -> tuple[str, str]:
    local = at.astimezone(zone)
    return f"{_day(local)} {local:%H:%M:%S}{offset_if_twice(local)}", f"{zone}"


def _day(day: date) -> str:
    return tr("{weekday} {day}", weekday=weekday_text(day), day=day_text(day))


def _show_days_off(calendars: list[Calendar], *, today: date) -> None:
    rows = []
    for calendar in calendars:
        off = [translation(name) for number, name in enumerate(_WEEKDAYS) if number not in calendar.days]
        if off:
            rows.append((calendar.name, tr("every {weekdays}", weekdays=items_text(off)), tr("off[: {why}]")))
        for day, why in islice(calendar.exceptions(today), DAYS_SHOWN):
            # "open" alone is the word of incidents that have not ended.
            shown = tr("open[: {why}]") if why is None else tr("off[: {why}]", why=why)
            rows.append((calendar.name, _day(day), shown))
    if rows:
        say(tr("Next days off:"))
        show_table((tr("calendar"), tr("day"), ""), rows)


def _notes_of_days(config: Config, calendars: list[Calendar], now: datetime) -> Iterator[str]:
    """Yield what days will never come: open ones, those of hours, holidays after the next year."""
    for calendar in calendars:
        place = place_of(("calendars", calendar.name))
        if not calendar.ever_opens(now.astimezone(config.zone).date()):
            yield tr("{place}: no day is open in the next {days} days", place=place, days=NEAR_DAYS)
        if calendar.holidays and (year := calendar.holidays.last_year()) <= now.year:
            yield tr(
                "{place}.holidays: the installed library covers no year after {year}; add later holidays to "
                "`closed`, or upgrade",
                place=place,
                year=str(year),
            )
    for name, poller in config.settings.pollers.items():
        for where, why in poller.vain(now, config.effective(name).zone):
            yield english("{place}: {why}", place=place_of(("pollers", name, *where)), why=why)


def _running_notes(config: Config) -> list[str]:
    """Return why a running daemon would reject the config although it is valid."""
    active = read_active(config.path)
    if active is None or holder(active.state_dir / "lock") is None:
        return []
    return [
        tr(
            "{key}: changed; the running tallyd rejects this file until a restart: {how}",
            key=key,
            how=translated(active.restart),
        )
        for key in config.changed_from(active.fixed)
    ]


def _ask_sources(config: Config) -> int:
    """Ask each poller's source once, changing nothing. Return 1 if one does not answer correctly."""
    status = EXIT_OK
    for task in sources_of(config):
        try:
            found = ask_source(config, task)
        except (SourceError, RecordsError) as failure:
            complain(f"{task.poller}: {translated(failure.text)}")
            status = EXIT_PROBLEM
        else:
            if not show_found(config, task, found):
                status = EXIT_PROBLEM
            show_learned(config, task, found)
    return status


def _look_for_doubles(config: Config) -> int:
    """Look for other daemons on the database that run the same pollers. Return 1 if there are any."""
    now, turns = utc_now(), those_who_take_turns(config)
    with closing(RecordsReader(config.database_url)) as reader:
        hosts = other_hosts(config, reader, now=now)
    others = (each for each in hosts if (each.name, each.folder) not in turns)
    found = doubled(duties_of(config), others, now=now)
    for poller, hosts in found.items():
        wording = Wording(now=now, zone=config.zone, tallyd=config.tallyd)
        complain(said(doubled_problem(poller, hosts, since=now), wording))
    return EXIT_PROBLEM if found else EXIT_OK


def _try_channels(config: Config) -> int:
    """Try each channel, sending nothing. Return 1 if one does not answer correctly."""
    status = EXIT_OK
    sender = channels(config, Redactor(config.secrets).redact)
    if config.settings.channels:
        say()
    for name, channel in config.settings.channels.items():
        try:
            found = translated(sender.probe(channel.url.reveal()))
            say(tr("channel {name}: {found}", name=name, found=found), style="fine")
        except DeliveryError as error:
            complain(tr("channel {name}: {found}", name=name, found=translated(error.text)))
            status = EXIT_PROBLEM
    return status

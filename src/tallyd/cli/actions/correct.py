"""`tallyd correct`: a person says how many visitors are inside."""

from __future__ import annotations

from contextlib import closing
from datetime import MAXYEAR, UTC, datetime, time
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from tallyd.adapters.records.database import Database
from tallyd.cli.shared import MOST_WHY_CHARS, has_not_run, has_state, load_config, tasks_named, utc_now, who
from tallyd.config.model import Config
from tallyd.contract.board import AskedError
from tallyd.contract.corrections import Correction
from tallyd.core.errors import EXIT_OK, EXIT_PROBLEM, EXIT_USAGE, RecordsError
from tallyd.core.language.languages import reading_in
from tallyd.core.language.messages import translated
from tallyd.core.texts import UNPRINTABLE
from tallyd.presentation.terminal import complain, say

_FIRST_YEAR: Final = 2000
"""Nobody corrects counts of before."""


def correct(path: Path, poller: str, source: str, *, inside: int, at: str, why: str) -> int:
    """Store how many were inside; return the exit status. Raises `ConfigError`."""
    config, now = load_config(path, lenient=True), utc_now()
    tasks_named(config, poller)  # ends the command if there is no such poller
    try:
        minute = _minute(at, now, config.effective(poller).zone)
    except AskedError as error:
        complain(f"tallyd: --at {error}")
        return EXIT_USAGE
    if not why.strip() or UNPRINTABLE.search(why) or len(why) > MOST_WHY_CHARS:
        complain(f"tallyd: --why must be one line of 1 to {MOST_WHY_CHARS} characters")
        return EXIT_USAGE
    correction = Correction(source=source, at=minute, inside=inside, why=why, by=who(), noted_at=now)
    with reading_in(config.settings.language):
        return _correct(config, poller, correction)


def _correct(config: Config, poller: str, correction: Correction) -> int:
    if not has_state(config.state_at):
        complain(has_not_run(config))
        return EXIT_PROBLEM
    kind, zone = config.settings.pollers[poller], config.effective(poller).zone
    try:
        with closing(Database(config.database_url, prepares=True)) as database:
            changed = kind.correct(poller, correction, database.records(poller), zone)
    except AskedError as error:
        complain(f"tallyd: {error}")
        return EXIT_USAGE
    except RecordsError as error:
        complain(f"{poller}: {translated(error.text)}")
        return EXIT_PROBLEM
    say(changed)
    return EXIT_OK


def _minute(written: str, now: datetime, zone: ZoneInfo) -> datetime:
    """Return the minute that a person wrote; nothing: now. Raises `AskedError`."""
    no_time = AskedError(f"{written} is not a time of today, HH:MM, nor YYYY-MM-DDTHH:MM")
    try:
        if len(written) == len("HH:MM"):
            local = datetime.combine(now.astimezone(zone).date(), time.fromisoformat(written))
        else:
            local = datetime.fromisoformat(written) if written else now
    except ValueError:
        raise no_time from None
    if not _FIRST_YEAR <= local.year < MAXYEAR:  # the last hours of all have no instant in some zones
        raise no_time
    found = (local if local.tzinfo else local.replace(tzinfo=zone)).astimezone(UTC)
    if found > now:
        raise AskedError(f"{written} is in the future; for an earlier day, write YYYY-MM-DDTHH:MM")
    return found.replace(second=0, microsecond=0)

"""`tallyd alerts`, `mute`, `unmute`: what is wrong, who was told, and what is not to be told for a while."""

from __future__ import annotations

import os
import pwd
from contextlib import closing
from datetime import datetime, timedelta, tzinfo
from pathlib import Path

from pydantic_core import PydanticCustomError

from tallyd.adapters.state import State, StateError
from tallyd.cli.output import complain, say, show_json, show_table
from tallyd.cli.shared import load_config, utc_now
from tallyd.config import Config
from tallyd.core.alerts import Alert
from tallyd.core.document import problem_json
from tallyd.core.errors import EXIT_OK, EXIT_PROBLEM, EXIT_USAGE
from tallyd.core.mutes import Mute, mute_of
from tallyd.core.naming import local_text
from tallyd.core.notices import Told
from tallyd.core.reading import Json
from tallyd.core.texts import UNPRINTABLE, clock, listed, shortened
from tallyd.settings import parse_duration

MOST_WHY_CHARS = 200
MOST_PATTERN_CHARS = 500


def known_alerts(state: State) -> tuple[Alert, ...]:
    """Return the open alerts, errors first, then those that wait to be raised. Raises `StateError`."""
    found = [alert for alert in state.alerts.all().values() if alert.over_at is None]
    return tuple(sorted(found, key=lambda alert: (alert.is_waiting, alert.severity, alert.since, alert.key)))


def alerts(path: Path, *, as_json: bool) -> int:
    """Show the open alerts, who was told of them, and the mutes; return the exit status."""
    config = load_config(path, lenient=True)
    now = utc_now()
    try:
        with closing(_state(config)) as state:
            found, told = known_alerts(state), state.telling.told()
            mutes = tuple(mute for mute in state.telling.mutes() if mute.is_in_force(now))
    except (StateError, FileNotFoundError) as error:
        return _no_state(error)
    if as_json:
        show_json(
            {
                "alerts": [_alert_json(alert, config, told, mutes, now) for alert in found if alert.is_open],
                "mutes": [mute_json(mute, config.zone) for mute in mutes],
            }
        )
        return EXIT_OK
    _show_alerts([alert for alert in found if alert.is_open], config, told, mutes, now)
    for alert in found:
        if alert.is_waiting:
            say(f"not yet an alert: {alert.text} [{alert.key}]", style="quiet")
    for mute in mutes:
        say(_mute_text(mute, config.zone, now), style="quiet")
    return EXIT_OK


def mute(path: Path, pattern: str, *, lasts: str, why: str) -> int:
    """Mute a key or a pattern for a while; return the exit status."""
    try:
        lasts_s = parse_duration(lasts)
    except PydanticCustomError as error:
        complain(f"tallyd: --for {error.message()}")
        return EXIT_USAGE
    wrong = _why_no_pattern(pattern)
    if wrong or UNPRINTABLE.search(why) or len(why) > MOST_WHY_CHARS:
        reason = wrong or f"--why takes one line of {MOST_WHY_CHARS} characters at most"
        complain(f"tallyd: {reason}")
        return EXIT_USAGE
    config, now = load_config(path, lenient=True), utc_now()
    until = now + timedelta(seconds=lasts_s)
    try:
        with closing(_state(config)) as state:
            state.telling.mute(pattern, since=now, until=until, why=why, by=_who())
            covered = [alert for alert in known_alerts(state) if _covers(pattern, alert) and alert.is_open]
    except (StateError, FileNotFoundError) as error:
        return _no_state(error)
    say(f"Muted until {clock(until, config.zone, now=now)}: {pattern}. The channels are told so.")
    if covered:
        say(f"Of the open alerts that is {listed([alert.key for alert in covered])}.")
    else:
        say("No open alert is called so yet; see the keys in: tallyd alerts", style="warning")
    return EXIT_OK


def unmute(path: Path, pattern: str) -> int:
    """End a mute; return the exit status, 1 where there is none."""
    config, now = load_config(path, lenient=True), utc_now()
    try:
        with closing(_state(config)) as state:
            was_muted = state.telling.unmute(pattern, now=now, by=_who())
            others = [mute.pattern for mute in state.telling.mutes() if mute.is_in_force(now)]
    except (StateError, FileNotFoundError) as error:
        return _no_state(error)
    if was_muted:
        say(f"No longer muted: {pattern}. The channels are told so.")
        return EXIT_OK
    known = f"; muted are: {', '.join(others)}" if others else "; nothing is muted"
    complain(f"tallyd: {shortened(pattern, 100)} is not muted{known}")
    return EXIT_PROBLEM


def mute_json(mute: Mute, zone: tzinfo) -> dict[str, Json]:
    """Return a mute as `status --json` and `alerts --json` show it."""
    return {
        "pattern": mute.pattern,
        "since": local_text(mute.since, zone),
        "until": local_text(mute.until, zone),
        "why": mute.why,
        "by": mute.by,
    }


def _state(config: Config) -> State:
    database = config.state_dir / "state.db"
    if not database.exists():
        raise FileNotFoundError(database)
    return State(database)


def _no_state(error: StateError | FileNotFoundError) -> int:
    if isinstance(error, FileNotFoundError):
        complain(f"tallyd: tallyd has not run with this config yet (there is no {error})")
    else:
        complain(f"tallyd: {error}")
    return EXIT_PROBLEM


def _covers(pattern: str, alert: Alert) -> bool:
    now = utc_now()
    return Mute(pattern=pattern, since=now, until=now, why="", by="").covers(alert.key)


def _why_no_pattern(pattern: str) -> str | None:
    if not pattern.strip() or UNPRINTABLE.search(pattern) or len(pattern) > MOST_PATTERN_CHARS:
        return "KEY must be the key of an alert, or a pattern such as apps/*/stale; see: tallyd alerts"
    return None


def _who() -> str:
    """Return who asks: the user behind sudo, else the user of this process."""
    behind = os.environ.get("SUDO_USER")
    if behind:
        return shortened(behind, 60)
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def _show_alerts(
    found: list[Alert],
    config: Config,
    told: dict[tuple[str, str], Told],
    mutes: tuple[Mute, ...],
    now: datetime,
) -> None:
    if not found:
        say("No open alert.", style="fine")
        return
    for alert in found:
        zone = config.manner_of(alert.key).zone
        say(f"{alert.severity} since {clock(alert.since, zone, now=now)}: {alert.text}", style=alert.severity)
    say()
    rows = [(alert.key, alert.severity, _told_text(alert, config, told, mutes, now)) for alert in found]
    show_table(("key", "severity", "told"), rows)


def _told_text(
    alert: Alert,
    config: Config,
    told: dict[tuple[str, str], Told],
    mutes: tuple[Mute, ...],
    now: datetime,
) -> str:
    mute = mute_of(alert.key, mutes, now=now)
    manner = config.manner_of(alert.key)
    parts = [f"muted until {clock(mute.until, manner.zone, now=now)}"] if mute else []
    for channel in manner.channels:
        each = told.get((channel, alert.key))
        if each is not None and each.version == alert.version:
            parts.append(f"{channel} {clock(each.at, manner.zone, now=now)}")
        elif not mute:
            parts.append(f"{channel} not yet")
    return ", ".join(parts) or "no channel"


def _alert_json(
    alert: Alert,
    config: Config,
    told: dict[tuple[str, str], Told],
    mutes: tuple[Mute, ...],
    now: datetime,
) -> dict[str, Json]:
    manner, mute = config.manner_of(alert.key), mute_of(alert.key, mutes, now=now)
    found = {
        channel: each
        for channel in manner.channels
        if (each := told.get((channel, alert.key))) and each.version == alert.version
    }
    return {
        **problem_json(alert.problem, manner.zone),
        "told": {channel: local_text(each.at, manner.zone) for channel, each in found.items()},
        "not_told": [channel for channel in manner.channels if channel not in found],
        "muted_until": local_text(mute.until, manner.zone) if mute else None,
    }


def _mute_text(mute: Mute, zone: tzinfo, now: datetime) -> str:
    by, why = f" by {mute.by}" if mute.by else "", f" ({mute.why})" if mute.why else ""
    return f"muted until {clock(mute.until, zone, now=now)}{by}: {mute.pattern}{why}"

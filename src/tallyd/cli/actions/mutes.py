"""`tallyd mute`, `unmute` and `ack`: messages about known problems stop for a while, or until the end."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from datetime import timedelta
from pathlib import Path

from pydantic_core import PydanticCustomError

from tallyd.adapters.locks import holder
from tallyd.adapters.state import State, StateError
from tallyd.cli.shared import MOST_WHY_CHARS, Place, utc_now, who
from tallyd.cli.views.alerts import no_state, open_state, place_of, zone_of
from tallyd.config.alert_keys import possible_keys
from tallyd.core.alerts.mutes import matches, may_meet, mute_of, near_keys
from tallyd.core.errors import EXIT_OK, EXIT_PROBLEM, EXIT_USAGE
from tallyd.core.language.formats import clock
from tallyd.core.naming import pasted_key
from tallyd.core.texts import UNPRINTABLE, listed, shortened
from tallyd.presentation.terminal import complain, say
from tallyd.settings.types import did_you_mean, parse_duration

MOST_PATTERN_CHARS = 500


def mute(path: Path, pattern: str, *, lasts: str, why: str, even_if_unknown: bool = False) -> int:
    """Mute a key or a pattern for a while; return the exit status.

    It rejects a pattern that no alert can match, unless `even_if_unknown`.
    """
    try:
        lasts_s = parse_duration(lasts)
    except PydanticCustomError as error:
        complain(f"tallyd: --for {error.message()}")
        return EXIT_USAGE
    wrong = _why_not(pattern, why)
    if wrong:
        complain(f"tallyd: {wrong}")
        return EXIT_USAGE
    pattern, place, now = pasted_key(pattern), place_of(path), utc_now()
    until = now + timedelta(seconds=lasts_s)
    try:
        with closing(open_state(place)) as state:
            unknown = None if even_if_unknown else _unknown(pattern, place, state)
            if unknown:
                complain(f"tallyd: {unknown}")
                return EXIT_USAGE
            state.notifications.mute(pattern, since=now, until=until, why=why, by=who())
            (muted,) = (mute for mute in state.notifications.mutes() if mute.pattern == pattern)
            covered = sorted(filter(muted.covers, state.alerts.standing_keys()[0]))
            zone = zone_of(place, state)
    except (StateError, FileNotFoundError) as error:
        return no_state(error)
    say(f"Muted until {clock(until, zone, now=now)}: {pattern}.{_who_is_notified(place)}")
    if covered:
        say(f"Open alerts that this mutes: {listed(covered)}.")
    else:
        say("No open alert matches it now.", style="quiet")
    return EXIT_OK


def unmute(path: Path, pattern: str) -> int:
    """End a mute; return the exit status, 1 if there is no such mute."""
    pattern, place, now = pasted_key(pattern), place_of(path), utc_now()
    try:
        with closing(open_state(place)) as state:
            was_muted = state.notifications.unmute(pattern, now=now, by=who())
            others = [mute.pattern for mute in state.notifications.mutes() if mute.is_in_force(now)]
    except (StateError, FileNotFoundError) as error:
        return no_state(error)
    if was_muted:
        say(f"No longer muted: {pattern}.{_who_is_notified(place)}")
        return EXIT_OK
    known = f"; these are: {', '.join(others)}" if others else "; nothing is muted"
    complain(f"tallyd: {shortened(pattern, 100)} is not muted{known}")
    return EXIT_PROBLEM


def ack(path: Path, pattern: str, *, why: str) -> int:
    """Acknowledge the open alerts that match; return the exit status, 1 if there is none."""
    wrong = _why_not(pattern, why)
    if wrong:
        complain(f"tallyd: {wrong}")
        return EXIT_USAGE
    pattern, place, now = pasted_key(pattern), place_of(path), utc_now()
    try:
        with closing(open_state(place)) as state:
            found = state.alerts.acknowledge(pattern, by=who(), why=why, now=now)
            mutes = state.notifications.mutes()
            open_keys = sorted(state.alerts.standing_keys()[0])
            zone = zone_of(place, state)
    except (StateError, FileNotFoundError) as error:
        return no_state(error)
    if not found:
        complain(f"tallyd: {shortened(pattern, 100)} is not open{_what_is_open(pattern, open_keys)}")
        return EXIT_PROBLEM
    done = [each for each in found if each.acknowledged and each.acknowledged.at == now]
    muted = [each for each in done if mute_of(each.key, mutes, now=now)]
    notified = [each for each in done if each not in muted]
    for some, then in (
        (notified, _who_is_notified(place)),
        (muted, " Muted: nobody is notified before the mute ends."),
    ):
        if some:
            say(f"Acknowledged until it is resolved: {listed([each.key for each in some])}.{then}")
    for each in found:
        if each.acknowledged and each not in done:
            say(f"Already acknowledged {each.acknowledged.text(zone, now=now)}: {each.key}", style="quiet")
    return EXIT_OK


def _what_is_open(pattern: str, keys: Sequence[str]) -> str:
    """Return what a person may have meant who acknowledged what is not open, and what is open."""
    if not keys:
        return "; no alert is open"
    meant = (each for each in near_keys(pattern, keys) if any(matches(each, key) for key in keys))
    near = tuple(each for each in meant if _is_near(pattern.split("/"), each.split("/")))
    return f"{did_you_mean(pattern, near)}; open are: {listed(keys)}"


def _is_near(written: Sequence[str], segments: Sequence[str]) -> bool:
    """Whether each segment is similar: as a whole, two keys of one poller and one problem always are."""
    pairs = zip(written, segments, strict=False)
    return len(written) == len(segments) and all(did_you_mean(one, (other,)) for one, other in pairs)


def _why_not(pattern: str, why: str) -> str | None:
    """Return what is wrong with a pattern or a reason; None: nothing."""
    if not pattern.strip() or UNPRINTABLE.search(pattern) or len(pattern) > MOST_PATTERN_CHARS:
        return "KEY must be the key of an alert, or a pattern such as apps/*/stale; see: {tallyd} alerts"
    if UNPRINTABLE.search(why) or len(why) > MOST_WHY_CHARS:
        return f"--why must be one line of at most {MOST_WHY_CHARS} characters"
    return None


def _unknown(pattern: str, place: Place, state: State) -> str | None:
    """Return the complaint about a pattern that no alert can match; None: one can.

    If the config cannot be read, the possible alerts are unknown.
    """
    if place.config is None:
        return None
    possible = (*possible_keys(place.config), *state.alerts.all())
    if any(may_meet(pattern, key) for key in possible):
        return None
    hint = (
        did_you_mean(pattern, near_keys(pattern, possible)) or ". To see open alerts, run: {tallyd} alerts."
    )
    return f"this config cannot raise an alert {pattern}{hint} To mute it anyway, add --even-if-unknown"


def _who_is_notified(place: Place) -> str:
    if place.config is not None and not place.config.settings.channels:
        return ""
    if holder(place.folder / "lock") is None:
        return " The channels will be notified when tallyd runs."
    return " The channels will be notified."

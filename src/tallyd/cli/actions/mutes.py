"""`tallyd mute`, `unmute` and `ack`: messages about known problems stop for a while, or until the end."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

from pydantic_core import PydanticCustomError

from tallyd.adapters.locks import holder
from tallyd.adapters.state import State, StateError
from tallyd.cli.shared import MOST_WHY_CHARS, Place, utc_now, who
from tallyd.cli.views.alerts import no_state, open_state, place_of, zone_of
from tallyd.config.alert_keys import possible_keys
from tallyd.core.alerts.mutes import Mute, matches, may_meet, mute_of, near_keys
from tallyd.core.alerts.rules import Alert
from tallyd.core.errors import EXIT_OK, EXIT_PROBLEM, EXIT_USAGE
from tallyd.core.language.formats import clock
from tallyd.core.language.languages import reading_in
from tallyd.core.language.messages import mark, tr
from tallyd.core.naming import pasted_key
from tallyd.core.texts import UNPRINTABLE, listed, shortened
from tallyd.presentation.terminal import complain, say
from tallyd.settings.types import did_you_mean, nearest, parse_duration

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
    place = place_of(path)
    with reading_in(place.language):
        return _mute(pasted_key(pattern), place, lasts_s, why, even_if_unknown=even_if_unknown)


def _mute(pattern: str, place: Place, lasts_s: float, why: str, *, even_if_unknown: bool) -> int:
    now = utc_now()
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
    text = tr(
        "Muted until {until}: {pattern}.[ {then}]",
        until=clock(until, zone, now=now),
        pattern=pattern,
        then=_who_is_notified(place),
    )
    say(text)
    if covered:
        say(tr("Open alerts that this mutes: {keys}.", keys=listed(covered)))
    else:
        say(tr("No open alert matches it now."), style="quiet")
    return EXIT_OK


def unmute(path: Path, pattern: str) -> int:
    """End a mute; return the exit status, 1 if there is no such mute."""
    place = place_of(path)
    with reading_in(place.language):
        return _unmute(pasted_key(pattern), place)


def _unmute(pattern: str, place: Place) -> int:
    now = utc_now()
    try:
        with closing(open_state(place)) as state:
            was_muted = state.notifications.unmute(pattern, now=now, by=who())
            others = [mute.pattern for mute in state.notifications.mutes() if mute.is_in_force(now)]
    except (StateError, FileNotFoundError) as error:
        return no_state(error)
    if was_muted:
        say(tr("No longer muted: {pattern}.[ {then}]", pattern=pattern, then=_who_is_notified(place)))
        return EXIT_OK
    message = mark("{pattern} is not muted; these are: {others}")
    if not others:
        message = mark("{pattern} is not muted; nothing is muted")
    complain(f"tallyd: {tr(message, pattern=shortened(pattern, 100), others=', '.join(others))}")
    return EXIT_PROBLEM


def ack(path: Path, pattern: str, *, why: str) -> int:
    """Acknowledge the open alerts that match; return the exit status, 1 if there is none."""
    wrong = _why_not(pattern, why)
    if wrong:
        complain(f"tallyd: {wrong}")
        return EXIT_USAGE
    place = place_of(path)
    with reading_in(place.language):
        return _ack(pasted_key(pattern), place, why)


def _ack(pattern: str, place: Place, why: str) -> int:
    now = utc_now()
    try:
        with closing(open_state(place)) as state:
            found = state.alerts.acknowledge(pattern, by=who(), why=why, now=now)
            mutes = state.notifications.mutes()
            open_keys = sorted(state.alerts.standing_keys()[0])
            zone = zone_of(place, state)
    except (StateError, FileNotFoundError) as error:
        return no_state(error)
    if not found:
        complain(f"tallyd: {_not_open(pattern, open_keys)}")
        return EXIT_PROBLEM
    _say_acknowledged(found, mutes, place, now=now)
    for each in found:
        if (before := each.acknowledged) and before.at != now:
            text = tr("Already acknowledged {who}: {key}", who=before.text(zone, now=now), key=each.key)
            say(text, style="quiet")
    return EXIT_OK


def _say_acknowledged(found: Sequence[Alert], mutes: Sequence[Mute], place: Place, *, now: datetime) -> None:
    """Say which alerts were acknowledged now, and who hears of it."""
    done = [each for each in found if each.acknowledged and each.acknowledged.at == now]
    muted = [each for each in done if mute_of(each.key, mutes, now=now)]
    notified = [each for each in done if each not in muted]
    for some, then in (
        (notified, _who_is_notified(place)),
        (muted, tr("Muted: nobody is notified before the mute ends.")),
    ):
        if some:
            keys = listed([each.key for each in some])
            say(tr("Acknowledged until it is resolved: {keys}.[ {then}]", keys=keys, then=then))


def _not_open(pattern: str, keys: Sequence[str]) -> str:
    """Return that an alert is not open, what a person may have meant, and what is open."""
    shown = shortened(pattern, 100)
    if not keys:
        return tr("{pattern} is not open; no alert is open", pattern=shown)
    meant = (each for each in near_keys(pattern, keys) if any(matches(each, key) for key in keys))
    near = tuple(each for each in meant if _is_near(pattern.split("/"), each.split("/")))
    return tr(
        '{pattern} is not open[; did you mean "{near}"?]; open are: {keys}',
        pattern=shown,
        near=nearest(pattern, near),
        keys=listed(keys),
    )


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
    near = nearest(pattern, near_keys(pattern, possible))
    message = mark(
        "this config cannot raise an alert {pattern}. To see open alerts, run: {tallyd} alerts. To mute it "
        "anyway, add --even-if-unknown"
    )
    if near:
        message = mark(
            'this config cannot raise an alert {pattern}; did you mean "{near}"? To mute it anyway, add '
            "--even-if-unknown"
        )
    return tr(message, pattern=pattern, near=near)


def _who_is_notified(place: Place) -> str:
    if place.config is not None and not place.config.settings.channels:
        return ""
    if holder(place.folder / "lock") is None:
        return tr("The channels will be notified when tallyd runs.")
    return tr("The channels will be notified.")

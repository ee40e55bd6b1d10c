"""`tallyd alerts`: open alerts, notified channels, and mutes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from shlex import quote
from typing import Final
from zoneinfo import ZoneInfo

from tallyd.adapters.state import State, StateError
from tallyd.cli.shared import Place, find_state, has_state, utc_now, wrong_usage
from tallyd.config.model import Config
from tallyd.config.reload import read_note
from tallyd.core.alerts.acknowledgement import acknowledgement_json
from tallyd.core.alerts.daemon_alerts import NETWORK
from tallyd.core.alerts.mutes import Mute, mute_of
from tallyd.core.alerts.notice_text import mute_text
from tallyd.core.alerts.notices import AlertPolicy, Notified
from tallyd.core.alerts.rules import Alert
from tallyd.core.alerts.values import At, Wording
from tallyd.core.alerts.wording import said
from tallyd.core.errors import EXIT_OK, EXIT_PROBLEM
from tallyd.core.language.formats import grouped
from tallyd.core.language.languages import reading_in
from tallyd.core.language.messages import mark, tr, translated, translation
from tallyd.core.naming import key_segments, local_text
from tallyd.core.out_document import problem_json
from tallyd.core.reading import Json
from tallyd.core.texts import items_text, visible
from tallyd.presentation.invocation import called_here
from tallyd.presentation.terminal import complain, say, show_json, show_table
from tallyd.settings.types import did_you_mean

NOT_YET: Final = mark("not yet an alert")


def open_state(place: Place) -> State:
    """Open the state. Raises `FileNotFoundError` if there is none yet, and `StateError`."""
    if not has_state(place.at):
        raise FileNotFoundError(place.at)
    return State(place.at)


def zone_of(place: Place, state: State) -> ZoneInfo:
    """Return the zone of the config, or of the active config if the file is broken."""
    if place.config is not None:
        return place.config.zone
    note = read_note(state)
    return note.zone if note else ZoneInfo("UTC")


@dataclass(frozen=True, kw_only=True)
class _Picture:
    """The first alerts (of a group), how many there are, and what is known about each."""

    config: Config | None
    zone: tzinfo
    found: tuple[Alert, ...]
    standing: int
    group: str
    is_network_down: bool
    notified: Mapping[tuple[str, str], Notified]
    mutes: tuple[Mute, ...]
    now: datetime

    def alert_policy_of(self, key: str) -> AlertPolicy:
        """Return the alert policy of a key; without a config, its channels are those that were notified."""
        if self.config is not None:
            return self.config.alert_policy_of(key)
        channels = sorted(channel for channel, its_key in self.notified if its_key == key)
        return AlertPolicy(channels=tuple(channels), zone=self.zone, tallyd=called_here())

    def wording(self, alert: Alert) -> Wording:
        """Return the wording of an alert's text now."""
        return self.alert_policy_of(alert.key).wording(self.now)

    def waits_for_network(self, alert: Alert) -> bool:
        """Whether nobody is notified of an alert while the network is down."""
        return self.is_network_down and self.config is not None and alert.key in self.config.hosts

    def up_to_date(self, alert: Alert) -> dict[str, Notified]:
        """Return the channels that have received the current version of the alert."""
        policy = self.alert_policy_of(alert.key)
        names = (*policy.channels, *policy.further_channels)
        pairs = ((name, self.notified.get((name, alert.key))) for name in names)
        return {name: each for name, each in pairs if each is not None and each.version == alert.version}


def place_of(path: Path) -> Place:
    """Return where the state is. Muting also works while the config is rejected. Raises `ConfigError`."""
    place = find_state(path)
    if place.trouble:
        with reading_in(place.language):
            text = tr("{trouble}; showing the active config", trouble=translated(place.trouble))
        complain(text, style="warning")
    return place


def members_of(place: Place, group: str) -> Callable[[str], bool]:
    """Return whether a key is about a group of targets or sources; `group` empty: any key is.

    Ends the command with status 2 if no poller has such a group.
    """
    if not group:
        return lambda _key: True
    pollers = place.config.settings.pollers if place.config else {}
    known = {name: poller.group_members() for name, poller in pollers.items()}
    names = tuple(dict.fromkeys(each for groups in known.values() for each in groups))
    if group not in names:
        there_are = f"; there is: {', '.join(names)}" if names else "; no poller has one"
        hint = did_you_mean(group, names) or there_are
        wrong_usage(f'there is no group "{visible(group)}" in the config{hint}')
    members = {(poller, each) for poller, groups in known.items() for each in groups.get(group, ())}
    return lambda key: key_segments(key)[:2] in members


def alerts(path: Path, *, group: str = "", most: int, as_json: bool) -> int:
    """Show the open alerts (in text at most `most`), the notified channels, and the mutes.

    `group` empty: all. Returns the exit status.
    """
    place = place_of(path)
    is_member = members_of(place, group)
    with reading_in("en" if as_json else place.language):
        return _alerts(place, is_member, group=group, most=most, as_json=as_json)


def _alerts(place: Place, is_member: Callable[[str], bool], *, group: str, most: int, as_json: bool) -> int:
    now = utc_now()
    try:
        with closing(open_state(place)) as state:
            standing = sum(map(len, state.alerts.standing_keys()))
            found = state.alerts.standing(most=None if as_json or group else most)
            if group:
                found = tuple(alert for alert in found if is_member(alert.key))
                standing, found = len(found), found if as_json else found[:most]
            picture = _Picture(
                config=place.config,
                zone=zone_of(place, state),
                found=found,
                standing=standing,
                group=group,
                is_network_down=NETWORK.key in state.alerts.standing_keys()[0],
                notified=state.notifications.notified(),
                mutes=tuple(mute for mute in state.notifications.mutes() if mute.is_in_force(now)),
                now=now,
            )
    except (StateError, FileNotFoundError) as error:
        return no_state(error)
    if as_json:
        open_ones: list[Json] = [_alert_json(alert, picture) for alert in picture.found if alert.is_open]
        mutes: list[Json] = [mute_json(mute, picture.zone) for mute in picture.mutes]
        show_json({"alerts": open_ones, "mutes": mutes})
        return EXIT_OK
    _show(picture)
    return EXIT_OK


def no_state(error: StateError | FileNotFoundError) -> int:
    """Print why the state cannot be read; return the exit status."""
    if isinstance(error, FileNotFoundError):
        text = tr("tallyd has not run with this config yet ({database} does not exist)", database=error)
    else:
        text = translated(str(error))
    complain(f"tallyd: {text}")
    return EXIT_PROBLEM


def _show(picture: _Picture) -> None:
    open_ones = [alert for alert in picture.found if alert.is_open]
    if not open_ones:
        say(tr("No open alert."), style="fine")
    for alert in open_ones:
        wording = picture.wording(alert)
        text = tr(
            "{severity} since {since}: {text}",
            severity=translation(alert.severity),
            since=wording.shown(At(alert.since)),
            text=said(alert, wording),
        )
        say(text, style=alert.severity)
    if open_ones:
        say()
        rows = [
            (alert.key, translation(alert.severity), _notified_text(alert, picture)) for alert in open_ones
        ]
        headings = (tr("key"), tr("severity"), tr("notified"))
        show_table(headings, rows, prose=frozenset({2}), see=tr("--wide, or --json"))
        say_how_to_mute()
    for alert in picture.found:
        if alert.is_waiting:
            text = said(alert, picture.wording(alert))
            shown = tr("{kind}: {text} [[{key}]]", kind=translation(NOT_YET), text=text, key=alert.key)
            say(shown, style="quiet")
    say_left_out(picture.standing, shown=len(picture.found), group=picture.group)
    for mute in picture.mutes:
        say(mute_text(mute, picture.zone, now=picture.now), style="quiet")


def say_how_to_mute() -> None:
    """Say the command that mutes one of the alerts shown."""
    say(tr("Mute one of them: {tallyd} mute KEY --for 2h"), style="quiet")


def say_left_out(count: int, *, shown: int, group: str = "") -> None:
    """Say how many of `count` alerts (of a group) are not shown, and how to see them; nothing if all are."""
    if count > shown:
        options = f"{f'--group {quote(group)} ' if group else ''}--most {count}"
        text = tr(
            "{left} more not shown. To see all {count}: {tallyd} alerts {options}",
            left=grouped(count - shown),
            count=grouped(count),
            options=options,
        )
        say(text, style="quiet")


def _escalates_at(alert: Alert, picture: _Picture) -> dict[str, datetime]:
    """Return when further channels will be notified if the alert stays open and nobody acknowledges it."""
    heard = picture.up_to_date(alert)
    further = picture.alert_policy_of(alert.key).further_channels
    return {
        name: alert.raised_at + timedelta(seconds=after_s)
        for name, after_s in further.items()
        if alert.raised_at and not alert.acknowledged and name not in heard
    }


def _notified_text(alert: Alert, picture: _Picture) -> str:
    mute, policy = mute_of(alert.key, picture.mutes, now=picture.now), picture.alert_policy_of(alert.key)
    heard, ack, shown = picture.up_to_date(alert), alert.acknowledged, policy.wording(picture.now).shown
    if picture.waits_for_network(alert):
        return tr("waits for {key}", key=NETWORK.key)
    parts = [tr("acknowledged {how}", how=ack.text(policy.zone, now=picture.now))] if ack else []
    parts += [tr("muted until {until}", until=shown(At(mute.until)))] if mute else []
    parts += [f"{name} {shown(At(each.at))}" for name, each in heard.items()]
    if not mute:
        parts += [tr("{channel} not yet", channel=name) for name in policy.channels if name not in heard]
        parts += [
            tr("{channel} not before {at}", channel=name, at=shown(At(at)))
            for name, at in _escalates_at(alert, picture).items()
        ]
    return items_text(parts) or tr("no channel")


def _alert_json(alert: Alert, picture: _Picture) -> dict[str, Json]:
    alert_policy, heard = picture.alert_policy_of(alert.key), picture.up_to_date(alert)
    mute = mute_of(alert.key, picture.mutes, now=picture.now)
    return {
        **problem_json(alert, picture.wording(alert)),
        "notified": {name: local_text(each.at, alert_policy.zone) for name, each in heard.items()},
        "not_told": [name for name in alert_policy.channels if name not in heard],
        "waits_for": NETWORK.key if picture.waits_for_network(alert) else None,
        "escalates_at": {
            name: local_text(at, alert_policy.zone) for name, at in _escalates_at(alert, picture).items()
        },
        "muted_until": local_text(mute.until, alert_policy.zone) if mute else None,
        "acknowledged": acknowledgement_json(alert.acknowledged, alert_policy.zone),
    }


def mute_json(mute: Mute, zone: tzinfo) -> dict[str, Json]:
    """Return a mute as `status --json` and `alerts --json` show it."""
    return {
        "pattern": mute.pattern,
        "since": local_text(mute.since, zone),
        "until": local_text(mute.until, zone),
        "why": mute.why,
        "by": mute.by,
    }

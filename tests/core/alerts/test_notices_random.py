"""Random histories of readings, acknowledgements, outages, quiet hours, mutes and restarts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from core.alerts.test_notices import KEY, OTHER, Heard, Player
from tallyd.core.alerts.daemon_alerts import NETWORK
from tallyd.core.alerts.notices import Escalation
from tallyd.core.alerts.rules import Alert, Rules

CHANNELS = ("ops", "phone")
CHIEF = "chief"
"""Notified of what stays open and nobody works on."""
ESCALATE = timedelta(hours=3)
REMIND = timedelta(hours=2)


@dataclass(frozen=True)
class Hour:
    """One step of a history."""

    readings: dict[str, str]
    down: frozenset[str]
    quiet: bool
    muted: bool
    network: bool
    restart: bool
    lasts: timedelta


letters = st.sampled_from("GGGBBBWWAfU-KK")
hours = st.builds(
    Hour,
    readings=st.fixed_dictionaries({KEY: letters, OTHER: letters}),
    down=st.frozensets(st.sampled_from((*CHANNELS, CHIEF))),
    quiet=st.booleans(),
    muted=st.booleans(),
    network=st.booleans(),
    restart=st.integers(0, 7).map(lambda number: number == 0),
    lasts=st.sampled_from([timedelta(minutes=5), timedelta(hours=1), timedelta(hours=10)]),
)
players = st.builds(
    lambda raise_after, resolve_after, reminds: Player(
        Rules(raise_after, resolve_after),
        remind_every_s=REMIND.total_seconds() if reminds else None,
        channels=CHANNELS,
        escalate=(Escalation(ESCALATE.total_seconds(), (CHIEF,)),),
    ),
    st.integers(1, 3),
    st.integers(1, 3),
    st.booleans(),
)


def take(player: Player, hour: Hour) -> list[Heard]:
    """Take one step; return what was heard."""
    return player.step(
        hour.readings,
        down=hour.down,
        quiet=hour.quiet,
        muted=hour.muted,
        network=hour.network,
        lasts=hour.lasts,
    )


def play(player: Player, history: list[Hour]) -> None:
    """Play a history, then a day in which nothing is found and nothing holds anything back."""
    for hour in history:
        take(player, hour)
        if hour.restart:
            player.restart()
    player.step({}, lasts=timedelta(days=1))


def play_to_the_end(player: Player, history: list[Hour]) -> None:
    """Play a history, then so many good readings that everything is over."""
    play(player, history)
    for _ in range(player.rules.resolve_after):
        player.step({KEY: "G", OTHER: "G"})


@given(player=players, history=st.lists(hours, max_size=30))
def test_no_channel_is_notified_of_the_same_twice_and_reminders_keep_their_distance(
    player: Player, history: list[Hour]
) -> None:
    play_to_the_end(player, history)
    notified: dict[tuple[str, str, int], set[int]] = {}
    last: dict[tuple[str, str, int], datetime] = {}
    for heard in player.heard:
        name = (heard.channel, heard.notice.alert.key, heard.life)
        versions = notified.setdefault(name, set())
        if heard.notice.news == "reminder":
            assert player.remind_every_s is not None
            assert heard.notice.alert.acknowledged is None
            assert heard.notice.alert.version in versions
            assert heard.at - last[name] >= REMIND
        else:
            assert heard.notice.alert.version > max(versions, default=0)
        versions.add(heard.notice.alert.version)
        last[name] = heard.at


@given(player=players, history=st.lists(hours, max_size=30))
def test_no_channel_hears_the_end_of_what_was_never_raised_and_nobody_else_hears_what_is_unwatched(
    player: Player, history: list[Hour]
) -> None:
    play_to_the_end(player, history)
    raised = {(key, life) for key, life, _ in player.raised}
    begun: set[tuple[str, str, int]] = set()
    for heard in player.heard:
        key = heard.notice.alert.key
        assert (key, heard.life) in raised
        if heard.notice.alert.is_open:
            begun.add((heard.channel, key, heard.life))
        if heard.notice.news == "unwatched":
            assert (heard.channel, key, heard.life) in begun
    for channel in CHANNELS:
        for key in (KEY, OTHER):
            assert sum(map(is_end, heard_by(player, channel, key))) <= player.closings[key]


def heard_by(player: Player, channel: str, key: str) -> list[Heard]:
    return [each for each in player.heard if (each.channel, each.notice.alert.key) == (channel, key)]


def is_end(heard: Heard) -> bool:
    return heard.notice.news in ("over", "unwatched")


@given(player=players, history=st.lists(hours, max_size=30))
def test_a_channel_that_comes_back_knows_what_is_open_and_in_the_end_how_everything_ended(
    player: Player, history: list[Hour]
) -> None:
    play(player, history)
    for key, alert in player.alerts.items():
        for channel in CHANNELS:
            known = heard_by(player, channel, key)
            if alert.is_open:
                last = known[-1].notice
                assert last.alert.version == alert.version
                assert last.news in ("begins", "acknowledged", "reminder")
    play_to_the_end(player, [])
    for key, life, version in player.raised:
        for channel in CHANNELS:
            versions = [
                each.notice.alert.version for each in heard_by(player, channel, key) if each.life == life
            ]
            versions += [each[3] for each in player.suppressed if each[:3] == (channel, key, life)]
            assert max(versions, default=0) >= version or (key, life) in player.excused
    for channel in (*CHANNELS, CHIEF):
        for key in (KEY, OTHER):
            known = heard_by(player, channel, key)
            assert not known or is_end(known[-1]), "no channel is left with what is over"


@given(player=players, history=st.lists(hours, max_size=30))
def test_the_further_channel_knows_what_stays_open_and_nobody_works_on_and_no_other_begin(
    player: Player, history: list[Hour]
) -> None:
    for hour in history:
        heard = take(player, hour)
        if hour.restart:
            player.restart()
        for each in heard:
            alert = each.notice.alert
            if each.notice.news == "escalated":
                assert each.channel == CHIEF
                assert is_long_open(alert, each.at)
        for alert in player.alerts.values():
            if alert.is_open and is_long_open(alert, player.now):
                assert is_known(player, CHIEF, alert, hour)
    play_to_the_end(player, [])
    begun: set[tuple[str, int]] = set()
    for each in player.heard:
        if each.channel == CHIEF:
            name = each.notice.alert.key, each.life
            assert name in begun or each.notice.news == "escalated"
            begun.add(name)


@given(player=players, history=st.lists(hours, max_size=30))
def test_no_open_alert_is_without_a_hearer_and_no_end_is_held(player: Player, history: list[Hour]) -> None:
    for hour in history:
        known_before = {name for name, each in player.notified.items() if each.is_open}
        heard = take(player, hour)
        ended = {(each.channel, each.notice.alert.key) for each in heard if is_end(each)}
        for alert in player.alerts.values():
            for channel in CHANNELS:
                if alert.is_open:
                    assert is_known(player, channel, alert, hour)
                elif alert.over_at is not None and (channel, alert.key) in known_before:
                    is_free = channel not in hour.down and not is_held_back(alert, hour)
                    assert not is_free or (channel, alert.key) in ended


def is_held_back(alert: Alert, hour: Hour) -> bool:
    is_muted = hour.muted and alert.key != NETWORK.key
    return is_muted or (hour.quiet and alert.severity == "warning")


def is_known(player: Player, channel: str, alert: Alert, hour: Hour) -> bool:
    """Whether a channel knows an alert, or its cause, unless it cannot or must not."""
    if channel in hour.down or is_held_back(alert, hour):
        return True
    notified = player.notified.get((channel, alert.key))
    if notified is not None and notified.version == alert.version:
        return True
    cause, of_cause = player.alerts.get(NETWORK.key), player.notified.get((channel, NETWORK.key))
    return bool(cause and cause.is_open and of_cause and of_cause.version == cause.version)


def is_long_open(alert: Alert, now: datetime) -> bool:
    return alert.raised_at is not None and now - alert.raised_at >= ESCALATE and alert.acknowledged is None


@given(player=players, history=st.lists(hours, max_size=30))
def test_once_everybody_has_heard_nothing_is_kept(player: Player, history: list[Hour]) -> None:
    play_to_the_end(player, history)
    assert player.alerts == {}
    assert player.notified == {}


@given(player=players, history=st.lists(hours, max_size=30))
def test_the_version_of_a_key_grows_with_each_begin_and_end_and_never_shrinks(
    player: Player, history: list[Hour]
) -> None:
    before: dict[tuple[str, int], Alert] = {}
    for hour in history:
        take(player, hour)
        for key, alert in player.alerts.items():
            name = (key, player.lives.get(key, 0))
            was = before.get(name)
            if was is not None:
                assert alert.version >= was.version
                assert alert.version > was.version or (alert.raised_at, alert.over_at) == (
                    was.raised_at,
                    was.over_at,
                )
            before[name] = alert

"""Sequences of readings, and what a channel hears: each reading is one step of an hour, and one look.

Readings: G good, B bad (an error), W bad (a warning), A bad and urgent, f a try that failed and
is done again, U no longer configured, - none, K none, but somebody acknowledges what is open. Notices: r
begins, e escalated, k acknowledged, m reminder, R over, L over before it could be sent, u no longer watched,
. nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tallyd.adapters.state import State
from tallyd.core.alerts.daemon_alerts import NETWORK
from tallyd.core.alerts.dependencies import is_held, network_down
from tallyd.core.alerts.mutes import Mute
from tallyd.core.alerts.notices import (
    AlertPolicy,
    Escalation,
    Notice,
    Notified,
    OwnText,
    is_to_be_suppressed,
    mute_notice_for,
    notice_for,
)
from tallyd.core.alerts.rules import Alert, Observations, Rules, acknowledge, evaluate
from tallyd.core.alerts.snapshot import Snapshot
from tallyd.core.alerts.values import At, Span
from tallyd.core.alerts.wording import said, said_of_end
from tallyd.core.reading import Problem
from tallyd.core.schedule.hours import Hours

START = datetime(2026, 11, 20, 7, 0, tzinfo=UTC)
STEP = timedelta(hours=1)
KEY, OTHER = "divera/50101/below", "divera/count/failed"
ALWAYS = Hours(frozenset(range(7)), time(0), time(0))


@dataclass(frozen=True)
class Heard:
    """What a channel heard, when, and in which life of the key: it begins anew once it was forgotten."""

    channel: str
    notice: Notice
    at: datetime
    life: int

    @property
    def letter(self) -> str:
        letters = {
            "begins": "r",
            "escalated": "e",
            "acknowledged": "k",
            "reminder": "m",
            "over": "R",
            "unwatched": "u",
        }
        return "L" if self.notice.is_late else letters[self.notice.news]


@dataclass
class Player:
    """Rules, notices, deliveries and forgetting in the order in which the daemon has them."""

    rules: Rules = field(default_factory=Rules)
    remind_every_s: float | None = None
    channels: tuple[str, ...] = ("ops",)
    escalate: tuple[Escalation, ...] = ()
    now: datetime = START - STEP
    alerts: dict[str, Alert] = field(default_factory=dict)
    notified: dict[tuple[str, str], Notified] = field(default_factory=dict)
    heard: list[Heard] = field(default_factory=list)
    lives: dict[str, int] = field(default_factory=dict)
    raised: list[tuple[str, int, int]] = field(default_factory=list)
    """Key, life and version of each that was raised or grew worse."""
    closings: Counter[str] = field(default_factory=Counter)
    muted_since: datetime | None = None
    excused: set[tuple[str, int]] = field(default_factory=set)
    """Key and life of what was forgotten while muted, or because nobody watches it."""
    suppressed: set[tuple[str, str, int, int]] = field(default_factory=set)
    """Channel, key, life and version of what began and ended while muted, and is kept for another channel."""

    def step(
        self,
        readings: Mapping[str, str],
        *,
        down: Iterable[str] = (),
        quiet: bool = False,
        muted: bool = False,
        network: bool = False,
        lasts: timedelta = STEP,
    ) -> list[Heard]:
        """Take one reading of each key and look once; return what was heard."""
        self.now += lasts
        for key, letter in readings.items():
            self._read(key, letter)
        self._find_network(is_down=network)
        self.muted_since = (self.muted_since or self.now) if muted else None
        before = len(self.heard)
        snapshot = self._snapshot(quiet=quiet)
        for channel in snapshot.channels:
            if channel not in down:
                self._notify(channel, snapshot)
        self._suppress(snapshot)
        self._forget(self._snapshot(quiet=quiet))
        return self.heard[before:]

    def _snapshot(self, *, quiet: bool) -> Snapshot:
        """Return all there is now, for channels that hear of every mute of their own."""
        policy = AlertPolicy(
            channels=self.channels,
            escalate=self.escalate,
            remind_every_s=self.remind_every_s,
            quiet=(ALWAYS,) if quiet else (),
        )
        since = self.muted_since
        until = self.now + STEP
        mute = Mute(pattern="divera/*", since=since or self.now, until=until, why="", by="")
        return Snapshot(
            alerts=dict(self.alerts),
            notified=dict(self.notified),
            mutes=(mute,) if since else (),
            now=self.now,
            channels={*self.channels, *(channel for step in self.escalate for channel in step.channels)},
            dependent=(KEY, OTHER),
            alert_policy_of=lambda _key: policy,
            channels_of_pattern=lambda _pattern: set(),
        )

    def _read(self, key: str, letter: str) -> None:
        if letter == "-":
            return
        if letter == "K":
            known = self.alerts.get(key)
            if known is not None and known.is_open:
                self.alerts[key] = acknowledge(known, by="anna", why="", now=self.now)
            return
        problem = Problem(
            key=key,
            text="bad",
            over="good",
            since=self.now,
            severity="warning" if letter == "W" else "error",
            at_once=letter == "A",
        )
        observations = Observations(
            named=(problem,) if letter in "BWAf" else (),
            may_resolve=key.__eq__,
            now=self.now,
            rules=self.rules,
            counts=letter != "f",
            is_unwatched=letter == "U",
        )
        evaluation = evaluate(self.alerts, observations)
        self.raised += [(key, self.lives.get(key, 0), alert.version) for alert in evaluation.raised]
        self.closings.update(alert.key for alert in evaluation.closed)
        self.alerts |= {alert.key: alert for alert in evaluation.changed}
        for gone in evaluation.gone:
            del self.alerts[gone]

    def _find_network(self, *, is_down: bool) -> None:
        """Find that the network is down; both keys depend on it."""
        found = (NETWORK.problem("tallyd", since=self.now),) if is_down else ()
        observations = Observations(named=found, may_resolve=NETWORK.key.__eq__, now=self.now)
        evaluation = evaluate(self.alerts, observations)
        self.raised += [
            (alert.key, self.lives.get(alert.key, 0), alert.version) for alert in evaluation.raised
        ]
        self.closings.update(alert.key for alert in evaluation.closed)
        self.alerts |= {alert.key: alert for alert in evaluation.changed}

    def _notify(self, channel: str, snapshot: Snapshot) -> None:
        for notice in snapshot.notices(channel):
            key = notice.alert.key
            self.heard.append(Heard(channel, notice, self.now, self.lives.get(key, 0)))
            self.notified[channel, key] = Notified(notice.alert.version, self.now, notice.alert.is_open)

    def _suppress(self, snapshot: Snapshot) -> None:
        found = snapshot.suppressed()
        self.notified |= found
        self.suppressed |= {
            (channel, key, self.lives.get(key, 0), each.version) for (channel, key), each in found.items()
        }

    def _forget(self, snapshot: Snapshot) -> None:
        for key, alert in snapshot.alerts.items():
            if alert.over_at is not None and snapshot.may_forget(alert, busy=()):
                life = self.lives.get(key, 0)
                if snapshot.is_suppressed(alert) or alert.is_unwatched:
                    self.excused.add((key, life))
                self.lives[key] = life + 1
                del self.alerts[key]
                self.notified = {name: notified for name, notified in self.notified.items() if name[1] != key}

    def restart(self) -> None:
        """Go on with what state.db gives back."""
        with TemporaryDirectory() as folder:
            path = Path(folder) / "state.db"
            with closing(State(path)) as state, state.together():  # one commit: each waits for the disk
                for alert in self.alerts.values():
                    state.alerts.put(alert)
                state.notifications.mark(self.notified)
            with closing(State(path)) as state:
                self.alerts, self.notified = dict(state.alerts.all()), dict(state.notifications.notified())


def played(
    player: Player,
    readings: str,
    spells: Mapping[str, str] | None = None,
    *,
    restarts: bool = False,
    channel: str = "ops",
) -> str:
    """Return what a channel is notified of; in the spells (down, quiet, muted) a space is: not now."""
    letters = ""
    for number, reading in enumerate(readings):
        on = {name for name, spell in (spells or {}).items() if spell[number : number + 1].strip()}
        heard = player.step(
            {KEY: reading},
            down=(channel,) if "down" in on else (),
            quiet="quiet" in on,
            muted="muted" in on,
            network="network" in on,
        )
        letters += (
            "".join(each.letter for each in heard if each.channel == channel and each.notice.alert.key == KEY)
            or "."
        )
        if restarts:
            player.restart()
    return letters


RESTARTS = pytest.mark.parametrize("restarts", [False, True], ids=["one life", "restart after each"])


@RESTARTS
@pytest.mark.parametrize(
    ("raise_after", "resolve_after", "readings", "notified"),
    [
        pytest.param(1, 1, "GBBBG", ".r..R", id="once at its begin, once at its end"),
        pytest.param(1, 1, "BGBGBG", "rRrRrR", id="each time anew"),
        pytest.param(2, 2, "BBGBGG", ".r...R", id="two and two"),
        pytest.param(2, 2, "BGBGBGBG", "........", id="flapping is not notified"),
        pytest.param(2, 2, "BBGBGBGBGBB", ".r.........", id="nor is flapping while it is open"),
        pytest.param(3, 1, "BBGBBBG", ".....rR", id="three in a row"),
        pytest.param(1, 3, "BGGBGGG", "r.....R", id="three good ones in a row"),
        pytest.param(2, 1, "BBGBGBBG", ".rR...rR", id="what is over waits anew"),
        pytest.param(5, 1, "AG", "rR", id="at once"),
        pytest.param(5, 2, "BAGG", ".r.R", id="at once after it waited"),
        pytest.param(1, 1, "fffG", "....", id="tries that were made up for"),
        pytest.param(2, 1, "fffBfB", ".....r", id="tries count for nothing"),
        pytest.param(1, 1, "BffG", "r..R", id="tries end nothing"),
        pytest.param(1, 1, "B--G--", "r..R..", id="time alone says nothing"),
        pytest.param(1, 1, "WBBG", "rr.R", id="grows worse"),
        pytest.param(1, 1, "BWG", "r.R", id="grows milder"),
        pytest.param(1, 1, "BWBG", "r..R", id="grows as bad again as it was"),
        pytest.param(3, 1, "WBW", "..r", id="severities wait together"),
        pytest.param(1, 9, "BU", "ru", id="no longer configured"),
        pytest.param(1, 9, "BGU", "r.u", id="no longer configured, while good"),
        pytest.param(2, 1, "BU-", "...", id="no longer configured, never notified"),
        pytest.param(1, 1, "BUB", "rur", id="configured again"),
        pytest.param(1, 1, "GU", "..", id="no longer configured, never bad"),
    ],
)
def test_it_is_notified_when_it_begins_and_when_it_is_over(
    raise_after: int, resolve_after: int, readings: str, notified: str, restarts: bool
) -> None:
    player = Player(Rules(raise_after, resolve_after))
    assert played(player, readings, restarts=restarts) == notified


@RESTARTS
@pytest.mark.parametrize(
    ("readings", "notified"),
    [
        pytest.param("BBBBBBBG", "r..m..mR", id="every three hours while it goes on"),
        pytest.param("WWBBBBBG", "r.r..m.R", id="from the last word on"),
        pytest.param("BBBGBBBB", "r..Rr..m", id="from the last begin on"),
        pytest.param("B------", "r..m..m", id="without a reading, too"),
    ],
)
def test_it_is_reminded_of(readings: str, notified: str, restarts: bool) -> None:
    assert played(Player(remind_every_s=3 * 3600), readings, restarts=restarts) == notified


@RESTARTS
@pytest.mark.parametrize(
    ("readings", "down", "notified"),
    [
        pytest.param("BBKBBBBBG", "", "r.k.....R", id="no reminder any more, and the end"),
        pytest.param("BKGBBB", "", "rkRr.m", id="the next one is not acknowledged"),
        pytest.param("BGK-", "", "rR..", id="what is resolved cannot be"),
        pytest.param("K-B", "", "..r", id="nor what is not open"),
        pytest.param("WKBBBG", "", "rkr..R", id="worse than before"),
        pytest.param("BK--G", "dd ", "..r.R", id="a channel that was down when it began"),
        pytest.param("BK--G", " dd ", "r..kR", id="a channel that was down when it was acknowledged"),
        pytest.param("WBK-G", " dd ", "r..rR", id="a channel that did not hear that it got worse"),
        pytest.param("BKG-", " dd ", "r..R", id="resolved before it could be sent"),
    ],
)
def test_an_acknowledged_alert_sends_no_reminder_and_its_end(
    readings: str, down: str, notified: str, restarts: bool
) -> None:
    player = Player(remind_every_s=2 * 3600)
    assert played(player, readings, {"down": down}, restarts=restarts) == notified


@RESTARTS
@pytest.mark.parametrize(
    ("readings", "down", "notified"),
    [
        pytest.param("BBG", "d  ", ".rR", id="begins"),
        pytest.param("BGG", " d ", "r.R", id="ends"),
        pytest.param("BG--", "dd  ", "..L.", id="came and went"),
        pytest.param("BGBG--", "dddd  ", "....L.", id="came and went twice"),
        pytest.param("BGB-G", "ddd  ", "...rR", id="stands as at the end"),
        pytest.param("BGB-G", " d   ", "r.r.R", id="ended and began"),
        pytest.param("WB-G", "dd  ", "..rR", id="grew worse"),
        pytest.param("WBG-", " dd ", "r..R", id="grew worse and went"),
        pytest.param("BU--", "dd  ", "....", id="no longer configured, never notified"),
        pytest.param("BU--", " d  ", "r.u.", id="no longer configured"),
    ],
)
def test_a_channel_that_was_down_hears_how_things_stand(
    readings: str, down: str, notified: str, restarts: bool
) -> None:
    assert played(Player(), readings, {"down": down}, restarts=restarts) == notified


@pytest.mark.parametrize(
    ("hour", "news"),
    [
        pytest.param(9, "reminder", id="inside"),
        pytest.param(18, None, id="outside"),
        pytest.param(32, "reminder", id="inside again"),
    ],
)
def test_a_reminder_waits_for_the_active_hours(hour: int, news: str | None) -> None:
    day = Hours(frozenset(range(7)), time(8), time(18))
    begun = START.replace(hour=8)
    now, notified = START.replace(hour=0) + timedelta(hours=hour), Notified(1, begun)
    alert = Alert(key=KEY, text="bad", since=begun, raised_at=begun, version=1)
    for active, expected in (((day,), news), ((), "reminder")):
        alert_policy = AlertPolicy(channels=("ops",), remind_every_s=1.0, active=active)
        found = notice_for(alert, "ops", notified, alert_policy, is_muted=False, now=now)
        assert (found and found.news) == expected


@RESTARTS
@pytest.mark.parametrize(
    ("readings", "network", "notified"),
    [
        pytest.param("BBBB", "nn  ", "..r.", id="still open at its end"),
        pytest.param("BBGG", "nnn ", "....", id="ends while the network is down"),
        pytest.param("BBGG", "nn  ", "....", id="ends together with it"),
        pytest.param("BBBG", "nn  ", "..rR", id="ends after it"),
        pytest.param("BGBG", "nnnn", "....", id="comes and goes twice"),
        pytest.param("BBGG", " nnn", "r.R.", id="known before: its end is never held"),
        pytest.param("BBBB", " nn ", "r..m", id="known before: no reminder meanwhile"),
        pytest.param("BGBB", " nn ", "rR.r", id="known before, and it begins again"),
        pytest.param("BUB-", "nn  ", "..r.", id="no longer watched"),
        pytest.param("BKBG", "nn  ", "..rR", id="acknowledged meanwhile"),
    ],
)
def test_while_the_network_is_down_nothing_is_said_of_single_machines(
    readings: str, network: str, notified: str, restarts: bool
) -> None:
    player = Player(remind_every_s=2 * 3600)
    assert played(player, readings, {"network": network}, restarts=restarts) == notified


HOSTS = {"apps/A/unreachable": "a.example", "apps/B/unreachable": "b.example"}
ASLEEP = {"apps/asleep/unreachable": "c.example"}


def open_alert(key: str, *, hours: int = 0, **changes: object) -> Alert:
    at = START + hours * STEP
    return replace(Alert(key=key, text="bad", since=at, raised_at=at, version=1), **changes)  # type: ignore[arg-type] # any


@pytest.mark.parametrize(
    ("hosts", "changes", "is_down"),
    [
        pytest.param(HOSTS, {}, True, id="all of two"),
        pytest.param({}, {}, False, id="of none"),
        pytest.param({**HOSTS, "apps/B/unreachable": "a.example"}, {}, False, id="one machine"),
        pytest.param({**HOSTS, "apps/C/unreachable": "c.example"}, {}, False, id="one answers"),
        pytest.param(HOSTS, {"fields": {"answered": "500"}}, False, id="an error is an answer"),
        pytest.param(HOSTS, {"over_at": START + 2 * STEP}, False, id="one answers again"),
        pytest.param(HOSTS, {"raised_at": None, "bad": 1}, True, id="one is not yet an alert"),
        pytest.param(HOSTS, {"raised_at": None}, False, id="one has no reading that counts"),
        pytest.param({**HOSTS, **ASLEEP}, {}, True, id="one is outside its hours"),
        pytest.param({"apps/A/unreachable": "a", **ASLEEP}, {}, False, id="only one is known"),
    ],
)
def test_the_network_is_down_if_no_other_machine_answers(
    hosts: dict[str, str], changes: dict[str, object], is_down: bool
) -> None:
    first, second = HOSTS
    alerts = {first: open_alert(first), second: open_alert(second, hours=1, **changes)}
    found = network_down(hosts, alerts, is_active=lambda key: "asleep" not in key)
    assert [(each.key, each.since) for each in found] == [("tallyd/network", START + STEP)][:is_down]


def test_while_nothing_is_an_alert_yet_the_network_is_not_down() -> None:
    alerts = {key: open_alert(key, raised_at=None, bad=1) for key in HOSTS}
    assert network_down(HOSTS, alerts, is_active=lambda _key: True) == ()


CAUSE = Alert(key=NETWORK.key, text="no network", since=START + STEP, raised_at=START + STEP, version=1)
KNOWN, UNKNOWN = Notified(1, START + STEP), None


@pytest.mark.parametrize(
    ("begins", "ends", "notified", "cause_ends", "is_held_back"),
    [
        pytest.param(1, None, UNKNOWN, None, True, id="open"),
        pytest.param(1, None, KNOWN, None, True, id="open and known: no reminder"),
        pytest.param(1, None, UNKNOWN, 3, False, id="open for longer than the cause"),
        pytest.param(1, 2, UNKNOWN, None, True, id="began and ended meanwhile"),
        pytest.param(1, 2, KNOWN, None, False, id="the end of what is known"),
        pytest.param(1, 2, Notified(1, START, is_open=False), None, True, id="its last end is known"),
        pytest.param(0, 2, UNKNOWN, None, False, id="began before"),
        pytest.param(1, 3, UNKNOWN, 3, True, id="ended together"),
        pytest.param(1, 4, UNKNOWN, 3, False, id="ended later"),
    ],
)
def test_what_has_a_cause_that_is_known_is_held_back(
    begins: int, ends: int | None, notified: Notified | None, cause_ends: int | None, is_held_back: bool
) -> None:
    over_at, cause_over_at = (None if each is None else START + each * STEP for each in (ends, cause_ends))
    alert = open_alert("apps/A/unreachable", hours=begins, over_at=over_at)
    assert is_held(alert, notified, replace(CAUSE, over_at=cause_over_at)) is is_held_back
    assert not is_held(alert, notified, None)


@pytest.mark.parametrize(
    ("ends", "notified", "is_noted"),
    [
        pytest.param(None, UNKNOWN, False, id="not over"),
        pytest.param(2, UNKNOWN, True, id="never heard of"),
        pytest.param(2, Notified(1, START), False, id="known as open: its end must be sent"),
        pytest.param(2, Notified(1, START, is_open=False), True, id="known as over, and it came again"),
        pytest.param(2, Notified(3, START, is_open=False), False, id="noted already"),
    ],
)
def test_that_an_end_needs_no_word_is_noted_once_and_never_of_what_is_known_as_open(
    ends: int | None, notified: Notified | None, is_noted: bool
) -> None:
    over_at = None if ends is None else START + ends * STEP
    alert = open_alert("apps/A/unreachable", over_at=over_at, version=3)
    assert is_to_be_suppressed(alert, notified) is is_noted


CHIEF = (Escalation(2 * 3600, ("chief",)), Escalation(4 * 3600, ("chief", "mayor")))


@RESTARTS
@pytest.mark.parametrize(
    ("readings", "spells", "notified"),
    [
        pytest.param("BBBBBG", {}, "..e..R", id="of what stays open, and of its end"),
        pytest.param("BBG---", {}, "......", id="of nothing that ends before"),
        pytest.param("BKBBBG", {}, "......", id="of nothing that somebody works on"),
        pytest.param("BBBKBG", {}, "..ek.R", id="who works on it"),
        pytest.param("WWWBBG", {}, "..er.R", id="that it got worse"),
        pytest.param("BBBGBG", {}, "..eR..", id="of the next one as late as of the first"),
        pytest.param("B-----", {}, "..e...", id="without a reading"),
        pytest.param("WWWWWG", {"quiet": "qqqq"}, "....eR", id="not in quiet hours"),
        pytest.param("BBBBBG", {"muted": "mmmm"}, "....eR", id="not while it is muted"),
        pytest.param("BBBBGB", {"down": "  d "}, "...eR.", id="when it is reachable"),
        pytest.param("BBBGBG", {"down": "   d "}, "..e.rR", id="it knows that it is open: at once"),
        pytest.param("BBBU--", {}, "..eu..", id="no longer watched"),
    ],
)
def test_a_further_channel_is_notified(
    readings: str, spells: dict[str, str], notified: str, restarts: bool
) -> None:
    player = Player(channels=("ops",), escalate=CHIEF)
    assert played(player, readings, spells, restarts=restarts, channel="chief") == notified


def test_of_several_steps_the_first_one_of_a_channel_counts() -> None:
    policy = AlertPolicy(channels=("ops",), escalate=(*reversed(CHIEF), Escalation(60, ("ops",))))
    assert policy.further_channels == {"chief": 7200, "mayor": 14400}


@pytest.mark.parametrize("hours", [-9000, 9000], ids=["raised at a time that lies far ahead", "years ago"])
def test_an_escalation_does_not_wait_for_a_clock_that_was_wrong(hours: int) -> None:
    player = Player(escalate=CHIEF)
    player.step({KEY: "B"})
    assert "chief" in {each.channel for each in player.step({KEY: "B"}, lasts=timedelta(hours=hours))}


@RESTARTS
@pytest.mark.parametrize(
    ("readings", "quiet", "notified"),
    [
        pytest.param("WWWW", "qqq ", "...r", id="a warning waits"),
        pytest.param("BBGG", "qqqq", "r.R.", id="an error does not"),
        pytest.param("WBWG", "qqqq", ".r..", id="grows to an error, ends as a warning"),
        pytest.param("WBG", "qqq", ".rR", id="grows to an error, ends as one"),
        pytest.param("WG--", "qqq ", "...L", id="came and went"),
        pytest.param("WGWG--", "qqqqq ", ".....L", id="came and went twice"),
        pytest.param("WWG--", " qqq ", "r...R", id="an end waits"),
        pytest.param("WU--", " qq ", "r..u", id="no longer configured"),
    ],
)
def test_quiet_hours_hold_warnings_back(readings: str, quiet: str, notified: str, restarts: bool) -> None:
    assert played(Player(), readings, {"quiet": quiet}, restarts=restarts) == notified


@RESTARTS
@pytest.mark.parametrize(
    ("readings", "muted", "notified"),
    [
        pytest.param("BG--", "mmm ", "....", id="came and went"),
        pytest.param("BGBG-", "mmmm ", ".....", id="came and went twice"),
        pytest.param("BBBG", "mm  ", "..rR", id="open at its end"),
        pytest.param("BBBB", " mm ", "r...", id="notified before, open at its end"),
        pytest.param("BBG--", " mmm ", "r...R", id="notified before, over while muted"),
        pytest.param("BGB-", " mm ", "r..r", id="notified before, over and raised while muted"),
        pytest.param("BU--", " mm ", "r..u", id="notified before, no longer configured"),
        pytest.param("WBB", "m  ", ".r.", id="worse at its end"),
    ],
)
def test_mutes_hold_everything_back(readings: str, muted: str, notified: str, restarts: bool) -> None:
    assert played(Player(), readings, {"muted": muted}, restarts=restarts) == notified


@pytest.mark.parametrize(
    ("spell", "notified"),
    [
        pytest.param({"quiet": " qqqq "}, "r....m", id="quiet"),
        pytest.param({"muted": " mmmm "}, "r....m", id="muted"),
        pytest.param({"down": " dddd "}, "r....m", id="down"),
    ],
)
def test_reminders_that_were_held_back_come_once(spell: dict[str, str], notified: str) -> None:
    assert played(Player(remind_every_s=2 * 3600), "WWWWWW", spell) == notified


@pytest.mark.parametrize(
    ("readings", "spell", "notified"),
    [
        pytest.param("BG-", "muted", "...", id="came and went while muted"),
        pytest.param("BU-", "down", "...", id="came and left the config while it was down"),
        pytest.param("BG-", "down", "..L", id="came and went while it was down"),
    ],
)
def test_what_is_kept_only_for_a_channel_that_is_down_changes_nothing_for_another(
    readings: str, spell: str, notified: str
) -> None:
    player = Player(channels=("ops", "phone"))
    heard = ""
    for number, reading in enumerate("BG" + readings):
        is_on = number in (2, 3)
        found = player.step(
            {KEY: reading},
            down=("ops", "phone") if is_on and spell == "down" else ("phone",),
            muted=is_on and spell == "muted",
        )
        heard += "".join(each.letter for each in found) or "."
    assert heard == "rR" + notified


def test_a_channel_that_is_down_delays_no_other() -> None:
    player = Player(channels=("ops", "phone"))
    heard = [player.step({KEY: reading}, down=("phone",)) for reading in "BG"] + [player.step({KEY: "-"})]
    assert [[(each.channel, each.letter) for each in step] for step in heard] == [
        [("ops", "r")],
        [("ops", "R")],
        [("phone", "L")],
    ]
    assert player.alerts == {}, "nothing is kept that everybody knows"


@pytest.mark.parametrize("hours", [-9000, 9000], ids=["notified at a time that lies far ahead", "years ago"])
def test_a_reminder_does_not_wait_for_a_clock_that_was_wrong(hours: int) -> None:
    player = Player(remind_every_s=12 * 3600)
    player.step({KEY: "B"})
    (heard,) = player.step({KEY: "B"}, lasts=timedelta(hours=hours))
    assert heard.letter == "m"


@pytest.mark.parametrize("seconds", [-2, -3600], ids=["by two seconds", "by an hour"])
def test_a_clock_that_is_set_back_repeats_nothing(seconds: int) -> None:
    player = Player(remind_every_s=12 * 3600)
    player.step({KEY: "B"})
    assert player.step({KEY: "B"}, lasts=timedelta(seconds=seconds)) == []


def test_a_channel_that_knows_of_another_version_than_there_is_is_notified() -> None:
    player = Player(notified={("ops", KEY): Notified(9, START)})
    assert played(player, "BBG") == "r.R"


def test_texts_of_the_config_take_the_place_of_those_of_their_kind() -> None:
    alert_policy = AlertPolicy(texts={"below": OwnText("nur {people}[ ({note})]", "genug seit {ended}")})
    problem = Problem(key=KEY, text="few", over="enough", since=START, fields={"people": 2})
    worded = alert_policy.worded(problem)
    wording = alert_policy.wording(START)
    assert said(worded, wording) == "nur 2"
    assert said(worded, wording, lasted=Span(3600)) == "still, after 1 h: nur 2"
    assert said_of_end(worded, wording, ended=At(START)) == "genug seit 07:00"
    other = replace(problem, key=OTHER)
    assert alert_policy.worded(other) == other


@pytest.mark.parametrize(
    ("own", "text", "over"),
    [(OwnText(text="nur"), "nur", "enough"), (OwnText(over="genug"), "few", "genug")],
    ids=["text", "over"],
)
def test_of_text_and_end_the_config_may_have_one_alone(own: OwnText, text: str, over: str) -> None:
    alert_policy = AlertPolicy(texts={"below": own})
    worded = alert_policy.worded(Problem(key=KEY, text="few", over="enough", since=START))
    assert (said(worded, alert_policy.wording(START)), worded.over) == (text, over)


def test_a_text_of_the_config_may_say_itself_that_it_is_a_reminder() -> None:
    alert_policy = AlertPolicy(texts={"below": OwnText("[immer noch, seit {lasted}: ]nur {people}")})
    worded = alert_policy.worded(Problem(key=KEY, text="few", since=START, fields={"people": 2}))
    assert said(worded, alert_policy.wording(START)) == "nur 2"
    assert said(worded, alert_policy.wording(START), lasted=Span(3600)) == "immer noch, seit 1 h: nur 2"


def test_a_text_tells_how_to_mute_its_problem_only_in_a_message() -> None:
    problem = Problem(key="apps/it's/stale", text="old.[ Mute: {mute}]", since=START)
    alert_policy = AlertPolicy(tallyd="sudo tallyd")
    wording = alert_policy.wording(START)
    assert said(problem, wording) == "old."
    assert said(problem, replace(wording, advises_mute=True)) == (
        """old. Mute: sudo tallyd mute 'apps/it'"'"'s/stale' --for 2h"""
    )


NO_ONE, OPS_KNOWS = None, Notified(1, START)
MUTE = Mute(pattern="divera/*", since=START, until=START + 3 * STEP, why="", by="")
UNMUTED = replace(MUTE, ended_by="anna", version=2)
AGAIN = replace(MUTE, version=3)


@pytest.mark.parametrize(
    ("mute", "notified", "hours", "news"),
    [
        pytest.param(MUTE, NO_ONE, 0, "muted", id="begins"),
        pytest.param(MUTE, OPS_KNOWS, 1, None, id="is known"),
        pytest.param(MUTE, OPS_KNOWS, 3, None, id="ran out"),
        pytest.param(MUTE, NO_ONE, 3, None, id="ran out before it could be notified"),
        pytest.param(UNMUTED, OPS_KNOWS, 1, "unmuted", id="was ended"),
        pytest.param(UNMUTED, OPS_KNOWS, 9, "unmuted", id="was ended, notified late"),
        pytest.param(UNMUTED, NO_ONE, 1, None, id="was ended before it could be notified"),
        pytest.param(AGAIN, Notified(2, START), 1, "muted", id="begins anew"),
        pytest.param(AGAIN, Notified(2, START), 3, None, id="began anew and ran out"),
        pytest.param(AGAIN, OPS_KNOWS, 1, "muted", id="begins anew, the end was not notified"),
    ],
)
def test_a_mute_is_notified_when_it_begins_and_when_it_is_ended(
    mute: Mute, notified: Notified | None, hours: int, news: str | None
) -> None:
    found = mute_notice_for(mute, notified, now=START + hours * STEP)
    assert (found.news if found else None) == news

"""Notices in the language of their channel, with translations of the test's own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from support.translations import Use
from tallyd.core.alerts.alert_kind import AlertKind
from tallyd.core.alerts.incident_view import IncidentView, incident_json
from tallyd.core.alerts.incidents import Incident
from tallyd.core.alerts.message import message_of, trial
from tallyd.core.alerts.mutes import Mute
from tallyd.core.alerts.notice_text import Surroundings
from tallyd.core.alerts.notices import AlertPolicy, MuteNotice, News, Notice, OwnText
from tallyd.core.alerts.rules import Alert, acknowledge
from tallyd.core.alerts.values import Age, At, Several, Value
from tallyd.core.alerts.wording import REMINDING
from tallyd.core.language.languages import reading_in
from tallyd.core.language.messages import english
from tallyd.core.reading import Problem

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
SINCE = NOW - timedelta(hours=4)
STALE = AlertKind(
    key="<poller>/<target>/stale",
    severity="error",
    text="{target}: data {age} old: {reason}",
    over="{target}: fresh",
    ends="newer data",
    short="stale",
    many="targets stale",
    subject="target",
)
GERMAN = {
    STALE.text: "{target}: Daten sind {age} alt: {reason}",
    STALE.over: "{target}: wieder aktuell",
    STALE.short: "veraltet",
    STALE.many: "Server mit alten Daten",
    REMINDING: "[weiterhin, seit {lasted}: ]",
    " since {ended}, after {lasted}[; {missing:# reading|# readings} missing ({missing})].[ It was: {was}]": (
        " seit {ended}, nach {lasted}[; {missing:# Zählung fehlt|# Zählungen fehlen} ({missing})]."
        "[ Es war: {was}]"
    ),
    "[{poller}: ]{count}[ of {total}] {what}: {names}": "[{poller}: ]{what}: {count}[ von {total}] ({names})",
    "still: {problems}": "weiterhin: {problems}",
    "{problems:# problem|# problems}{first_comma:, }{over:# resolved}"
    "{second_comma:, }{other:# notice|# notices}": (
        "{problems:# Störung|# Störungen}{first_comma:, }{over:# behoben}"
        "{second_comma:, }{other:# Meldung|# Meldungen}"
    ),
    "... and {left} more. See all: {tallyd} alerts": "... und {left} weitere. Alle mit: {tallyd} alerts",
    "[by {by} ]{at}[ ({why})]": "[von {by} ]{at}[ ({why})]",
    "{problem} [[acknowledged {who}]]": "{problem} [[quittiert {who}]]",
    "acknowledged {who}: {problems}": "quittiert {who}: {problems}",
    "muted until {until}[ by {by}]: {pattern}[ ({why})]": (
        "stummgeschaltet bis {until}[ von {by}]: {pattern}[ ({why})]"
    ),
    "a test message; this channel works": "eine Testnachricht; dieser Kanal funktioniert",
    "warning": "Warnung",
    "{left} more": "{left} weitere",
    "{first} and {last}": "{first} und {last}",
}
STORED = {"no answer within {limit}": "keine Antwort innerhalb von {limit}"}


@pytest.fixture(autouse=True)
def _german(use_translations: Use) -> None:
    use_translations(tallyd=GERMAN, stored=STORED)


def stale(
    name: str = "main", *, news: News = "begins", own: OwnText | None = None, **fields: Value
) -> Notice:
    found: dict[str, Value] = {
        "target": name,
        "age": Age(NOW - timedelta(minutes=90)),
        "reason": english("no answer within {limit}", limit="10 s"),
    }
    problem = STALE.problem("apps", name, since=SINCE, **found | fields)
    worded = AlertPolicy(texts={"stale": own} if own else {}).worded(problem)
    alert = Alert(
        key=worded.key,
        text=worded.text,
        over=worded.over,
        fields=worded.fields,
        since=SINCE,
        raised_at=SINCE,
        over_at=NOW if news == "over" else None,
        version=1,
    )
    return Notice(alert, news)


def german(
    *notices: Notice, mutes: Sequence[MuteNotice] = (), own: OwnText | None = None, watched: int | None = None
) -> list[str]:
    """Return the lines of the message to a German channel."""
    around = Surroundings(
        name="box",
        now=NOW,
        alert_policy_of=lambda _key: AlertPolicy(texts={"stale": own} if own else {}),
        kind_of=lambda _key: STALE,
        watched=lambda _poller, _what: watched,
        missing=lambda _alert: (NOW - timedelta(hours=2),),
        link=lambda _keys: "",
    )
    with reading_in("de"):
        found = message_of(notices, mutes, around)
    assert found is not None
    return found.text.replace("\N{NO-BREAK SPACE}", " ").split("\n")


def acknowledged(given: Notice) -> Notice:
    return Notice(acknowledge(given.alert, by="anna", why="Kabel", now=SINCE), given.news)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (stale(), "main: Daten sind 1 Std. 30 Min. alt: keine Antwort innerhalb von 10 Sek."),
        (
            stale(news="reminder", reason="x"),
            "weiterhin, seit 4 Std.: main: Daten sind 1 Std. 30 Min. alt: x",
        ),
        (stale(news="over"), "main: wieder aktuell seit 12:00, nach 4 Std.; 1 Zählung fehlt (10:00)."),
        (
            acknowledged(stale(news="acknowledged", reason="x")),
            "quittiert von anna 08:00 (Kabel): main: Daten sind 1 Std. 30 Min. alt: x",
        ),
        (
            acknowledged(stale(reason="x")),
            "main: Daten sind 1 Std. 30 Min. alt: x [quittiert von anna 08:00 (Kabel)]",
        ),
    ],
    ids=["begins", "reminder", "over", "acknowledged", "begins, acknowledged"],
)
def test_each_news_is_a_sentence_of_the_channels_language(given: Notice, text: str) -> None:
    assert german(given) == [f"[box] {text}"]


def test_the_heading_of_several_notices_has_the_plurals_of_the_language() -> None:
    mute = Mute(pattern="divera/*", since=NOW, until=NOW + timedelta(hours=2), why="Umzug", by="anna")
    lines = german(stale("a"), stale("b", news="over"), mutes=[MuteNotice(mute, "muted")])
    assert lines[0] == "[box] 1 Störung, 1 behoben, 1 Meldung:"
    assert lines[-1] == "- stummgeschaltet bis 14:00 von anna: divera/* (Umzug)"
    assert german(stale("a"), stale("b"))[0] == "[box] 2 Störungen:"
    assert german(stale("a", news="over"), mutes=[MuteNotice(mute, "muted")])[0] == (
        "[box] 1 behoben, 1 Meldung:"
    )


def test_a_shared_line_is_one_sentence_and_has_labels() -> None:
    alike = [stale(name, news="reminder", target=f"Server {name}") for name in "abcdefg"]
    assert german(*alike, watched=9)[0] == (
        "[box] weiterhin: apps: Server mit alten Daten: 7 von 9 "
        "(Server a, Server b, Server c, Server d, Server e und 2 weitere)"
    )


def test_what_is_left_out_is_said_in_the_language_too() -> None:
    long = [stale(f"{number}", reason="x" * 500) for number in range(3)]
    alike = [*long, stale("last", news="over")]
    assert german(*alike)[-1] == "... und 2 weitere. Alle mit: tallyd alerts"


OWN = OwnText("nur {people} auf {statuses}, {slots:Zählung|Zählungen} {slots}", "{target}: gut seit {ended}")


def test_an_own_text_gets_numbers_lists_and_times_of_the_channels_language_but_no_english_word() -> None:
    given = stale(
        own=OWN,
        people=1200,
        statuses=Several(("A", "B", "C"), more=2),
        slots=Several((At(SINCE), At(SINCE - timedelta(days=30)))),
    )
    assert german(given, own=OWN) == [
        "[box] nur 1.200 auf A, B, C und 2 weitere, Zählungen 08:00 und 21.10.2026 08:00"
    ]


@pytest.mark.parametrize(
    ("news", "line"), [("begins", "- nur 2 auf A, Zählung 08:00"), ("over", "- {target}: gut seit 12:00")]
)
def test_own_texts_are_used_however_many_alerts_become_one_message(news: News, line: str) -> None:
    fields: dict[str, Value] = {"people": 2, "statuses": "A", "slots": Several((At(SINCE),))}
    alike = [stale(f"S{number}", news=news, own=OWN, **fields) for number in range(5)]
    shown = [line.format(target=f"S{number}") for number in range(5)]
    assert german(*alike, own=OWN)[1:] == shown


def test_the_config_has_words_for_the_end_alone() -> None:
    own = OwnText(over="{target}: geht wieder seit {ended}")
    assert german(stale(news="over", own=own), own=own) == ["[box] main: geht wieder seit 12:00"]


@pytest.mark.parametrize("name", ["stale", "warning", "{tallyd}"])
def test_a_name_is_never_translated(name: str) -> None:
    assert german(stale(name, reason="x")) == [f"[box] {name}: Daten sind 1 Std. 30 Min. alt: x"]


def test_no_name_in_a_list_is_translated() -> None:
    own = OwnText("nur {people} mit {qualification} auf {statuses}")
    given = stale(own=own, people=1, statuses=Several(("stale", "warning")), qualification="stale")
    assert german(given, own=own) == ["[box] nur 1 mit stale auf stale und warning"]


def test_a_test_message_is_in_the_language_too() -> None:
    with reading_in("de"):
        assert trial("box", None).text == "[box] eine Testnachricht; dieser Kanal funktioniert"


def incident() -> Incident:
    found: Problem = stale().alert
    return Incident(
        key=found.key,
        severity="warning",
        text=found.text,
        over=found.over,
        fields=found.fields,
        since=SINCE,
        raised_at=SINCE,
        severities=((SINCE, "warning"),),
    )


SHOWN: dict[str, Callable[[IncidentView], object]] = {
    "problem": lambda view: view.problem,
    "text": lambda view: view.text,
}


@pytest.mark.parametrize("name", list(SHOWN))
def test_an_incident_is_in_the_language_of_its_reader_and_in_english_for_programs(name: str) -> None:
    view = IncidentView(incident(), AlertPolicy(), STALE, NOW)
    expected, for_programs = SHOWN[name](view), incident_json(view)
    with reading_in("de"):
        assert SHOWN[name](view) != expected
        assert incident_json(view) == for_programs
    assert for_programs[name] == expected

"""What each kind of poller asks a person, and what is made of the answers."""

from __future__ import annotations

from pathlib import Path

import pytest

from tallyd.cli.config.draft import Draft
from tallyd.cli.config.init import starter
from tallyd.config.settings import BY_KIND
from tallyd.core.questions import words
from tallyd.core.reading import Json
from tallyd.pollers.divera.questions import QUESTIONS as DIVERA
from tallyd.pollers.servers.questions import QUESTIONS as SERVERS
from tallyd.pollers.visitors.questions import QUESTIONS as VISITORS

NEEDED = {"accesskey": "canary-key-8f3a", "targets": "http://127.0.0.1:5000/version", "ssid": "SS-007"}


@pytest.mark.parametrize("name", BY_KIND)
def test_enter_alone_and_what_has_no_default_make_a_config(tmp_path: Path, name: str) -> None:
    draft = Draft(tmp_path / "config.json", starter(name, tmp_path / "config.json"))
    for question in BY_KIND[name].questions():
        key = ("pollers", name, *question.key)
        typed = NEEDED[question.key[-1]] if question.default is None else question.default
        if question.secret:
            draft.put_secret(key, question.secret, typed)
        elif not question.only_with or draft.get(("pollers", name, *question.only_with)) is not None:
            draft.put(key, question.read(typed))
        assert draft.fault(key) is None
    assert list(draft.config().settings.pollers) == [name]


@pytest.mark.parametrize("name", BY_KIND)
def test_each_kind_tries_its_source_once_and_asks_little(name: str) -> None:
    questions = BY_KIND[name].questions()
    assert [question.tries for question in questions].count(True) == 1
    assert len(questions) <= 5, "with the kind, the zone, the channel and the page about eight"
    for question in questions:
        assert "\n" not in question.help
        assert len(question.help) <= 100


ADDRESSES = {
    "the usual one": ("https://app.divera247.com", None),
    "the usual one, as people say it": ("app.divera247.com/", None),
    "a host alone": ("divera.example.org", "https://divera.example.org/api/users"),
    "a server of one's own": ("http://127.0.0.1:8080", "http://127.0.0.1:8080/api/users"),
    "below a path": ("https://a.example/divera/", "https://a.example/divera/api/users"),
    "whole": ("https://a.example/api/users", "https://a.example/api/users"),
    "query": ("https://a.example/api/users?accesskey=", "https://a.example/api/users?accesskey="),
    "the monitor": ("https://a.example/api/v2/pull/all", "https://a.example/api/v2/pull/all"),
    "no URL, for the config to say": ("https://[a.example", "https://[a.example"),
}


@pytest.mark.parametrize(("typed", "url"), ADDRESSES.values(), ids=ADDRESSES)
def test_the_address_of_divera(typed: str, url: str | None) -> None:
    assert DIVERA[0].read(typed) == url


@pytest.mark.parametrize(
    ("typed", "targets"),
    [
        pytest.param("https://a.example/v", {"a.example": "https://a.example/v"}, id="named by its host"),
        pytest.param("PROD=https://a.example/v?x=1", {"PROD": "https://a.example/v?x=1"}, id="named"),
        pytest.param(
            "https://a.example/v?x=1", {"a.example": "https://a.example/v?x=1"}, id="= in the query"
        ),
        pytest.param(
            "http://a.example:81/1  http://a.example:81/2",
            {"a.example:81": "http://a.example:81/1", "a.example:81-2": "http://a.example:81/2"},
            id="two of one host",
        ),
        pytest.param("a.example", {"server": "a.example"}, id="no URL, for the config to say"),
        pytest.param("https://[a", {"server": "https://[a"}, id="no URL at all"),
    ],
)
def test_the_addresses_of_servers(typed: str, targets: dict[str, str]) -> None:
    assert SERVERS[0].read(typed) == {name: {"url": url} for name, url in targets.items()}


@pytest.mark.parametrize(
    ("typed", "hours"),
    [
        ("09:00-18:00", [{"from": "09:00", "to": "18:00"}]),
        (" 22:00 - 06:00", [{"from": "22:00", "to": "06:00"}]),
        ("always", None),
        ("noon", [{"from": "noon", "to": ""}]),
    ],
)
def test_the_hours_in_which_files_must_come(typed: str, hours: Json) -> None:
    (question,) = (each for each in VISITORS if each.key[-1] == "active")
    assert question.read(typed) == hours


@pytest.mark.parametrize(
    ("typed", "times"),
    [
        ("08:00", ["08:00"]),
        ("08:00,20:00", ["08:00", "20:00"]),
        (" 08:00 , 20:00 ", ["08:00", "20:00"]),
        ("08:00 20:00", ["08:00", "20:00"]),
        (",", []),
    ],
)
def test_times_of_day_stand_between_commas_or_spaces(typed: str, times: list[str]) -> None:
    assert words(typed) == times

"""What a config may say about a Divera poller: one mistake each, and its message."""

from __future__ import annotations

import json
from datetime import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from support.divera import KEY, divera
from tallyd.pollers.divera.poller import DiveraPoller
from tallyd.settings.secrets import UNREADABLE_CREDENTIAL, Secret

LEAST = {"kind": "divera", "accesskey": KEY, "at": ["08:00"]}


def problems(**keys: Any) -> list[tuple[str, str]]:
    """Return (place, text) of all that is wrong with a config."""
    with pytest.raises(ValidationError) as error:
        divera(**keys)
    return [(".".join(map(str, each["loc"])), each["msg"]) for each in error.value.errors()]


def test_the_least_config_has_the_documented_defaults() -> None:
    poller = divera()
    assert poller.address == "https://app.divera247.com/api/users"
    assert poller.accesskey == Secret(KEY)
    assert (poller.source, poller.days, poller.catch_up) == ("users", frozenset(range(7)), 900.0)
    assert (poller.status_names, poller.fetch_status_names, poller.qualifications) == ({}, False, False)
    assert (poller.at_least, poller.hide_below) == ((), None)


def test_the_monitor_has_an_address_of_its_own() -> None:
    assert divera(source="monitor").address == "https://app.divera247.com/api/v2/pull/all"


@pytest.mark.parametrize("as_json", [True, False], ids=["json", "python"])
def test_a_whole_config_is_taken_from_a_file_as_from_a_dict(as_json: bool) -> None:
    keys = {
        **LEAST,
        "source": "monitor",
        "url": "https://divera.example/api/v2/pull/all?x=1",
        "at": ["20:00", "08:00:30"],
        "days": ["mon-fri"],
        "catch_up": "5m",
        "status_names": {"50101": " Einsatzbereit ", "none": "Ohne"},
        "fetch_status_names": True,
        "qualifications": True,
        "at_least": [
            {"statuses": ["50101", "none"], "count": 6},
            {
                "name": "Engine",
                "statuses": ["50101"],
                "count": 3,
                "qualification": "2",
                "when": [{"days": ["mon-fri"], "from": "06:00", "to": "18:00"}],
            },
        ],
        "hide_below": 3,
    }
    take = DiveraPoller.model_validate_json if as_json else DiveraPoller.model_validate
    poller = take(json.dumps(keys) if as_json else keys)  # type: ignore[arg-type] # the two take different things
    assert poller.at == (time(8, 0, 30), time(20))
    assert poller.status_names == {"50101": "Einsatzbereit", "none": "Ohne"}
    assert [each.id for each in poller.at_least] == ["50101+none", "Engine"]
    assert (poller.at_least[0].name, poller.at_least[0].when) == (None, ())
    assert poller.at_least[1].when[0].end == time(18)
    assert poller.address == "https://divera.example/api/v2/pull/all?x=1"


def test_a_poller_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        divera().source = "monitor"  # type: ignore[misc] # that it can't be done is what is tested


@pytest.mark.parametrize(
    ("url", "address"),
    [
        pytest.param("https://d.example/api/users?accesskey=", "https://d.example/api/users", id="empty-key"),
        pytest.param("https://d.example/api/users?accesskey", "https://d.example/api/users", id="bare-key"),
        pytest.param(
            "https://d.example/api/users?unit=3&accesskey=&x=%20",
            "https://d.example/api/users?unit=3&x=%20",
            id="others-stay",
        ),
        pytest.param("http://127.0.0.1:8800/api/users", "http://127.0.0.1:8800/api/users", id="loopback"),
        pytest.param("http://localhost/api/users", "http://localhost/api/users", id="localhost"),
        pytest.param("http://[::1]:80/api/users", "http://[::1]:80/api/users", id="loopback-of-ipv6"),
    ],
)
def test_urls_that_are_taken(url: str, address: str) -> None:
    assert divera(url=url).address == address


@pytest.mark.parametrize(
    ("url", "text"),
    [
        pytest.param(f"https://d.example/api/users?accesskey={KEY}", '("accesskey=...")', id="accesskey"),
        pytest.param(f"https://d.example/api/users?x=1&ACCESSKEY={KEY}", '("ACCESSKEY=...")', id="capitals"),
        pytest.param(f"https://d.example/api/users?access%6Bey={KEY}", '("accesskey=...")', id="encoded"),
        pytest.param(f"https://d.example/api/users?api_key={KEY}", '("api_key=...")', id="api-key"),
        pytest.param(f"https://d.example/api/users?token={KEY}", '("token=...")', id="token"),
    ],
)
def test_a_key_in_the_url_is_rejected_and_not_shown(url: str, text: str) -> None:
    ((place, message),) = problems(url=url)
    assert place == "url"
    assert text in message
    assert "accesskey" in message
    assert KEY not in message


def least(*requirements: dict[str, Any]) -> dict[str, Any]:
    """Return requirements of two people on status 7, with these changes."""
    return {"at_least": [{"statuses": ["7"], "count": 2, **each} for each in requirements]}


API = "https://app.divera247.com/api"


@pytest.mark.parametrize(
    ("keys", "place", "text"),
    [
        pytest.param({"url": "http://a.example/api/users"}, "url", "use https://", id="key-in-the-clear"),
        pytest.param({"url": f"{API}/v2/pull/all"}, "url", 'set "source": "monitor"', id="url-of-monitor"),
        pytest.param({"at": []}, "at", "at least one time of day", id="no-time"),
        pytest.param({"at": ["08:00", "12:00", "08:00:00"]}, "at", "names 08:00:00 twice", id="time-twice"),
        pytest.param({"at": "08:00"}, "at", "valid tuple", id="time-not-in-a-list"),
        pytest.param({"at": ["8:00"]}, "at.0", "not a time of day", id="time-of-one-digit"),
        pytest.param({"days": ["monday"]}, "days", "must be one of mon", id="unknown-day"),
        pytest.param({"catch_up": "0s"}, "catch_up", "must be above 0", id="catch-up-of-nothing"),
        pytest.param({"catch_up": 15}, "catch_up", "must be a duration", id="catch-up-without-unit"),
        pytest.param({"status_names": {"x": "Bereit"}}, "status_names", '"x" is not a status id', id="no-id"),
        pytest.param({"status_names": {"0": "Ohne"}}, "status_names", 'nor "none"', id="name-of-zero"),
        pytest.param({"status_names": {"7": " "}}, "status_names", 'name of "7" is empty', id="empty-name"),
        pytest.param({"qualifications": True}, "qualifications", 'needs "source": "monitor"', id="of-users"),
        pytest.param({"vehicles": True}, "vehicles", "the list of users has no vehicles", id="vehicles"),
        pytest.param({"hide_below": 2}, "hide_below", "with 2 a null could only mean 1", id="hide-below-2"),
        pytest.param({"hide_below": -1}, "hide_below", "must be 3 or more", id="hide-below-nothing"),
        pytest.param({"hide_below": True}, "hide_below", "valid integer", id="hide-below-true"),
        pytest.param({"acceskey": "x"}, "acceskey", "not permitted", id="unknown-key"),
        pytest.param(
            {"source": "monitor", "url": f"{API}/users"}, "url", "ends in /api/v2/pull/all", id="url-of-users"
        ),
        pytest.param(
            {"url": "https://proxy.example/people", "fetch_status_names": True},
            "fetch_status_names",
            "url ends in /api/users",
            id="no-address-of-names",
        ),
        pytest.param(
            {"hide_below": 5, "at_least": [{"statuses": [f"{n}"], "count": n} for n in (5, 4, 6, 2)]},
            "hide_below",
            "reveal what is hidden; raise to at least 5: at_least[1] (4) and at_least[3] (2)",
            id="minimum-below-the-hidden",
        ),
    ],
)
def test_each_mistake_is_named_at_its_place(keys: dict[str, Any], place: str, text: str) -> None:
    ((found, message),) = problems(**keys)
    assert found == place
    assert text in message


@pytest.mark.parametrize(
    ("keys", "place", "text"),
    [
        pytest.param(least({"statuses": []}), ".0.statuses", "at least one status", id="no-status"),
        pytest.param(least({"statuses": ["7", "7"]}), ".0.statuses", "twice", id="status-twice"),
        pytest.param(least({"statuses": ["x"]}), ".0.statuses.0", "must be a status id", id="no-id"),
        pytest.param(least({"statuses": [7]}), ".0.statuses.0", "valid string", id="id-not-in-quotes"),
        pytest.param(least({"count": 0}), ".0.count", "greater", id="count-0"),
        pytest.param(
            least({"name": "8+none"}), ".0.name", "is a status id, or a sum of them", id="id-as-name"
        ),
        pytest.param(least({"name": "a/b"}), ".0.name", "without `/`", id="name-with-a-slash"),
        pytest.param(
            least({"statuses": ["7", "8"]}, {"statuses": ["8", "7"], "count": 3}),
            "",
            'the same statuses in two entries; give each a "name"',
            id="minimum-twice",
        ),
        pytest.param(
            least({"name": "A"}, {"name": "A", "statuses": ["8"]}),
            "",
            "is the name of two entries; change one",
            id="of-the-same-name",
        ),
        pytest.param(
            least({"name": "J\xf6"}, {"name": "Jo\u0308"}),
            "",
            "is the name of two entries; change one",
            id="of-a-name-that-looks-the-same",
        ),
        pytest.param(
            least({"qualification": "2"}),
            "",
            'needs "source": "monitor"; the list of users has no qualifications',
            id="qualification-of-users",
        ),
        pytest.param(
            {"source": "monitor", **least({"qualification": "AGT"})},
            ".0.qualification",
            "must be the id of a qualification in Divera",
            id="qualification-by-name",
        ),
    ],
)
def test_each_mistake_of_a_requirement_is_named_at_its_place(
    keys: dict[str, Any], place: str, text: str
) -> None:
    ((found, message),) = problems(**keys)
    assert found == f"at_least{place}"
    assert text in message


def test_a_minimum_as_high_as_what_is_hidden_tells_nothing_more() -> None:
    assert divera(hide_below=4, at_least=[{"statuses": ["7"], "count": 4}]).hide_below == 4


def test_all_mistakes_of_a_poller_are_named_at_once() -> None:
    found = problems(
        url=f"https://d.example/?accesskey={KEY}",
        accesskey="",
        at=[],
        qualifications=True,
        at_least=[{"statuses": ["7"], "count": 1}],
        hide_below=3,
    )
    assert [place for place, _ in found] == ["url", "accesskey", "at", "qualifications", "hide_below"]


def test_a_requirement_with_a_qualification_makes_the_poller_count_them() -> None:
    engine = {"statuses": ["7"], "count": 2, "qualification": "2"}
    assert divera(source="monitor", at_least=[engine]).counts_qualifications
    assert not divera(source="monitor", at_least=[{**engine, "qualification": None}]).counts_qualifications


def test_a_wrong_source_is_the_only_mistake_named() -> None:
    assert [place for place, _ in problems(source="people", qualifications=True)] == ["source"]


SAME_UNIT = 'hide_below: "wall" asks the same unit (same host and key)'
SHOWS_IT = "and hides nothing, so it shows what is hidden here; set hide_below there too"
LESS = "and hides less (hide_below 3); set it to 5 there too"
TOGETHER = 'with "source": "monitor"; together they reveal what each hides, so keep only one'
MONITOR, UNREAD = {"source": "monitor"}, {"accesskey": UNREADABLE_CREDENTIAL}


@pytest.mark.parametrize(
    ("own", "wall", "note"),
    [
        pytest.param({}, MONITOR, None, id="nothing-is-hidden"),
        pytest.param({"hide_below": 3}, {"hide_below": 3}, None, id="the-same-is-hidden"),
        pytest.param({}, {"hide_below": 3}, None, id="it-is-the-other-that-hides"),
        pytest.param({"hide_below": 3}, {}, SHOWS_IT, id="one-hides"),
        pytest.param({"hide_below": 3}, MONITOR, SHOWS_IT, id="one-hides-of-two-sources"),
        pytest.param({"hide_below": 5}, {"hide_below": 3}, LESS, id="one-hides-less"),
        pytest.param({"hide_below": 3}, {"hide_below": 3, **MONITOR}, TOGETHER, id="both-hide"),
        pytest.param({"hide_below": 3}, {"accesskey": "canary-key-8f3b"}, None, id="another-key"),
        pytest.param({"hide_below": 3}, {"url": "https://divera.example/api/users"}, None, id="another-host"),
        pytest.param(
            {"hide_below": 3},
            {"url": "https://APP.divera247.com:443/api/users?x=1"},
            SHOWS_IT,
            id="the-same-host-written-otherwise",
        ),
        pytest.param({"hide_below": 3, **UNREAD}, UNREAD, None, id="keys-that-could-not-be-read"),
    ],
)
def test_a_second_poller_of_the_same_unit_is_noted_where_it_shows_what_is_hidden(
    own: dict[str, Any], wall: dict[str, Any], note: str | None
) -> None:
    assert divera(**own).notes({"wall": divera(**wall)}) == (() if note is None else (f"{SAME_UNIT} {note}",))


@given(
    *(
        st.fixed_dictionaries(
            {"source": st.sampled_from(["users", "monitor"]), "hide_below": st.sampled_from([None, 3, 5])}
        )
        for _ in range(2)
    )
)
def test_of_a_pair_in_which_somebody_hides_one_is_noted_exactly_where_they_differ(
    first: dict[str, Any], second: dict[str, Any]
) -> None:
    one, other = divera(**first), divera(**second)
    notes = [*one.notes({"other": other}), *other.notes({"one": one})]
    is_hidden = first["hide_below"] is not None or second["hide_below"] is not None
    assert len(notes) == int(is_hidden and first != second)


def test_every_key_is_described() -> None:
    schema = DiveraPoller.model_json_schema()
    described = [*schema["properties"].values(), *schema["$defs"]["Requirement"]["properties"].values()]
    assert all(each.get("description", "").endswith(".") for each in described)

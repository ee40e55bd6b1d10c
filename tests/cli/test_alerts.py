"""`tallyd alerts`, `mute`, `unmute`: what they show and how they end, in every odd situation."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import typer

from support.chatservers import web_service
from support.translations import Use
from tallyd.adapters.state import State
from tallyd.cli.actions.mutes import ack, mute, unmute
from tallyd.cli.actions.notify import notify
from tallyd.cli.views.alerts import alerts
from tallyd.cli.views.past_alerts import Wanted, past_alerts
from tallyd.config.active_file import write_active
from tallyd.config.load import load
from tallyd.core.alerts.daemon_alerts import DAMAGED, NETWORK, OUT
from tallyd.core.alerts.notices import Notified
from tallyd.core.alerts.rules import Observations
from tallyd.core.errors import ConfigError
from tallyd.pollers.servers.alert_kinds import UNREACHABLE

NOW = datetime.now(UTC) - timedelta(minutes=5)
Said = Callable[[], tuple[str, str]]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A config with two channels whose state.db has two alerts; `ops` was notified of the first one."""
    path = tmp_path / "config.json"
    content = {
        "timezone": "UTC",
        "channels": {"ops": "json://ops.example/x", "phone": "json://phone.example/x"},
        "alerts": {"channels": ["ops", "phone"]},
    }
    path.write_text(json.dumps(content))
    (tmp_path / "state").mkdir()
    problems = (
        OUT.problem("tallyd", since=NOW, reason="cannot write out/: no space left"),
        DAMAGED.problem("tallyd", since=NOW, file="x"),
    )
    write_active(load(path, environ={}), restart="")
    with closing(State(tmp_path / "state" / "state.db")) as state:
        state.alerts.evaluate(Observations(named=problems, may_resolve=lambda _key: False, now=NOW))
        state.notifications.mark({("ops", "tallyd/out"): Notified(1, NOW)})
    return path


def test_it_says_who_was_notified_and_who_not_yet(config: Path, said: Said) -> None:
    assert alerts(config, most=100, as_json=False) == 0
    out, _ = said()
    assert "error since" in out
    (line,) = (line for line in out.splitlines() if line.startswith("tallyd/out "))
    assert "ops " in line
    assert "phone not yet" in line
    assert len(re.findall(r"^Mute one of them: .*tallyd mute KEY --for 2h$", out, re.MULTILINE)) == 1
    assert alerts(config, most=100, as_json=True) == 0
    shown = {each["key"]: each for each in json.loads(said()[0])["alerts"]}
    assert list(shown["tallyd/out"]["notified"]) == ["ops"]
    assert shown["tallyd/out"]["not_told"] == ["phone"]
    assert shown["tallyd/damaged"]["not_told"] == ["ops", "phone"]


def test_of_many_alerts_the_first_are_shown_and_how_to_see_the_others(config: Path, said: Said) -> None:
    assert alerts(config, most=1, as_json=False) == 0
    out, _ = said()
    assert "tallyd/damaged" in out
    assert "tallyd/out" not in out
    assert "1 more not shown. To see all 2: " in out
    assert "alerts --most 2" in out
    alerts(config, most=1, as_json=True)
    assert len(json.loads(said()[0])["alerts"]) == 2


def test_a_mute_is_shown_with_its_alerts_and_ends_when_it_is_taken_back(config: Path, said: Said) -> None:
    assert mute(config, "tallyd/*", lasts="2h", why="Umzug") == 0
    out, _ = said()
    assert "The channels will be notified when tallyd runs." in out
    assert "tallyd/out" in out
    assert "tallyd/damaged" in out
    alerts(config, most=100, as_json=False)
    out, _ = said()
    assert out.count("muted until") == 3
    assert "(Umzug)" in out
    assert unmute(config, "tallyd/*") == 0
    said()
    alerts(config, most=100, as_json=False)
    assert "muted" not in said()[0]
    assert unmute(config, "tallyd/*") == 1
    assert "is not muted; nothing is muted" in said()[1]


def test_an_open_alert_is_acknowledged_once_and_shows_who_works_on_it(config: Path, said: Said) -> None:
    assert ack(config, "tallyd/out", why="disk is ordered") == 0
    out, _ = said()
    assert "Acknowledged until it is resolved: tallyd/out. The channels will be notified when tallyd" in out
    assert ack(config, "tallyd/*", why="") == 0
    out, _ = said()
    assert "Acknowledged until it is resolved: tallyd/damaged." in out
    assert "Already acknowledged by " in out
    assert "(disk is ordered): tallyd/out" in out
    assert ack(config, "tallyd/damaged", why="is copied") == 0
    assert "Acknowledged until it is resolved: tallyd/damaged." in said()[0]
    alerts(config, most=100, as_json=False)
    (line,) = (line for line in said()[0].splitlines() if line.startswith("tallyd/out "))
    assert "acknowledged by " in line
    alerts(config, most=100, as_json=True)
    shown = {each["key"]: each["acknowledged"] for each in json.loads(said()[0])["alerts"]}
    assert [shown["tallyd/out"]["why"], shown["tallyd/damaged"]["why"]] == ["disk is ordered", "is copied"]
    assert shown["tallyd/out"]["by"] == shown["tallyd/damaged"]["by"] != ""


def test_it_says_when_a_further_channel_will_be_notified(config: Path, said: Said) -> None:
    content = json.loads(config.read_text())
    steps = [{"after": "1d", "channels": ["phone"]}]
    config.write_text(json.dumps(content | {"alerts": {"channels": ["ops"], "escalate": steps}}))

    def shown() -> dict[str, object]:
        alerts(config, most=100, as_json=True)
        found = {each["key"]: each for each in json.loads(said()[0])["alerts"]}
        at: dict[str, object] = found["tallyd/out"]["escalates_at"]
        return at

    assert shown() == {"phone": (NOW + timedelta(days=1)).isoformat(timespec="milliseconds")}
    alerts(config, most=100, as_json=False)
    assert "phone not before " in said()[0]
    assert ack(config, "tallyd/out", why="") == 0
    said()
    assert shown() == {}


def test_a_target_that_waits_for_the_network_says_so(config: Path, said: Said) -> None:
    content = json.loads(config.read_text())
    targets = {name: {"url": f"https://{name}.example/", "stale_after": "1h"} for name in ("HERE", "TEST")}
    content["pollers"] = {"apps": {"kind": "servers", "targets": targets}}
    config.write_text(json.dumps(content))
    problems = (
        NETWORK.problem("tallyd", since=NOW, targets=2, hosts=2),
        *(UNREACHABLE.problem("apps", each, since=NOW, target=each, reason="timed out") for each in targets),
    )
    with closing(State(config.parent / "state" / "state.db")) as state:
        state.alerts.evaluate(Observations(named=problems, may_resolve=lambda _key: False, now=NOW))
    alerts(config, most=100, as_json=False)
    (line,) = (line for line in said()[0].splitlines() if line.startswith("apps/HERE/unreachable "))
    assert line.endswith("waits for tallyd/network")
    alerts(config, most=100, as_json=True)
    waits = {each["key"]: each["waits_for"] for each in json.loads(said()[0])["alerts"]}
    assert waits["apps/HERE/unreachable"] == "tallyd/network"
    assert waits["tallyd/network"] is None
    assert ack(config, "apps/HERE/unreachible", why="") == 1
    assert 'did you mean "apps/HERE/unreachable"?; open are: apps/HERE/unreachable, ' in said()[1]
    assert ack(config, "apps/nope/unreachable", why="") == 1
    assert "apps/nope/unreachable is not open; open are: apps/HERE/unreachable, " in said()[1]
    assert mute(config, "apps/*", lasts="1h", why="") == 0
    said()
    assert ack(config, "apps/HERE/*", why="") == 0
    assert "apps/HERE/unreachable. Muted: nobody is notified before the mute ends." in said()[0]


def test_of_a_group_only_the_alerts_about_its_targets_are_shown(config: Path, said: Said) -> None:
    content = json.loads(config.read_text())
    of_shop = {"url": "https://shop.example/", "group": "shop", "stale_after": "1h"}
    content["pollers"] = {
        "apps": {
            "kind": "servers",
            "targets": {"SHOP": of_shop, "TILL": of_shop, "TEST": {**of_shop, "group": "test"}},
        }
    }
    config.write_text(json.dumps(content))
    subjects = (("SHOP",), ("SHOP", "import"), ("TILL",), ("TEST",))
    problems = tuple(
        UNREACHABLE.problem("apps", *each, since=NOW, target="/".join(each), reason="timed out")
        for each in subjects
    )
    with closing(State(config.parent / "state" / "state.db")) as state:
        state.alerts.evaluate(Observations(named=problems, may_resolve=lambda _key: False, now=NOW))
    alerts(config, group="shop", most=1, as_json=True)
    keys = {each["key"] for each in json.loads(said()[0])["alerts"]}
    assert keys == {"apps/SHOP/unreachable", "apps/SHOP/import/unreachable", "apps/TILL/unreachable"}
    alerts(config, group="shop", most=1, as_json=False)
    out = said()[0]
    assert "2 more not shown" in out
    assert "alerts --group shop --most 3" in out
    assert "TEST" not in out
    assert past_alerts(config, Wanted(group="test")) == 0
    past = said()[0]
    assert "TEST" in past
    assert "SHOP" not in past
    with pytest.raises(typer.Exit) as ended:
        alerts(config, group="shopp", most=1, as_json=False)
    assert ended.value.exit_code == 2
    assert 'there is no group "shopp" in the config; did you mean "shop"?' in said()[1]


@pytest.mark.parametrize(
    ("asked", "status", "expected"),
    [
        (("tallyd/uot", ""), 1, 'tallyd/uot is not open; did you mean "tallyd/out"?'),
        (("divera/*", ""), 1, "divera/* is not open; open are: tallyd/damaged and tallyd/out"),
        (("a\nb", ""), 2, "KEY must be the key of an alert"),
        (("tallyd/out", "two\nlines"), 2, "--why must be one line"),
    ],
)
def test_what_cannot_be_acknowledged_says_why(
    config: Path, said: Said, asked: tuple[str, str], status: int, expected: str
) -> None:
    pattern, why = asked
    assert ack(config, pattern, why=why) == status
    assert expected in said()[1]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (("tallyd/out", "2", ""), "--for must be a duration"),
        (("", "2h", ""), "KEY must be the key of an alert"),
        (("a\nb", "2h", ""), "KEY must be the key of an alert"),
        (("a" * 600, "2h", ""), "KEY must be the key of an alert"),
        (("a", "2h", "x" * 300), "--why must be one line"),
        (("a", "2h", "two\nlines"), "--why must be one line"),
    ],
)
def test_what_cannot_be_muted_so_is_wrong_usage(
    config: Path, said: Said, asked: tuple[str, str, str], expected: str
) -> None:
    pattern, lasts, why = asked
    assert mute(config, pattern, lasts=lasts, why=why) == 2
    assert expected in said()[1]


def test_while_the_config_on_disk_is_rejected_they_work_by_the_one_in_force(config: Path, said: Said) -> None:
    config.write_text(config.read_text().replace('"UTC"', '"Nowhere"'))
    assert alerts(config, most=100, as_json=False) == 0
    out, err = said()
    assert "tallyd/out" in out
    assert "unknown time zone" in err
    assert mute(config, "tallyd/config", lasts="2h", why="") == 0
    assert unmute(config, "tallyd/config") == 0


def test_before_anything_has_run_they_say_so(config: Path, said: Said) -> None:
    (config.parent / "state" / "state.db").unlink()
    assert alerts(config, most=100, as_json=False) == 1
    assert mute(config, "a", lasts="1h", why="") == 1
    assert unmute(config, "a") == 1
    assert said()[1].count("has not run with this config yet") == 3


def test_without_a_config_there_is_nothing_to_look_at(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        alerts(tmp_path / "none.json", most=100, as_json=False)


def test_an_alert_that_makes_no_sense_is_a_damaged_state_db_and_no_traceback(
    config: Path, said: Said
) -> None:
    with closing(sqlite3.connect(config.parent / "state" / "state.db")) as database:  # to damage it
        database.execute("UPDATE alert SET body=json_set(body, '$.since', 'yesterday')")
        database.commit()
    assert alerts(config, most=100, as_json=False) == 1
    assert "is damaged" in said()[1]


@pytest.mark.parametrize(
    ("pattern", "hint"),
    [
        ("tallyd/uot", 'did you mean "tallyd/out"?'),
        ("tallyd/opz/undelivered", 'did you mean "tallyd/ops/undelivered"?'),
        ("wehr/*/stale", "To see open alerts, run: "),
    ],
)
def test_what_nothing_can_fall_under_is_muted_only_when_that_is_asked_for(
    config: Path, said: Said, pattern: str, hint: str
) -> None:
    assert mute(config, pattern, lasts="1h", why="") == 2
    out, err = said()
    assert (out, "--even-if-unknown" in err, hint in err) == ("", True, True)
    alerts(config, most=100, as_json=True)
    assert json.loads(said()[0])["mutes"] == []
    assert mute(config, pattern, lasts="1h", why="", even_if_unknown=True) == 0
    said()
    alerts(config, most=100, as_json=True)
    assert [each["pattern"] for each in json.loads(said()[0])["mutes"]] == [pattern]


def test_what_may_be_raised_one_day_is_muted_like_what_is_open(config: Path) -> None:
    for pattern in ("tallyd/phone/undelivered", "tallyd/retention/crashed", "*/clock"):
        assert mute(config, pattern, lasts="1h", why="") == 0


def test_who_mutes_or_acknowledges_reads_the_language_of_the_config(
    config: Path, said: Said, use_translations: Use
) -> None:
    config.write_text(json.dumps({**json.loads(config.read_text()), "language": "de"}))
    use_translations(
        tallyd={
            "Muted until {until}: {pattern}.[ {then}]": "Stummgeschaltet bis {until}: {pattern}.[ {then}]",
            "No longer muted: {pattern}.[ {then}]": "Nicht mehr stummgeschaltet: {pattern}.[ {then}]",
            "The channels will be notified when tallyd runs.": "Die Kanäle erfahren es, sobald tallyd läuft.",
            "{pattern} is not open; no alert is open": "{pattern} ist nicht offen",
            "{first} and {last}": "{first} und {last}",
            '{pattern} is not open[; did you mean "{near}"?]; open are: {keys}': (
                "{pattern} ist nicht offen[; meinten Sie „{near}“?]; offen: {keys}"
            ),
        }
    )
    assert mute(config, "tallyd/*", lasts="2h", why="Umzug") == 0
    out, _ = said()
    assert out.startswith("Stummgeschaltet bis ")
    assert ": tallyd/*. Die Kanäle erfahren es, sobald tallyd läuft.\n" in out
    assert unmute(config, "tallyd/*") == 0
    assert "Nicht mehr stummgeschaltet: tallyd/*. Die Kanäle" in said()[0]
    assert ack(config, "tallyd/outt", why="") == 1
    assert (
        "tallyd/outt ist nicht offen; meinten Sie „tallyd/out“?; offen: tallyd/damaged und tallyd/out"
        in (said()[1])
    )


def test_a_test_message_has_the_language_of_its_channel_and_the_answer_that_of_the_config(
    config: Path, said: Said, use_translations: Use
) -> None:
    content = json.loads(config.read_text()) | {"name": "box"}
    with web_service() as chat:
        phone = {"url": f"json://{chat.host}/x", "language": "zh-TW"}
        config.write_text(json.dumps(content | {"channels": {"phone": phone}, "alerts": {}}))
        use_translations(tallyd={"a test message; this channel works": "測試訊息"})
        assert notify(config, "phone", text=None) == 0
        assert said()[0] == "Channel phone accepted the message: [box] 測試訊息\n"

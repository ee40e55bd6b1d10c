"""`tallyd init --ask` on a terminal: each kind up to its first reading, wrong answers, and every way out."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from support import warm
from support.apps import app, version
from support.chatservers import Reply, web_service
from support.divera_server import Client, DiveraServer, divera_server
from support.processes import free_port
from support.rawserver import Connection, serving
from support.terminal import Terminal, at_terminal
from tallyd.core.language.catalogs import catalog
from tallyd.demo.world.divera import KEY as DEMO_KEY
from tallyd.demo.world.divera import Divera
from tallyd.demo.world.http_server import serving as world
from tallyd.demo.world.people import STATUSES

KEY = "canary-key-8f3a"


@contextmanager
def asking(folder: Path, *arguments: str, language: str = "en") -> Iterator[Terminal]:
    with at_terminal("-m", "tallyd", "init", "--ask", *arguments, cwd=folder) as terminal:
        terminal.answer("Language", language)
        yield terminal


def config(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "config.json").read_text("utf-8"))
    return content


def mode(path: Path) -> str:
    return f"{path.stat().st_mode & 0o777:04o}"


@pytest.fixture
def server() -> Iterator[DiveraServer]:
    with divera_server() as server:
        yield server


@pytest.fixture
def unit(server: DiveraServer) -> Client:
    unit = server.client("unit")
    unit.answers.append(1)  # so that the next answer has people
    return unit


def source(terminal: Terminal, unit: Client, key: str = KEY) -> None:
    terminal.answer("Number or name", "1")
    terminal.answer("Address of Divera", unit.url.removesuffix("/api/users"))
    terminal.answer("Access key", key)


def the_rest(terminal: Terminal, *, page: str = "no") -> None:
    terminal.answer("Time zone", "Europe/Berlin")
    terminal.answer("Chat or mail", "no")
    terminal.answer("Address of the page", page)


# ---- each kind, from the first question to the first reading


def test_divera(tmp_path: Path, unit: Client) -> None:
    page = f"127.0.0.1:{free_port()}"
    with asking(tmp_path) as terminal:
        source(terminal, unit)
        terminal.wait_for("divera: the source answers")
        terminal.answer("Times of day", "20:00 08:00")
        the_rest(terminal, page=page)
        terminal.wait_for("The first reading:")
        terminal.wait_for(f"written to {tmp_path}/out/divera/")
        terminal.wait_for(f"http://{page}/")
        assert terminal.status() == 0
        assert KEY not in terminal.said
    written = config(tmp_path)
    assert written["timezone"] == "Europe/Berlin"
    assert written["web"] == {"listen": page}
    assert "channels" not in written
    poller = written["pollers"]["divera"]
    assert (poller["url"], poller["at"]) == (unit.url, ["20:00", "08:00"])
    assert poller["accesskey"] == "file:secrets/divera-key"
    assert (tmp_path / "secrets/divera-key").read_text() == KEY
    assert (mode(tmp_path / "secrets"), mode(tmp_path / "secrets/divera-key")) == ("0700", "0600")
    assert len(list((tmp_path / "out/divera").glob("*/*.json"))) == 1


def test_visitors(tmp_path: Path) -> None:
    for source_name in ("12", "23"):
        folder = tmp_path / "drop" / source_name
        folder.mkdir(parents=True)
        record = {"ID": 1, "inOut": 0, "time": f"{datetime.now(UTC):%Y%m%d%H%M%S}", "frameNumber": 1}
        (folder / "a.json").write_text(json.dumps([record]))
    (tmp_path / "a-file").touch()
    with asking(tmp_path) as terminal:
        terminal.answer("Number or name", "visitors")
        terminal.answer("Folder for the files", "a-file")
        terminal.wait_for("a-file is not a folder; choose another path")
        terminal.answer("Folder for the files", "drop")
        terminal.answer("Alert after", "5")
        terminal.wait_for('must be a duration: a number and one of s, m, h, d, such as "90s" or "5m"')
        terminal.answer("Alert after", "10m")
        terminal.answer("Hours", "08:00 - 18:00")
        terminal.answer("Address to post the counts to")
        terminal.answer("Time zone", "UTC")
        terminal.answer("Chat or mail")
        terminal.answer("Address of the page", "no")
        terminal.wait_for("The first reading:")
        assert terminal.status() == 0, terminal.said
    poller = config(tmp_path)["pollers"]["visitors"]
    assert poller["inbox"] == "drop"
    assert poller["sources"] == {"12": {}, "23": {}}
    assert poller["no_files"] == {"after": "10m", "active": [{"from": "08:00", "to": "18:00"}]}
    assert poller["report"] == {"every": "5m"}
    assert not (tmp_path / "secrets").exists()


def test_servers(tmp_path: Path) -> None:
    def page(connection: Connection, path: str) -> None:
        del path
        connection.send(version(datetime.now(UTC)))

    with serving(app(page)) as server, asking(tmp_path) as terminal:
        terminal.answer("Number or name", "servers")
        terminal.answer("Addresses", "prod.example/version")
        terminal.wait_for("must begin with https://")
        terminal.answer("Addresses", f"PROD={server.url}/version?of=all {server.url}/v2")
        terminal.answer("Field", "time")
        terminal.answer("Format of that time")
        terminal.wait_for("2 of 2 do not answer correctly")
        terminal.wait_for("answered HTTP 200 without time")
        terminal.answer("Keep these answers")
        terminal.answer(f"Addresses of the servers [PROD={server.url}/version?of=all")
        terminal.answer("Field", "computed_time")
        terminal.answer("Format of that time")
        terminal.wait_for("servers: the source answers")
        terminal.answer("Alert when data is older", "20m")
        terminal.answer("How often", "30s")
        the_rest(terminal)
        terminal.wait_for("The first reading:")
        assert terminal.status() == 0, terminal.said
    poller = config(tmp_path)["pollers"]["servers"]
    assert poller["targets"] == {
        "PROD": {"url": f"{server.url}/version?of=all"},
        server.url.removeprefix("http://"): {"url": f"{server.url}/v2"},
    }
    assert poller["defaults"] == {"field": "computed_time", "format": "iso", "stale_after": "20m"}
    assert poller["every"] == "30s"


# ---- answers that are wrong


def test_a_wrong_key_and_a_placeholder_are_asked_again_with_the_reason(tmp_path: Path, unit: Client) -> None:
    unit.status = 403
    with asking(tmp_path, "--kind", "divera") as terminal:
        terminal.answer("Address of Divera", unit.url)
        terminal.answer("Access key", "YOUR_ACCESSKEY")
        terminal.wait_for('"YOUR_ACCESSKEY" is a placeholder; replace it with the real value')
        terminal.answer("Access key", "not-the-key")
        terminal.wait_for("access key refused (HTTP 403); it must belong to a system user of the unit")
        unit.status = 200
        terminal.answer("Access key", KEY)
        terminal.wait_for("the source answers")
        terminal.answer("Times of day", "8 o'clock")
        terminal.wait_for('Times of day: "8" is not a time of day; write HH:MM')
        terminal.answer("Times of day")
        terminal.answer("Time zone", "Europe/Berln")
        terminal.wait_for('did you mean "Europe/Berlin"?')
        the_rest(terminal)
        assert terminal.status() == 0, terminal.said
    assert (tmp_path / "secrets/divera-key").read_text() == KEY
    assert config(tmp_path)["pollers"]["divera"]["at"] == ["00:00", "08:00", "12:00", "16:00", "20:00"]


def test_what_cannot_be_read_is_asked_again(tmp_path: Path, unit: Client) -> None:
    with asking(tmp_path) as terminal:
        terminal.answer("Number or name")
        terminal.answer("Address of Divera", unit.url + "\x1b[D")
        terminal.wait_for("contains an unreadable character, such as an arrow key")
        terminal.answer("Address of Divera", unit.url)
        terminal.answer("Access key", KEY)
        terminal.answer("Times of day")
        the_rest(terminal)
        assert terminal.status() == 0, terminal.said


def test_where_the_machine_does_not_know_its_zone_one_is_proposed(tmp_path: Path, unit: Client) -> None:
    zone = tmp_path / "zone"
    zone.write_bytes(Path("/usr/share/zoneinfo/Asia/Taipei").read_bytes())
    with at_terminal("-m", "tallyd", "init", "--ask", cwd=tmp_path, TZ=f":{zone}") as terminal:
        terminal.answer("Language")
        source(terminal, unit)
        terminal.answer("Times of day")
        terminal.answer("Time zone [Europe/Berlin]")
        terminal.answer("Chat or mail")
        terminal.answer("Address of the page", "no")
        assert terminal.status() == 0, terminal.said
    assert config(tmp_path)["timezone"] == "Europe/Berlin"


def test_without_a_network_it_says_so_and_goes_on_only_if_wanted(tmp_path: Path, unit: Client) -> None:
    away = f"http://127.0.0.1:{free_port()}"
    with asking(tmp_path, "--kind", "divera") as terminal:
        terminal.answer("Address of Divera", away)
        terminal.answer("Access key", KEY)
        terminal.wait_for(f"{away.removeprefix('http://')}: connection refused")
        terminal.answer("Keep these answers anyway?", "n")
        terminal.answer(f"Address of Divera [{away}]")
        terminal.answer("Access key (Enter keeps what you typed)")
        terminal.answer("Keep these answers anyway?", "y")
        terminal.answer("Times of day")
        the_rest(terminal)
        terminal.wait_for("The first reading failed")
        assert terminal.status() == 1
    assert (tmp_path / "secrets/divera-key").read_text() == KEY
    assert config(tmp_path)["pollers"]["divera"]["url"] == f"{away}/api/users"


def test_the_names_of_statuses_that_were_found_are_taken(tmp_path: Path) -> None:
    with world(Divera().routes()) as base_url, asking(tmp_path) as terminal:
        terminal.answer("Number or name", "divera")
        terminal.answer("Address of Divera", base_url)
        terminal.answer("Access key", DEMO_KEY)
        terminal.wait_for(STATUSES[0].name.strip())
        terminal.wait_for('Added to the config as "status_names".')
        terminal.answer("Times of day")
        the_rest(terminal)
        assert terminal.status() == 0, terminal.said
    names = config(tmp_path)["pollers"]["divera"]["status_names"]
    assert names[str(STATUSES[0].id)] == STATUSES[0].name.strip()


def test_a_channel_is_tried_and_its_url_is_a_secret(tmp_path: Path, unit: Client) -> None:
    with web_service() as chat, asking(tmp_path) as terminal:
        hook = f"http://{chat.host}/hooks/ID/TOKEN-5d2c"
        chat.replies["/hooks/ID/TOKEN-5d2c"] = Reply()
        source(terminal, unit)
        terminal.answer("Times of day")
        terminal.answer("Time zone", "UTC")
        terminal.answer("Chat or mail", "anna@example.org")
        terminal.wait_for("must be a channel URL such as")
        terminal.answer("Chat or mail", hook)
        terminal.wait_for(f"{chat.host} answers")
        terminal.answer("Address of the page", "no")
        assert terminal.status() == 0, terminal.said
        assert "TOKEN-5d2c" not in terminal.said
        assert not [each for each in chat.posted if each.method == "POST"], "nothing is sent"
    written = config(tmp_path)
    assert written["channels"] == {"ops": "file:secrets/chat-url"}
    assert written["alerts"] == {"channels": ["ops"]}
    assert (tmp_path / "secrets/chat-url").read_text() == hook
    assert mode(tmp_path / "secrets/chat-url") == "0600"


def test_a_port_that_is_taken_is_asked_again(tmp_path: Path, unit: Client, server: DiveraServer) -> None:
    with asking(tmp_path) as terminal:
        source(terminal, unit)
        terminal.answer("Times of day")
        the_rest(terminal, page=f"127.0.0.1:{server.server_port}")
        terminal.wait_for(f"cannot listen on 127.0.0.1:{server.server_port}: address already in use")
        free = free_port()
        terminal.answer("Address of the page", f"{free}")
        assert terminal.status() == 0
    assert config(tmp_path)["web"] == {"listen": f"127.0.0.1:{free}"}


def test_a_page_whose_libraries_are_missing_is_said_when_it_is_wanted(tmp_path: Path, unit: Client) -> None:
    program = (
        "import sys\n"
        "for name in [name for name in sys.modules if name.startswith('tallyd.web')]: del sys.modules[name]\n"
        "sys.modules['uvicorn'] = None\n"
        "sys.argv[0] = 'tallyd'\n"
        "from tallyd.cli.main import main; sys.exit(main())"
    )
    with at_terminal("-c", program, "init", "--ask", cwd=tmp_path) as terminal:
        terminal.answer("Language")
        source(terminal, unit)
        terminal.answer("Times of day")
        the_rest(terminal, page="127.0.0.1:8710")
        terminal.wait_for("Address of the page: needs a library that is not installed")
        terminal.answer("Address of the page", "no")
        assert terminal.status() == 0, terminal.said
    assert "web" not in config(tmp_path)


# ---- languages


@pytest.mark.parametrize(
    ("lc_all", "lc_messages", "lang", "default"),
    [
        pytest.param("", "", "de_DE.UTF-8", "de", id="LANG"),
        pytest.param("", "zh_TW.UTF-8", "de_DE.UTF-8", "zh-TW", id="LC_MESSAGES"),
        pytest.param("C.UTF-8", "", "de_DE.UTF-8", "en", id="LC_ALL"),
    ],
)
def test_the_language_is_asked_first_by_default_that_of_the_terminal(
    lc_all: str, lc_messages: str, lang: str, default: str, tmp_path: Path
) -> None:
    command = ("-m", "tallyd", "init", "--ask")
    with at_terminal(*command, cwd=tmp_path, LC_ALL=lc_all, LC_MESSAGES=lc_messages, LANG=lang) as terminal:
        terminal.wait_for(f"Language, Sprache, 語言 [{default}]: ")
        terminal.press("Klingon\n")
        terminal.wait_for(f"Language, Sprache, 語言 [{default}]: ")


def test_the_language_is_in_the_config_and_a_no_in_it_is_a_no(tmp_path: Path, unit: Client) -> None:
    with asking(tmp_path, "--kind", "divera", language="DE") as terminal:
        german = catalog("tallyd", "de")
        for question, typed in {
            "Address of Divera": unit.url.removesuffix("/api/users"),
            "Access key": KEY,
            "Times of day": "",
            "Time zone": "",
            "Chat or mail address for alerts": german["no"].upper(),
            "Address of the page": german["no"],
        }.items():
            terminal.answer(german[question], typed)
        assert terminal.status() == 0, terminal.said
    written = config(tmp_path)
    assert written["language"] == "de"
    assert "channels" not in written


def test_what_is_wrong_with_an_answer_is_said_in_the_language_of_the_questions(
    tmp_path: Path, unit: Client
) -> None:
    german = catalog("tallyd", "de")
    with asking(tmp_path, "--kind", "divera", language="de") as terminal:
        terminal.answer(german["Address of Divera"], unit.url.removesuffix("/api/users"))
        terminal.answer(german["Access key"], "https://a.example/key")
        fault = catalog("stored", "de")["is a URL; put only the key there, and the address in url"]
        terminal.wait_for(fault)


# ---- what is there stays, and nothing is left half-written


@pytest.mark.parametrize(
    ("question", "key"),
    [
        pytest.param("Number or name", "\x03", id="Ctrl-C at the first"),
        pytest.param("Access key", "\x04", id="Ctrl-D at the key"),
        pytest.param("Access key", "\x03", id="Ctrl-C at the key"),
        pytest.param("Address of the page", "\x04", id="Ctrl-D at the last"),
    ],
)
def test_it_can_be_left_at_any_question(tmp_path: Path, unit: Client, question: str, key: str) -> None:
    with asking(tmp_path) as terminal:
        for asked in (
            "Number or name",
            "Address of Divera",
            "Access key",
            "Times of day",
            "Time zone",
            "Chat",
        ):
            if asked == question:
                break
            answers = {"Address of Divera": unit.url, "Access key": KEY}
            terminal.answer(asked, answers.get(asked, ""))
        terminal.wait_for(question)
        terminal.wait_for(": ")
        terminal.press(key)
        terminal.wait_for("Stopped. Nothing was written.")
        assert terminal.status() == 130
    assert list(tmp_path.iterdir()) == []


def test_it_can_be_left_while_the_source_is_tried(tmp_path: Path, unit: Client) -> None:
    unit.gate.clear()
    with asking(tmp_path) as terminal:
        source(terminal, unit)
        terminal.wait_for("Trying it")
        assert unit.wait_asked(1)
        terminal.press("\x03")
        terminal.wait_for("Stopped. Nothing was written.")
        assert terminal.status() == 130
    assert list(tmp_path.iterdir()) == []


def test_a_config_that_is_there_is_never_touched(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with at_terminal("-m", "tallyd", "init", "--ask", cwd=tmp_path) as terminal:
        terminal.wait_for("config.json already exists; nothing was changed")
        assert terminal.status() == 2
    assert [(each.name, each.read_text()) for each in tmp_path.iterdir()] == [("config.json", "{}")]


def test_a_secret_that_is_there_is_never_overwritten(tmp_path: Path, unit: Client) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets/divera-key").write_text("an older key")
    with asking(tmp_path) as terminal:
        source(terminal, unit)
        terminal.answer("Times of day")
        the_rest(terminal)
        assert terminal.status() == 0
    assert (tmp_path / "secrets/divera-key").read_text() == "an older key"
    assert (tmp_path / "secrets/divera-key-2").read_text() == KEY
    assert config(tmp_path)["pollers"]["divera"]["accesskey"] == "file:secrets/divera-key-2"


def test_a_place_that_is_not_a_folder_is_said_before_anything_is_asked(tmp_path: Path) -> None:
    command = ("-m", "tallyd", "--config", "nonesuch/config.json", "init", "--ask")
    with at_terminal(*command, cwd=tmp_path) as terminal:
        terminal.wait_for(f"this user may not write in {tmp_path}/nonesuch")
        assert terminal.status() == 2


def test_without_a_terminal_it_says_what_to_write(tmp_path: Path) -> None:
    done = warm.run("-m", "tallyd", "init", "--ask", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"tallyd init --kind KIND > {tmp_path}/config.json" in done.stderr
    assert "divera, visitors, servers" in done.stderr
    assert f"{tmp_path}/secrets (mode 0600)" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_for_the_service_the_folders_are_the_installed_ones(tmp_path: Path, unit: Client) -> None:
    answers = tmp_path / "answers"
    answers.mkdir()
    command = ("--config", "/etc/tallyd/config.json", "init", "--ask", "--into", str(answers))
    with at_terminal("-m", "tallyd", *command, cwd=tmp_path) as terminal:
        terminal.answer("Language")
        source(terminal, unit)
        terminal.answer("Times of day")
        the_rest(terminal)
        terminal.wait_for("Written: /etc/tallyd/secrets/divera-key")
        terminal.wait_for("Written: /etc/tallyd/config.json")
        assert terminal.status() == 0
        assert "first reading" not in terminal.said
    assert config(answers)["data_dir"] == "/var/lib/tallyd"
    assert (answers / "secrets/divera-key").read_text() == KEY
    assert not os.path.lexists("/etc/tallyd/config.json")

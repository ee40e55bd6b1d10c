"""No name, no key, ever, anywhere: the real daemon at log level DEBUG against a server full of canaries."""

from __future__ import annotations

import base64
import json
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote, quote_plus

import pytest

from support.daemon import every_seconds, running, wait_until, write_config

KEY = "c4n4ry/Key+5e1f=%7E~&;"
PEOPLE = [
    {
        "user_id": number,
        "firstname": f"Kanarienvorname{number}",
        "lastname": f"Zwölfkanarie{number}",
        "email": f"kanarie{number}@canary.example",
        "phonenumbers": [{"number": f"+49 151 77700{number}"}],
        "note": f'Notiz "Kanarienallee" {number}',
        "status_id": 50101 if number % 2 else None,
    }
    for number in range(8)
]
CANARIES = [
    KEY,
    *(str(one[key]) for one in PEOPLE for key in ("firstname", "lastname", "email", "note")),
    *(one["phonenumbers"][0]["number"] for one in PEOPLE),  # type: ignore[index] # a list of one object
]
USERS = {"success": True, "data": PEOPLE}
PULL = {
    "success": True,
    "data": {
        "monitor": {
            "1": {"50101": {"all": 4, "qualification": {"2": 3}}},
            "2": {"50101": [{"id": 1, "name": PEOPLE[0]["lastname"], "note": PEOPLE[0]["note"]}]},
        },
        "cluster": {
            "status": {"50101": {"id": 50101, "name": "Einsatzbereit "}},
            "consumer": {str(one["user_id"]): one for one in PEOPLE},
        },
    },
}
REFUSAL = {
    "success": False,
    "error": {"message": f"key {KEY} of {PEOPLE[0]['firstname']} unknown"},
    "errors": CANARIES,
}


class Canary(BaseHTTPRequestHandler):
    """Answers with one kind of reply after the other; every failure holds canaries where it can."""

    protocol_version = "HTTP/1.1"
    turn: ClassVar[dict[str, int]] = {}
    seen: ClassVar[set[str]] = set()

    def do_GET(self) -> None:
        pull = "/pull/all" in self.path
        ways = list(self.ways())
        place = "pull" if pull else "users"
        number = Canary.turn.get(place, 0)
        Canary.turn[place] = number + 1
        # Success stands between the failures, so that files are written as well.
        way = "fine" if number % 2 == 0 else ways[(number // 2) % len(ways)]
        Canary.seen.add(f"{place} {way}")
        content = PULL if pull else USERS
        getattr(self, way)(content) if way == "fine" else self.ways()[way](content)

    def ways(self) -> dict[str, Any]:
        body = json.dumps(USERS).encode()
        names = " ".join(CANARIES[1:4]).encode("latin-1", "replace").decode("latin-1")
        return {
            "refused": lambda _: self._send(403, json.dumps(REFUSAL).encode()),
            "error": lambda _: self._send(500, f"<html>{CANARIES}</html>".encode(), Retry_After="0"),
            "no success": lambda _: self._send(200, json.dumps(REFUSAL).encode()),
            "html": lambda _: self._send(200, f"<html>{CANARIES}</html>".encode()),
            "empty": lambda _: self._send(204, b""),
            "wrong type": lambda _: self._send(200, json.dumps(CANARIES).encode()),
            "bad status": lambda _: self._send(
                200,
                json.dumps(
                    {"success": True, "data": [{**PEOPLE[0], "status_id": PEOPLE[0]["lastname"]}]}
                ).encode(),
            ),
            "truncated": lambda _: self._raw(b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n" + body),
            "bad json": lambda _: self._send(200, body[:-20]),
            "redirect": lambda _: self._send(
                302, b"", Location=f"https://other.example/{quote(KEY)}?n={names}"
            ),
            "status line": lambda _: self._raw(
                f"HTTP/1.1 {names} {KEY}\r\n\r\n".encode("latin-1", "replace")
            ),
            "header": lambda _: self._raw(
                b"HTTP/1.1 200 OK\r\n" + names.encode() + b"\r\nContent-Length: 5\r\n\r\n" + body[:5]
            ),
            "encoding": lambda _: self._send(200, body, Content_Encoding="gzip"),
            "hang up": lambda _: self.close(),
        }

    def fine(self, content: object) -> None:
        self._send(200, json.dumps(content).encode())

    def close(self) -> None:
        self.close_connection = True

    def _send(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _raw(self, answer: bytes) -> None:
        self.wfile.write(answer)
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Say nothing: this process's stderr is not what is tested."""


@pytest.fixture
def url() -> Iterator[str]:
    Canary.turn, Canary.seen = {}, set()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Canary)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def forms(canary: str) -> set[bytes]:
    """Return a canary plain, as JSON, percent-encoded, in two charsets, in base64 at each alignment."""
    plain = {
        canary,
        json.dumps(canary)[1:-1],
        quote(canary),
        quote(canary, safe=""),
        quote_plus(canary),
        repr(canary)[1:-1],
    }
    found = {form.encode() for form in plain} | {canary.encode("latin-1")}
    for raw in (canary.encode(), canary.encode("latin-1")):
        for shift in range(3):
            whole = base64.b64encode(b"\0" * shift + raw)
            core = whole[4 if shift else 0 : (len(raw) + shift) // 3 * 4]
            found |= {core, core.replace(b"+", b"-").replace(b"/", b"_")}
    return found


@pytest.mark.slow
def test_no_canary_is_found_in_anything_that_the_daemon_wrote(url: str, tmp_path: Path) -> None:
    (tmp_path / "key").write_text(KEY)
    common = {
        "kind": "divera",
        "accesskey": "file:key",
        "at": every_seconds(1, count=110),
        "catch_up": "1s",
        "at_least": [{"statuses": ["50101"], "count": 6}],
    }
    config = write_config(
        tmp_path,
        {
            "timezone": "UTC",
            "log": {"level": "DEBUG"},
            "http": {"timeout": "2s"},
            "retry": {"attempts": 2, "first_wait": "0.05s", "longest_wait": "0.1s"},
            "pollers": {
                "users": {**common, "url": f"{url}/api/users", "fetch_status_names": True},
                "monitor": {
                    **common,
                    "source": "monitor",
                    "url": f"{url}/api/v2/pull/all",
                    "fetch_status_names": True,
                    "qualifications": True,
                },
            },
        },
    )
    with running(config, python=sys.executable) as daemon:
        command_line = Path(f"/proc/{daemon.process.pid}/cmdline").read_bytes()
        wanted = {f"{place} {way}" for place in ("users", "pull") for way in ("fine", *_ways())}
        wait_until(lambda: wanted <= Canary.seen, within_s=100, what="every kind of reply was sent")
        assert daemon.end() == 0
    assert len(daemon.out_files("users")) >= 5
    assert len(daemon.out_files("monitor")) >= 5
    assert any(line["event"] == "try failed" for line in daemon.log())

    written = [path for path in tmp_path.rglob("*") if path.is_file() and path.name not in ("key",)]
    assert {"state.db", "tallyd.log", "stderr.txt"} <= {path.name for path in written}
    places = {str(path): path.read_bytes() for path in written} | {"command line": command_line}
    for canary in CANARIES:
        for form in forms(canary):
            assert [place for place, content in places.items() if form in content] == [], form


def _ways() -> list[str]:
    return list(Canary.ways(Canary.__new__(Canary)))


def test_the_search_itself_finds_a_canary_in_each_form() -> None:
    for canary in CANARIES:
        hidden = base64.b64encode(f"user:{canary}".encode())
        assert any(form in hidden for form in forms(canary))
        assert any(form in json.dumps({"x": canary}).encode() for form in forms(canary))
        assert any(form in f"/api?accesskey={quote_plus(canary)}".encode() for form in forms(canary))

"""Files that cameras send: who may, what is stored where, and what every refusal says."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import socket
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import ASGIApp

from support.daemon import Daemon, wait_until
from support.processes import free_port
from support.webfolder import serving_app
from tallyd.adapters.inbox.incoming import INCOMING, Incoming
from tallyd.config.load import load
from tallyd.core.errors import InboxError
from tallyd.web.http import auth
from tallyd.web.intake.application import MOST_AT_ONCE, Sender, application
from tallyd.web.intake.multipart import FormError, file_in
from tallyd.web.intake.service import intake_problems

AT = datetime(2026, 11, 20, 8, 15, tzinfo=UTC)
NAME = "20261120T081500.000000Z.json"
PASSAGE = b'[{"ID":1,"inOut":0,"time":"20261120081400","frameNumber":1,"outputTime":"20261120081401"}]'
MOST = 200_000
BASIC, TOKEN = ("camera", "gate-12-secret"), {"authorization": "Bearer gate-12-secret"}


@dataclass
class Camera:
    """Sends to `park/12` of an intake with an inbox of its own."""

    url: str
    inbox: Path
    headers: dict[str, str] = field(default_factory=lambda: dict(TOKEN))

    def send(self, body: object = PASSAGE, *, to: str = "park/12", **more: object) -> requests.Response:
        return requests.post(f"{self.url}/intake/{to}", data=body, headers=self.headers, timeout=30, **more)  # type: ignore[arg-type] # as requests takes it

    def files(self) -> dict[str, bytes]:
        """The files that a sweep would find, by path."""
        found = (path for path in self.inbox.rglob("*") if path.is_file() and ".tallyd" not in path.parts)
        return {str(path.relative_to(self.inbox)): path.read_bytes() for path in found}

    def unfinished(self) -> list[str]:
        folder = self.inbox / ".tallyd" / INCOMING
        return [each.name for each in folder.iterdir()] if folder.is_dir() else []


def app_of(inbox: Path) -> ASGIApp:
    sender = Sender(inbox=inbox, is_mount=False, source="12", max_bytes=MOST)
    return application({"park/12": "gate-12-secret"}, {"park/12": sender}.get, now=lambda: AT)


@pytest.fixture
def camera(tmp_path: Path) -> Iterator[Camera]:
    (tmp_path / "inbox").mkdir()
    with serving_app(app_of(tmp_path / "inbox")) as url:
        yield Camera(url, tmp_path / "inbox")


def in_pieces() -> Iterator[bytes]:
    yield from (PASSAGE[:10], PASSAGE[10:])


@pytest.mark.parametrize(
    "send",
    [
        pytest.param(lambda camera: camera.send(), id="body"),
        pytest.param(lambda camera: camera.send(in_pieces()), id="chunked"),
        pytest.param(lambda camera: camera.send(None, files={"file": ("a.json", PASSAGE)}), id="form"),
        pytest.param(
            lambda camera: camera.send({"camera": "12"}, files={"x": ("../../etc/passwd", PASSAGE)}),
            id="form with another field and a strange name",
        ),
    ],
)
def test_what_is_sent_is_in_the_inbox_when_the_answer_comes(
    send: Callable[[Camera], requests.Response], camera: Camera
) -> None:
    answer = send(camera)
    assert (answer.status_code, answer.json()) == (201, {"stored": f"12/{NAME}"})
    assert camera.files() == {f"12/{NAME}": PASSAGE}
    assert camera.unfinished() == []


def test_two_files_of_one_moment_are_two(camera: Camera) -> None:
    camera.send(b"[1]")
    assert camera.send(b"[2]").json() == {"stored": f"12/{NAME[:-5]}-2.json"}
    assert [*camera.files().values()] == [b"[1]", b"[2]"] or [*camera.files().values()] == [b"[2]", b"[1]"]


def test_a_password_of_http_basic_does_as_well(camera: Camera) -> None:
    camera.headers = {}
    assert camera.send(auth=BASIC).status_code == 201


@pytest.mark.parametrize(
    ("change", "status", "said"),
    [
        pytest.param(
            {"headers": {}},
            401,
            "the password is missing or wrong, or park/12 is not in intake.passwords",
            id="no password",
        ),
        pytest.param(
            {"headers": {"authorization": "Bearer guess"}}, 401, "missing or wrong", id="wrong token"
        ),
        pytest.param({"to": "park/13"}, 401, "or park/13 is not in intake.passwords", id="another source"),
        pytest.param({"to": "park/..%2f12"}, 404, "", id="a path"),
        pytest.param({"body": b""}, 400, "the file is empty", id="empty"),
        pytest.param(
            {"body": b"x" * (MOST + 1)}, 413, f"larger than {MOST} bytes (max_bytes", id="too large"
        ),
        pytest.param(
            {"body": (b"x" * 50_000 for _ in range(5))}, 413, "larger than", id="too large, length unknown"
        ),
        pytest.param(
            {"files": {"a": ("a", b"1"), "b": ("b", b"2")}, "body": None}, 400, "2 files", id="two files"
        ),
        pytest.param(
            {"body": {"a": "b"}, "files": {"a": (None, b"1")}}, 400, "0 files", id="no file in the form"
        ),
        pytest.param(
            {"headers": TOKEN | {"content-type": f"multipart/form-data; boundary={'x' * 300}"}},
            400,
            "the form is broken",
            id="a boundary that is too long",
        ),
    ],
)
def test_a_refusal_says_what_to_do_and_stores_nothing(
    change: dict[str, object], status: int, said: str, camera: Camera, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auth, "LONGEST_DELAY_S", 0.01)
    camera.headers = dict(change.pop("headers", camera.headers))  # type: ignore[call-overload] # as given above
    answer = camera.send(**change)  # type: ignore[arg-type] # as given above
    assert (answer.status_code, answer.headers["connection"] if said else "") == (
        status,
        "close" if said else "",
    )
    assert said in answer.text
    assert camera.files() == {}
    assert camera.unfinished() == []


@pytest.mark.parametrize(
    ("code", "status"),
    [(errno.ENOSPC, 507), (errno.EDQUOT, 507), (errno.EIO, 503)],
    ids=["full", "quota", "broken"],
)
def test_a_disk_that_takes_nothing_is_told_and_the_camera_sends_again(
    code: int, status: int, camera: Camera, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_given: object) -> None:
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", refuse)
        answer = camera.send()
    assert (answer.status_code, answer.headers["retry-after"]) == (status, "60")
    assert "send it again later" in answer.text
    assert (camera.files(), camera.unfinished()) == ({}, [])
    assert camera.send().status_code == 201


def test_an_inbox_that_is_not_there_is_told(camera: Camera) -> None:
    camera.inbox.rmdir()
    answer = camera.send()
    assert answer.status_code == 503
    assert "is not there" in answer.text


def test_a_link_in_place_of_a_source_leads_nowhere(camera: Camera, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (camera.inbox / "12").symlink_to(tmp_path / "elsewhere")
    assert camera.send().status_code == 503
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_what_is_cut_off_is_not_stored(camera: Camera) -> None:
    host, port = camera.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as client:
        client.sendall(
            b"POST /intake/park/12 HTTP/1.1\r\nhost: x\r\nauthorization: Bearer gate-12-secret\r\n"
            b"content-length: 1000\r\n\r\n" + PASSAGE
        )
        wait_until(camera.unfinished)
    wait_until(lambda: not camera.unfinished())
    assert camera.files() == {}


def test_what_is_cut_off_closes_no_file_below_a_thread_that_works_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    incoming = Incoming(tmp_path, is_mount=False)
    closing = threading.Thread(target=incoming.close)
    sync = os.fsync

    def cut_off_meanwhile(descriptor: int) -> None:
        if closing.ident is None:
            closing.start()
            closing.join(0.2)
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", cut_off_meanwhile)
    incoming.write(PASSAGE)
    assert incoming.put("12", NAME) == f"12/{NAME}"
    closing.join()
    assert (tmp_path / "12" / NAME).read_bytes() == PASSAGE
    with pytest.raises(InboxError):
        incoming.write(PASSAGE)


def test_one_sender_does_not_keep_the_others_out(camera: Camera) -> None:
    host, port = camera.url.removeprefix("http://").split(":")
    head = b"POST /intake/park/12 HTTP/1.1\r\nhost: x\r\nauthorization: Bearer gate-12-secret\r\n"
    with ExitStack() as held:
        for _ in range(MOST_AT_ONCE):
            client = held.enter_context(socket.create_connection((host, int(port))))
            client.sendall(head + b"content-length: 1000\r\n\r\nx")
        wait_until(lambda: len(camera.unfinished()) == MOST_AT_ONCE)
        answer = camera.send()
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "60")
    wait_until(lambda: not camera.unfinished())
    assert camera.send().status_code == 201


def test_the_intake_and_the_page_cannot_be_at_one_place(tmp_path: Path) -> None:
    place = "127.0.0.1:8710"
    intake = {"listen": place, "passwords": {"park/12": "12345678"}}
    poller = {"kind": "visitors", "inbox": "inbox"}
    settings = {"timezone": "UTC", "web": {"listen": place}, "intake": intake, "pollers": {"park": poller}}
    path = tmp_path / "config.json"
    path.write_text(json.dumps(settings))
    (found,) = intake_problems(load(path, environ={}))
    assert (found.place, found.text) == (
        "intake.listen",
        "is the place of the page (web.listen); use another port",
    )


@pytest.mark.parametrize(
    ("passwords", "pattern", "said"),
    [
        pytest.param(
            {"gone/12": "12345678"}, "*.json", "names no poller with an inbox: gone", id="no poller"
        ),
        pytest.param({"park/a.part": "12345678"}, "*.json", "is no name of a folder", id="ignored folder"),
        pytest.param({"park/12": "12345678"}, "count*", "excludes", id="pattern"),
        pytest.param({"park/12": "12345678"}, "*.json", "", id="fine"),
    ],
)
def test_senders_whose_files_nobody_would_take_are_problems_of_the_config(
    passwords: dict[str, str], pattern: str, said: str, tmp_path: Path
) -> None:
    poller = {"kind": "visitors", "inbox": "inbox", "pattern": pattern}
    path = tmp_path / "config.json"
    path.write_text(
        json.dumps({"timezone": "UTC", "intake": {"passwords": passwords}, "pollers": {"park": poller}})
    )
    found = intake_problems(load(path, environ={}))
    assert [each.place for each in found] == ([f'intake.passwords."{next(iter(passwords))}"'] if said else [])
    assert all(said in each.text for each in found)


# -- forms ---------------------------------------------------------------------------------------------------


async def _content(pieces: list[bytes]) -> bytes:
    async def sent() -> object:
        for piece in pieces:
            yield piece

    return b"".join([found async for found in file_in(sent(), b"--bound")])  # type: ignore[arg-type] # an async generator


def run(pieces: list[bytes]) -> bytes:
    return asyncio.run(_content(pieces))


def form_of(content: bytes) -> bytes:
    return (
        b'----bound\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n'
        b'----bound\r\nContent-Disposition: form-data; name="f"; filename="x"\r\n\r\n'
        + content
        + b"\r\n----bound--\r\n"
    )


@given(st.binary(max_size=300).filter(lambda content: b"--bound" not in content), st.integers(1, 40))
def test_the_file_of_a_form_is_the_same_however_it_is_cut(content: bytes, size: int) -> None:
    form = form_of(content)
    assert run([form[at : at + size] for at in range(0, len(form), size)]) == content


@given(st.integers(0, len(form_of(PASSAGE)) - 8))
def test_a_form_that_is_cut_off_is_no_file(length: int) -> None:
    with pytest.raises(FormError):
        run([form_of(PASSAGE)[:length]])


# -- the whole daemon ----------------------------------------------------------------------------------------


def test_a_daemon_counts_what_is_sent_once_however_often_and_moves_with_its_config(tmp_path: Path) -> None:
    port, other = free_port(), free_port()

    def config(port: int) -> str:
        return json.dumps(
            {
                "timezone": "UTC",
                "intake": {"listen": f"127.0.0.1:{port}", "passwords": {"park/12": "gate-12-secret"}},
                "pollers": {"park": {"kind": "visitors", "inbox": "inbox", "settle": "60s"}},
            }
        )

    path = tmp_path / "config.json"
    path.write_text(config(port))
    (tmp_path / "inbox").mkdir()
    daemon = Daemon(path)
    try:
        camera = Camera(f"http://127.0.0.1:{port}", tmp_path / "inbox")
        wait_until(lambda: is_open(port))
        assert [camera.send().status_code for _ in range(3)] == [201] * 3
        done = tmp_path / "inbox" / ".tallyd" / "done"
        # A file that is renamed into the inbox is whole: none waits until it has settled.
        wait_until(lambda: len([*done.rglob("*.json")]) == 3)
        path.write_text(config(other))
        wait_until(lambda: is_open(other))
        wait_until(lambda: not is_open(port))
        camera.url = f"http://127.0.0.1:{other}"
        assert camera.send().status_code == 201
        assert daemon.end() == 0
    finally:
        daemon.kill()
        daemon.close()
    with closing(sqlite3.connect(tmp_path / "state" / "records.db")) as database:
        assert database.execute("SELECT sum(n_in) FROM passage_minute").fetchone() == (1,)


def is_open(port: int) -> bool:
    with socket.socket() as asking:
        return asking.connect_ex(("127.0.0.1", port)) == 0

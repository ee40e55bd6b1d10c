"""No failure and no log line on the way to it shows the key that was sent."""

from __future__ import annotations

import base64
import contextlib
import logging
import pickle
import ssl
import threading
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
import trustme

from support.asking import get
from support.rawserver import BROKEN, SLOW, UNWANTED, Connection, Script, always, answer, once, serving
from tallyd.adapters.http.client import HttpClient
from tallyd.core.errors import SourceError, Stopped

CANARY = 'c4n4ry/+ "k3y"'
FORMS = {
    CANARY,
    "c4n4ry",  # stands in every percent-encoded and escaped form
    quote(CANARY, safe=""),
    quote_plus(CANARY),
    # Base64 of it, at each of the three offsets it may have in a longer text, without its edges.
    *(base64.b64encode(b"\0" * offset + CANARY.encode())[4:16].decode() for offset in range(3)),
}


def echo(status: str) -> Script:
    """Return a script that puts the key wherever an answer can hold it."""

    def script(connection: Connection) -> None:
        connection.request()
        # The content type is one over which urllib3 logs a warning with the URL.
        head = f"HTTP/1.1 {status} {CANARY}\r\nX-Echo: {CANARY}\r\nContent-Type: multipart/mixed\r\n"
        connection.send(f"{head}Content-Length: 20\r\n\r\n{CANARY}".encode())

    return script


SCRIPTS: dict[str, Script] = {
    **SLOW,
    **BROKEN,
    **UNWANTED,
    "refused key": always(answer(status="403 Forbidden")),
    "server error": always(answer(status="503 Service Unavailable")),
    "echo in an error": echo("500"),
    "echo in half an answer": echo("200"),
    "echo in the status line": echo("2x0"),
    "echo for a header": once(f"HTTP/1.1 200 OK\r\n{CANARY}\r\n\r\n".encode()),
    "echo in the encoding": always(answer(b"x", Content_Encoding=CANARY)),
    "echo in a redirect": always(answer(status="302 Found", Location=f"https://other.example/{CANARY}")),
    "echo in a redirect loop": always(answer(status="302 Found", Location=f"/{CANARY}")),
    "echo in a redirect to nowhere": always(answer(status="302 Found", Location=f"{CANARY}://[")),
}


@pytest.fixture
def logged() -> Iterator[Callable[[], str]]:
    """Log everything there is to log; return a function that returns it as text, tracebacks included."""
    lines: list[str] = []

    class Everything(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(self.format(record))

    root, handler = logging.getLogger(), Everything(logging.NOTSET)
    before = root.level
    root.setLevel(logging.NOTSET)
    root.addHandler(handler)
    yield lambda: "\n".join(lines)
    root.removeHandler(handler)
    root.setLevel(before)


@pytest.fixture
def client() -> Iterator[HttpClient]:
    made = HttpClient(user_agent="tallyd", timeout_s=0.5, max_bytes=1024 * 1024)
    yield made
    made.close()


def shown(client: HttpClient, url: str, **headers: str) -> str:
    """Ask with the key in path, query and header; return all that the failure could ever show."""
    with pytest.raises((SourceError, Stopped)) as caught:
        get(
            client,
            f"{url}/{CANARY}/path",
            params={"accesskey": CANARY, CANARY: "x"},
            headers={"X-Key": CANARY, "Authorization": f"Basic {base64.b64encode(CANARY.encode()).decode()}"}
            | headers,
        )
    failure = caught.value
    assert failure.__cause__ is None
    assert failure.__context__ is None
    return "\n".join(
        [
            str(failure),
            repr(failure),
            repr(vars(failure)),
            repr(pickle.dumps(failure.args)),
            *traceback.format_exception(failure, chain=True),
        ]
    )


def assert_silent(text: str) -> None:
    found = [form for form in FORMS if form in text]
    assert not found


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS.keys())
def test_no_failure_shows_the_key(client: HttpClient, logged: Callable[[], str], script: Script) -> None:
    with serving(script) as server:
        text = shown(client, server.url)
        assert server.host in text  # or this test looks at the wrong thing
        assert b"c4n4ry" in server.heads[0]
    assert_silent(text + logged())


def test_a_connection_that_fails_does_not_show_the_key(client: HttpClient, logged: Callable[[], str]) -> None:
    with serving(always(answer())) as gone:
        pass
    login = f"{quote(CANARY, safe='')}:{quote(CANARY, safe='')}"
    for url in (gone.url, "http://nowhere.invalid", "http://a..b", f"http://{login}@nowhere.invalid"):
        assert_silent(shown(client, url))
    assert_silent(logged())


def test_tls_that_fails_does_not_show_the_key(
    client: HttpClient, logged: Callable[[], str], tmp_path: Path
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    with serving(always(answer()), tls=context) as server:
        assert_silent(shown(client, server.url))
    with serving(always(answer())) as server:
        assert_silent(shown(client, f"https://{server.host}"))
    without = HttpClient(user_agent="tallyd", timeout_s=1, ca_file=tmp_path / "missing.pem")
    assert_silent(shown(without, "https://127.0.0.1:1"))
    without.close()
    assert_silent(logged())


def test_a_proxy_that_fails_does_not_show_the_key(logged: Callable[[], str]) -> None:
    with serving(always(answer(status=f"407 {CANARY}"))) as proxy:
        url = f"http://user:{quote(CANARY, safe='')}@{proxy.host}"
        client = HttpClient(user_agent="tallyd", timeout_s=1, proxy=url)
        for scheme in ("http", "https"):
            assert_silent(shown(client, f"{scheme}://host.example"))
    for scheme in ("http", "https"):  # and now it is gone
        assert_silent(shown(client, f"{scheme}://host.example"))
    client.close()
    assert_silent(logged())


@pytest.mark.parametrize(
    ("url", "headers"),
    [
        pytest.param("ftp://host.example", {}, id="scheme"),
        pytest.param("http://host.example:port", {}, id="port"),
        pytest.param("http://", {}, id="no host"),
        pytest.param("http://host.example", {"X": f"{CANARY}\n"}, id="line break"),
        pytest.param("http://host.example", {f"{CANARY}": "x"}, id="header's name"),
        pytest.param("http://host.example", {"X": f"{CANARY}\N{EURO SIGN}"}, id="outside Latin-1"),
    ],
)
def test_what_cannot_be_sent_is_not_shown(
    client: HttpClient, logged: Callable[[], str], url: str, headers: dict[str, str]
) -> None:
    assert_silent(shown(client, url, **headers) + logged())


def test_a_shutdown_does_not_show_the_key(client: HttpClient, logged: Callable[[], str]) -> None:
    with serving(SLOW["body byte by byte"]) as server, contextlib.ExitStack() as stack:
        timer = threading.Timer(0.05, client.abort)
        stack.callback(timer.join)
        timer.start()
        assert_silent(shown(client, server.url) + shown(client, server.url) + logged())


def test_success_logs_nothing_of_the_request(client: HttpClient, logged: Callable[[], str]) -> None:
    with serving(always(answer(b"x"))) as server:
        get(client, f"{server.url}/{CANARY}", params={"key": CANARY}, headers={"X-Key": CANARY})
    assert logged() == ""

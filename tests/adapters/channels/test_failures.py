"""The messages when a channel does not accept a message: they have the reason, but no secret."""

from __future__ import annotations

import logging
import socket
import ssl
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
import trustme

from support.chatservers import MailServer, Reply, WebService
from support.rawserver import SLOW, Connection, Script, always, answer, endless, serving
from support.translations import Use
from support.warm_channels import warm_channels
from tallyd.adapters.channels.sender import Channels
from tallyd.core.alerts.message import Message
from tallyd.core.errors import DeliveryError, Stopped
from tallyd.core.language.languages import reading_in
from tallyd.core.language.messages import translated
from tallyd.core.privacy.redaction import Redactor

MESSAGE = Message(subject="subject", text="text", tone="info")
TOKEN = "Tok3nTok3nTok3n"
ENDLESS = endless(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 4_000_000)


def replying(data: bytes) -> Script:
    """Return a script that reads all of a small request, then answers and closes: no reset overtakes it."""

    def script(connection: Connection) -> None:
        connection.request()
        connection.sock.recv(65536)
        connection.send(data)

    return script


def failures(urls: list[str], *, timeout_s: float = 20) -> list[str]:
    """Deliver to all at once and return what was raised. Nothing but `redact` knows the secrets."""
    channels = warm_channels(timeout_s=timeout_s)

    def failure(url: str) -> str:
        with pytest.raises(DeliveryError) as caught:
            channels.deliver(url, MESSAGE)
        assert caught.value.__cause__ is None
        assert caught.value.__context__ is None
        return caught.value.text

    with ThreadPoolExecutor(4) as threads:
        return list(threads.map(failure, urls))


def test_a_rejection_is_reported_with_its_status_but_never_with_the_path(
    web: WebService, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    replies = {
        404: Reply(404, b"not found: /hooks/n404/Tok3nTok3nTok3n"),
        401: Reply(401, b'{"success": false, "error": "invalid token"}'),
        429: Reply(429, b'{"error": "see /hooks/n429/Tok3nTok3nTok3n"}', {"Retry-After": "30"}),
        500: Reply(500, b"\xff" * 100_000),
    }
    for status, reply in replies.items():
        web.replies |= {f"/hooks/n{status}/{TOKEN}": reply, f"/j{status}/{TOKEN}": reply}
    rocket = failures([f"http://{web.host}/hooks/n{status}/{TOKEN}" for status in replies])
    assert rocket == [
        f"{web.host}: HTTP 404",
        f"{web.host}: HTTP 401 (invalid token)",
        f"{web.host}: HTTP 429",
        f"{web.host}: HTTP 500",
    ]
    json = failures([f"json://{web.host}/j{status}/{TOKEN}" for status in (404, 500)])
    assert json == [rocket[0], rocket[3]]
    assert len(web.at(f"/hooks/n500/{TOKEN}")) == 1  # nothing is tried again
    out, err = capfd.readouterr()
    assert TOKEN not in caplog.text + out + err


def test_a_redirect_is_not_followed_to_any_place(web: WebService) -> None:
    with serving(always(answer(b"{}"))) as other:
        for status, path in ((302, f"/hooks/r302/{TOKEN}"), (307, "/r307")):
            web.replies[path] = Reply(status, b"", {"Location": f"{other.url}/{TOKEN}"})
        texts = failures([f"http://{web.host}/hooks/r302/{TOKEN}", f"json://{web.host}/r307?redirect=yes"])
        assert other.connections == 0
    assert texts == [
        f"{web.host}: HTTP {status} (a redirect, which is not followed)" for status in (302, 307)
    ]


def test_a_failure_of_a_server_is_reported_with_its_host() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("localhost").configure_cert(context)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        closed = f"127.0.0.1:{unused.getsockname()[1]}"
        with (
            serving(replying(b"SSH-2.0-x\r\n")) as strange,
            serving(replying(b"")) as silent,
            serving(always(answer()), tls=context) as secured,
        ):
            texts = failures(
                [
                    f"http://{closed}/hooks/abc/{TOKEN}",
                    f"mailto://u:{TOKEN}@{closed}?from=a@a.example&to=a@b.example&mode=insecure",
                    f"json://{strange.host}/{TOKEN}",
                    f"json://{silent.host}/{TOKEN}",
                    f"jsons://localhost:{secured.port}/{TOKEN}",
                    f"json://no-such-host.invalid/{TOKEN}",
                ]
            )
    assert texts == [
        f"{closed}: connection refused",
        "127.0.0.1: connection refused",
        f"{strange.host}: the connection was interrupted",
        f"{silent.host}: the connection was interrupted",
        f"localhost:{secured.port}: certificate not trusted (unable to get local issuer certificate)",
        "no-such-host.invalid: its name can't be resolved",
    ]


def test_a_rejection_by_a_mail_server_is_reported_with_its_code(mail: MailServer) -> None:
    server = f"127.0.0.1:{mail.port}"
    assert failures(
        [
            f"mailto://user:{TOKEN}@{server}?from=a@a.example&to=b@b.example&mode=insecure",
            f"mailto://user:s3cret-pass@{server}?from=a@a.example&to=b@full.example&mode=insecure",
            f"mailtos://user:s3cret-pass@{server}?from=a@a.example&to=b@b.example",
        ]
    ) == [
        "127.0.0.1: refused the user's name or password (SMTP 535)",
        "127.0.0.1: refused a recipient (SMTP 550)",
        "127.0.0.1: does not support what the channel asks for (TLS or a login)",
    ]
    assert mail.mails == []


def test_a_server_that_hangs_or_drips_is_left_at_the_deadline() -> None:
    names = ["no answer at all", "headers byte by byte", "body byte by byte", "chunks byte by byte"]
    with ExitStack() as stack:
        servers = [stack.enter_context(serving(SLOW[name])) for name in names]
        began = time.monotonic()
        texts = failures([f"json://{server.host}/x" for server in servers], timeout_s=3)
        assert time.monotonic() - began < 30
        assert all(server.connections for server in servers)
    assert texts == ["timed out after 3 s"] * 4


def test_an_answer_without_an_end_is_broken_off() -> None:
    with serving(ENDLESS) as server:
        said = f"{server.host}: HTTP 200 with more than 1 MiB (something else answers there?)"
        assert failures([f"json://{server.host}/x"]) == [said]


def test_a_child_that_uses_too_much_memory_ends_only_itself() -> None:
    code = """
import runpy
from tallyd.adapters.channels import errors
errors.MOST_BYTES = 10**12
runpy.run_module("tallyd.adapters.channels.child_main", run_name="__main__")
"""
    channels = Channels(timeout_s=20, proxy=None, redact=str, command=[sys.executable, "-P", "-c", code])
    with serving(ENDLESS) as server, pytest.raises(DeliveryError) as caught:
        channels.deliver(f"json://{server.host}/x", MESSAGE)
    assert caught.value.text == "JSON failed with MemoryError"


def test_abort_ends_deliveries_of_other_threads_at_once() -> None:
    channels = Channels(timeout_s=60, proxy=None, redact=str)
    aborted_at: list[float] = []

    def abort_once_connected() -> None:
        while server.connections < 2:
            time.sleep(0.01)
        aborted_at.append(time.monotonic())
        channels.abort()

    with serving(SLOW["body byte by byte"]) as server, ThreadPoolExecutor(2) as threads:
        thread = threading.Thread(target=abort_once_connected)
        thread.start()
        calls = [threads.submit(channels.deliver, f"json://{server.host}/x", MESSAGE) for _ in range(2)]
        assert all(isinstance(call.exception(timeout=30), Stopped) for call in calls)
        assert time.monotonic() - aborted_at[0] < 20, "long before the timeout"
        thread.join()
    for call in (lambda: channels.validate(["x"]), lambda: channels.probe("json://x")):
        with pytest.raises(Stopped):
            call()


def test_all_that_comes_back_is_redacted_and_visible(web: WebService) -> None:
    web.replies["/redacted"] = Reply(400, b'{"error": "no s3cretT0ken here \\u001b[31m\\n"}')
    channels = warm_channels(redact=Redactor(["s3cretT0ken"]).redact)
    with pytest.raises(DeliveryError) as caught:
        channels.deliver(f"json://{web.host}/redacted", MESSAGE)
    assert caught.value.text == f"{web.host}: HTTP 400 (no *** here \\x1b[31m\\n)"


GERMAN = {
    "{place}: {why}": "{place}: {why}",
    "HTTP {status}[ ({said})]": "HTTP {status}[ ({said})]",
    "HTTP {status} with a refusal[ ({said})]": "HTTP {status}, aber abgelehnt[ ({said})]",
    "HTTP {status} with more than {limit} MiB (something else answers there?)": (
        "HTTP {status} mit mehr als {limit} MiB (antwortet dort etwas anderes?)"
    ),
    "a redirect, which is not followed": "eine Umleitung, der tallyd nicht folgt",
    "{why} (SMTP {code})": "{why} (SMTP {code})",
    "refused the mail": "hat die E-Mail abgelehnt",
    "the proxy on the way to {host}": "der Proxy auf dem Weg zu {host}",
    "no answer in time": "keine rechtzeitige Antwort",
    "timed out after {limit}": "Zeit abgelaufen nach {limit}",
    "TLS failed ({why})": "TLS ist gescheitert ({why})",
    "no reason given": "ohne Grund",
}


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        ("chat.example:8080: HTTP 404", "chat.example:8080: HTTP 404"),
        ("chat.example: HTTP 400 (no such room)", "chat.example: HTTP 400 (no such room)"),
        (
            "chat.example: HTTP 302 (a redirect, which is not followed)",
            "chat.example: HTTP 302 (eine Umleitung, der tallyd nicht folgt)",
        ),
        ("chat.example: HTTP 200 with a refusal (no)", "chat.example: HTTP 200, aber abgelehnt (no)"),
        (
            "chat.example: HTTP 1200 with more than 1 MiB (something else answers there?)",
            "chat.example: HTTP 1200 mit mehr als 1 MiB (antwortet dort etwas anderes?)",
        ),
        ("mail.example: refused the mail (SMTP 552)", "mail.example: hat die E-Mail abgelehnt (SMTP 552)"),
        (
            "the proxy on the way to chat.example: no answer in time",
            "der Proxy auf dem Weg zu chat.example: keine rechtzeitige Antwort",
        ),
        ("timed out after 1 min 5 s", "Zeit abgelaufen nach 1 Min. 5 Sek."),
        ("chat.example: TLS failed (no reason given)", "chat.example: TLS ist gescheitert (ohne Grund)"),
    ],
)
def test_every_part_of_a_reason_is_shown_in_the_language_of_its_reader(
    use_translations: Use, stored: str, shown: str
) -> None:
    use_translations(stored=GERMAN)
    with reading_in("de"):
        assert translated(stored).replace("\N{NO-BREAK SPACE}", " ") == shown

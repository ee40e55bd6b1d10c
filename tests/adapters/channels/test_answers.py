"""HTTP 2xx is not enough: the answers of services that accepted a message, and of those that did not."""

from __future__ import annotations

import gzip
import ssl
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest
import requests
import trustme

from support.chatservers import Reply, WebService, web_service
from support.rawserver import RawServer
from support.warm_channels import warm_channels
from tallyd.adapters.channels.answers import objection
from tallyd.adapters.channels.errors import MOST_BYTES
from tallyd.adapters.channels.sender import Channels
from tallyd.core.alerts.message import Message
from tallyd.core.errors import DeliveryError

MESSAGE = Message(subject="subject", text="text", tone="info")
BOT = "123456789:AAbbCCddEEffGGhhIIjjKKllMMnnOOppQQr"
PAGE = b"<!DOCTYPE html>\n<html><body>Please log in</body></html>"
IS_PAGE = "with a web page (of a login, a proxy or a portal?), so the message was not accepted"
HOOK = "/hooks/abc/def"


def answer(body: bytes, status: int = 200) -> requests.Response:
    made = requests.Response()
    made.status_code, made._content = status, body
    return made


@pytest.mark.parametrize(
    ("service", "body"),
    [
        ("Telegram", b'{"ok": true, "result": {}}'),
        ("Rocket.Chat", b'{"success": true}'),
        ("Rocket.Chat", b'{"status": "success", "data": {}}'),
        ("Mattermost", b"ok"),
        ("Mattermost", b'{"id": "abc", "message": "text"}'),
        ("ntfy", b'{"id": "abc", "event": "message"}'),
        ("Gotify", b'{"id": 1}'),
        ("Discord", b""),
        ("Discord", b'{"id": "1"}'),
    ],
)
def test_what_a_service_promises_is_a_delivery(service: str, body: bytes) -> None:
    assert objection(answer(body), service, is_own_host=False) is None


@pytest.mark.parametrize("service", ["Telegram", "Rocket.Chat", "Mattermost", "ntfy", "Gotify", "Discord"])
@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(PAGE, IS_PAGE, id="a page"),
        pytest.param(b'{"ok": false, "description": "chat not found"}', "(chat not found)", id="not ok"),
        pytest.param(b'{"success": false, "error": "a/secret/path"}', "with a refusal", id="no success"),
        pytest.param(b'{"ok": "true", "success": 1}', "without the ", id="neither true nor false"),
        pytest.param(b"[" * 100_000, "without the ", id="nested deeply"),
        pytest.param(b"Welcome", "without the ", id="a text"),
    ],
)
def test_any_other_answer_of_a_known_service_is_a_failed_delivery(
    service: str, body: bytes, expected: str
) -> None:
    said = objection(answer(body), service, is_own_host=False)
    assert said is not None
    assert expected in said
    assert "secret" not in said


@pytest.mark.parametrize("service", ["Telegram", "Rocket.Chat", "Mattermost", "ntfy", "Gotify"])
def test_an_empty_answer_is_a_failure_if_the_service_promises_a_field(service: str) -> None:
    assert objection(answer(b"", 204), service, is_own_host=False) is not None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"ok",
        b"{}",
        b"[]",
        b'{"ok": true}',
        b'{"error": "see above"}',
        b"<?xml version='1.0'?><ok/>",
        b"<p>",
    ],
)
def test_a_webhook_that_nobody_knows_may_answer_what_it_likes(body: bytes) -> None:
    assert objection(answer(body), "JSON", is_own_host=True) is None


@pytest.mark.parametrize(
    "body",
    [
        PAGE,
        PAGE.lower(),
        b"\xef\xbb\xbf \r\n" + PAGE,
        b"<!-- made by x --> <!-- > --><HTML lang='de'>",
        b'<?xml version="1.0"?>\n' + PAGE,
        b"<script>location.href='/login'</script>",
        b'{"ok": false}',
        b'\xef\xbb\xbf{"success": false}',
    ],
)
def test_a_web_page_or_a_refusal_is_a_failure_for_any_service(body: bytes) -> None:
    assert objection(answer(body), "JSON", is_own_host=True) is not None


def test_of_a_service_that_is_always_at_one_host_apprise_has_the_last_word() -> None:
    assert objection(answer(PAGE), "Pushover", is_own_host=False) is None


@pytest.mark.parametrize(
    ("url", "path"),
    [
        (f"http://{{host}}{HOOK}", HOOK),
        ("json://{host}/hook", "/hook"),
        ("form://{host}/hook", "/hook"),
        ("mmost://{host}/abcdefgh/", "/hooks/abcdefgh"),
        ("ntfy://{host}/alarms", "/alarms"),
        ("gotify://{host}/abcdefgh", "/message"),
    ],
    ids=lambda given: given.partition(":")[0],
)
def test_a_page_with_http_200_is_a_failure_with_its_reason_and_sent_once(
    url: str, path: str, web: WebService
) -> None:
    web.posted.clear()
    web.replies |= dict.fromkeys(("/", path), Reply(200, PAGE))
    with pytest.raises(DeliveryError) as caught:
        warm_channels().deliver(url.format(host=web.host), MESSAGE)
    assert caught.value.text == f"{web.host}: HTTP 200 {IS_PAGE}"
    assert len(web.posted) == 1


@pytest.mark.parametrize("status", [200, 500])
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_at_most_a_mebibyte_of_an_answer_is_read(status: int, packed: bool, web: WebService) -> None:
    def delivered(size: int) -> None:
        body, headers = b"x" * size, {}
        if packed:
            body, headers = gzip.compress(body), {"Content-Encoding": "gzip"}
        web.replies["/hook"] = Reply(status, body, headers)
        warm_channels().deliver(f"json://{web.host}/hook", MESSAGE)

    with pytest.raises(DeliveryError) as caught:
        delivered(64 * 2**20 if packed else MOST_BYTES + 1)
    assert caught.value.text == (
        f"{web.host}: HTTP {status} with more than 1 MiB (something else answers there?)"
    )
    with nullcontext() if status == 200 else pytest.raises(DeliveryError, match=r": HTTP 500$"):
        delivered(MOST_BYTES)


def test_of_a_long_message_no_piece_follows_one_that_was_not_taken(web: WebService) -> None:
    web.posted.clear()
    web.replies[HOOK] = Reply(200, b'{"success": false, "error": "no such room"}')
    long = Message(subject="", text="line\n" * 2000, tone="info")
    with pytest.raises(DeliveryError, match=r": HTTP 200 with a refusal \(no such room\)$"):
        warm_channels().deliver(f"http://{web.host}{HOOK}", long)
    assert len(web.posted) == 1
    web.replies[HOOK] = Reply()
    warm_channels().deliver(f"http://{web.host}{HOOK}", long)
    assert len(web.posted) > 2


def test_telegram_must_say_that_it_is_ok(
    telegram: tuple[WebService, Path, RawServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    api, ca_file, proxy = telegram
    monkeypatch.setenv("SSL_CERT_FILE", str(ca_file))
    channels = warm_channels(proxy=proxy.url)
    for body, said in (
        (PAGE, IS_PAGE),
        (b'{"ok": false, "description": "Bad Request: chat not found"}', "(Bad Request: chat not found)"),
        (b"{}", 'without the "ok": true of Telegram, so the message was not accepted'),
    ):
        api.replies[f"/bot{BOT}/sendMessage"] = Reply(200, body)
        with pytest.raises(DeliveryError) as caught:
            channels.deliver(f"tgram://{BOT}/1", MESSAGE)
        assert caught.value.text.startswith("api.telegram.org: HTTP 200 ")
        assert said in caught.value.text


def test_a_probe_reports_it_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    with web_service(tls=context) as api:
        code = f"""
import runpy
from apprise.plugins.telegram import NotifyTelegram
NotifyTelegram.notify_url = "https://{api.host}/bot"
runpy.run_module("tallyd.adapters.channels.child_main", run_name="__main__")
"""
        api.replies[f"/bot{BOT}/getMe"] = Reply(200, PAGE)
        command = [sys.executable, "-P", "-c", code]
        with pytest.raises(DeliveryError) as caught:
            Channels(timeout_s=20, proxy=None, redact=str, command=command).probe(f"tgram://{BOT}/1")
        assert caught.value.text == f"{api.host}: HTTP 200 {IS_PAGE}"

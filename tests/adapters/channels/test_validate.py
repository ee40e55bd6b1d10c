"""Validating URLs without the network, and trying channels without sending."""

from __future__ import annotations

import ssl
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from support.chatservers import Reply, WebService, mail_server, web_service
from support.rawserver import always, answer, once, serving
from support.warm_channels import warm_channels
from tallyd.adapters.channels.sender import Channels
from tallyd.core.errors import DeliveryError

BOT = "123456789:AAbbCCddEEffGGhhIIjjKKllMMnnOOppQQr"
SECRET = "S3cretS3cret"
VALIDATED = {
    f"tgram://{BOT}/-1001234567": None,
    f"https://chat.example/hooks/abc/{SECRET}": None,
    f"mailtos://user:{SECRET}@mail.example?to=a@b.example": None,
    f"jsons://user:{SECRET}@hook.example/path": None,
    f"https://discord.com/api/webhooks/1234567890/{SECRET * 6}": None,
    f"tgram://{BOT}": "Telegram needs a bot token and a chat",
    f"tgram://{SECRET}/1": "Telegram needs a bot token and a chat",
    f"foo://{SECRET}": 'the scheme "foo" is not known',
    f"https://host.example/{SECRET}": "for a webhook of your own use jsons://host/path",
    f"https://chat.example/a/hooks/abc/{SECRET}": "below a path is not supported",
    "mailto://": "mail needs a server and an address",
    f"mailto://user:{SECRET}@mail.example?to=nobody": "contains an invalid address, port or option",
    f"slack://{SECRET}": "Slack does not accept this URL; see https://",
    SECRET: "a channel begins with the name of its service",
    "": "a channel begins with the name of its service",
    f"json://[{SECRET}/": 'write "@" as %40',
    f"mailtos://user:12/{SECRET}@mail.example?to=a@b.example": '"/" as %2F',
    f"mailtos://user:12#{SECRET}@mail.example?to=a@b.example": '"#" as %23',
    f"mailtos://user:12?{SECRET}@mail.example": '"?" as %3F',
    f"ntfys://tk_1/{SECRET}@ntfy.example/alarms": '"/" as %2F',
    f"mailtos://user:12%2F{SECRET}@mail.example/you%40b.example": None,
    f"ntfys://tk_1%2F{SECRET}@ntfy.example/alarms": None,
    f"tgram://{BOT}/@alarms": None,
}


@pytest.fixture
def channels() -> Channels:
    return warm_channels()


def test_each_url_is_validated_without_being_repeated(channels: Channels) -> None:
    found = dict(zip(VALIDATED, channels.validate(list(VALIDATED)), strict=True))
    for url, expected in VALIDATED.items():
        text = found[url]
        assert (text is None) is (expected is None), (url, text)
        assert (expected or "") in (text or "")
        assert SECRET.lower() not in (text or "").lower()
        assert BOT not in (text or "")
    assert channels.validate([]) == ()


def test_what_can_not_be_used_is_not_sent_either(channels: Channels) -> None:
    for url in (f"foo://{SECRET}", f"https://host.example/{SECRET}"):
        with pytest.raises(DeliveryError, match=r"^is not a usable channel URL: ") as caught:
            channels.probe(url)
        assert SECRET not in caught.value.text


def test_a_host_is_tested_only_by_connecting(channels: Channels) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    with serving(once(b"")) as closed:
        pass
    with serving(always(answer())) as plain, serving(always(answer()), tls=context) as secured:
        assert channels.probe(f"http://{plain.host}/hooks/a/b") == f"{plain.host} answers"
        with pytest.raises(DeliveryError, match=r"^localhost:\d+: certificate not trusted"):
            channels.probe(f"jsons://localhost:{secured.port}/x")
        with pytest.raises(DeliveryError, match=rf"^{closed.host}: connection refused$"):
            channels.probe(f"json://{closed.host}/x")
        assert plain.heads == []


def test_a_mail_server_is_tried_by_its_greeting(channels: Channels) -> None:
    with mail_server() as mail, serving(lambda it: it.send(b"554 go away\r\n")) as rude:
        url = f"mailto://user:{SECRET}@127.0.0.1:{mail.port}?from=a@a.example&to=a@b.example&mode=insecure"
        assert channels.probe(url) == f"127.0.0.1:{mail.port} answers"
        with pytest.raises(DeliveryError, match=rf"^{rude.host}: SMTP 554$"):
            channels.probe(
                f"mailto://user:{SECRET}@{rude.host}?from=a@a.example&to=a@b.example&mode=insecure"
            )
        assert mail.mails == []


def test_a_probe_says_if_only_sending_can_test_a_channel(channels: Channels) -> None:
    by_proxy = warm_channels(proxy="http://127.0.0.1:9")
    expected = "through the proxy it can only be tested by sending: {tallyd} notify NAME"
    assert by_proxy.probe("jsons://hook.example/x") == expected
    assert channels.probe("syslog://") == "Syslog can only be tested by sending: {tallyd} notify NAME"


@pytest.fixture
def telegram(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[WebService]:
    """Stand in for the bots' API, which is a constant of Apprise's plugin, in a child of our own."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    with web_service(tls=context) as api:
        yield api


def test_telegram_is_asked_who_the_bot_is(telegram: WebService) -> None:
    code = f"""
import runpy
from apprise.plugins.telegram import NotifyTelegram
NotifyTelegram.notify_url = "https://{telegram.host}/bot"
runpy.run_module("tallyd.adapters.channels.child_main", run_name="__main__")
"""
    channels = Channels(timeout_s=20, proxy=None, redact=str, command=[sys.executable, "-P", "-c", code])
    path = f"/bot{BOT}/getMe"
    telegram.replies[path] = Reply(200, b'{"ok": true, "result": {"username": "tally_bot"}}')
    assert channels.probe(f"tgram://{BOT}/1") == f"{telegram.host} answers for the bot @tally_bot"
    telegram.replies[path] = Reply(401, b'{"ok": false, "description": "Unauthorized"}')
    with pytest.raises(DeliveryError, match=r"unknown bot token \(HTTP 401\)$"):
        channels.probe(f"tgram://{BOT}/1")
    assert [each.method for each in telegram.posted] == ["GET", "GET"]

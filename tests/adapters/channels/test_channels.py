"""What arrives on the network at services that accept messages."""

from __future__ import annotations

import base64
import email
import email.message
import email.policy
import html
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from support.chatservers import Mail, MailServer, WebService
from support.chattexts import NASTY, shown_by_rocketchat
from support.rawserver import RawServer, always, answer, serving
from support.warm_channels import warm_channels
from tallyd.adapters.channels.sender import Channels
from tallyd.core.alerts.message import Attachment, Message

MESSAGE = Message(subject="Größe 中文 *fehlt* <b>", text=NASTY, tone="warning")
LONG = "".join(f"line {number}: *Größe* & 中文 😀\n" for number in range(400)).strip()[:10_000].strip()
FILE = "<!doctype html><p>Größe 中文 😀</p>"
BOT = "123456789:AAbbCCddEEffGGhhIIjjKKllMMnnOOppQQr"
TELEGRAM = f"tgram://{BOT}/-1001234567"


@pytest.fixture
def channels() -> Channels:
    return warm_channels()


def opened(mail: Mail) -> email.message.EmailMessage:
    return email.message_from_bytes(mail.data, policy=email.policy.default)


def test_json_gets_the_text_as_it_is_from_a_child_that_starts_anew(web: WebService) -> None:
    channels = Channels(timeout_s=20, proxy=None, redact=str)
    channels.deliver(f"json://{web.host}/nasty?format=markdown&overflow=truncate", MESSAGE)
    (posted,) = web.at("/nasty")
    assert posted.json["message"] == NASTY
    assert posted.json["title"] == MESSAGE.subject
    assert posted.json["type"] == "warning"
    assert posted.headers["User-Agent"] == "tallyd"


def test_rocketchat_gets_it_escaped_at_the_very_path_of_the_webhook(
    channels: Channels, web: WebService
) -> None:
    path = "/hooks/abcDEF123456/Zyx987_-token"
    channels.deliver(f"http://{web.host}{path}", MESSAGE)
    (posted,) = web.at(path)
    assert shown_by_rocketchat(posted.json["text"]) == NASTY
    assert posted.json["text"].startswith("\\*bold\\* and \\*\\*bold\\*\\*")
    assert posted.json.keys() == {"text"}  # no picture, which would be loaded from elsewhere
    assert MESSAGE.subject not in posted.json["text"]


def test_mail_gets_plain_text_and_an_encoded_subject(channels: Channels, mail: MailServer) -> None:
    url = (
        f"mailto://user:s3cret-pass@127.0.0.1:{mail.port}?from=tallyd@a.example&to=b@b.example&mode=insecure"
    )
    channels.deliver(url, MESSAGE)
    (got,) = mail.mails
    assert got.data.isascii()
    assert got.recipients == ("TO:<b@b.example>",)
    arrived = opened(got)
    assert arrived["Subject"] == MESSAGE.subject
    assert arrived["To"] == "b@b.example"
    assert arrived.get_content_type() == "text/plain"
    assert arrived.get_content().splitlines() == NASTY.splitlines()


def test_a_user_and_a_password_with_special_characters_are_written_escaped(
    channels: Channels, mail: MailServer
) -> None:
    server = f"127.0.0.1:{mail.port}"
    mail.mails.clear()
    channels.deliver(
        f"mailto://us%40er:s3cret%2Fp%40ss@{server}/c%40c.example?from=a@a.example&mode=insecure",
        MESSAGE,
    )
    assert [got.recipients for got in mail.mails] == [("TO:<c@c.example>",)]


def test_telegram_gets_html_in_which_every_character_is_shown(
    telegram: tuple[WebService, Path, RawServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    api, ca_file, proxy = telegram
    monkeypatch.setenv("SSL_CERT_FILE", str(ca_file))
    channels = warm_channels(proxy=proxy.url)
    channels.deliver(f"{TELEGRAM}?format=markdown&preview=yes&image=yes", MESSAGE)
    (posted,) = api.at(f"/bot{BOT}/sendMessage")
    assert posted.json["parse_mode"] == "HTML"
    assert posted.json["chat_id"] == -1001234567
    assert "<" not in posted.json["text"]
    assert html.unescape(posted.json["text"]) == NASTY
    assert all(head.startswith(b"CONNECT api.telegram.org:443 ") for head in proxy.heads)


def test_a_long_text_arrives_whole_everywhere_and_a_file_where_it_can(
    web: WebService,
    mail: MailServer,
    telegram: tuple[WebService, Path, RawServer],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    api, ca_file, proxy = telegram
    monkeypatch.setenv("SSL_CERT_FILE", str(ca_file))
    channels = warm_channels(proxy=proxy.url)
    api.posted.clear()
    mail.mails.clear()
    message = replace(MESSAGE, text=LONG, files=(Attachment("weekly.html", FILE),))
    urls = [
        f"http://{web.host}/hooks/long1/long2",
        f"json://{web.host}/long",
        f"mailto://user:s3cret-pass@127.0.0.1:{mail.port}?from=a@a.example&to=b@b.example&mode=insecure",
        TELEGRAM,
    ]
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(channels.deliver, urls, [message] * 4))
    rocket = [each.json["text"] for each in web.at("/hooks/long1/long2")]
    assert "\n".join(map(shown_by_rocketchat, rocket)) == LONG
    assert max(map(len, rocket)) <= 5000
    assert [each.json["message"] for each in web.at("/long")] == [LONG]
    assert [base64.b64decode(each.json["attachments"][0]["base64"]).decode() for each in web.at("/long")] == [
        FILE
    ]
    bot = [html.unescape(each.json["text"]) for each in api.at(f"/bot{BOT}/sendMessage")]
    assert "\n".join(bot) == LONG
    assert max(len(each.encode("utf-16-le")) // 2 for each in bot) <= 4096
    (document,) = api.at(f"/bot{BOT}/sendDocument")
    assert FILE.encode() in document.body
    text, file = opened(mail.mails[0]).iter_parts()
    assert text.get_content().splitlines() == LONG.splitlines()
    assert (file.get_filename(), file.get_content_type()) == ("weekly.html", "text/html")
    assert file.get_payload(decode=True) == FILE.encode()


def test_the_proxy_is_used_only_for_other_hosts(web: WebService) -> None:
    with serving(always(answer(b"{}"))) as proxy:
        channels = warm_channels(proxy=proxy.url)
        channels.deliver("json://chat.example/by-proxy", MESSAGE)
        channels.deliver(f"json://{web.host}/direct", MESSAGE)
    assert [head.split(b"\r\n")[0] for head in proxy.heads] == [b"POST http://chat.example/by-proxy HTTP/1.1"]
    assert len(web.at("/direct")) == 1


# An audit hook sees every file that Python opens, also where the kernel would then refuse.
NO_FILES = """
import os, runpy, sys
def hook(event, args):
    writes = event == "open" and isinstance(args[0], (str, bytes)) and args[0] != os.devnull and (
        set(args[1] or "") & set("wax+") or args[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))
    if writes or event in ("os.mkdir", "os.rename", "os.remove", "os.link", "os.symlink"):
        os._exit(97)
sys.addaudithook(hook)
runpy.run_module("tallyd.adapters.channels.child_main", run_name="__main__")
"""


def test_the_environment_is_ignored_and_no_file_is_written(
    web: WebService, mail: MailServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password s3cret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(netrc))
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9/")
    channels = Channels(timeout_s=20, proxy=None, redact=str, command=[sys.executable, "-P", "-c", NO_FILES])
    urls = [
        f"json://{web.host}/bare?store=yes",
        f"http://{web.host}/hooks/bare/bare",
        f"mailto://user:s3cret-pass@127.0.0.1:{mail.port}?from=a@a.example&to=b@b.example&mode=insecure",
    ]
    with ThreadPoolExecutor(3) as threads:
        list(threads.map(channels.deliver, urls, [MESSAGE] * 3))
    assert "Authorization" not in web.at("/bare")[0].headers
    assert [path.name for path in tmp_path.iterdir()] == [".netrc"]


def test_tones_and_odd_characters_pass(channels: Channels, web: WebService) -> None:
    tones = {"error": "failure", "over": "success", "info": "info"}
    messages = [Message(subject="", text=f"{tone} \ud800", tone=tone) for tone in ("error", "over", "info")]
    with ThreadPoolExecutor(3) as threads:
        list(threads.map(channels.deliver, [f"json://{web.host}/tone"] * 3, messages))
    assert {each.json["message"]: each.json["type"] for each in web.at("/tone")} == {
        f"{tone} ?": name for tone, name in tones.items()
    }


LINK = "http://[2001:db8:0:1::_]:8710/a_b~c_/poller/m_m?target=%2A_x_%2A~"


def test_a_link_is_the_last_line_everywhere_and_is_never_escaped(
    web: WebService,
    mail: MailServer,
    telegram: tuple[WebService, Path, RawServer],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    api, ca_file, proxy = telegram
    monkeypatch.setenv("SSL_CERT_FILE", str(ca_file))
    channels = warm_channels(proxy=proxy.url)
    api.posted.clear()
    mail.mails.clear()
    message = replace(MESSAGE, link=LINK)
    address = f"user:s3cret-pass@127.0.0.1:{mail.port}?from=a@a.example&to=b@b.example&mode=insecure"
    urls = [
        f"http://{web.host}/hooks/link1/link2",
        f"json://{web.host}/link",
        f"mailto://{address}",
        TELEGRAM,
    ]
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(channels.deliver, urls, [message] * 4))
    (rocket,) = web.at("/hooks/link1/link2")
    assert rocket.json["text"].split("\n")[-1] == LINK
    assert shown_by_rocketchat(rocket.json["text"].rpartition("\n")[0]) == NASTY
    assert web.at("/link")[0].json["message"] == f"{NASTY}\n{LINK}"
    assert html.unescape(api.posted[0].json["text"]) == f"{NASTY}\n{LINK}"
    assert opened(mail.mails[0]).get_content().splitlines() == [*NASTY.splitlines(), LINK]


def test_a_long_text_with_a_link_has_it_once_at_its_very_end(channels: Channels, web: WebService) -> None:
    message = replace(MESSAGE, text=LONG, link=LINK)
    channels.deliver(f"http://{web.host}/hooks/longlink1/longlink2", message)
    *before, last = [each.json["text"] for each in web.at("/hooks/longlink1/longlink2")]
    assert last.endswith(f"\n{LINK}")
    assert not any(LINK in text for text in before)
    assert max(map(len, (*before, last))) <= 5000
    assert "\n".join(map(shown_by_rocketchat, (*before, last[: -len(LINK) - 1]))) == LONG


@pytest.mark.parametrize("link", ["", LINK + "x" * 300], ids=["alone", "with a long link"])
def test_a_text_that_doubles_when_it_is_escaped_still_fits_into_rocketchats_limit(
    channels: Channels, web: WebService, link: str
) -> None:
    path = f"/hooks/stars/{len(link)}"
    channels.deliver(f"http://{web.host}{path}", replace(MESSAGE, text="a" + "*" * 4799, link=link))
    texts = [each.json["text"] for each in web.at(path)]
    assert max(map(len, texts)) <= 5000
    assert "".join(texts).replace("\\", "") == "a" + "*" * 4799 + (f"\n{link}" if link else "")
    assert len(texts) == (3 if link else 2), "only tallyd cuts: Apprise does not know what is an escape"


@pytest.mark.parametrize(
    ("text", "link"),
    [
        pytest.param("<&" * 2048, LINK, id="escaped"),
        pytest.param("\N{GRINNING FACE}" * 2048, LINK, id="emoji"),
        pytest.param("\N{GRINNING FACE}" * 2049, "", id="emoji alone"),
    ],
)
def test_characters_that_take_more_room_at_telegram_arrive_whole_and_within_its_limit(
    telegram: tuple[WebService, Path, RawServer], monkeypatch: pytest.MonkeyPatch, text: str, link: str
) -> None:
    api, ca_file, proxy = telegram
    monkeypatch.setenv("SSL_CERT_FILE", str(ca_file))
    channels = warm_channels(proxy=proxy.url)
    api.posted.clear()
    channels.deliver(TELEGRAM, replace(MESSAGE, text=text, link=link))
    posted = [each.json["text"] for each in api.posted]
    assert not any(re.search("&(?!(lt|amp);)", each) for each in posted), "no entity is cut"
    shown = [html.unescape(each) for each in posted]
    assert "".join(shown) == text + (f"\n{link}" if link else "")
    assert max(len(each.encode("utf-16-le")) // 2 for each in shown) <= 4096

"""No spelling of a secret survives, and ordinary words do."""

from __future__ import annotations

import ast
import base64
import hashlib
import html
import json
import re
from binascii import Error as Base64Error
from collections.abc import Callable
from urllib.parse import quote, quote_plus, unquote, unquote_plus

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from requests.auth import _basic_auth_str
from requests.utils import requote_uri

from tallyd.core.privacy.redaction import MASK, SHORTEST, Redactor
from tallyd.core.texts import visible

KEY = "s3cr\"t/k'ey\\ +ü€😀%&<x>"
NO_CONTROL = st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="*")
SECRETS = st.text(NO_CONTROL, min_size=SHORTEST, max_size=24)
NOISE = st.text(st.characters(exclude_categories=["Cs"]), max_size=24)
TRICKY = st.text(st.sampled_from("\\\"'/%+&;= aé"), min_size=SHORTEST, max_size=12)


def lower_percent(text: str) -> str:
    return re.sub(r"%[0-9A-F]{2}", lambda found: found[0].lower(), quote(text, safe=""))


def php_json(text: str) -> str:
    return json.dumps(text).replace("/", "\\/")


UNDONE_BY: dict[str, tuple[Callable[[str], str], Callable[[str], object]]] = {
    "plain": (str, str),
    "json": (json.dumps, json.loads),
    "json not ascii": (lambda text: json.dumps(text, ensure_ascii=False), json.loads),
    "json of php": (php_json, json.loads),
    "json in json": (lambda text: json.dumps(json.dumps(text)), lambda text: json.loads(json.loads(text))),
    "json in repr": (lambda text: repr(json.dumps(text)), lambda text: json.loads(ast.literal_eval(text))),
    "repr": (repr, ast.literal_eval),
    "ascii": (ascii, ast.literal_eval),
    "repr of bytes": (lambda text: repr(text.encode()), lambda text: ast.literal_eval(text).decode()),
    "repr in json": (lambda text: json.dumps(repr(text)), lambda text: ast.literal_eval(json.loads(text))),
    "percent": (lambda text: quote(text, safe=""), unquote),
    "percent but slashes": (quote, unquote),
    "percent with plus": (quote_plus, unquote_plus),
    "percent in lower case": (lower_percent, unquote),
    "percent twice": (lambda text: quote(quote(text, safe=""), safe=""), lambda text: unquote(unquote(text))),
    "html": (html.escape, html.unescape),
    "hex": (lambda text: text.encode().hex(), lambda text: bytes.fromhex(text).decode()),
    "HEX": (lambda text: text.encode().hex().upper(), lambda text: bytes.fromhex(text).decode()),
}
BOTH_WAYS = [pytest.param(*ways, id=name) for name, ways in UNDONE_BY.items()]


@pytest.mark.parametrize(("encode", "decode"), BOTH_WAYS)
def test_an_encoded_secret_is_replaced_as_a_whole_and_nothing_around_it(
    encode: Callable[[str], str], decode: Callable[[str], object]
) -> None:
    frame = encode("")
    opening, closing = frame[: (len(frame) + 1) // 2], frame[(len(frame) + 1) // 2 :]
    assert Redactor([KEY]).redact(f"before {encode(KEY)} after") == f"before {opening}{MASK}{closing} after"


@pytest.mark.parametrize(("encode", "decode"), BOTH_WAYS)
@given(secret=SECRETS | TRICKY, before=NOISE, after=NOISE)
def test_no_decoding_brings_a_secret_back(
    encode: Callable[[str], str], decode: Callable[[str], object], secret: str, before: str, after: str
) -> None:
    cleaned = Redactor([secret]).redact(encode(before + secret + after))
    assert secret not in cleaned
    assert MASK in cleaned
    try:
        decoded = decode(cleaned)
    except (ValueError, SyntaxError, TypeError, AttributeError):
        return  # what was cut out took an escape's beginning with it
    assert secret not in str(decoded)


@given(secret=SECRETS | TRICKY, before=NOISE, after=NOISE, data=st.data())
def test_a_mixture_of_escapes_is_found(secret: str, before: str, after: str, data: st.DataObject) -> None:
    spellings: list[Callable[[str], str]] = [
        str,
        lambda char: quote(char, safe=""),
        lambda char: json.dumps(char)[1:-1],
        visible,
        html.escape,
        lambda char: repr(char.encode())[2:-1],
    ]
    assume("\\" not in secret)  # which of two backslashes is whose is not known in a mixture
    mixed = "".join(data.draw(st.sampled_from(spellings))(char) for char in secret)
    assert mixed not in Redactor([secret]).redact(before + mixed + after)


@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode], ids=["standard", "urlsafe"])
@given(secret=SECRETS, before=st.binary(max_size=9), after=st.binary(max_size=9), frame=NOISE)
def test_base64_around_a_secret_no_longer_holds_it(
    encode: Callable[[bytes], bytes], secret: str, before: bytes, after: bytes, frame: str
) -> None:
    text = encode(before + secret.encode() + after).decode()
    cleaned = Redactor([secret]).redact(f"{frame} {text} {frame}")
    for run in re.findall(r"[A-Za-z0-9+/_-]+", cleaned):
        for begin in range(4):
            piece = run[begin:].replace("-", "+").replace("_", "/")
            try:
                decoded = base64.b64decode(piece[: len(piece) // 4 * 4], validate=True)
            except Base64Error:
                continue
            assert secret.encode() not in decoded


@pytest.mark.parametrize(
    ("secret", "special"),
    [pytest.param("who???why???", "/", id="slash"), pytest.param("abc>>>def>>>", "+", id="plus")],
)
def test_base64_for_urls_is_found_where_it_differs_in_one_character_alone(secret: str, special: str) -> None:
    written = base64.urlsafe_b64encode(secret.encode()).decode()
    assert set(base64.b64encode(secret.encode()).decode()) & {"+", "/"} == {special}
    assert Redactor([secret]).redact(f"token {written} sent") == f"token {MASK} sent"


@given(secret=SECRETS)
def test_what_requests_makes_of_a_secret_is_found(secret: str) -> None:
    redactor = Redactor([secret])
    assert secret not in unquote(redactor.redact(requote_uri(f"https://host/path?key={quote(secret)}")))
    if all(ord(char) < 256 for char in secret):
        header = _basic_auth_str("user", secret)
        cleaned = redactor.redact(header).removeprefix("Basic ").split(MASK)[0]
        assert len(cleaned) < len(header) - len("Basic ")
        assert secret.encode("latin-1") not in base64.b64decode(cleaned[: len(cleaned) // 4 * 4])


@given(secrets=st.lists(SECRETS, min_size=1, max_size=4), noise=st.lists(NOISE, min_size=5, max_size=5))
def test_none_of_several_secrets_is_left(secrets: list[str], noise: list[str]) -> None:
    text = "".join(between + secret for between, secret in zip(noise, secrets, strict=False))
    cleaned = Redactor(secrets).redact(text)
    assert not [secret for secret in secrets if secret in cleaned]


def test_the_longer_of_two_secrets_that_begin_alike_goes_as_a_whole() -> None:
    assert Redactor(["abcd", "abcd-efgh"]).redact("x abcd-efgh y abcd z") == "x *** y *** z"


def test_an_environment_variable_that_is_not_utf8_can_be_a_secret() -> None:
    secret = b"key\xff\xfe".decode("utf-8", "surrogateescape")
    redactor = Redactor([secret])
    assert redactor.redact(f"a {secret} b") == "a *** b"
    assert redactor.redact(json.dumps(secret)) == '"***"'


URLS = {
    "path of a webhook": (
        "https://chat.example/hooks/aB3dEf6h/tOkEn5678",
        "HTTPSConnectionPool(host='chat.example', port=443): url: /hooks/aB3dEf6h/tOkEn5678 (",
        "HTTPSConnectionPool(host='chat.example', port=443): url: *** (",
    ),
    "segments of a webhook": (
        "https://chat.example/hooks/aB3dEf6h/tOkEn5678",
        "rockets://aB3dEf6h/tOkEn5678@chat.example",
        "rockets://***/***@chat.example",
    ),
    "value with a secret name": (
        "https://host.example/ping?accesskey=short&format=json",
        "asked for json with key short",
        "asked for json with key ***",
    ),
    "value that looks like a token": (
        "https://host.example/ping?u=dEadBeef42&format=json",
        "json dEadBeef42",
        "json ***",
    ),
    "pair of a query": ("https://host.example/ping?q=word", "/other?q=word, a word", "/other?***, a word"),
    "password of a database": (
        "postgresql+psycopg://tallyd:p%40ss@db.example/tallyd",
        'password "p@ss" of tallyd on db.example, /opt/tallyd/bin',
        'password "***" of tallyd on db.example, /opt/tallyd/bin',
    ),
    "token in the place of a host": (
        "tgram://123456789:AAF-x_yZ12345/-1001234567",
        "https://api.telegram.org/bot123456789:AAF-x_yZ12345/sendMessage",
        "https://api.telegram.org/bot***/sendMessage",
    ),
    "token of letters in both cases": (
        "slack://QwErTyUiOp/MARCHANT",
        "QwErTyUiOp in MARCHANT",
        "*** in MARCHANT",
    ),
    "a lone path": ("https://hc.example/mysecrethook", "GET /mysecrethook 404", "GET *** 404"),
    "token as a user": ("https://abcdefgh12@host.example/", "user abcdefgh12", "user ***"),
    "a user without a password": ("https://abcdefghij@host.example/", "user abcdefghij", "user ***"),
    "a user with a password": (
        "https://abcdefghij:p4ssw0rd@host.example/",
        "user abcdefghij with p4ssw0rd",
        "user abcdefghij with ***",
    ),
    "a short path": ("https://hc.example/ping", "GET /ping 404", "GET /ping 404"),
    "a web host that looks like a token": (
        "https://backup1host/hook12345",
        "backup1host: /hook12345 not found",
        "backup1host: *** not found",
    ),
    "a host that looks like a token": (
        "ntfy://ntfy1.example.org/backup1-topic",
        "ntfy1.example.org timed out: /backup1-topic",
        "ntfy1.example.org timed out: ***",
    ),
    "a host with a port": (
        "jsons://hooks1.example.org:8443/aTokenOf-7w0",
        "hooks1.example.org:8443 answered HTTP 502: /aTokenOf-7w0",
        "hooks1.example.org:8443 answered HTTP 502: ***",
    ),
    "an address with a port": (
        "json://127.0.0.1:8710/hook",
        "127.0.0.1:8710 timed out",
        "127.0.0.1:8710 timed out",
    ),
    "this machine": ("json://localhost:8710/hook", "localhost:8710", "localhost:8710"),
    "sqlite": ("sqlite:////var/lib/state/records.db", "/var/lib/state", "/var/lib/state"),
    "not a url after all": ("https://[broken/key12345678", "key12345678", "key12345678"),
}


@pytest.mark.parametrize(("secret", "text", "cleaned"), URLS.values(), ids=URLS)
def test_the_secret_parts_of_a_url_go_and_ordinary_words_stay(secret: str, text: str, cleaned: str) -> None:
    redactor = Redactor([secret])
    assert redactor.redact(text) == cleaned
    assert redactor.redact(f"<{secret}>") == "<***>"


@pytest.mark.parametrize(
    ("secret", "text", "cleaned"),
    [
        ("Bearer Zq7xK2mWp9", "token Zq7xK2mWp9 expired", "token *** expired"),
        ("Basic Zq7xK2mWp9==", "Basic Zq7xK2mWp9==", "***"),
        ("green stations", "all stations, and green stations", "all stations, and ***"),
    ],
    ids=["a token alone", "all of it", "a phrase of ordinary words"],
)
def test_the_token_behind_a_scheme_goes_alone_too(secret: str, text: str, cleaned: str) -> None:
    assert Redactor([secret]).redact(text) == cleaned


def test_ten_thousand_secrets_slow_no_line_down() -> None:
    secrets = [f"Bearer {hashlib.sha256(str(number).encode()).hexdigest()[:32]}" for number in range(10_000)]
    redactor = Redactor(secrets)
    line = '{"event": "target changed", "target": "PROD", "reason": "127.0.0.1 timed out after 5 s"}'
    for number in range(10_000):
        assert redactor.redact(f"{number} {line}") == f"{number} {line}"
    for secret in secrets[::500]:
        assert redactor.redact(f"{line} {quote(secret)}") == f"{line} {MASK}"


def test_a_text_with_hundreds_of_secrets_keeps_none() -> None:
    secrets = [f"{number:03}/tök-{number * 7919:07}" for number in range(300)]
    text = " ".join(quote(secret) for secret in secrets)
    assert Redactor(secrets).redact(text) == " ".join([MASK] * 300)


def test_a_secret_is_found_wherever_it_stands_in_a_long_text() -> None:
    redactor = Redactor(["tOkEn-5678", "pw%1", *(f"another-{number:09}" for number in range(20))])
    for at in range(9_980, 10_020):
        assert redactor.redact("." * at + "tOkEn-5678pw%1" + "." * 99) == "." * at + MASK * 2 + "." * 99


def test_secrets_that_begin_and_end_alike_are_distinguished() -> None:
    redactor = Redactor([f"Bearer-of-site-{number}-production-key" for number in range(30)])
    text = "x Bearer-of-site-7-production-key y Bearer-of-site-99-production-key"
    assert redactor.redact(text) == f"x {MASK} y Bearer-of-site-99-production-key"


def test_a_secret_without_letters_or_digits_is_found() -> None:
    redactor = Redactor(["§$%&/()=?", "ordinary-one"])
    assert redactor.redact(quote("a §$%&/()=? b ordinary-one")) == f"a%20{MASK}%20b%20{MASK}"


def test_a_secret_too_short_to_be_one_is_left_standing() -> None:
    assert Redactor(["abc", ""]).redact("abc abcd") == "abc abcd"


def test_without_secrets_text_is_returned_as_it_is() -> None:
    text = "nothing to hide"
    assert Redactor().redact(text) is text


@given(text=st.text(st.sampled_from("abcdefgh \\/%&'\"+-_=:.0123"), max_size=200))
def test_text_without_the_secret_is_left_as_it_is(text: str) -> None:
    assert Redactor(["Zk4/Yq8 W2\\Lm", "https://h.example/Xy9Zw7Vu5?key=Tt6Rr4"]).redact(text) == text


def test_secrets_replaced_at_a_reload_stay_hidden() -> None:
    redactor = Redactor(["old-key-1"]).with_secrets(["new-key-2"])
    assert redactor.redact("old-key-1 new-key-2") == "*** ***"


def test_a_redactor_does_not_show_what_it_knows() -> None:
    assert repr(Redactor(["hunter22"])) == "Redactor(1 secrets)"


@pytest.mark.parametrize("noise", ["\\", '\\"', "%25", "amp;", "&amp;", "\\u00e9"])
def test_long_runs_of_escapes_take_linear_time(noise: str) -> None:
    redactor = Redactor(['\\\\"\\"/hooks/é\\\\x', "&&&&&&&&&&&&", "%%%%%%%%%%%%"])
    assert redactor.redact(noise * 200_000)

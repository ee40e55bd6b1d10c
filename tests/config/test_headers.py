"""Which values of headers are secrets: all but those of harmless names."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from tallyd.settings.headers import (
    HARMLESS_NAMES,
    HARMLESS_WORDS,
    Headers,
    is_harmless_header,
    unencrypted_header,
)
from tallyd.settings.secrets import Secret

SECRET = """
    Authentication Authorization Authorization-Token AuthToken Bearer Cookie Cookie2 Credentials
    Ocp-Apim-Subscription-Key PRIVATE-TOKEN Proxy-Authorization Session SessionId X-Access X-AccessKey X-Api
    X-Api-Key X-Api-Key-1 X-ApiKey X-Auth X-AuthToken X-Authentication X-Basic-Auth X-Bearer X-CSRFToken
    X-Client-Secret X-Code X-Cookie X-Credential X-Device-Id X-DeviceToken X-Functions-Key X-Hub-Signature-256
    X-Id-Token X-Kennwort X-Key-Id X-Login X-Passwort X-Pin X-PrivateKey X-SecretKey X-Session X-Session-Id
    X-SubscriptionKey X-Tenant X-Ticket X-Version-Key X-Zone-Token X_API_KEY x.api.key
    Accept-Token Origin-Key Versions User-Agent-Secret
"""

HARMLESS = """
    Accept Accept-Charset Accept-Datetime Accept-Encoding Accept-Language Accept-Version Api-Version
    Cache-Control Content-Language Content-Type Environment From OData-Version Origin Pragma Prefer Referer
    USER-AGENT User-Agent Version X-Api-Version X-Client-Locale X-Client-Version X-Deploy-Stage X-Env
    X-Environment X-Forwarded-For X-Forwarded-Host X-Forwarded-Port X-Forwarded-Proto X-GitHub-Api-Version
    X-Key-Version X-Lang X-Language X-Locale X-Region X-Requested-With X-Response-Format X-Stage
    X-Time-Zone X-Timezone X-Zone accept content-type x.api.version x_api_version
"""


@pytest.mark.parametrize("name", SECRET.split())
def test_an_unknown_header_may_be_a_secret(name: str) -> None:
    assert not is_harmless_header(name)


@pytest.mark.parametrize("name", HARMLESS.split())
def test_a_harmless_header_is_none(name: str) -> None:
    assert is_harmless_header(name)


@pytest.mark.parametrize(
    ("written", "exposed"),
    [
        pytest.param({"X-Ticket": "hunter2hunter2"}, "X-Ticket", id="an unknown name"),
        pytest.param({"X-Tenant": "7"}, "X-Tenant", id="an unknown name, a short value"),
        pytest.param({"X-Api-Version": "2"}, None, id="a version"),
        pytest.param({"X-Env": "prod", "Accept": "text/plain"}, None, id="harmless names"),
        pytest.param({"X-Env": "prod", "x-session": "abcdef"}, "x-session", id="one of two"),
    ],
)
def test_a_secret_is_not_sent_unencrypted(written: dict[str, str], exposed: str | None) -> None:
    headers = TypeAdapter[dict[str, Secret]](Headers).validate_python(written)
    assert {name: value.reveal() for name, value in headers.items()} == written
    assert unencrypted_header("http://app.example/", headers) == exposed
    for url in ("https://app.example/", "http://localhost/", "http://127.0.0.1:5000/"):
        assert unencrypted_header(url, headers) is None


def test_no_value_shows_itself() -> None:
    written = {"X-Tenant": "7", "X-Env": "prod", "Cookie": "id=canary"}
    headers = TypeAdapter[dict[str, Secret]](Headers).validate_python(written)
    assert str(headers) == "{'X-Tenant': Secret(***), 'X-Env': Secret(***), 'Cookie': Secret(***)}"


def test_the_docs_have_the_whole_list() -> None:
    text = (Path(__file__).parents[2] / "docs" / "servers.md").read_text("utf-8")
    section = text.partition("**Which headers are secrets.**")[2].partition("Under any other name")[0]
    named = {name.lower() for name in re.findall("`([A-Z][A-Za-z-]+)`", section)}
    assert named == HARMLESS_NAMES | HARMLESS_WORDS

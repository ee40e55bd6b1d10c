"""A URL in which a part of a password could be taken for the host is found; others are read in one way."""

from __future__ import annotations

from urllib.parse import quote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import make_url
from urllib3.util import parse_url

from tallyd.core.addresses import host_of, is_ambiguous

SPECIAL = "@/:#?[]\\"
PASSWORDS = st.text(st.sampled_from(SPECIAL + "%aZ19=&;.,+-_~!$'()*| é\uff20"), min_size=1, max_size=12)
HOSTS = st.sampled_from(["db.example", "localhost", "127.0.0.1", "[::1]"])
ENDS = st.sampled_from(["", "/", "/park", "/park?charset=utf8mb4", ":3306", ":3306/park"])


@given(password=PASSWORDS, host=HOSTS, end=ENDS)
def test_with_an_escaped_password_every_library_finds_the_same_host(
    password: str, host: str, end: str
) -> None:
    url = f"mysql+pymysql://user:{quote(password, safe='')}@{host}{end}"
    assert not is_ambiguous(url)
    assert make_url(url).password == password
    assert {make_url(url).host, urlsplit(url).hostname} == {host.strip("[]")}
    assert parse_url(url).host == host


@given(password=PASSWORDS, host=HOSTS, end=ENDS)
def test_what_is_not_found_is_read_alike_by_every_library(password: str, host: str, end: str) -> None:
    url = f"mysql+pymysql://user:{password}@{host}{end}"
    if set(password) & set(SPECIAL):
        assert is_ambiguous(url)
    elif not is_ambiguous(url):
        assert {make_url(url).host, urlsplit(url).hostname} == {host.strip("[]")}
        assert parse_url(url).host == host


@pytest.mark.parametrize("special", SPECIAL)
def test_each_special_character_is_found_in_a_user_name_and_in_a_token(special: str) -> None:
    assert is_ambiguous(f"https://us{special}er:pass@host.example/path")
    # A colon parts a user name from a password, also in a token.
    assert is_ambiguous(f"ntfy://tok{special}en@host.example/topic") is (special != ":")


@pytest.mark.parametrize(
    ("url", "anywhere", "in_values", "nowhere"),
    [
        pytest.param("mailto://user:pass@mail.example?to=me@b.example", False, False, True, id="in a value"),
        pytest.param("mailto://user:12?pass@mail.example", False, True, True, id="in the query, in no value"),
        pytest.param("mailto://user:12/pass@mail.example", False, True, True, id="in the path"),
        pytest.param("tgram://123456:AAbb/@channel", False, True, True, id="before a channel"),
        pytest.param("mailto://user:p@ss@mail.example", True, True, True, id="twice before the host"),
        pytest.param("mailto://user:pass@mail.example/a%40b", False, False, False, id="escaped"),
        pytest.param("http://[::1]:8080/path?to=me", False, False, False, id="none"),
        pytest.param("json://[::1/path", True, True, True, id="half a bracket"),
        pytest.param("no-url-at-all@here", False, False, False, id="no URL"),
    ],
)
def test_an_at_behind_the_host_is_found_where_none_may_stand(
    url: str, anywhere: bool, in_values: bool, nowhere: bool
) -> None:
    assert is_ambiguous(url, at_may_follow="anywhere") is anywhere
    assert is_ambiguous(url, at_may_follow="in values") is in_values
    assert is_ambiguous(url, at_may_follow="nowhere") is nowhere


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://user:pass@host.example/a", "host.example"),
        ("https://host.example:443/a", "host.example"),
        ("https://host.example.:8443/a", "host.example:8443"),
        ("http://[2001:db8::1]:8080", "[2001:db8::1]:8080"),
    ],
)
def test_a_host_is_named_without_a_user_and_without_the_port_of_its_scheme(url: str, host: str) -> None:
    assert host_of(url) == host


@pytest.mark.parametrize(
    "url", ["", "host.example", "ftp://host.example", "https:///a", "https://host:port/"]
)
def test_what_names_no_host_is_refused(url: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 # its text is shown to nobody
        host_of(url)

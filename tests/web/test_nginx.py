"""The page behind a real nginx, set up as docs/page.md says: below a path, with a password of nginx's own."""

from __future__ import annotations

import html
import re
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urljoin

import pytest
import requests
from playwright.sync_api import expect, sync_playwright

from support.browser import CHROMIUM, Watched
from support.needs import needs
from support.nginx import nginx
from support.webfolder import Web, serving_app
from tallyd.settings.secrets import Secret
from tallyd.settings.web import WebSettings
from tallyd.web.app import application

needs("nginx")

DOCUMENTED = Path(__file__).parents[2] / "docs" / "page.md"
OUTSIDE = "example.org"
OURS, THEIRS = "canary-web-5f1c", "canary-proxy-77d0"
CLEARED = 'proxy_set_header Authorization "";'
LINK = re.compile(r'\b(?:href|src|action|data-live)="([^"]+)"')


def documented() -> str:
    """Return the location that docs/page.md shows."""
    (found,) = re.findall(r"```nginx\n(.*?)```", DOCUMENTED.read_text("utf-8"), flags=re.DOTALL)
    assert isinstance(found, str)
    return found


@pytest.fixture
def web(tmp_path: Path) -> Web:
    made = Web(tmp_path)
    made.fill_records()
    return made


@contextmanager
def behind_nginx(
    web: Web,
    location: str,
    *,
    password: str | None = None,
    public_url: str | None = f"https://{OUTSIDE}/tallyd/",
) -> Iterator[str]:
    """The page behind nginx; yields the address of nginx."""
    settings = WebSettings(password=Secret(password) if password else None, public_url=public_url)
    users = web.folder / "tallyd.htpasswd"
    users.write_text(f"anna:{{PLAIN}}{THEIRS}\n")
    with web.context() as context, serving_app(application(context, settings)) as inner:
        location = location.replace("http://127.0.0.1:8710", inner)
        location = location.replace("/etc/nginx/tallyd.htpasswd", str(users))
        with nginx(web.folder / "nginx", location) as url:
            yield url


def get(url: str, password: str | None = THEIRS, *, host: str = OUTSIDE, **headers: str) -> requests.Response:
    auth = ("anna", password) if password else None
    return requests.get(url, auth=auth, headers={"Host": host, "Accept": "text/html", **headers}, timeout=20)


def test_as_documented_nginx_asks_for_its_password_and_every_link_works_below_its_path(web: Web) -> None:
    with behind_nginx(web, documented()) as url:
        assert get(f"{url}/tallyd/", None).status_code == 401
        assert get(f"{url}/tallyd/", "wrong").status_code == 401
        assert get(f"{url}/tallyd").url == f"{url}/tallyd/"
        for path in (
            "",
            "poller/divera",
            "poller/park?source=12",
            "poller/apps?target=TEST",
            "a/b/nowhere",
        ):
            answer = get(f"{url}/tallyd/{path}")
            assert answer.status_code == (404 if "nowhere" in path else 200)
            # A link that is only a #fragment leads to this page itself, which may be the one with the 404.
            links = {html.unescape(link) for link in LINK.findall(answer.text) if not link.startswith("#")}
            assert len(links) > 1
            for link in links:
                found = urljoin(answer.url, link).partition("#")[0]
                assert found.startswith(f"{url}/tallyd/"), link
                assert get(found).status_code == 200, link


def test_a_page_with_a_password_of_its_own_lets_nobody_in_who_has_that_of_nginx(web: Web) -> None:
    with behind_nginx(web, documented().replace(CLEARED, ""), password=OURS) as url:
        assert get(f"{url}/tallyd/").status_code == 401
        assert "web.password" in get(f"{url}/tallyd/").text
        assert get(f"{url}/tallyd/", OURS).status_code == 401


def test_nginx_can_give_the_password_of_the_page_itself_as_documented(web: Web) -> None:
    (line,) = re.findall(r'`(proxy_set_header Authorization "Basic [^`]*)`', DOCUMENTED.read_text("utf-8"))
    line = line.replace("BASE64", b64encode(f":{OURS}".encode()).decode())
    with behind_nginx(web, documented().replace(CLEARED, line), password=OURS) as url:
        assert get(f"{url}/tallyd/").status_code == 200
        assert get(f"{url}/tallyd/", None).status_code == 401
        assert get(f"{url}/tallyd/", OURS).status_code == 401


def test_the_password_of_nginx_goes_no_further(web: Web) -> None:
    assert CLEARED in documented()
    with behind_nginx(web, documented(), password=OURS) as url:
        answer = get(f"{url}/tallyd/")
    # The page itself answers, and has heard of no password at all: a wrong one would have been slowed down.
    assert (answer.status_code, answer.headers["www-authenticate"][:20]) == (401, 'Basic realm="tallyd"')
    assert answer.elapsed.total_seconds() < 0.5


def test_a_name_that_the_config_does_not_know_is_refused_with_what_to_do(web: Web) -> None:
    with behind_nginx(web, documented(), public_url=None) as url:
        answer = get(f"{url}/tallyd/")
    assert answer.status_code == 421
    assert "web.hosts" in answer.text


def test_in_a_browser_the_page_keeps_itself_current_below_the_path(web: Web) -> None:
    needs("chromium-headless-shell")
    with behind_nginx(web, documented()) as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_context(http_credentials={"username": "anna", "password": THEIRS}).new_page()
        watched = Watched(page, f"{url}/tallyd")
        with page.expect_response(lambda answer: "live=1" in answer.url, timeout=60_000) as live:
            page.goto(f"{url}/tallyd/")
        assert live.value.status == 200
        page.get_by_role("link", name="divera").first.click()
        expect(page).to_have_url(f"{url}/tallyd/poller/divera")
        expect(page.locator(".plot canvas").first).to_be_visible(timeout=60_000)
        browser.close()
    assert watched.complaints == []

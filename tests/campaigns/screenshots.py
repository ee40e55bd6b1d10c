"""Make screenshots of the page, on the invented data of the demo and its past.

`python tests/campaigns/screenshots.py FOLDER` makes each view in each language at 360 and 1280 px, light and
dark, also with thirty targets of which six are bad, with very long and with Chinese names, with one poller
alone, and where nothing was read yet, and the report as one file.
`python tests/campaigns/screenshots.py FOLDER de` makes them in one language, also at 768 and 1920 px.
It prints what chromium complains about, and then ends with exit status 1.
`python tests/campaigns/screenshots.py docs/page.png` makes only the picture in README.md.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Collection, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, Literal

sys.path.insert(0, str(Path(__file__).parents[1]))

from playwright.sync_api import Browser, Page, sync_playwright

from support import warm
from support.browser import CHROMIUM, Watched
from support.webfolder import CONFIG, NOW, Web, serving_app
from support.webworld import Site, small_world
from tallyd.config.load import load
from tallyd.core.alerts.rules import Alert
from tallyd.core.language.languages import LANGUAGES
from tallyd.core.naming import problem_key
from tallyd.demo.world import cameras, crowd, servers
from tallyd.pollers.servers.freshness import Known
from tallyd.pollers.servers.freshness import State as FreshnessState
from tallyd.pollers.servers.rounds.target_memory import TargetMemory
from tallyd.settings.web import WebSettings
from tallyd.web.app import application

WIDTHS = {360: 740, 1280: 900}
MORE_WIDTHS = {768: 1024, 1920: 1080}
PAGES = {
    "overview": "/",
    "divera": "/poller/divera",
    "visitors": "/poller/visitors",
    "servers": "/poller/servers",
    "target": "/poller/servers?target=STAGE",
    "target-30d": "/poller/servers?target=STAGE&range=30d",
    "source": f"/poller/visitors?source={crowd.QUIET_HOST}",
    "visitors-month": "/poller/visitors?by=day",
    "incidents": "/incidents",
    "wall": "/wall",
    "wall-servers": "/wall?poller=servers",
    "not-found": "/poller/nobody",
}
CROWDED = {
    "crowded": "/",
    "crowded-servers": "/poller/apps",
    "crowded-visitors": "/poller/park",
    "crowded-wall": "/wall?poller=apps",
}
ALONE = {"alone": "/", "alone-wall": "/wall"}
NOTHING = {"nothing": "/", "nothing-divera": "/poller/divera", "nothing-visitors": "/poller/park"}
LONG = "A target whose name is longer than any column that a phone or a card has room for"
BAD = 6
SCHEMES: Final[tuple[Literal["light", "dark"], ...]] = ("light", "dark")


def main(target: Path, language: str | None = None) -> int:
    """Make one picture, or all pages in a folder, in all languages or one; return the exit status."""
    is_picture = target.suffix == ".png"
    if not is_picture:
        target.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as work,
        small_world(Path(work) / "site") as site,
    ):
        complaints = (
            take_overview(site, target) if is_picture else take(Camera(target, language), site, Path(work))
        )
    for complaint in complaints:
        print(complaint)
    return 1 if complaints else 0


def take_overview(site: Site, picture: Path) -> list[str]:
    """Take the picture in README.md; return what the browser complained of."""
    site.set_mode(servers.CONTROL, "fresh")
    site.set_mode(cameras.CONTROL, "fine")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1360, "height": 1110}, color_scheme="light")
        watched = Watched(page, site.url)
        page.goto(site.url)
        page.get_by_text("Inside now").wait_for(timeout=60_000)
        page.get_by_text("delivers", exact=True).nth(3).wait_for(timeout=60_000)
        page.get_by_text("fresh", exact=True).nth(2).wait_for(timeout=60_000)
        # The path of a temporary folder tells a reader of README.md nothing.
        page.evaluate(
            "folder => document.querySelectorAll('.problem p').forEach("
            "each => { each.textContent = each.textContent.replaceAll(folder, ''); })",
            f"{site.folder}/",
        )
        page.screenshot(path=picture)
        browser.close()
    return watched.complaints


class Camera:
    """Takes pictures of views in every language, or in one; notes what the browser complains of."""

    def __init__(self, folder: Path, language: str | None) -> None:
        self._folder = folder
        self.languages: Collection[str] = [language] if language else LANGUAGES
        self._widths = {**WIDTHS, **MORE_WIDTHS} if language else WIDTHS
        self.complaints: list[str] = []

    def take(self, browser: Browser, url: str, pages: Mapping[str, str]) -> None:
        """Take each view in each language, at every width, light and dark."""
        for language in self.languages:
            self.take_in(language, browser, url, pages)

    def take_in(self, language: str, browser: Browser, url: str, pages: Mapping[str, str]) -> None:
        """Take each view in a language, at every width, light and dark."""
        for scheme in SCHEMES:
            page = browser.new_page(locale=language, color_scheme=scheme)
            watched = Watched(page, url)
            for width, height in self._widths.items():
                page.set_viewport_size({"width": width, "height": height})
                for name, path in pages.items():
                    self._take_view(page, url + path, f"{name}-{language}-{width}-{scheme}")
            self.complaints += [
                f"{language} {scheme}: {each}" for each in watched.complaints if "status of 404" not in each
            ]
            page.close()

    def _take_view(self, page: Page, address: str, name: str) -> None:
        page.goto(address)
        page.wait_for_function("!document.querySelector('.plot:not(:has(canvas))')")
        overflow = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        if overflow > 0:
            self.complaints.append(f"{name}: {overflow} px too wide")
        page.screenshot(path=self._folder / f"{name}.png", full_page=True)


def take(camera: Camera, site: Site, work: Path) -> list[str]:
    """Take the screenshots; return what the browser complained of."""
    site.set_mode(servers.CONTROL, "stale")
    site.set_mode(cameras.CONTROL, "quiet")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(site.url)
        page.get_by_text("silent").first.wait_for(timeout=60_000)
        page.get_by_text("stale", exact=False).first.wait_for(timeout=60_000)
        page.close()
        camera.take(browser, site.url, PAGES)
        for pages, web in ((CROWDED, crowded), (ALONE, alone), (NOTHING, nothing)):
            place = work / web.__name__
            place.mkdir()
            with web(place).context() as context, serving_app(application(context, WebSettings())) as url:
                camera.take(browser, url, pages)
        for language in camera.languages:
            report = made_report(site, work, language)
            camera.take_in(language, browser, f"file://{work}", {"report": f"/{report.name}"})
        browser.close()
    return camera.complaints


def made_report(site: Site, work: Path, language: str) -> Path:
    """Return the report of the last days as one file."""
    config = json.loads((site.folder / "config.json").read_text())
    other = site.folder / "other.json"
    other.write_text(json.dumps({**config, "language": language}))
    done = warm.run("-m", "tallyd", "--config", str(other), "report", "--format", "html")
    assert done.returncode == 0, done.stderr
    path = work / f"report-{language}.html"
    path.write_text(done.stdout, "utf-8")
    return path


def crowded(folder: Path) -> Web:
    """Thirty targets of which six are bad, and sources with long and with Chinese names."""
    names = [
        LONG,
        "\u6d88\u9632\u7ad9\u4e8c\u53f7\u670d\u52a1\u5668",
        *(f"APP-{number:02}" for number in range(28)),
    ]
    labels = {"12": LONG, "23": "\u5317\u95e8\u4eba\u6570", "30": None}
    web = configured(
        folder,
        apps={
            **CONFIG["pollers"]["apps"],
            "targets": {name: {"url": "http://127.0.0.1:9/"} for name in names},
        },
        park={**CONFIG["pollers"]["park"], "sources": {key: {"label": each} for key, each in labels.items()}},
    )
    memory = TargetMemory()
    for number, name in enumerate(names):
        state: FreshnessState = "fresh" if number >= BAD else "stale" if number % 2 else "unreachable"
        at = NOW - timedelta(minutes=number + 1)
        memory.known[name] = Known(state=state, since=at, computed_at=at)
    web.kept["apps", "check"] = {"memory": memory}
    bad = [("apps", name, memory.known[name].state) for name in names[:BAD]]
    for poller, subject, what in (*bad, ("park", "12", "rejected"), ("park", "23", "rejected")):
        alert = Alert(
            key=problem_key(poller, subject, what),
            severity="warning" if what == "stale" else "error",
            text=f"{subject}: {what}. The whole text of a problem says what to do about it.",
            over="",
            since=NOW - timedelta(minutes=50),
            raised_at=NOW,
        )
        web.alerts[alert.key] = alert
    web.fill_records()
    return web


def alone(folder: Path) -> Web:
    """One poller alone, where all is well."""
    return configured(folder, apps=None, park=None)


def nothing(folder: Path) -> Web:
    """Every kind, and nothing was read yet."""
    return Web(folder, has_past=False)


def configured(folder: Path, **pollers: dict[str, Any] | None) -> Web:
    """A folder with other pollers; None: without it."""
    web = Web(folder)
    config = {**CONFIG, "pollers": {**CONFIG["pollers"], **pollers}}
    config["pollers"] = {name: each for name, each in config["pollers"].items() if each is not None}
    path = folder / "config.json"
    path.write_text(json.dumps(config))
    web.config = load(path, environ={})
    return web


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1] if len(sys.argv) > 1 else "screenshots"), *sys.argv[2:3]))

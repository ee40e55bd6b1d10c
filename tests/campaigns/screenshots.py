"""Make screenshots of the page, on the invented data of the demo.

`python tests/campaigns/screenshots.py FOLDER` makes each page at 360, 1280 and 1920 px, light and dark. It
prints what chromium complains about, and then ends with exit status 1.
`python tests/campaigns/screenshots.py docs/page.png` makes only the picture in README.md.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from playwright.sync_api import sync_playwright

from support.browser import CHROMIUM, Watched
from support.webworld import Site, small_world
from tallyd.demo.world import cameras, servers

WIDTHS = {360: 740, 1280: 900, 1920: 1080}
PAGES = {
    "overview": "/",
    "divera": "/poller/divera",
    "visitors": "/poller/visitors",
    "servers": "/poller/servers?target=STAGE",
}


def main(target: Path) -> int:
    """Make one picture, or all pages in a folder; return the exit status."""
    is_picture = target.suffix == ".png"
    if not is_picture:
        target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as work, small_world(Path(work) / "site") as site:
        complaints = take_overview(site, target) if is_picture else take(site, target)
    for complaint in complaints:
        print(complaint)
    return 1 if complaints else 0


def take_overview(site: Site, picture: Path) -> list[str]:
    """Take the picture in README.md; return what the browser complained of."""
    site.set_mode(servers.CONTROL, "fresh")
    site.set_mode(cameras.CONTROL, "fine")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1360, "height": 860}, color_scheme="light")
        watched = Watched(page, site.url)
        page.goto(site.url)
        page.get_by_text("Inside now").wait_for(timeout=60_000)
        page.get_by_text("delivers").nth(3).wait_for(timeout=60_000)
        page.get_by_text("fresh").nth(2).wait_for(timeout=60_000)
        # The path of a temporary folder tells a reader of README.md nothing.
        page.evaluate(
            "folder => document.querySelectorAll('.problem p').forEach("
            "each => { each.textContent = each.textContent.replaceAll(folder, ''); })",
            f"{site.folder}/",
        )
        page.screenshot(path=picture)
        browser.close()
    return watched.complaints


def take(site: Site, folder: Path) -> list[str]:
    """Take the screenshots; return what the browser complained of."""
    site.set_mode(servers.CONTROL, "stale")
    site.set_mode(cameras.CONTROL, "quiet")
    complaints: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for scheme in ("light", "dark"):
            for width, height in WIDTHS.items():
                context = browser.new_context(
                    viewport={"width": width, "height": height}, color_scheme=scheme, device_scale_factor=1
                )
                page = context.new_page()
                watched = Watched(page, site.url)
                if scheme == "light" and width == min(WIDTHS):
                    page.goto(site.url)
                    page.get_by_text("silent").first.wait_for(timeout=60_000)
                    page.get_by_text("stale", exact=False).first.wait_for(timeout=60_000)
                for name, path in PAGES.items():
                    page.goto(site.url + path)
                    page.wait_for_function("!document.querySelector('.plot:not(:has(canvas))')")
                    overflow = page.evaluate("document.documentElement.scrollWidth - innerWidth")
                    if overflow > 0:
                        complaints.append(f"{name} at {width}: {overflow} px too wide")
                    page.screenshot(path=folder / f"{name}-{width}-{scheme}.png", full_page=True)
                complaints += [f"{width} {scheme}: {each}" for each in watched.complaints]
                context.close()
        browser.close()
    return complaints


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1] if len(sys.argv) > 1 else "screenshots")))

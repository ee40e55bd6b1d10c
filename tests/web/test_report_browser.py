"""The report as one file in a real browser: opened from the disk, with nothing else there."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Page, expect

from support import warm
from support.browser import Chromium, Watched, chromium, leave
from support.long import some
from support.needs import needs
from support.past import BERLIN
from support.webworld import still_world

needs("chromium-headless-shell")

SCRIPT = "<script>document.title = 'taken'</script>"
MOST_BYTES = 200_000
"""A mail takes it."""


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return still_world(tmp_path_factory.mktemp("report") / "folder")


@pytest.fixture(scope="module")
def browser() -> Iterator[Chromium]:
    with chromium() as found:
        yield found


def made(config: Path, folder: Path, *options: str) -> Path:
    """Return a report in a folder where nothing else is."""
    path = folder / "report.html"
    path.write_text(printed(config, *options), "utf-8")
    return path


@cache
def printed(config: Path, *options: str) -> str:
    done = warm.run("-m", "tallyd", "--config", str(config), "report", "--format", "html", *options)
    assert done.returncode == 0, done.stderr
    return done.stdout


def opened(
    browser: Chromium, path: Path, *, width: int = 1280, scheme: Literal["light", "dark"] = "light"
) -> tuple[Page, Watched]:
    page = browser.page(width=width, height=800, scheme=scheme)
    watched = Watched(page, f"file://{path.parent}")
    page.goto(f"file://{path}")
    return page, watched


@pytest.mark.parametrize(
    ("poller", "options"),
    some(
        [
            pytest.param("divera", (), id="divera"),
            pytest.param("divera", ("--by", "weekday"), id="divera-weekday"),
            pytest.param("visitors", ("--by", "day"), id="visitors-day"),
            pytest.param("servers", (), id="servers"),
            pytest.param("visitors", (), id="visitors"),
        ]
    ),
)
def test_charts_and_their_tables_are_seen_and_nothing_is_asked_for(
    browser: Chromium, config: Path, tmp_path: Path, poller: str, options: tuple[str, ...]
) -> None:
    since = datetime.now(BERLIN).date() - timedelta(days=2)  # at night nobody has come yet today
    path = made(config, tmp_path, "--poller", poller, "--from", f"{since}", *options)
    assert path.stat().st_size < MOST_BYTES
    page, watched = opened(browser, path)
    expect(page.get_by_role("heading", level=2, name=poller)).to_be_visible()
    figures = page.get_by_role("figure")
    assert figures.count() >= 1
    timelines = page.locator("figure.timeline")
    expect(timelines.get_by_role("img")).to_be_visible()
    heatmaps = page.locator("figure:has(.heatmap)")  # their numbers stand in their cells
    for figure in page.locator("figure:not(.timeline, :has(.heatmap))").all():
        plot = figure.get_by_role("img")
        assert "the table below has its numbers" in (plot.get_attribute("aria-label") or "")
        expect(plot.locator("canvas")).to_be_visible()
        assert plot.locator("canvas").evaluate("(each) => each.clientWidth") > 300
    behind = page.get_by_text("As a table")
    shared = poller == "divera"  # its first two charts draw one table
    assert behind.count() == figures.count() - heatmaps.count() - shared
    for each in behind.all():
        each.click()
        table = each.locator("xpath=..").get_by_role("table")
        expect(table).to_be_visible()
        assert table.get_by_role("row").count() > 1
    assert (watched.requests, watched.complaints) == ([f"file://{path}"], [])
    leave(page)


def test_without_scripts_the_tables_stand_open(browser: Chromium, config: Path, tmp_path: Path) -> None:
    page = browser.page(java_script_enabled=False)
    page.goto(f"file://{made(config, tmp_path)}")
    assert page.get_by_role("table").count() >= 3
    for table in page.get_by_role("table").all():
        expect(table).to_be_visible()
    expect(page.locator(".plot").first).to_be_hidden()
    leave(page)


@pytest.mark.parametrize("by", ["", "day"])
def test_it_is_sound_for_screen_readers_and_readable_on_a_phone(
    browser: Chromium, config: Path, tmp_path: Path, by: str
) -> None:
    page, watched = opened(browser, made(config, tmp_path, *(["--by", by] if by else [])), width=360)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert page.evaluate("document.documentElement.lang") == "en"
    for landmark in ("banner", "navigation", "main", "contentinfo"):
        assert page.get_by_role(landmark).count() == 1, landmark
    levels = page.evaluate("[...document.querySelectorAll('h1,h2,h3')].map(each => +each.tagName[1])")
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert page.evaluate("[...document.querySelectorAll('table')].every(each => each.caption)")
    page.get_by_role("link", name="servers").click()
    expect(page.get_by_role("heading", level=2, name="servers")).to_be_in_viewport()
    assert watched.complaints == []
    leave(page)


def test_names_from_outside_run_nothing(browser: Chromium, config: Path, tmp_path: Path) -> None:
    content = json.loads(config.read_text())
    content["name"] = SCRIPT
    content["pollers"]["divera"]["status_names"] = {"50101": SCRIPT + '"\' onload=alert(1) x="'}
    other = config.with_name("other.json")
    other.write_text(json.dumps(content))
    page, watched = opened(browser, made(other, tmp_path, "--poller", "divera"))
    assert page.title().startswith(SCRIPT + ": divera, ")
    assert page.evaluate("document.scripts.length") == 2
    expect(page.locator(".u-legend").first).to_contain_text(SCRIPT)
    assert watched.complaints == []
    leave(page)


def test_even_a_script_that_got_in_would_not_run(browser: Chromium, config: Path, tmp_path: Path) -> None:
    path = made(config, tmp_path, "--poller", "divera")
    path.write_text(path.read_text().replace("</main>", f"{SCRIPT}<img src='http://127.0.0.1:1/'></main>"))
    page, watched = opened(browser, path)
    assert page.title().startswith("small-world")
    blocked = [
        each for each in watched.complaints if "violates the following Content Security Policy" in each
    ]
    assert len(blocked) == 2
    leave(page)


def test_on_paper_it_is_dark_on_white_and_short_tables_are_whole(
    browser: Chromium, config: Path, tmp_path: Path
) -> None:
    page, watched = opened(browser, made(config, tmp_path), scheme="dark")
    page.evaluate(_PRINTED)
    assert page.pdf(format="A4").startswith(b"%PDF")
    printed = page.evaluate("printed")
    assert printed["ink"] == "#1b2426"
    assert printed["widths"] == [660] * page.locator(".plot").count()
    assert printed["closed"] == 0
    expect(page.locator("details.behind[open]")).to_have_count(0)
    page.emulate_media(media="print", color_scheme="dark")
    expect(page.get_by_role("navigation")).to_be_hidden()
    expect(page.get_by_text("As a table").first).to_be_hidden()
    for table in page.locator(".scroll").all():
        assert table.is_visible() == (table.locator("tbody tr").count() <= 40)
    assert watched.complaints == []
    leave(page)


_PRINTED = """() => addEventListener("beforeprint", () => {
  window.printed = {
    ink: getComputedStyle(document.documentElement).getPropertyValue("--text").trim(),
    widths: [...document.querySelectorAll(".plot .uplot")].map((each) => each.clientWidth),
    closed: document.querySelectorAll("details:not([open])").length,
  };
})"""


def test_a_week_fits_on_a_few_sheets_and_what_is_left_out_names_a_command_that_prints_it(
    browser: Chromium, config: Path, tmp_path: Path
) -> None:
    last = datetime.now(BERLIN).date() - timedelta(days=1)
    days = ("--from", f"{last - timedelta(days=6)}", "--to", f"{last}")
    page, _ = opened(browser, made(config, tmp_path, *days))
    assert 2 <= page.pdf(format="A4").count(b"/Type /Page\n") <= 6
    page.emulate_media(media="print")
    left_out = page.locator(".on-paper").all()
    assert len(left_out) >= 3
    for each in left_out:
        said = each.inner_text()
        command = shlex.split(each.locator("code").inner_text())
        done = warm.run("-m", "tallyd", *command[1:])
        assert said.startswith(f"{len(done.stdout.splitlines()) - 1} rows are not printed."), done.stderr
    leave(page)


def test_on_paper_the_tables_behind_charts_are_below_each_other(
    browser: Chromium, config: Path, tmp_path: Path
) -> None:
    day = f"{datetime.now(BERLIN).date() - timedelta(days=1)}"
    page, _ = opened(browser, made(config, tmp_path, "--from", day, "--to", day), width=718)  # A4
    page.emulate_media(media="print")
    rights = page.locator("table").evaluate_all("all => all.map(each => each.getBoundingClientRect().right)")
    assert len(rights) > 8
    assert max(rights) <= 718
    leave(page)

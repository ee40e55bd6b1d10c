"""The page in a real browser, of the running daemon in the small world."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Page, Route, expect

from adapters.records.samples import visitor_file
from support.browser import Chromium, Watched, chromium, leave, violations
from support.needs import needs
from support.past import BERLIN, Past
from support.rows import Passage
from support.webfolder import CONFIG, NOW, Web, serving_app
from support.webworld import Site, small_world
from tallyd.adapters.records.database import Database
from tallyd.config.load import load
from tallyd.core.alerts.rules import Alert
from tallyd.demo.world import cameras, servers
from tallyd.demo.world.crowd import LABELS, QUIET_HOST
from tallyd.settings.web import WebSettings
from tallyd.web.app import application

needs("chromium-headless-shell")

SOON_MS = 60_000
_LINES = """all => all.map(each => {
  const range = document.createRange();
  range.selectNodeContents(each);
  return range.getClientRects().length;
})"""
_TOO_WIDE = "all => all.filter(each => each.scrollWidth > each.clientWidth).map(each => each.textContent)"
POLLERS = ["/poller/divera", "/poller/visitors", "/poller/servers?target=STAGE"]
FAILED = Alert(
    key="divera/count/failed", severity="error", text="no answer", over="", since=NOW, raised_at=NOW
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with small_world(tmp_path_factory.mktemp("site") / "folder") as found:
        found.set_mode(servers.CONTROL, "fresh")
        found.set_mode(cameras.CONTROL, "fine")
        yield found


@pytest.fixture(scope="module")
def browser() -> Iterator[Chromium]:
    with chromium() as found:
        yield found


@pytest.fixture
def page(browser: Chromium) -> Iterator[Page]:
    found = browser.page()
    yield found
    leave(found)


@pytest.fixture
def watched(page: Page, site: Site) -> Iterator[Watched]:
    """What the browser complains of must be nothing at all."""
    found = Watched(page, site.url)
    yield found
    assert found.complaints == []


@pytest.mark.slow
@pytest.mark.usefixtures("watched")
def test_a_target_goes_stale_and_recovers_on_a_page_that_nobody_reloads(page: Page, site: Site) -> None:
    page.goto(site.url)
    card = page.get_by_role("region", name="servers", exact=True)
    stage = card.get_by_role("row").filter(has_text="STAGE")
    expect(stage).to_contain_text("fresh", timeout=SOON_MS)
    site.set_mode(servers.CONTROL, "stale")
    expect(stage).to_contain_text("stale", timeout=SOON_MS)
    expect(card).to_contain_text("Needs a look", timeout=SOON_MS)
    expect(card).to_contain_text("STAGE: data")
    site.set_mode(servers.CONTROL, "fresh")
    expect(stage).to_contain_text("fresh", timeout=SOON_MS)
    expect(card).to_contain_text("All well", timeout=SOON_MS)


@pytest.mark.slow
@pytest.mark.usefixtures("watched")
def test_a_silent_camera_is_notified_with_its_label_and_so_is_its_return(page: Page, site: Site) -> None:
    page.goto(site.url + "/poller/visitors")
    row = page.locator("#now-sources").get_by_role("row").filter(has_text=LABELS[QUIET_HOST])
    expect(row).to_contain_text("delivers", timeout=SOON_MS)
    site.set_mode(cameras.CONTROL, "quiet")
    expect(row).to_contain_text("silent", timeout=SOON_MS)
    expect(page.locator("#part-now")).to_contain_text("no file for")
    site.set_mode(cameras.CONTROL, "fine")
    expect(row).to_contain_text("delivers", timeout=SOON_MS)


@pytest.mark.usefixtures("watched")
def test_days_and_groups_are_chosen_and_chart_table_and_csv_follow(page: Page, site: Site) -> None:
    page.goto(site.url + "/poller/visitors")
    expect(page.locator(".plot canvas").first).to_be_visible(timeout=SOON_MS)
    # In the first hour of a day, the chart comes with the first file.
    page.locator("#past-visits-chart-behind > summary").click(timeout=SOON_MS)
    now = datetime.now(BERLIN)
    hours = page.locator("#past-visits")
    expect(hours.get_by_role("row").filter(has_text=f"{now:%H}:00")).to_be_visible(timeout=SOON_MS)
    page.get_by_label("Group", exact=True).select_option(label="zone five")
    page.get_by_role("button", name="Show").click()
    page.wait_for_url("**group=zone+five**")
    expect(page.locator("#part-past")).to_contain_text("zone five: ")
    page.get_by_role("link", name="Earlier").click()
    expect(page.locator("#part-past")).to_contain_text(re.compile(r"[1-9]\d* in, [1-9]\d* out"))
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV", exact=True).click()
    lines = Path(download.value.path()).read_text().splitlines()
    assert lines[0].startswith("date,hour,weekday,in,out")
    assert lines[1].startswith(f"{now.date() - timedelta(days=1)},09:00,")  # the first hour with records


@pytest.mark.usefixtures("watched")
def test_going_back_shows_the_days_of_that_page_in_its_form(page: Page, site: Site) -> None:
    page.goto(f"{site.url}/poller/visitors")
    shown = page.input_value("#from")
    page.fill("#from", "2026-11-01")
    page.get_by_role("button", name="Show").click()
    page.wait_for_url("**from=2026-11-01**")
    page.go_back()
    page.wait_for_url("**/poller/visitors")
    assert page.input_value("#from") == shown


@pytest.mark.usefixtures("watched")
def test_the_last_reports_are_shown_with_the_answer_of_the_upstream(page: Page, site: Site) -> None:
    page.goto(site.url + "/poller/visitors")
    first = page.locator("#now-reports tbody tr").first
    expect(first).to_contain_text("accepted", timeout=SOON_MS)
    expect(first).to_contain_text("OK")


@pytest.mark.usefixtures("watched")
def test_a_target_in_the_table_leads_to_its_page_with_its_chart(page: Page, site: Site) -> None:
    page.goto(site.url + "/poller/servers")
    page.locator("#now-targets").get_by_role("link", name="STAGE", exact=True).click()
    page.wait_for_url("**target=STAGE**")
    expect(page.get_by_role("heading", level=1).filter(has_text="STAGE")).to_be_in_viewport()
    expect(page.get_by_role("heading", name="How old the data of STAGE was")).to_be_visible()
    expect(page.locator("#past-lag-chart canvas")).to_be_visible(timeout=SOON_MS)


@pytest.mark.usefixtures("watched")
def test_the_table_behind_a_chart_can_be_opened_and_stays_so(page: Page, site: Site) -> None:
    page.goto(site.url + "/poller/divera")
    expect(page.locator(".plot canvas")).to_have_count(3, timeout=SOON_MS)
    heading = page.locator("#past-readings").get_by_role("columnheader", name="Einsatzbereit (50101)")
    expect(heading).to_be_hidden()
    page.get_by_text("As a table").first.click()
    expect(heading).to_be_visible()
    assert page.locator("#past-readings tbody tr").count() == 50
    refreshed(page)
    expect(heading).to_be_visible()


def refreshed(page: Page) -> None:
    """Wait until the page has replaced what has changed."""
    before = page.locator("header time").text_content()
    expect(page.locator("header time")).not_to_have_text(before or "", timeout=SOON_MS)


def test_a_chart_fits_its_room_and_says_values_at_the_pointer_in_the_pollers_zone(
    browser: Chromium, site: Site
) -> None:
    page = browser.page(width=1280, height=1200, timezone_id="Asia/Kolkata")
    watched = Watched(page, site.url)
    page.goto(site.url + "/poller/divera?to=" + f"{datetime.now(BERLIN).date() - timedelta(days=1)}")
    plot = page.locator("#past-readings-chart")
    expect(plot.locator("canvas")).to_be_visible(timeout=SOON_MS)
    over = plot.locator(".u-over").bounding_box()
    assert over is not None
    page.mouse.move(over["x"] + 1, over["y"] + 20)
    legend = plot.locator(".u-legend")
    # The readings of the past are of full hours; half past in the zone of this browser.
    expect(legend).to_contain_text(re.compile(r"\d{4}-\d\d-\d\d \d\d:00:00"))
    expect(legend).to_contain_text(re.compile(r"Einsatzbereit\d+"))
    page.emulate_media(color_scheme="light")
    light = page.evaluate(_INK)
    page.emulate_media(color_scheme="dark")
    assert page.evaluate(_INK) != light
    page.set_viewport_size({"width": 360, "height": 740})
    page.wait_for_function("document.querySelector('.plot canvas').clientWidth < 360")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert watched.complaints == []
    leave(page)


def test_what_nobody_knows_is_a_gap_and_means_have_whiskers(browser: Chromium, site: Site) -> None:
    page = browser.page()
    with_charts(page, {"past-time_of_day-chart": MEANS, "past-readings-chart": GAPS})
    page.goto(site.url + "/poller/divera")
    means, gaps = page.locator("#past-time_of_day-chart canvas"), page.locator("#past-readings-chart canvas")
    expect(means).to_be_visible(timeout=SOON_MS)
    shares = [gaps.evaluate(_COLORED, [share, 0.02]) for share in (0.1, 0.5, 0.9)]
    assert shares[1] == 0
    assert min(shares[0], shares[2]) > 0
    # One mean of 10 in the middle, from 5 to 15: a thin line far above and below its dot.
    assert means.evaluate(_COLORED, [0.5, 0.04]) > 50
    leave(page)


def with_charts(page: Page, charts: dict[str, dict[str, Any]]) -> None:
    """Let the page of a poller draw other values, by the id of the chart's place."""

    def changed(route: Route) -> None:
        answer = route.fetch()
        html = answer.text()
        for place, chart in charts.items():
            found = re.search(rf"id=\"{place}\"[^>]*data-chart='([^']*)'", html)
            assert found is not None
            html = html[: found.start(1)] + json.dumps(chart) + html[found.end(1) :]
        route.fulfill(response=answer, body=html)

    page.route("**/poller/divera", changed)


def test_a_refresh_redraws_a_chart_only_where_its_values_changed_and_keeps_what_was_hidden(
    tmp_path: Path, browser: Chromium
) -> None:
    web = Web(tmp_path)
    with web.context() as context, serving_app(application(context, WebSettings())) as url:
        page = browser.page()
        watched = Watched(page, url)
        page.goto(url + "/poller/divera")
        plot = page.locator("#past-readings-chart")
        expect(plot.locator("canvas")).to_be_visible(timeout=SOON_MS)
        plot.locator(".u-series").nth(1).locator("th").click()
        expect(plot.locator(".u-series.u-off")).to_have_count(1)
        plot.locator("canvas").evaluate("(each) => { each.dataset.mark = 'drawn first'; }")
        web.alerts = {"divera/count/failed": replace(FAILED, since=NOW)}  # the text beside it changes
        web.monotonic_s += 60
        expect(page.locator("#part-now")).to_contain_text("no answer", timeout=SOON_MS)
        expect(plot.locator("canvas")).to_have_attribute("data-mark", "drawn first")
        Past(web.folder).taken("2026-11-20T12:30", {"50101": 19})
        web.monotonic_s += 60
        expect(page.locator("#past-readings")).to_contain_text("19", timeout=SOON_MS)
        expect(plot.locator("canvas")).not_to_have_attribute("data-mark", "drawn first")
        expect(plot.locator("canvas")).to_have_count(1)
        expect(plot.locator(".u-series.u-off")).to_have_count(1)
        expect(page.locator("#past-readings-chart-behind")).not_to_have_attribute("open", "")
        assert watched.complaints == []
        leave(page)


@pytest.mark.parametrize("path", ["/poller/divera", "/poller/park", "/poller/apps?target=TEST"])
def test_where_nothing_is_known_there_is_a_sentence_and_no_axis(
    tmp_path: Path, browser: Chromium, path: str
) -> None:
    web = Web(tmp_path, has_past=False)
    with web.context() as context, serving_app(application(context, WebSettings())) as url:
        page = browser.page(width=360, height=740)
        watched = Watched(page, url)
        page.goto(url + path)
        expect(page.locator("#part-past")).to_contain_text(re.compile(r"(No|Not) .*\."))
        assert page.locator("canvas").count() == 0
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        if "divera" in path:
            Past(web.folder).taken("2026-11-20T08:00", {"50101": 12})
            web.monotonic_s += 60
            expect(page.locator("#past-readings-chart canvas")).to_be_visible(timeout=SOON_MS)
        assert watched.complaints == []
        leave(page)


def test_a_bar_that_is_alone_is_drawn(browser: Chromium, site: Site) -> None:
    page = browser.page()
    with_charts(page, {"past-readings-chart": LONE})
    page.goto(site.url + "/poller/divera")
    plot = page.locator("#past-readings-chart canvas")
    expect(plot).to_be_visible(timeout=SOON_MS)
    assert plot.evaluate(_COLORED, [0.5, 0.02]) > 500
    leave(page)


def test_on_the_wall_pollers_take_turns_and_a_click_shows_the_next(browser: Chromium, site: Site) -> None:
    page = browser.page(width=1920, height=1080, locale="en-GB")  # no other page gets this clock
    watched = Watched(page, site.url)
    page.clock.install(time=0)
    page.goto(site.url + "/wall")
    heading = page.get_by_role("heading", level=2)
    seen = []
    for _ in range(4):
        expect(heading).to_have_count(1)
        seen.append(heading.text_content())
        page.clock.fast_forward(12_000)
    assert [*seen] == ["divera", "visitors", "servers", "divera"]
    page.locator("main").click()
    expect(heading).to_have_text("servers")
    page.keyboard.press("ArrowRight")
    expect(heading).to_have_text("divera")
    assert watched.complaints == []
    page.goto(site.url + "/wall?poller=servers")
    expect(heading).to_have_text("servers")
    expect(page.get_by_role("button")).to_have_count(0)
    page.route("**/*live=1*", lambda route: route.abort())
    page.clock.fast_forward(5_000)
    expect(page.get_by_role("alert")).to_contain_text("No answer from tallyd", timeout=SOON_MS)
    assert page.title().startswith("No answer · ")
    leave(page)


def test_a_wall_can_be_paused_with_the_keyboard_alone(browser: Chromium, site: Site) -> None:
    page = browser.page(width=1920, height=1080, locale="en-IE")  # no other page gets this clock
    page.clock.install(time=0)
    page.goto(site.url + "/wall")
    heading = page.get_by_role("heading", level=2)
    pause = page.get_by_role("button", name="Pause")
    while not pause.evaluate("each => each === document.activeElement"):
        page.keyboard.press("Tab")
    page.keyboard.press("Space")
    expect(pause).to_have_attribute("aria-pressed", "true")
    page.clock.fast_forward(60_000)
    expect(heading).to_have_text("divera")
    page.keyboard.press("Space")
    page.clock.fast_forward(12_000)
    expect(heading).to_have_text("visitors")
    leave(page)


def test_on_the_wall_a_board_has_the_largest_text_that_fits(tmp_path: Path, browser: Chromium) -> None:
    sizes = []
    for targets in (2, 8):
        folder = tmp_path / str(targets)
        folder.mkdir()
        web = Web(folder)
        content = json.loads(json.dumps(CONFIG))
        names = [f"SRV-{number}" for number in range(targets)]
        content["pollers"]["apps"]["targets"] = {name: {"url": "http://127.0.0.1:9/"} for name in names}
        (folder / "config.json").write_text(json.dumps(content))
        web.config = load(folder / "config.json", environ={})
        with web.context() as context, serving_app(application(context, WebSettings())) as url:
            page = browser.page(width=1920, height=1080)
            page.goto(url + "/wall?poller=apps")
            expect(page.get_by_role("row")).to_have_count(targets + 1)
            height, width, size = page.evaluate(
                "[document.documentElement.scrollHeight, document.documentElement.scrollWidth, "
                "parseFloat(getComputedStyle(document.documentElement).fontSize)]"
            )
            assert (height, width) == (1080, 1920)
            sizes.append(size)
            leave(page)
    assert sizes[0] > sizes[1] > 20


@pytest.mark.parametrize(("width", "height"), [(1920, 1080), (1280, 900)])
def test_on_the_wall_large_numbers_have_room_and_no_column_is_cut(
    tmp_path: Path, browser: Chromium, width: int, height: int
) -> None:
    web = Web(tmp_path)
    at = "2026-11-20 07:00:00"
    came: list[Passage] = [(number, "in", at, None) for number in range(45_678)]
    left: list[Passage] = [(number, "out", at, None) for number in range(12_345)]
    with closing(Database(web.config.database_url, prepares=True)) as database:
        file = visitor_file("a.json", *came, *left, source="12")
        database.records("park").ingest([file], now=NOW, keep_rows=False)
    alert = replace(FAILED, key="park/12/rejected")
    web.alerts = {alert.key: alert}
    with web.context() as context, serving_app(application(context, WebSettings())) as url:
        page = browser.page(width=width, height=height)
        page.goto(url + "/wall?poller=park")
        expect(page.get_by_text("45678").first).to_be_visible()
        assert page.locator(".turn .stats dd").evaluate_all(_TOO_WIDE) == []
        assert page.locator(".turn .scroll").evaluate_all(_TOO_WIDE) == []
        alerts, numbers = (page.locator(f".turn {each}").bounding_box() for each in (".alerts", ".stats"))
        assert alerts
        assert numbers
        assert alerts["y"] < numbers["y"]
        leave(page)


def test_title_and_icon_of_the_tab_follow_the_state(tmp_path: Path, browser: Chromium) -> None:
    web = Web(tmp_path)
    with web.context() as context, serving_app(application(context, WebSettings())) as url:
        page = browser.page()
        page.goto(url + "/poller/divera")
        expect(page).to_have_title("? · divera · tallyd")
        web.alerts = {FAILED.key: FAILED}
        web.monotonic_s += 60
        expect(page).to_have_title("! 1 · divera · tallyd", timeout=SOON_MS)
        expect(page.locator("link[rel=icon]")).to_have_attribute("href", re.compile("icon-error"))
        leave(page)


def test_paper_has_no_navigation_and_all_that_was_folded(browser: Chromium, site: Site) -> None:
    page = browser.page(scheme="dark")
    page.goto(site.url + "/poller/divera")
    table = page.locator("details.behind table").first
    expect(page.locator(".plot canvas").first).to_be_visible(timeout=SOON_MS)
    expect(table).to_be_hidden()
    page.emulate_media(media="print")
    expect(table).to_be_visible()
    expect(page.get_by_role("navigation").first).to_be_hidden()
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(0, 0, 0)"
    leave(page)


def test_it_says_since_when_nothing_answers_and_that_it_is_well_again(page: Page, site: Site) -> None:
    page.goto(site.url)
    page.route("**/*live=1*", lambda route: route.abort())
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text(re.compile(r"No answer from tallyd since \d\d:\d\d:\d\d"), timeout=SOON_MS)
    page.unroute("**/*live=1*")
    expect(alert).to_be_hidden(timeout=SOON_MS)


@pytest.mark.usefixtures("watched")
def test_the_keyboard_reaches_everything_and_a_refresh_takes_nothing_away(page: Page, site: Site) -> None:
    page.goto(site.url + "/poller/servers")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    for _ in range(12):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent") == "lag now":
            break
    heading = page.get_by_role("link", name="lag now")
    expect(heading).to_be_focused()
    refreshed(page)
    expect(heading).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url("**/poller/servers?sort=now-targets.lag_s&down=1#now-targets")
    expect(page.get_by_role("columnheader", name="lag now")).to_have_attribute("aria-sort", "descending")


def test_the_tab_key_reaches_everything_and_what_has_the_focus_is_seen(
    tmp_path: Path, browser: Chromium
) -> None:
    web = Web(tmp_path)
    web.fill_records()
    web.alerts = {FAILED.key: FAILED}
    with web.context() as context, serving_app(application(context, WebSettings())) as url:
        for path in ("/", "/poller/divera", "/wall"):
            page = browser.page()
            page.goto(url + path)
            expect(page.locator("details.behind[open]")).to_have_count(0)
            for _ in range(2 * page.evaluate(_CAN_BE_USED)):  # a date is several fields
                page.keyboard.press("Tab")
                assert page.evaluate(_MARK_FOCUSED) >= 2, "the outline is that wide"
                if page.evaluate(_CAN_BE_USED) == 0:
                    break
            assert page.evaluate(_CAN_BE_USED) == 0
            leave(page)


@pytest.mark.usefixtures("watched")
def test_a_refresh_leaves_the_focus_in_a_table_and_what_was_chosen_but_not_sent(
    page: Page, site: Site
) -> None:
    page.goto(site.url + "/poller/visitors")
    page.get_by_label("Source", exact=True).select_option(label="Gate 12 (12)")
    region = page.get_by_role("region", name="Sources today")
    region.focus()
    for _ in range(2):
        refreshed(page)
    expect(region).to_be_focused()
    expect(page.get_by_label("Source", exact=True)).to_have_value("12")


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/poller/divera?range=7d",
        "/poller/visitors",
        "/poller/servers?target=STAGE",
        "/poller/divera?by=day",
    ],
)
def test_without_scripts_every_number_can_be_read(browser: Chromium, site: Site, path: str) -> None:
    page = browser.page(java_script_enabled=False)
    page.goto(site.url + path)
    expect(page.locator(".stats dd").first).to_be_visible()
    for table in page.get_by_role("table").all():
        expect(table).to_be_visible()
    assert path == "/" or page.locator("details.behind[open] table").count() >= 1
    for place in page.locator("[data-chart]").all():
        expect(place).to_be_hidden()
        chart = json.loads(place.get_attribute("data-chart") or "")
        assert len(chart["times"] or chart["names"]) <= 200, "so the table behind it is the chart"
    leave(page)


def test_without_scripts_days_can_be_chosen(browser: Chromium, site: Site) -> None:
    page = browser.page(java_script_enabled=False)
    page.goto(site.url + "/poller/visitors")
    page.get_by_label("Source", exact=True).select_option(label="Gate 12 (12)")
    page.get_by_role("button", name="Show").click()
    expect(page.locator("#part-past")).to_contain_text("Gate 12 (12): ")
    leave(page)


PHONE, SCREEN, TWICE_AS_LARGE = 360, 1280, 640
SCHEMES: dict[int, Literal["light", "dark"]] = {PHONE: "light", SCREEN: "dark"}
"""Colors do not depend on the width, nor the layout on the colors."""


@pytest.mark.parametrize(
    "path", ["/", "/wall", "/incidents", *POLLERS, "/poller/nobody", "/poller/divera?from=nonsense"]
)
def test_it_is_sound_for_screen_readers_and_readable_at_every_width(
    browser: Chromium, site: Site, path: str
) -> None:
    page = browser.page(width=PHONE, height=740)
    page.goto(site.url + path)
    assert page.evaluate("document.documentElement.lang") == "en"
    for landmark in ("banner", "main", *(("navigation", "contentinfo") if path != "/wall" else ())):
        assert page.get_by_role(landmark).count() >= 1, landmark
    levels = page.evaluate("[...document.querySelectorAll('h1,h2,h3')].map(each => +each.tagName[1])")
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    page.evaluate("document.querySelectorAll('#part-incidents details').forEach(each => each.open = true)")
    assert page.evaluate("[...document.querySelectorAll('table')].every(each => each.caption)")
    for width in (PHONE, TWICE_AS_LARGE, SCREEN):
        page.set_viewport_size({"width": width, "height": 740})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        if scheme := SCHEMES.get(width):
            page.emulate_media(color_scheme=scheme)
            assert violations(page) == [], (width, scheme)
    page.set_viewport_size({"width": PHONE, "height": 740})
    page.evaluate("document.documentElement.style.fontSize = '32px'")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE, "with text twice as large"
    page.evaluate("document.documentElement.style.fontSize = ''")
    leave(page)


@pytest.mark.parametrize("path", ["/", "/wall", *POLLERS])
def test_on_a_phone_numbers_come_soon_and_no_column_of_a_table_is_cut(
    browser: Chromium, site: Site, path: str
) -> None:
    page = browser.page(width=PHONE, height=740)
    page.goto(site.url + path)
    first = page.locator(".stats dd:visible, .scroll td:visible").first.bounding_box()
    assert first is not None
    assert first["y"] < 600
    for summary in page.get_by_text("As a table").all():
        summary.click()
    assert page.locator(".scroll").evaluate_all(
        "all => all.every(each => each.scrollWidth <= each.clientWidth)"
    )
    assert page.locator(".scroll td").evaluate_all("all => all.every(each => each.dataset.label)")
    leave(page)


@pytest.mark.parametrize("width", [240, PHONE, 490])
def test_on_a_phone_no_share_is_broken_across_lines(tmp_path: Path, browser: Chromium, width: int) -> None:
    web = Web(tmp_path)
    with web.context() as context, serving_app(application(context, WebSettings())) as url:
        page = browser.page(width=width, height=740)
        page.goto(url + "/poller/park?source=12")
        shares = page.locator("#now-shares td.num").filter(has_text="100.00%")
        expect(shares).to_have_count(4)
        assert shares.evaluate_all(_LINES) == [1, 1, 1, 1]
        assert page.locator(".scroll").evaluate_all(_TOO_WIDE) == []
        leave(page)


@pytest.mark.parametrize(
    ("path", "long"),
    [
        pytest.param("/poller/divera", ".stats dt", id="a status"),
        pytest.param("/poller/visitors", "#now-sources tbody th", id="a source"),
        pytest.param("/poller/visitors", "#source option", id="a choice"),
        pytest.param("/poller/servers", "#now-targets tbody th", id="a target"),
    ],
)
def test_a_very_long_name_pushes_nothing_out_of_sight(
    browser: Chromium, site: Site, path: str, long: str
) -> None:
    page = browser.page(width=360, height=740, java_script_enabled=False)
    page.goto(site.url + path)
    place = page.locator(long).first
    place.evaluate("(each) => { each.textContent = 'x'.repeat(150); }")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    if "tbody th" in long:
        neighbour = place.locator("xpath=following-sibling::td[1]").bounding_box()
        assert neighbour is not None
        assert neighbour["x"] + neighbour["width"] <= 360
    leave(page)


_COLUMN = {"name": "a", "shape": "line", "low": [], "high": []}
_CHART: dict[str, Any] = {
    "times": [],
    "zone": "",
    "names": [],
    "limit": None,
    "unit": "",
    "top": None,
    "is_whole": True,
}
GAPS = {
    **_CHART,
    "times": [1795000000 + 3600 * number for number in range(5)],
    "zone": "Europe/Berlin",
    "columns": [{**_COLUMN, "values": [5, 5, None, 5, 5]}],
}
LONE = {
    **_CHART,
    "names": ["Tue 2026-12-01"],
    "columns": [{**_COLUMN, "shape": "bars", "values": [5]}],
}
MEANS = {
    **_CHART,
    "names": ["08:00"],
    "columns": [{**_COLUMN, "shape": "dots", "values": [10], "low": [5], "high": [15]}],
}
_COLORED = """(canvas, [share, width]) => {
  const plot = canvas.parentElement.querySelector(".u-over");
  const ratio = canvas.width / canvas.clientWidth;
  const left = (plot.offsetLeft + plot.clientWidth * (share - width / 2)) * ratio;
  const found = canvas.getContext("2d").getImageData(
    left, plot.offsetTop * ratio, plot.clientWidth * width * ratio, plot.clientHeight * ratio - 4).data;
  let colored = 0;
  for (let at = 0; at < found.length; at += 4) {
    if (found[at + 3] > 99 && Math.abs(found[at] - found[at + 2]) > 60) colored += 1;
  }
  return colored;
}"""
"""How many points of a strip of a plot bear one of its colors, and not the gray of the grid."""
_CAN_BE_USED = """() => [...document.querySelectorAll("a, summary, button, input, select, .scroll")]
  .filter((each) => each.checkVisibility() && !each.dataset.reached).length"""
_MARK_FOCUSED = """() => {
  document.activeElement.dataset.reached = "yes";
  return parseFloat(getComputedStyle(document.activeElement).outlineWidth);
}"""
_INK = """() => new Promise((done) => requestAnimationFrame(() => setTimeout(() => done(
  document.querySelector('.plot canvas').toDataURL()), 100)))"""

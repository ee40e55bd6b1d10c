"""The dashboard for Grafana: made from the metrics, and every query of it finds data in a real Prometheus."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from campaigns.grafana_dashboard import FILE, VARIABLES, dashboard, definitions, written
from support.metrics import page_with_everything
from support.needs import needs
from support.prometheus import Prometheus, scraping
from support.webfolder import serving
from tallyd.web.machine.metrics import routes

DASHBOARD: dict[str, Any] = json.loads(FILE.read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
EXPRS = {f"{panel['title']}, {each['refId']}": each["expr"] for panel in PANELS for each in panel["targets"]}


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """A Prometheus that has scraped a page with all kinds before and after a run, as rates need it."""
    needs("prometheus")
    folder = tmp_path_factory.mktemp("grafana")
    web = page_with_everything(folder)
    with web.context() as context, serving(routes(context)) as url, scraping(url, folder) as found:
        found.wait_for("tallyd_build_info")
        for job in web.runs.runs():
            web.runs.note(job, "taken", took_s=0.2, late_s=0.4)
        web.monotonic_s += 60  # else the page gives its last answer again
        found.wait_for("increase(tallyd_slot_late_seconds_count[1m]) > 0")
        yield found


def test_the_file_is_what_the_command_makes() -> None:
    assert FILE.read_text() == written(), "run: python tests/campaigns/grafana_dashboard.py"


def test_a_metric_that_does_not_exist_is_an_error() -> None:
    known = dict(definitions())
    del known["tallyd_target_lag_seconds"]
    with pytest.raises(KeyError, match="tallyd_target_lag_seconds"):
        dashboard(known)


def test_panels_do_not_overlap_and_are_numbered_once() -> None:
    places = [panel["gridPos"] for panel in DASHBOARD["panels"]]
    cells = [
        (x, y)
        for place in places
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(places)


def test_each_kind_has_a_row_for_each_poller_and_no_panel_needs_a_plugin() -> None:
    repeated = {panel["repeat"] for panel in DASHBOARD["panels"] if "repeat" in panel}
    assert repeated == {each.name for each in VARIABLES} - {"instance"}
    assert {panel["type"] for panel in PANELS} <= {"timeseries", "stat", "bargauge"}
    assert all(panel["description"] for panel in PANELS)


@pytest.mark.parametrize("variable", [each.name for each in VARIABLES])
def test_each_variable_has_values(variable: str, prometheus: Prometheus) -> None:
    assert values_of(variable, prometheus)


@pytest.mark.parametrize("panel", EXPRS)
def test_each_query_finds_data(panel: str, prometheus: Prometheus) -> None:
    expr = EXPRS[panel].replace("$__rate_interval", "1m")
    for name in re.findall(r"\$(\w+)", expr):
        expr = expr.replace(f"${name}", "|".join(values_of(name, prometheus)))
    found = prometheus.ask(expr)
    assert found, expr
    assert any(each["value"][1] != "NaN" for each in found), expr


def values_of(variable: str, prometheus: Prometheus) -> list[str]:
    """Return what a variable of the dashboard offers, with all of those before it chosen."""
    (found,) = (each for each in DASHBOARD["templating"]["list"] if each["name"] == variable)
    query = re.fullmatch(r"label_values\((\w+)(?:\{.*\})?, (\w+)\)", found["query"]["query"])
    assert query is not None
    return prometheus.values(query[1], query[2])

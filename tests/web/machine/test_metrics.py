"""/metrics: what is counted is in it, what is hidden or unknown is not, and Prometheus can read it."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from support.needs import needs
from support.past import Past, arrival
from support.prometheus import scraping
from support.webfolder import CONFIG, NOW, Web, serving
from tallyd.config.load import load
from tallyd.core.alerts.mutes import Mute
from tallyd.core.alerts.rules import Alert, acknowledge
from tallyd.core.readings_board import number_metric
from tallyd.pollers.servers.freshness import Known
from tallyd.pollers.servers.rounds.target_memory import TargetMemory
from tallyd.web.machine.metrics import exposition, routes

Samples = dict[tuple[str, tuple[str, ...]], float]


@pytest.fixture
def web(tmp_path: Path) -> Web:
    found = Web(tmp_path)
    found.fill_records()
    return found


def samples(web: Web) -> Samples:
    """Return all samples by name and the values of their labels, in the order of the labels' names."""
    with web.context() as context:
        text = exposition(context).decode()
    return {
        (sample.name, tuple(sample.labels[label] for label in sorted(sample.labels))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_people_are_counted_by_status_and_a_hidden_count_is_absent(web: Web) -> None:
    found = samples(web)
    people = {names: value for (name, names), value in found.items() if name.startswith("tallyd_people")}
    assert people == {("divera", "50101"): 12}
    assert [names for name, names in found if name == "tallyd_status_info"] == [
        ('Ein"satz\\n', "divera", "50101")
    ]


def test_visitors_of_today_are_shown_by_source_and_together(web: Web) -> None:
    found = samples(web)
    assert found["tallyd_visitors_today", ("in", "park", "12")] == 3
    assert found["tallyd_visitors_today", ("out", "park", "12")] == 1
    assert found["tallyd_visitors_today", ("in", "park", "23")] == 0
    assert found["tallyd_visitors_inside", ("park", "12")] == 2
    assert found["tallyd_visitors_inside_all", ("park",)] == 2
    assert found["tallyd_files_today", ("park", "done")] == 1
    assert ("tallyd_source_info", ('Gate "12"', "park", "12")) in found


def test_a_target_s_lag_is_that_of_now_and_one_without_a_time_has_none(web: Web) -> None:
    found = samples(web)
    lags = {names: value for (name, names), value in found.items() if name == "tallyd_target_lag_seconds"}
    assert lags == {("apps", "PROD\\"): 600}
    assert found["tallyd_target_fresh", ("apps", "TEST")] == 0
    assert found["tallyd_targets", ("apps", "stale")] == 1
    assert found["tallyd_targets", ("apps", "fresh")] == 0


def test_a_target_that_left_the_config_is_gone(web: Web) -> None:
    memory = TargetMemory()
    memory.known = {"OLD": Known(state="fresh", since=NOW, computed_at=NOW)}
    web.kept["apps", "check"] = {"memory": memory}
    assert not [names for name, names in samples(web) if "OLD" in names]


def test_runs_are_counted_by_how_they_ended_and_how_long_they_took(web: Web) -> None:
    web.runs.note(("divera", "count"), "taken", took_s=0.2, late_s=0.4)
    web.runs.note(("divera", "count"), "failed", took_s=400.0, late_s=None)
    found = samples(web)
    assert found["tallyd_job_runs_total", ("count", "taken", "divera")] == 1
    assert found["tallyd_job_runs_total", ("count", "failed", "divera")] == 1
    assert found["tallyd_job_runs_total", ("count", "crashed", "divera")] == 0
    assert found["tallyd_job_run_seconds_bucket", ("count", "0.1", "divera")] == 0
    assert found["tallyd_job_run_seconds_bucket", ("count", "0.5", "divera")] == 1
    assert found["tallyd_job_run_seconds_bucket", ("count", "+Inf", "divera")] == 2
    assert found["tallyd_job_run_seconds_sum", ("count", "divera")] == pytest.approx(400.2)
    assert found["tallyd_slot_late_seconds_count", ("count", "divera")] == 1


def test_alerts_are_counted_by_kind_and_muted_ones_apart(web: Web) -> None:
    alert = Alert(key="apps/A/stale", severity="error", text="", over="", since=NOW, raised_at=NOW)
    web.alerts = {
        each.key: each
        for each in (
            alert,
            replace(alert, key="apps/B/stale"),
            replace(alert, key="apps/C/stale", raised_at=None),
            replace(alert, key="apps/D/stale", over_at=NOW),
            acknowledge(replace(alert, key="apps/E/stale"), by="anna", why="", now=NOW),
        )
    }
    web.mutes = (Mute(pattern="apps/A/*", since=NOW, until=NOW + timedelta(hours=1), why="", by=""),)
    found = {names: value for (name, names), value in samples(web).items() if name == "tallyd_alerts"}
    assert found == {
        ("stale", "apps", "error", "acknowledged"): 1,
        ("stale", "apps", "error", "muted"): 1,
        ("stale", "apps", "error", "open"): 1,
        ("stale", "apps", "error", "waiting"): 1,
    }


def test_a_database_that_was_never_used_is_no_fault_and_nobody_came(tmp_path: Path) -> None:
    found = samples(Web(tmp_path))
    assert found["tallyd_readable", ("visitors",)] == 1
    assert found["tallyd_visitors_today", ("in", "park", "12")] == 0
    assert found["tallyd_visitors_inside_all", ("park",)] == 0
    assert found["tallyd_files_today", ("park", "done")] == 0


def test_a_database_that_cannot_be_read_leaves_the_rest_readable(web: Web) -> None:
    (web.folder / "state" / "records.db").write_bytes(b"no database" * 1000)
    web.kept["park", "sweep"] = {"arrivals": {"12": arrival(NOW - timedelta(seconds=7))}}
    found = samples(web)
    assert found["tallyd_readable", ("visitors",)] == 0
    assert found["tallyd_readable", ("readings",)] == 1
    assert found["tallyd_readable", ("divera",)] == 1
    assert found["tallyd_people", ("divera", "50101")] == 12
    assert found["tallyd_source_last_file_age_seconds", ("park", "12")] == 7, "which needs no database"
    assert not [names for name, names in found if name == "tallyd_visitors_today"]


def test_pollers_of_one_kind_share_their_metrics_and_one_that_cannot_be_read_takes_nothing_away(
    tmp_path: Path,
) -> None:
    web = Web(tmp_path)
    content = json.loads(json.dumps(CONFIG))
    content["pollers"]["more"] = {"kind": "divera", "accesskey": "canary-key-8f3a", "at": ["08:00"]}
    (tmp_path / "config.json").write_text(json.dumps(content))
    web.config = load(tmp_path / "config.json", environ={})
    Past(tmp_path, poller="more").taken("2026-11-20T08:00", {"50101": 3})
    found = samples(web)
    assert [found["tallyd_people", (poller, "50101")] for poller in ("divera", "more")] == [12, 3]
    with web.context() as context:
        assert exposition(context).count(b"# TYPE tallyd_people gauge") == 1


def test_no_secret_is_in_it(web: Web) -> None:
    with web.context() as context:
        assert b"canary" not in exposition(context)


def test_it_passes_promtool(web: Web) -> None:
    needs("promtool")
    web.runs.note(("divera", "count"), "taken", took_s=0.2, late_s=0.4)
    with web.context() as context:
        text = exposition(context)
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=text, capture_output=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, b"")


def test_a_real_prometheus_scrapes_it(web: Web, tmp_path: Path) -> None:
    needs("prometheus")
    with (
        web.context() as context,
        serving(routes(context)) as url,
        scraping(url, tmp_path) as prometheus,
    ):
        assert prometheus.wait_for("tallyd_people") == "12"


def test_the_docs_list_every_metric_and_no_other(web: Web) -> None:
    web.runs.note(("divera", "count"), "taken", took_s=0.2, late_s=0.4)
    with web.context() as context:
        families = list(text_string_to_metric_families(exposition(context).decode()))
    exported = {f"{each.name}_total" if each.type == "counter" else each.name for each in families}
    exported = {name for name in exported if name.startswith("tallyd_")}
    exported.add(number_metric("", None).name)  # of kinds without metrics of their own
    docs = Path(__file__).parents[3] / "docs"
    assert set(re.findall(r"^\| `(tallyd_\w+)", (docs / "metrics.md").read_text(), re.MULTILINE)) == exported


def test_the_alert_rules_pass_promtool_and_use_metrics_that_exist() -> None:
    docs = Path(__file__).parents[3] / "docs"
    rules = docs / "prometheus-alerts.yml"
    known = set(re.findall(r"tallyd_\w+", (docs / "metrics.md").read_text()))
    used = {name.removesuffix("_bucket") for name in re.findall(r"tallyd_\w+", rules.read_text())}
    assert used <= known
    needs("promtool")
    done = subprocess.run(
        ["promtool", "check", "rules", str(rules)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr

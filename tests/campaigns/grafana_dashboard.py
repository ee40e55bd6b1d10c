"""Make docs/grafana-dashboard.json, from the metrics that a page with all kinds of pollers has.

`python tests/campaigns/grafana_dashboard.py` writes it again. A panel's explanation is the metric's own, and
a metric or a label that does not exist is an error. It needs no plugin: time series, stats and bar gauges.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).parents[1]))

from prometheus_client.parser import text_string_to_metric_families

from support.metrics import page_with_everything
from tallyd.web.machine.metrics import exposition

FILE: Final = Path(__file__).parents[2] / "docs" / "grafana-dashboard.json"
SCHEMA: Final = 41
"""The version of the format that Grafana 12 writes. Older ones read it, too."""
_WIDTH, _HEIGHT = 24, 8
_DATASOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}
_METRIC: Final = re.compile(r"\b(tallyd_\w+|process_\w+)")
_HERE: Final = 'instance=~"$instance"'

Definitions = Mapping[str, str]
"""The help of each metric, by its name."""


@dataclass(frozen=True)
class Query:
    """A query, and the name of each of its series."""

    expr: str
    legend: str


@dataclass(frozen=True, kw_only=True)
class Panel:
    """A panel: `width` of 24. `worst_at`: from this value on it is red. `more` goes into its options."""

    title: str
    queries: Sequence[Query]
    unit: str = "short"
    kind: str = "timeseries"
    width: int = 12
    worst_at: float | None = None
    stacks: bool = False
    dashed: str = ""
    more: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Row:
    """Panels below a heading; `repeat` is the variable with the pollers that each get a row of their own."""

    title: str
    panels: Sequence[Panel]
    repeat: str = ""


@dataclass(frozen=True)
class Variable:
    """A choice at the top: the values of a label of a metric."""

    name: str
    title: str
    metric: str
    label: str


VARIABLES: Final = (
    Variable("instance", "tallyd", "tallyd_build_info", "instance"),
    Variable("divera", "Divera poller", "tallyd_people", "poller"),
    Variable("visitors", "visitors poller", "tallyd_visitors_inside_all", "poller"),
    Variable("servers", "servers poller", "tallyd_targets", "poller"),
)


def _of(metric: str, labels: str = "") -> str:
    return f"{metric}{{{', '.join(each for each in (_HERE, labels) if each)}}}"


def _named(metric: str, *, of: str, key: str, info: str, name: str, labels: str = "") -> str:
    """Return a query of a metric with the name of its status or source, where it has one."""
    mine = f'poller=~"${of}"'
    plain = _of(metric, ", ".join(each for each in (mine, labels) if each))
    on = f"on (instance, poller, {key})"
    return f"{plain} * {on} group_left ({name}) {_of(info, mine)} or {on} {plain}"


def _visitors(direction: str) -> str:
    return _named(
        "tallyd_visitors_today",
        of="visitors",
        key="source",
        info="tallyd_source_info",
        name="label",
        labels=f'direction="{direction}"',
    )


def rows() -> Sequence[Row]:
    """Return what the dashboard shows, from top to bottom."""
    servers, visitors = 'poller=~"$servers"', 'poller=~"$visitors"'
    is_open, waits = 'state="open"', 'state="waiting"'
    age = f"time() - {_of('tallyd_last_reading_timestamp_seconds')}"
    sent = f"time() - {_of('tallyd_report_sent_timestamp_seconds')}"
    runs = f"sum by (poller, job, outcome) (increase({_of('tallyd_job_runs_total')}[$__rate_interval]))"
    took = f"sum by (poller, job, le) (rate({_of('tallyd_job_run_seconds_bucket')}[$__rate_interval]))"
    late = f"sum by (poller, job, le) (rate({_of('tallyd_slot_late_seconds_bucket')}[$__rate_interval]))"
    return (
        Row(
            title="Overview",
            panels=(
                Panel(
                    title="Open alerts",
                    kind="stat",
                    width=4,
                    worst_at=1,
                    queries=[Query(f"sum({_of('tallyd_alerts', is_open)}) or vector(0)", "open")],
                ),
                Panel(
                    title="Readable",
                    kind="stat",
                    width=4,
                    queries=[Query(f"min({_of('tallyd_readable')})", "readable")],
                ),
                Panel(
                    title="Reports that wait",
                    kind="stat",
                    width=4,
                    worst_at=1,
                    queries=[Query(f"sum({_of('tallyd_reports', waits)}) or vector(0)", "waiting")],
                ),
                Panel(
                    title="Missed slots",
                    kind="stat",
                    width=4,
                    worst_at=1,
                    queries=[Query(f"sum({_of('tallyd_slots_missed')})", "missed")],
                ),
                Panel(
                    title="Active",
                    kind="stat",
                    width=4,
                    more={"textMode": "name"},
                    queries=[Query(f"{_of('tallyd_active')} == 1", "{{instance}}")],
                ),
                Panel(
                    title="Version",
                    kind="stat",
                    width=4,
                    more={"textMode": "name"},
                    queries=[Query(_of("tallyd_build_info"), "{{version}}")],
                ),
                Panel(
                    title="Alerts",
                    stacks=True,
                    queries=[
                        Query(
                            f"sum by (poller, kind, severity, state) ({_of('tallyd_alerts')})",
                            "{{poller}} {{kind}}: {{severity}}, {{state}}",
                        )
                    ],
                ),
                Panel(title="Age of the last reading", unit="s", queries=[Query(age, "{{poller}}")]),
            ),
        ),
        Row(
            title="Divera: $divera",
            repeat="divera",
            panels=(
                Panel(
                    title="People by status",
                    width=16,
                    stacks=True,
                    queries=[
                        Query(
                            _named(
                                "tallyd_people",
                                of="divera",
                                key="status",
                                info="tallyd_status_info",
                                name="name",
                            ),
                            "{{name}} ({{status}})",
                        )
                    ],
                ),
                Panel(
                    title="All people",
                    kind="stat",
                    width=8,
                    queries=[Query(_of("tallyd_people_all", 'poller=~"$divera"'), "people")],
                ),
                Panel(
                    title="People for each requirement",
                    width=16,
                    queries=[Query(_of("tallyd_requirement_people", 'poller=~"$divera"'), "{{requirement}}")],
                ),
                Panel(
                    title="Requirements met",
                    kind="stat",
                    width=8,
                    queries=[Query(_of("tallyd_requirement_met", 'poller=~"$divera"'), "{{requirement}}")],
                ),
            ),
        ),
        Row(
            title="Visitors: $visitors",
            repeat="visitors",
            panels=(
                Panel(
                    title="Inside, all sources",
                    kind="stat",
                    width=6,
                    queries=[Query(_of("tallyd_visitors_inside_all", visitors), "inside")],
                ),
                Panel(
                    title="Inside by source",
                    width=18,
                    queries=[
                        Query(
                            _named(
                                "tallyd_visitors_inside",
                                of="visitors",
                                key="source",
                                info="tallyd_source_info",
                                name="label",
                            ),
                            "{{source}} {{label}}",
                        )
                    ],
                ),
                Panel(
                    title="In today", stacks=True, queries=[Query(_visitors("in"), "{{source}} {{label}}")]
                ),
                Panel(
                    title="Out today", stacks=True, queries=[Query(_visitors("out"), "{{source}} {{label}}")]
                ),
                Panel(
                    title="Time since the last file",
                    unit="s",
                    queries=[Query(_of("tallyd_source_last_file_age_seconds", visitors), "{{source}}")],
                ),
                Panel(
                    title="Files today",
                    queries=[Query(_of("tallyd_files_today", visitors), "{{state}}")],
                ),
            ),
        ),
        Row(
            title="Servers: $servers",
            repeat="servers",
            panels=(
                Panel(
                    title="Targets by state",
                    stacks=True,
                    width=8,
                    queries=[Query(_of("tallyd_targets", servers), "{{state}}")],
                ),
                Panel(
                    title="Age of the data, and its limit",
                    unit="s",
                    width=16,
                    dashed="/, limit$/",
                    queries=[
                        Query(_of("tallyd_target_lag_seconds", servers), "{{target}}"),
                        Query(_of("tallyd_target_limit_seconds", servers), "{{target}}, limit"),
                    ],
                ),
                Panel(
                    title="Age of the data, as a share of its limit",
                    kind="bargauge",
                    unit="percentunit",
                    width=24,
                    worst_at=1,
                    more={"orientation": "horizontal", "displayMode": "basic"},
                    queries=[
                        Query(
                            f"sort_desc({_of('tallyd_target_lag_seconds', servers)}"
                            f" / {_of('tallyd_target_limit_seconds', servers)})",
                            "{{target}}",
                        )
                    ],
                ),
            ),
        ),
        Row(
            title="Reports to upstreams",
            panels=(
                Panel(
                    title="Reports that are not accepted",
                    queries=[Query(_of("tallyd_reports"), "{{poller}}: {{state}}")],
                ),
                Panel(
                    title="Time since a report was accepted",
                    unit="s",
                    queries=[Query(sent, "{{poller}}: {{ssid}}")],
                ),
            ),
        ),
        Row(
            title="Runs",
            panels=(
                Panel(title="Runs by outcome", queries=[Query(runs, "{{poller}} {{job}}: {{outcome}}")]),
                Panel(
                    title="How long runs take (90 % are faster)",
                    unit="s",
                    queries=[Query(f"histogram_quantile(0.9, {took})", "{{poller}} {{job}}")],
                ),
                Panel(
                    title="How late slots start (90 % are earlier)",
                    unit="s",
                    queries=[Query(f"histogram_quantile(0.9, {late})", "{{poller}} {{job}}")],
                ),
                Panel(
                    title="Memory of the process",
                    unit="bytes",
                    queries=[Query(_of("process_resident_memory_bytes"), "{{instance}}")],
                ),
            ),
        ),
    )


def definitions() -> Definitions:
    """Return the metrics of a page with all kinds."""
    with tempfile.TemporaryDirectory() as folder:
        web = page_with_everything(Path(folder))
        with web.context() as context:
            text = exposition(context).decode()
    found: dict[str, str] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found[sample.name] = family.documentation
    return found


def dashboard(known: Definitions) -> dict[str, Any]:
    """Return the dashboard. Raises KeyError with a metric that does not exist."""
    return {
        "annotations": {"list": []},
        "description": "What tallyd counts and checks: people, visitors, the age of data, and tallyd itself.",
        "editable": True,
        "graphTooltip": 1,
        "links": [],
        "panels": list(_panels(known)),
        "refresh": "1m",
        "schemaVersion": SCHEMA,
        "tags": ["tallyd"],
        "templating": {"list": [_datasource(), *(_variable(each, known) for each in VARIABLES)]},
        "time": {"from": "now-24h", "to": "now"},
        "timepicker": {},
        "timezone": "browser",
        "title": "tallyd",
        "uid": "tallyd",
        "version": 1,
    }


def _panels(known: Definitions) -> Iterator[dict[str, Any]]:
    number = y = 0
    for row in rows():
        number += 1
        heading: dict[str, Any] = {
            "collapsed": False,
            "gridPos": {"h": 1, "w": _WIDTH, "x": 0, "y": y},
            "id": number,
            "panels": [],
            "title": row.title,
            "type": "row",
        }
        yield heading | ({"repeat": row.repeat, "repeatDirection": "h"} if row.repeat else {})
        x, y, height = 0, y + 1, 0
        for panel in row.panels:
            number += 1
            if x + panel.width > _WIDTH:
                x, y, height = 0, y + height, 0
            own = _HEIGHT // 2 if panel.kind == "stat" and not row.repeat else _HEIGHT
            yield _panel(panel, known, number, {"h": own, "w": panel.width, "x": x, "y": y})
            x, height = x + panel.width, max(height, own)
        y += height


def _panel(panel: Panel, known: Definitions, number: int, place: Mapping[str, int]) -> dict[str, Any]:
    named = dict.fromkeys(name for query in panel.queries for name in _METRIC.findall(query.expr))
    help_ = {known[name]: name for name in named}
    return {
        "datasource": _DATASOURCE,
        "description": " ".join(text for text, name in help_.items() if not _is_for_names(name)),
        "fieldConfig": {
            "defaults": _defaults(panel),
            "overrides": [_DASHES | {"matcher": {"id": "byRegexp", "options": panel.dashed}}]
            if panel.dashed
            else [],
        },
        "gridPos": place,
        "id": number,
        "options": _options(panel),
        "targets": [
            {
                "datasource": _DATASOURCE,
                "editorMode": "code",
                "expr": query.expr,
                "instant": panel.kind != "timeseries",
                "legendFormat": query.legend,
                "range": panel.kind == "timeseries",
                "refId": "ABCDEF"[place_],
            }
            for place_, query in enumerate(panel.queries)
        ],
        "title": panel.title,
        "type": panel.kind,
    }


def _is_for_names(metric: str) -> bool:
    return metric in {"tallyd_status_info", "tallyd_source_info"}


_DASHES: Final = {
    "properties": [
        {"id": "custom.lineStyle", "value": {"dash": [8, 8], "fill": "dash"}},
        {"id": "custom.fillOpacity", "value": 0},
    ]
}


def _defaults(panel: Panel) -> dict[str, Any]:
    steps: list[dict[str, Any]] = [{"color": "green", "value": None}]
    if panel.worst_at is not None:
        steps.append({"color": "red", "value": panel.worst_at})
    found: dict[str, Any] = {
        "min": 0,
        "thresholds": {"mode": "absolute", "steps": steps},
        "unit": panel.unit,
    }
    if panel.kind == "timeseries":
        found["color"] = {"mode": "palette-classic"}
        found["custom"] = {
            "fillOpacity": 30 if panel.stacks else 8,
            "lineInterpolation": "stepAfter" if panel.stacks else "linear",
            "showPoints": "never",
            "stacking": {"group": "A", "mode": "normal" if panel.stacks else "none"},
        }
    else:
        found["color"] = {"mode": "thresholds"}
    return found


def _options(panel: Panel) -> dict[str, Any]:
    if panel.kind == "timeseries":
        return {
            "legend": {"calcs": [], "displayMode": "list", "placement": "bottom", "showLegend": True},
            "tooltip": {"mode": "multi", "sort": "desc"},
            **panel.more,
        }
    return {"reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}, **panel.more}


def _datasource() -> dict[str, Any]:
    return {
        "current": {},
        "label": "Prometheus",
        "name": "datasource",
        "options": [],
        "query": "prometheus",
        "refresh": 1,
        "type": "datasource",
    }


def _variable(variable: Variable, known: Definitions) -> dict[str, Any]:
    if variable.metric not in known:
        raise KeyError(variable.metric)
    within = "" if variable.name == "instance" else f"{{{_HERE}}}"
    query = f"label_values({variable.metric}{within}, {variable.label})"
    return {
        "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
        "datasource": _DATASOURCE,
        "definition": query,
        "includeAll": True,
        "label": variable.title,
        "multi": True,
        "name": variable.name,
        "options": [],
        "query": {"qryType": 1, "query": query, "refId": "Variable"},
        "refresh": 2,
        "sort": 1,
        "type": "query",
    }


def written() -> str:
    """Return the file's content."""
    return json.dumps(dashboard(definitions()), indent=2, sort_keys=True) + "\n"


if __name__ == "__main__":
    FILE.write_text(written())

"""Ten thousand targets: what is shown, asked of the database and sent stays within bounds."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
import requests

from support.webfolder import CONFIG, NOW, Web, serving_app
from tallyd.adapters.records.database import Database
from tallyd.config.model import load
from tallyd.contract.lags import HourCount, LagRow
from tallyd.contract.passages import Count, seen_text
from tallyd.core.alerts.rules import Alert
from tallyd.pollers.servers.freshness import Known, State
from tallyd.pollers.servers.target_memory import TargetMemory
from tallyd.pollers.visitors.visit_history import Minute
from tallyd.settings.web import WebSettings
from tallyd.web.app import application
from tallyd.web.checks import Checks
from tallyd.web.machine.metrics import exposition
from tallyd.web.records import Looked

MANY = 10_000
NAMES = [f"server {number:05}" for number in range(MANY)]
BAD: dict[str, State] = {NAMES[7]: "unreachable", NAMES[4000]: "stale", NAMES[9999]: "invalid"}
MOST_PAGE_BYTES = 120_000
MOST_PACKED_BYTES = 12_000


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Web:
    """A folder with so many targets, of which a few are not fresh; all have rows of the last hours."""
    web = Web(tmp_path_factory.mktemp("large"))
    content = json.loads(json.dumps(CONFIG))
    content["pollers"]["apps"]["targets_file"] = "targets.json"
    del content["pollers"]["apps"]["targets"]
    path = web.folder / "config.json"
    path.write_text(json.dumps(content))
    (web.folder / "targets.json").write_text(
        json.dumps({name: {"url": "http://127.0.0.1:9/"} for name in NAMES})
    )
    web.config = load(path, environ={})
    memory = TargetMemory()
    memory.known = {
        name: Known(
            state=BAD.get(name, "fresh"),
            since=NOW - timedelta(hours=1),
            computed_at=NOW - timedelta(milliseconds=10 * number),
        )
        for number, name in enumerate(NAMES)
    }
    web.kept["apps", "check"] = {"memory": memory}
    _fill(web)
    return web


def _fill(web: Web) -> None:
    rows = [
        LagRow(name, seen_text(NOW - timedelta(minutes=minutes)), None, 5.0, "fresh", 60.0)
        for minutes in (90, 5)
        for name in NAMES[:200]
    ]
    hours = {
        (seen_text(NOW - timedelta(hours=back))[:13] + ":00:00", name): HourCount(60, 60 - number % 7, 0, 9.0)
        for back in (1, 2, 3, 160)
        for number, name in enumerate(NAMES[:2000])
    }
    with closing(Database(web.config.database_url, prepares=True)) as database:
        assert database.records("apps").note_checks(rows, hours).trouble is None


def rows_of(html: str) -> list[str]:
    return re.findall(r'<tr class="\w+"><th scope="row">(?:<a[^>]*>)?([^<]+)<', html)


@contextmanager
def page(web: Web) -> Iterator[str]:
    with web.context() as context, serving_app(application(context, WebSettings())) as url:
        yield url


@pytest.mark.parametrize(
    ("path", "most_rows"),
    [
        pytest.param("/", 8, id="overview"),
        pytest.param("/poller/apps", 50, id="targets"),
        pytest.param("/poller/apps?sort=lag", 50, id="by lag"),
        pytest.param("/poller/apps?sort=name&page=200", 50, id="the last page"),
        pytest.param("/poller/apps?live=1", 50, id="its parts alone"),
    ],
)
@pytest.mark.parametrize("problems", [0, MANY], ids=["all well", "all bad"])
def test_a_page_has_a_few_rows_and_little_weight(
    large: Web, path: str, most_rows: int, problems: int
) -> None:
    large.alerts = {
        key: Alert(
            key=key,
            severity="error",
            text=f"{name}: unreachable " + "x" * 200,
            over="",
            since=NOW,
            raised_at=NOW,
        )
        for name in NAMES[:problems]
        for key in [f"apps/{name}/unreachable"]
    }
    large.monotonic_s += 2
    with page(large) as url:
        answer = requests.get(url + path, timeout=30)
    html = json.loads(answer.text)["parts"]["targets"] if "live" in path else answer.text
    found = [name for name in rows_of(html) if name.startswith("server")]
    assert len(found) == most_rows
    assert len(answer.content) < MOST_PAGE_BYTES
    assert int(answer.headers["content-length"]) < MOST_PACKED_BYTES


@pytest.mark.parametrize(
    ("query", "first"),
    [
        pytest.param("", [NAMES[7], NAMES[9999], NAMES[4000], NAMES[0]], id="the most serious first"),
        pytest.param("sort=state&down=1", [NAMES[9998], NAMES[9997]], id="the least serious first"),
        pytest.param("sort=name", NAMES[:50], id="by name"),
        pytest.param("sort=name&down=1", NAMES[:-51:-1], id="by name, from the end"),
        pytest.param("sort=name&page=2", NAMES[50:100], id="the second page"),
        pytest.param("sort=name&page=200", NAMES[-50:], id="the last page"),
        pytest.param("sort=name&page=999999", NAMES[-50:], id="beyond the last page"),
        pytest.param("sort=lag", NAMES[:-51:-1], id="by lag"),
        pytest.param(
            "sort=within&down=1", [NAMES[1995], NAMES[1988]], id="by how much they were within their limit"
        ),
    ],
)
def test_the_table_is_sorted_over_all_pages(large: Web, query: str, first: list[str]) -> None:
    with page(large) as url:
        found = rows_of(requests.get(f"{url}/poller/apps?{query}", timeout=30).text)
    assert [name for name in found if name.startswith("server")][: len(first)] == first


class Looks:
    """Passes on to the records of a poller, and counts what they are asked."""

    def __init__(self, looked: Looked, asked: Counter[str]) -> None:
        self._looked = looked
        self._asked = asked

    def counts(self, since: datetime, until: datetime) -> Mapping[str, Count]:
        self._asked["counts"] += 1
        return self._looked.counts(since, until)

    def minutes(self, since: datetime, until: datetime) -> tuple[Minute, ...]:
        self._asked["minutes"] += 1
        return self._looked.minutes(since, until)

    def files_since(self, since: datetime) -> Mapping[str, int]:
        self._asked["files_since"] += 1
        return self._looked.files_since(since)

    def server_sums(self, since: datetime, until: datetime) -> Mapping[str, HourCount]:
        self._asked["server_sums"] += 1
        return self._looked.server_sums(since, until)

    def server_lags(
        self, servers: Collection[str], since: datetime, until: datetime, *, most: int
    ) -> Sequence[LagRow]:
        self._asked["server_lags"] += 1
        return self._looked.server_lags(servers, since, until, most=most)


def test_a_page_takes_a_few_looks_at_the_database_however_many_targets_there_are(large: Web) -> None:
    asked: Counter[str] = Counter()
    with large.context() as context:
        counting = replace(context, records=lambda poller: Looks(context.records(poller), asked))
        with serving_app(application(counting, WebSettings())) as url:
            for path in ("/poller/apps?sort=name", "/poller/apps?sort=name&page=2", "/"):
                assert "<polyline" in requests.get(url + path, timeout=30).text or path == "/"
    # The hours that are over and those that are not, once; of each page one for all of its plots.
    assert asked["server_sums"] == 2
    assert asked["server_lags"] == 3


def test_the_share_of_a_week_is_that_of_all_its_hours(large: Web) -> None:
    with page(large) as url:
        html = requests.get(f"{url}/poller/apps?sort=name", timeout=30).text
    shares = re.findall(r"<td>([0-9.]+%|not known) ", html)
    assert shares[:3] == ["100.0%", f"{59 / 60:.1%}", f"{58 / 60:.1%}"]
    assert re.findall(r">fresh ([0-9.]+%)<", html)[:3] == shares[:3]
    with large.context() as context:
        found = Checks(context).shares("apps")
    assert found[NAMES[1]] == HourCount(4 * 60, 4 * 59, 0, 9.0)
    assert len(found) == 2000


def test_metrics_name_a_thousand_targets_and_count_all(large: Web) -> None:
    large.alerts = {
        key: Alert(key=key, severity="error", text="", over="", since=NOW, raised_at=NOW)
        for key in (f"apps/{name}/unreachable" for name in NAMES)
    }
    with large.context() as context:
        text = exposition(context).decode()
    lines = text.splitlines()
    assert sum(line.startswith("tallyd_target_fresh{") for line in lines) == 1000
    assert 'tallyd_targets_unnamed{poller="apps"} 9000.0' in lines
    assert 'tallyd_targets{poller="apps",state="fresh"} 9997.0' in lines
    assert 'tallyd_alerts{kind="unreachable",poller="apps",severity="error",state="open"} 10000.0' in lines
    assert len(text) < 200_000
    assert len(lines) < 3000


def test_the_status_of_the_api_does_not_grow_with_the_targets(large: Web) -> None:
    with page(large) as url:
        assert len(requests.get(f"{url}/api/v1/status", timeout=30).content) < 2000

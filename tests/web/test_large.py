"""Ten thousand targets: what is shown, asked of the database and sent stays within bounds."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import timedelta

import pytest
import requests

from support.past import minutely
from support.webfolder import CONFIG, NOW, Web, serving_app
from tallyd.adapters.records.database import Database
from tallyd.adapters.records.reader import RecordsReader
from tallyd.config.load import load
from tallyd.contract.board import PastRecords
from tallyd.contract.lags import LagRow
from tallyd.contract.passages import seen_text
from tallyd.core.alerts.rules import Alert
from tallyd.pollers.servers.freshness import Known, State
from tallyd.pollers.servers.rounds.target_memory import TargetMemory
from tallyd.settings.web import WebSettings
from tallyd.web.app import application
from tallyd.web.machine.metrics import exposition

MANY = 10_000
NAMES = [f"server {number:05}" for number in range(MANY)]
BAD: dict[str, State] = {NAMES[7]: "unreachable", NAMES[4000]: "stale", NAMES[9999]: "invalid"}
CHECKED = 2000
"""So many have checks in the database."""
MOST_PAGE_BYTES = 160_000
MOST_PACKED_BYTES = 12_000


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Web:
    """A folder with so many targets, of which a few are not fresh; some have rows of the last hours."""
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
        (seen_text(NOW - timedelta(hours=back))[:13] + ":00:00", name): minutely(60, 60 - number % 7, 0, 9.0)
        for back in (1, 2, 3, 130)
        for number, name in enumerate(NAMES[:CHECKED])
    }
    with closing(Database(web.config.database_url, prepares=True)) as database:
        assert database.records("apps").note_checks(rows, hours).trouble is None


def rows_of(html: str, table: str = "now-targets") -> list[str]:
    """Return the first cell of each row of a table."""
    (found,) = re.findall(rf'id="{table}".*?</table>', html, re.DOTALL)
    return re.findall(r'<th scope="row"><a[^>]*>([^<]+)<', found)


@contextmanager
def page(web: Web) -> Iterator[str]:
    with web.context() as context, serving_app(application(context, WebSettings())) as url:
        yield url


@pytest.mark.parametrize(
    ("path", "table", "rows"),
    [
        pytest.param("/", "card-3-targets", 8, id="overview"),
        pytest.param("/poller/apps", "now-targets", 50, id="targets now"),
        pytest.param("/poller/apps", "past-targets", 50, id="targets of some days"),
        pytest.param("/poller/apps?sort=now-targets.lag_s", "now-targets", 50, id="by lag"),
        pytest.param("/poller/apps?page=now-targets.200", "now-targets", 50, id="the last page"),
        pytest.param("/poller/apps?target=server+00007", "now-shares", 0, id="one of them"),
        pytest.param("/poller/apps?live=1", "now-targets", 50, id="its parts alone"),
    ],
)
@pytest.mark.parametrize("problems", [0, MANY], ids=["all well", "all bad"])
def test_a_page_has_a_few_rows_and_little_weight(
    large: Web, path: str, table: str, rows: int, problems: int
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
        answer = requests.get(url + path, timeout=60)
    html = "".join(json.loads(answer.text)["parts"].values()) if "live" in path else answer.text
    assert len(rows_of(html, table)) == rows
    assert len(answer.content) < MOST_PAGE_BYTES
    assert int(answer.headers["content-length"]) < MOST_PACKED_BYTES


@pytest.mark.parametrize(
    ("query", "first"),
    [
        pytest.param("", [NAMES[7], NAMES[9999], NAMES[4000], NAMES[0]], id="the most serious first"),
        pytest.param("sort=now-targets.target", NAMES[:50], id="by name"),
        pytest.param("sort=now-targets.target&down=1", NAMES[:-51:-1], id="by name, from the end"),
        pytest.param("sort=now-targets.target&page=now-targets.2", NAMES[50:100], id="the second page"),
        pytest.param("sort=now-targets.target&page=now-targets.200", NAMES[-50:], id="the last page"),
        pytest.param("sort=now-targets.target&page=now-targets.999999", NAMES[-50:], id="beyond the last"),
        pytest.param("sort=now-targets.lag_s&down=1", NAMES[:-51:-1], id="by lag"),
        pytest.param("sort=now-targets.state", [NAMES[9999], NAMES[4000], NAMES[7]], id="by state"),
    ],
)
def test_the_table_is_sorted_over_all_pages(large: Web, query: str, first: list[str]) -> None:
    large.alerts = {}
    with page(large) as url:
        found = rows_of(requests.get(f"{url}/poller/apps?{query}", timeout=60).text)
    assert found[: len(first)] == first


def test_the_share_of_some_days_is_that_of_all_their_hours(large: Web) -> None:
    with page(large) as url:
        html = requests.get(f"{url}/poller/apps?sort=past-targets.target", timeout=60).text
    shares = re.findall(r'<td [^>]*class="num"[^>]*>([0-9.]+%)</td>', html)
    assert shares[:9:3] == ["100.00%", f"{59 / 60:.2%}", f"{58 / 60:.2%}"]
    assert f"{CHECKED} targets, {CHECKED * 4 * 60} checks" in html


class Counting:
    """Passes on to the records of a poller, and counts what they are asked."""

    def __init__(self, records: PastRecords, asked: Counter[str]) -> None:
        self._records = records
        self._asked = asked

    def __getattr__(self, name: str) -> object:
        self._asked[name] += 1
        return getattr(self._records, name)


class CountingReader(RecordsReader):
    """Counts what is asked of the database."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.asked: Counter[str] = Counter()

    def of(self, poller: str) -> PastRecords:
        """Return the records of a poller."""
        return Counting(super().of(poller), self.asked)  # type: ignore[return-value] # it passes all on


def test_what_costs_much_is_not_read_anew_at_every_look(large: Web) -> None:
    with closing(CountingReader(large.config.database_url)) as reader, large.context() as context:
        now_s = 0.0

        def slow() -> float:  # each look at the clock is a second later
            nonlocal now_s
            now_s += 1
            return now_s

        app = application(replace(context, records=reader, monotonic=slow), WebSettings())
        with serving_app(app) as url:

            def looks(query: str) -> int:
                """Return how often the database was asked for this view."""
                before = costly()
                assert requests.get(f"{url}/poller/apps{query}", timeout=60).status_code == 200
                return costly() - before

            def costly() -> int:  # a daemon has the arrivals at hand; else they are a row a source
                return reader.asked.total() - reader.asked["arrivals"]

            first = looks("")
            assert 0 < first <= 8
            again = ("?live=1", "?sort=past-targets.target", "?page=past-targets.2")
            # Only the last day of the rows that are shown is read anew.
            assert [looks(query) for query in again] == [1, 1, 1]
            assert looks(f"?by=day&from={NOW:%Y-%m-%d}") > 0  # seven days would be too many rows
            now_s += 1000
            assert looks("?live=1") == first


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
    # A named target has three series of at most 71 characters: the age of its data, its limit, is it fresh.
    assert len(text) < 220_000
    assert len(lines) < 3200


def test_the_status_of_the_api_does_not_grow_with_the_targets(large: Web) -> None:
    with page(large) as url:
        assert len(requests.get(f"{url}/api/v1/status", timeout=30).content) < 5000

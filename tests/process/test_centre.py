"""Collectors and a centre, each a process of its own, on one PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from adapters.records.conftest import postgresql  # noqa: F401 # a fixture, found by its name
from adapters.records.servers import PostgreSql, Server
from campaigns.centre import SHORT_S, campaign
from support import warm
from support.daemon import wait_until
from support.yard import POLLER, SHARED, Yard, yard


@pytest.fixture
def park(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Yard]:
    server: Server = request.getfixturevalue("postgresql")
    with yard(tmp_path, server) as found:
        yield found


def centre(park: Yard, *words: str) -> Any:
    """Run a command of the centre; return its JSON."""
    done = warm.run("-m", "tallyd", "--config", str(park.centre / "config.json"), *words)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def hosts(park: Yard) -> list[str]:
    """Return the folders of the other daemons, as the centre sees them."""
    return sorted(Path(each["folder"]).parent.name for each in centre(park, "status", "--json")["hosts"])


def problems(park: Yard) -> list[str]:
    return [each["key"] for each in centre(park, "status", "--json")["problems"]]


def test_a_centre_counts_and_reports_what_collectors_ingest_each_file_once(park: Yard) -> None:
    park.start("24", "32", "centre")
    for _ in range(3):
        park.drop("24", 5)
        park.drop("32", 2)
        park.drop_on_two(3)
    park.drop("24", 0)
    park.drop_bad("32")
    park.settle()
    assert park.violations() == []
    wait_until(lambda: hosts(park) == ["cam24", "cam32"], within_s=90.0, what="both hosts are listed")
    wait_until(lambda: problems(park) == ["park/32/rejected"], within_s=60.0, what="a file is rejected")
    watched = centre(park, "once", POLLER, "--job", "watch")["sources"]
    assert sorted(watched) == ["24", "32", SHARED]
    assert [f"cam{source}" in watched[source]["host"] for source in ("24", "32")] == [True, True]
    n_in = park.sums()["CountAccuIn"]
    latest = json.loads((park.centre / "out" / POLLER / "latest.json").read_text())
    assert latest["counts"]["in"] == n_in
    assert f'"in": {n_in}' in json.dumps(centre(park, "report", "--by", "day", "--format", "json"))


def test_a_host_that_is_stopped_is_no_longer_listed(park: Yard) -> None:
    park.start("12", "23", "centre")
    park.daemons["centre"].wait_ready()
    park.drop("12", 1)
    wait_until(lambda: hosts(park) == ["cam12", "cam23"], within_s=90.0, what="both hosts are listed")
    assert park.daemons["12"].end() == 0
    assert hosts(park) == ["cam23"]


@pytest.mark.slow
def test_collectors_centre_and_database_are_killed_and_everybody_counts_once(
    postgresql: PostgreSql,  # noqa: F811 # see above
    tmp_path: Path,
) -> None:
    assert campaign(postgresql, tmp_path, seconds=SHORT_S, after_s=120, seed=1, is_short=True) == []

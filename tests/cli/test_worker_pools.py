"""The workers that a config needs: a pool for each poller that needs one, ended when it does not any more."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tallyd.cli.process.worker_pools import WorkerPools, executor_problems
from tallyd.config.load import load
from tallyd.config.model import Config

SERVERS = {"kind": "servers", "targets": {"PROD": {"url": "https://app.example/version"}}}
PROCESSES = {**SERVERS, "executor": "processes", "processes": 1}


def config(folder: Path, *, http: dict[str, Any] | None = None, **pollers: dict[str, Any]) -> Config:
    path = folder / "config.json"
    path.write_text(json.dumps({"timezone": "UTC", "http": http or {}, "pollers": pollers}))
    return load(path, environ={"PROXY": "http://me:Zq7-secret@proxy.example:3128"})


def test_each_poller_has_a_pool_that_ends_when_it_needs_none(tmp_path: Path) -> None:
    pools = WorkerPools(lambda: datetime.now(UTC))
    both = config(tmp_path, one=PROCESSES, two=PROCESSES)
    needed = both.settings.pollers["one"].workers_needed()
    assert needed is not None
    one = pools.of("one", needed, both)
    assert pools.of("two", needed, both) is not one, "what it gives up is its own work"
    pools.apply_config(both)
    assert pools.of("one", needed, both) is one, "a reload that changes nothing keeps it"
    pools.apply_config(config(tmp_path, one=SERVERS))
    one = pools.of("one", needed, both)
    other = config(tmp_path, one=PROCESSES, http={"timeout": "5s"})
    assert pools.of("one", needed, other) is not one, "other requests, other workers"
    pools.close()
    pools.close()


@pytest.mark.parametrize(
    ("proxy", "is_wrong"),
    [
        pytest.param("http://me:Zq7-secret@proxy.example:3128", True, id="a password"),
        pytest.param("http://proxy.example:3128", False, id="no secret"),
        pytest.param("env:PROXY", False, id="a reference"),
    ],
)
def test_a_proxy_with_a_password_must_be_a_reference_for_workers(
    proxy: str, is_wrong: bool, tmp_path: Path
) -> None:
    found = executor_problems(config(tmp_path, one=PROCESSES, http={"proxy": proxy}))
    assert [problem.place for problem in found] == (["http.proxy"] if is_wrong else [])
    assert "Zq7" not in str(found)
    assert executor_problems(config(tmp_path, one=SERVERS, http={"proxy": proxy})) == ()


def test_dask_that_is_not_installed_is_a_problem_of_the_config(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dask = {**SERVERS, "executor": "dask", "scheduler": "tcp://dask.example:8786"}
    found = config(tmp_path, one=dask)
    assert executor_problems(found) == ()
    monkeypatch.setitem(sys.modules, "distributed", None)
    (problem,) = executor_problems(found)
    assert problem.place == "pollers.one.executor"
    assert "needs a library that is not installed (distributed)" in problem.text

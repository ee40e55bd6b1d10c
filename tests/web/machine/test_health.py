"""/healthz: one word about tallyd itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import requests

from support.webfolder import NOW, Web, serving
from tallyd.core.alerts.rules import Alert
from tallyd.core.leader import Leader
from tallyd.runs.stats import RunStats
from tallyd.web.machine.health import is_healthy, routes
from tallyd.web.machine.metrics import exposition
from tallyd.web.page import Page

STALE = Alert(
    key="apps/PROD/stale", severity="error", text="PROD: old", over="PROD: fresh", since=NOW, raised_at=NOW
)


def test_a_tallyd_that_can_do_its_work_answers_with_one_word(tmp_path: Path) -> None:
    with Web(tmp_path).context() as context, serving(routes(context)) as url:
        answer = requests.get(f"{url}/healthz", timeout=20)
    assert (answer.status_code, answer.text) == (200, '{"status":"ok","role":"active"}')


def test_a_standby_is_well_and_says_that_it_is_one(tmp_path: Path) -> None:
    leader = Leader(term=3, host="pi1", folder="/srv/state", since=NOW, is_there=True)
    with Web(tmp_path).context() as context:
        standby = replace(context, leader=lambda: leader)
        with serving(routes(standby)) as url:
            answer = requests.get(f"{url}/healthz", timeout=20)
            assert (answer.status_code, answer.json()) == (200, {"status": "ok", "role": "standby"})
        assert b"\ntallyd_active 1.0\n" in exposition(context)
        assert b"\ntallyd_active 0.0\n" in exposition(standby)
        with serving(Page(standby).routes()) as url:
            assert "standby; active is pi1 since" in requests.get(url, timeout=20).text


@pytest.mark.parametrize(
    ("key", "status"),
    [
        pytest.param("apps/PROD/stale", 200, id="a source's trouble is none of tallyd's"),
        pytest.param("divera/count/failed", 200, id="a failed request neither"),
        pytest.param("divera/count/overdue", 503, id="a job that hangs"),
        pytest.param("tallyd/out", 503, id="out cannot be written"),
        pytest.param("tallyd/state", 503, id="state.db cannot be written"),
        pytest.param("tallyd/log", 503, id="the log cannot be written"),
    ],
)
def test_only_what_keeps_tallyd_from_its_work_makes_it_unwell(tmp_path: Path, key: str, status: int) -> None:
    web = Web(tmp_path, alerts={key: replace(STALE, key=key)})
    with web.context() as context, serving(routes(context)) as url:
        answer = requests.get(f"{url}/healthz", timeout=20)
    assert (answer.status_code, answer.text) == (
        status,
        f'{{"status":"{"ok" if status == 200 else "unwell"}","role":"active"}}',
    )


def test_a_schedule_that_stands_still_is_unwell_after_a_minute(tmp_path: Path) -> None:
    web = Web(tmp_path)
    with web.context() as context:
        web.monotonic_s += 60
        assert is_healthy(context)
        web.monotonic_s += 0.1
        assert not is_healthy(context)
        web.runs.tick(web.monotonic_s)
        assert is_healthy(context)


def test_before_the_first_tick_nothing_is_well(tmp_path: Path) -> None:
    web = Web(tmp_path)
    web.runs = RunStats()
    with web.context() as context:
        assert not is_healthy(context)


def test_a_state_db_that_does_not_answer_is_unwell(tmp_path: Path) -> None:
    web = Web(tmp_path)
    with web.context() as context:
        closed = context.state.reader()
        closed.close()
        assert not is_healthy(replace(context, state=closed))

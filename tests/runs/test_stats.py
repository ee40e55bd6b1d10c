"""Run statistics: every way in which a run can end is counted."""

from __future__ import annotations

import pytest

from tallyd.runs.stats import LATE_S, TOOK_S, RunStats

NAME = ("divera", "count")


def test_nothing_is_known_before_the_first_run() -> None:
    stats = RunStats()
    assert stats.runs() == {}
    assert stats.ticked_s() is None


@pytest.mark.parametrize(
    ("took_s", "place"),
    [
        pytest.param(-1.0, 0, id="a clock that was set back"),
        pytest.param(TOOK_S[0], 0, id="exactly at a bound counts below it"),
        pytest.param(TOOK_S[0] * 1.1, 1, id="past a bound"),
        pytest.param(1e6, len(TOOK_S), id="longer than all bounds"),
    ],
)
def test_a_run_falls_into_one_bucket(took_s: float, place: int) -> None:
    stats = RunStats()
    stats.note(NAME, "taken", took_s=took_s, late_s=None)
    runs = stats.runs()[NAME]
    assert [number for number, count in enumerate(runs.took_s.counts) if count] == [place]
    assert runs.took_s.total_s == max(0.0, took_s)
    assert runs.late_s.counts == (0,) * (len(LATE_S) + 1)


def test_runs_are_counted_by_job_and_by_how_they_ended() -> None:
    stats = RunStats()
    stats.note(NAME, "taken", took_s=1.0, late_s=2.0)
    stats.note(NAME, "taken", took_s=1.0, late_s=2.0)
    stats.note(NAME, "crashed", took_s=1.0, late_s=2.0)
    stats.note(("apps", "check"), "failed", took_s=1.0, late_s=None)
    runs = stats.runs()
    assert runs[NAME].ended == {"taken": 2, "crashed": 1}
    assert runs[NAME].late_s.total_s == 6.0
    assert runs["apps", "check"].ended == {"failed": 1}

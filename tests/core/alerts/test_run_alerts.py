"""The texts about runs without a reading."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from support.wording import text_of
from tallyd.core.alerts import run_alerts

DUE = datetime(2026, 11, 20, 7, 0, tzinfo=UTC)  # a Friday, 08:00 in Berlin


def _run(minutes: float = 6, *, due: bool = True, following: bool = True) -> run_alerts.Run:
    return run_alerts.Run(
        poller="divera",
        job="count",
        due_at=DUE if due else None,
        now=DUE + timedelta(minutes=minutes),
        next_at=DUE + timedelta(hours=4) if following else None,
    )


def test_a_failure_that_is_retried_says_until_when() -> None:
    found = run_alerts.failed_for_now(
        _run(), "app.divera247.com timed out", attempts=5, until=DUE + timedelta(minutes=15)
    )
    assert found.key == "divera/count/failed"
    assert found.since == DUE
    assert text_of(found) == (
        "divera: no reading for Fri 08:00: app.divera247.com timed out (5 attempts until 08:06). "
        "Retrying until 08:15."
    )


@pytest.mark.parametrize(
    ("attempts", "tried"), [(1, ""), (2, " (2 attempts until 08:06)"), (5, " (5 attempts until 08:06)")]
)
def test_a_failure_says_how_often_it_was_tried_if_that_is_more_than_once(attempts: int, tried: str) -> None:
    found = run_alerts.failed_for_good(_run(), "app.divera247.com timed out", attempts=attempts)
    assert text_of(found).startswith(
        f"divera: no reading for Fri 08:00: app.divera247.com timed out{tried}. Next slot"
    )


def test_a_failure_for_good_names_the_next_slot_and_is_no_zero() -> None:
    found = run_alerts.failed_for_good(_run(), "app.divera247.com timed out", attempts=5)
    assert text_of(found) == (
        "divera: no reading for Fri 08:00: app.divera247.com timed out (5 attempts until 08:06). "
        "Next slot 12:00. Recorded as missing, not zero."
    )


def test_a_refusal_says_when_it_is_asked_again() -> None:
    found = run_alerts.refused(_run(), "access key refused (HTTP 403)")
    assert text_of(found) == (
        "divera: no reading for Fri 08:00: access key refused (HTTP 403). No retry before 12:00. "
        "Recorded as missing, not zero."
    )


def test_missed_slots_are_listed_since_the_last_reading() -> None:
    slots = [DUE - timedelta(hours=8), DUE]
    found = run_alerts.missed(_run(30), slots, "nothing ran at that time")
    assert found.since == slots[0]
    assert found.severity == "warning"
    assert text_of(found) == (
        "divera: no readings for 00:00 and 08:00: nothing ran at that time. Next slot 12:00. "
        "Recorded as missing, not zero."
    )


def test_outside_the_timetable_nothing_is_recorded_as_missing() -> None:
    found = run_alerts.failed_for_good(_run(due=False, following=False), "connection refused", attempts=1)
    assert text_of(found) == "divera: no reading: connection refused."


def test_a_crash_names_the_type_and_not_the_text_of_the_exception() -> None:
    assert "(ValueError)" in text_of(run_alerts.crashed(_run(), "ValueError"))


def test_a_run_that_hangs_says_for_how_long() -> None:
    found = run_alerts.overdue("divera", "count", since=DUE, limit_s=1200)
    assert found.at_once
    assert found.key == "divera/count/overdue"
    assert "started at 08:00, has made no progress for over 20 min" in text_of(found)

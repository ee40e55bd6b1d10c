"""A process that receives a file is killed at its system calls: what was answered 201 is there, and whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from campaigns.kill_intake import kill_all


@pytest.mark.slow
def test_killed_at_any_call_what_was_answered_is_stored_and_nothing_is_there_in_part(tmp_path: Path) -> None:
    answers = kill_all(tmp_path, every=3)
    assert answers == sorted(answers), "an answer comes once all is done"
    assert {*answers} == {False, True}

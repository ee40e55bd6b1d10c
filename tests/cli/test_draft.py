"""A config that is being put together: evaluated by the config's own rules, written whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tallyd.cli.config.draft import Draft
from tallyd.cli.config.init import starter
from tallyd.config.load import load

KEY = "canary-key-8f3a"
WHERE = ("pollers", "divera")


@pytest.fixture
def draft(tmp_path: Path) -> Draft:
    return Draft(tmp_path / "config.json", starter("divera", tmp_path / "config.json"))


def test_a_fault_is_named_from_where_it_was_asked_and_others_wait(draft: Draft) -> None:
    draft.put((*WHERE, "at"), ["08:00", "8"])
    fault = draft.fault((*WHERE, "at"))
    assert fault is not None
    assert (fault.place, fault.text.partition(";")[0]) == ("[1]", '"8" is not a time of day')
    assert draft.fault((*WHERE, "a")) is None, "at is no part of a"
    key = draft.fault((*WHERE, "accesskey"))
    assert key is not None
    assert "is missing" in key.text


def test_a_secret_counts_before_it_is_written(draft: Draft, tmp_path: Path) -> None:
    draft.put_secret((*WHERE, "accesskey"), "divera-key", KEY)
    assert draft.config().secrets == (KEY,)
    assert KEY not in json.dumps(draft.content)
    assert list(tmp_path.iterdir()) == []


def test_what_is_written_is_what_was_evaluated(draft: Draft, tmp_path: Path) -> None:
    draft.put_secret((*WHERE, "accesskey"), "divera-key", KEY)
    evaluated = draft.config()
    draft.write(tmp_path)
    found = load(tmp_path / "config.json", environ={})
    assert (found.settings, found.secrets, found.digest) == (
        evaluated.settings,
        evaluated.secrets,
        evaluated.digest,
    )


def test_a_secret_that_was_taken_back_is_not_written(draft: Draft, tmp_path: Path) -> None:
    draft.put_secret((*WHERE, "accesskey"), "divera-key", KEY)
    draft.put_secret(("channels", "ops"), "chat-url", "tgram://token/1")
    draft.put(("channels", "ops"), None)
    assert "channels" not in draft.content
    draft.write(tmp_path)
    assert [each.name for each in (tmp_path / "secrets").iterdir()] == ["divera-key"]


def test_where_the_config_cannot_be_written_no_secret_is_left(draft: Draft, tmp_path: Path) -> None:
    draft.put_secret((*WHERE, "accesskey"), "divera-key", KEY)
    (tmp_path / "config.json").write_text("came meanwhile")
    with pytest.raises(FileExistsError):
        draft.write(tmp_path)
    assert list((tmp_path / "secrets").iterdir()) == []
    assert (tmp_path / "config.json").read_text() == "came meanwhile"

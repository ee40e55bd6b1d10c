"""Other daemons on the database, as `status` and `check --online` show them."""

from __future__ import annotations

import json
import socket
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from support.past import Past, write_config
from tallyd.adapters.records.database import Database
from tallyd.adapters.state import State
from tallyd.cli.config.check import check
from tallyd.cli.views.status import status
from tallyd.config.load import load
from tallyd.config.reload import ActiveConfigNote
from tallyd.core.hosts import Duties
from tallyd.core.reading import Json

APPS: Json = {
    "kind": "servers",
    "retry": {"attempts": 1},
    "targets": {"PROD": {"url": "http://127.0.0.1:1/"}},
}
NOW = datetime.now(UTC)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A config that checks servers, on a database that pi2 uses too."""
    path = write_config(tmp_path, pollers={"apps": APPS})
    Past(tmp_path)
    config = load(path, environ={})
    note = ActiveConfigNote(path=str(path), since=NOW, zone=config.zone, rejected=None, jobs=()).dumped()
    with closing(State(tmp_path / "state" / "state.db")) as state:
        state.set_note("config", note)
    return path


def beat(path: Path, name: str, folder: str, duties: Duties) -> None:
    with closing(Database(load(path, environ={}).database_url, prepares=True)) as database:
        table = database.hosts(name=name, folder=folder)
        table.beat(version="9.8.7", config_digest="", duties=duties, now=lambda: datetime.now(UTC))


def test_status_lists_the_other_hosts_with_age_and_version(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status(path, as_json=False) == 0
    assert "Other hosts" not in capsys.readouterr().out
    beat(path, "pi2", "/srv/state", {"apps": frozenset({"checks"})})
    assert status(path, as_json=False) == 0
    shown = capsys.readouterr().out
    assert "Other hosts with the same database" in shown
    assert "pi2 (/srv/state)" in shown
    assert "9.8.7" in shown
    assert "ago" in shown
    assert status(path, as_json=True) == 0
    (host,) = json.loads(capsys.readouterr().out)["hosts"]
    assert (host["name"], host["is_gone"], host["pollers"]) == ("pi2", False, {"apps": ["checks"]})


@pytest.mark.parametrize(
    ("duties", "is_said"),
    [({"apps": frozenset({"checks"})}, True), ({"others": frozenset({"checks"})}, False)],
    ids=["the same poller", "another one"],
)
def test_check_online_warns_of_a_poller_that_another_daemon_runs(
    path: Path, capsys: pytest.CaptureFixture[str], duties: Duties, is_said: bool
) -> None:
    beat(path, "pi2", "/srv/state", duties)
    check(path, online=True)
    text = "another tallyd with the same database runs the poller apps too: pi2 (/srv/state)"
    assert (text in capsys.readouterr().err) is is_said


def test_the_daemon_of_this_folder_is_not_another_one(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = str(load(path, environ={}).state_dir)
    beat(path, socket.gethostname(), own, {"apps": frozenset({"checks"})})
    assert status(path, as_json=False) == 0
    assert "Other hosts" not in capsys.readouterr().out

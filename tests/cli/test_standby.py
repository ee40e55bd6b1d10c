"""`status`, `check --online` and `mute` where two daemons share their state."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from adapters.records.conftest import postgresql  # noqa: F401 # a fixture, found by its name
from adapters.records.servers import Server
from support.past import write_config
from support.pooler import pooler
from tallyd.adapters.locks import FileLock
from tallyd.adapters.records.database import Database
from tallyd.adapters.state import State
from tallyd.adapters.state.leadership import Leadership
from tallyd.cli.config.check import check
from tallyd.cli.views.alerts import alerts
from tallyd.cli.views.status import status
from tallyd.config.active_file import write_active
from tallyd.config.load import load
from tallyd.config.reload import ActiveConfigNote
from tallyd.core.errors import ConfigError
from tallyd.core.reading import Json

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


@pytest.fixture
def url(postgresql: Server) -> str:  # noqa: F811 # see above
    return postgresql.url(postgresql.new_database())


@pytest.fixture
def path(tmp_path: Path, url: str) -> Iterator[Path]:
    """The config of a standby that runs; `pi1` is active."""
    path = write_config(tmp_path, state={"dir": "state", "url": url}, pollers={}, web={})
    (tmp_path / "state").mkdir(exist_ok=True)
    config = load(path, environ={})
    leader = Leadership(url, host="pi1", folder="/srv/state", config=config.digest)
    with ExitStack() as stack:
        stack.callback(leader.release)
        stack.enter_context(FileLock(tmp_path / "state" / "lock").take())
        assert leader.take(now=NOW)
        with closing(State(url, token=leader.token)) as state:
            state.set_note(
                "config",
                ActiveConfigNote(
                    path=str(path), since=NOW, zone=config.zone, rejected=None, jobs=()
                ).dumped(),
            )
        yield path


def test_status_of_a_standby_says_who_is_active_since_when(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status(path, as_json=False) == 0
    first = capsys.readouterr().out.splitlines()[0]
    assert first.startswith("standby; active is pi1 since ")
    assert "process" in first
    assert status(path, as_json=True) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["role"] == "standby"
    assert (shown["leader"]["host"], shown["leader"]["term"], shown["leader"]["is_there"]) == ("pi1", 1, True)


def test_check_online_says_who_is_active(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(path, online=True) == 0
    assert "answers; active is pi1 since" in capsys.readouterr().out


def test_check_online_names_the_daemon_whose_config_differs_by_more_than_addresses(
    path: Path, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    state: Json = {"dir": "state", "url": url}
    web: Json = {"listen": "127.0.0.1:8799", "public_url": "https://pi2.example/"}
    write_config(path.parent, **{"//": "on pi2"}, web=web, state=state, pollers={})
    assert check(path, online=True) == 0
    write_config(path.parent, web=web, state=state, pollers={}, retry={"attempts": 2})
    assert check(path, online=True) == 1
    assert "the config on pi1 (/srv/state) differs from that of" in capsys.readouterr().err


def test_the_active_daemon_does_not_do_twice_what_its_standby_would_do(
    path: Path, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    apps: Json = {"kind": "servers", "targets": {"PROD": {"url": "http://127.0.0.1:1/"}}}
    shared: Json = {"url": url}
    write_config(path.parent, state=shared, database=shared, retry={"attempts": 1}, pollers={"apps": apps})
    for name, is_said in (("pi1", False), ("pi3", True)):
        with closing(Database(url, prepares=True)) as database:
            beating = database.hosts(name=name, folder="/srv/state")
            duties = {"apps": frozenset({"checks"})}
            beating.beat(version="1", config_digest="", duties=duties, now=lambda: datetime.now(UTC))
        assert check(path, online=True) == 1
        assert ("runs the poller apps too" in capsys.readouterr().err) is is_said, name


def test_status_and_alerts_work_while_the_config_on_disk_is_broken(
    path: Path, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (path.parent / "url").write_text(url)
    write_config(path.parent, state={"dir": "state", "url": "file:url"}, pollers={})
    write_active(load(path, environ={}), restart="")
    path.write_text("{}}")
    assert status(path, as_json=False) == 0
    assert "; config.json: invalid JSON" in capsys.readouterr().out.splitlines()[0]
    assert alerts(path, most=10, as_json=False) == 0
    (path.parent / "url").unlink()
    with pytest.raises(ConfigError):
        status(path, as_json=False)


def test_check_online_rejects_a_pooler_that_shares_sessions_and_no_other(
    tmp_path: Path,
    postgresql: Server,  # noqa: F811 # see above
    url: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for mode, exit_status in (("transaction", 1), ("session", 0)):
        with pooler(postgresql, mode) as port:
            pooled = postgresql.url(url.rpartition("/")[2], port)
            path = write_config(tmp_path, state={"dir": "state", "url": pooled}, pollers={})
            assert check(path, online=True) == exit_status, mode
            shown = capsys.readouterr()
            assert ("session mode" in shown.err) == (mode == "transaction"), shown


def test_a_database_that_is_away_is_named_without_its_password(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    away = "postgresql+psycopg://tally:s3cret-word@127.0.0.1:1/none"
    path = write_config(tmp_path, state={"dir": "state", "url": away}, pollers={})
    assert check(path, online=True) == 1
    assert status(path, as_json=False) == 1
    shown = capsys.readouterr()
    assert "127.0.0.1:1" in shown.err
    assert "s3cret-word" not in shown.out + shown.err

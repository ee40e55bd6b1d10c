"""What a shell is offered after Tab."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from support.past import write_config
from tallyd.adapters.state import State
from tallyd.cli.app import app
from tallyd.cli.main import COMPLETE
from tallyd.core.alerts.rules import Alert
from tallyd.core.reading import Json

_AT = datetime(2026, 11, 20, 8, tzinfo=UTC)


_CHANNELS: Json = {
    "ops": "tgram://123456:ABCDEFGHIJKLMNOPQRSTUVWXYZ012345678/42",
    "mail": "json://127.0.0.1/",
}


def _offered(
    words: list[str], folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> list[str]:
    """Return what a shell is offered for the last of the words."""
    monkeypatch.setenv("TALLYD_CONFIG", str(folder / "config.json"))
    monkeypatch.setenv(COMPLETE, "complete_fish")
    monkeypatch.setenv("_TYPER_COMPLETE_FISH_ACTION", "get-args")
    monkeypatch.setenv("_TYPER_COMPLETE_ARGS", " ".join(["tallyd", *words]))
    with pytest.raises(SystemExit):
        app([], prog_name="tallyd", complete_var=COMPLETE)
    printed = capsys.readouterr()
    assert not printed.err
    return [line.partition("\t")[0] for line in printed.out.splitlines() if line]


@pytest.fixture
def park(tmp_path: Path) -> Path:
    """A folder with a config, and a state with an open alert, others, a mute and an ended one."""
    write_config(tmp_path, channels=_CHANNELS)
    (tmp_path / "state").mkdir()
    with closing(State(tmp_path / "state" / "state.db")) as state:
        open_one = Alert(key="divera/count/failed", text="x", severity="error", since=_AT, raised_at=_AT)
        state.alerts.put(open_one)
        state.alerts.put(replace(open_one, key="divera/count/few", over_at=_AT))
        state.alerts.put(replace(open_one, key="divera/count/late", raised_at=None))  # waits to be raised
        until = datetime.now(UTC) + timedelta(days=1)
        for pattern in ("apps/*", "park/*"):
            state.notifications.mute(pattern, since=_AT, until=until, why="", by="alice")
        state.notifications.unmute("park/*", now=_AT, by="alice")
    return tmp_path


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        pytest.param(["once", ""], ["divera"], id="pollers"),
        pytest.param(["report", "--poller", "d"], ["divera"], id="a poller as an option"),
        pytest.param(["once", "v"], [], id="no poller begins so"),
        pytest.param(["notify", ""], ["ops", "mail"], id="channels"),
        pytest.param(["mute", ""], ["divera/count/failed"], id="open alerts"),
        pytest.param(["ack", "divera/"], ["divera/count/failed"], id="open alerts that begin so"),
        pytest.param(["unmute", ""], ["apps/*"], id="mutes"),
        pytest.param(["unm"], ["unmute"], id="commands"),
        pytest.param(["once", "divera", "--dry"], ["--dry-run"], id="options"),
        pytest.param(["--config", "/nonesuch", "once", ""], [], id="another config"),
    ],
)
def test_what_is_offered(
    words: list[str],
    offered: list[str],
    park: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert _offered(words, park, monkeypatch, capsys) == offered


@pytest.mark.parametrize("content", [None, "{", "[]", '{"pollers": 1, "channels": null}'])
@pytest.mark.parametrize("command", ["once", "notify", "mute", "unmute"])
def test_what_cannot_be_read_completes_nothing_and_makes_nothing(
    command: str,
    content: str | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if content is not None:
        (tmp_path / "config.json").write_text(content)
    before = list(tmp_path.iterdir())
    assert _offered([command, ""], tmp_path, monkeypatch, capsys) == []
    assert list(tmp_path.iterdir()) == before

"""Real shells, in which somebody presses Tab, and names with a space, a colon, a quote or a `$`."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from support.daemon import wait_until
from support.long import some
from support.needs import needs
from support.past import write_config
from tallyd.adapters.state import State
from tallyd.cli.shells import SHELLS, completion_for
from tallyd.core.alerts.rules import Alert

_AT = datetime(2026, 11, 20, 8, tzinfo=UTC)
_KEYS = {"host:80": "host:8080/stale", "x": "x's \\$(touch run) \"/stale"}
"""The end of a key by what was typed of it."""
_START = {
    "bash": ("bash", "--norc", "-i"),
    "zsh": ("zsh", "-f", "-i"),
}
_BEFORE = {"bash": "", "zsh": "autoload -Uz compinit && compinit -u -D && "}


@pytest.fixture
def park(tmp_path: Path) -> Path:
    """A folder with open alerts, and a `tallyd` that completes, or else writes down what it was given."""
    write_config(tmp_path)
    (tmp_path / "state").mkdir()
    with closing(State(tmp_path / "state" / "state.db")) as state:
        for key in {*_KEYS.values(), "another/stale"}:
            alert = Alert(key=f"apps/{key}", text="x", severity="error", since=_AT, raised_at=_AT)
            state.alerts.put(alert)
    for shell in SHELLS:
        (tmp_path / f"completion.{shell}").write_text(completion_for(shell))
    program = tmp_path / "bin/tallyd"
    program.parent.mkdir()
    completes = f'[ -z "${{_TALLYD_COMPLETE:-}}" ] || exec {sys.executable} -m tallyd "$@"'
    program.write_text(f"#!/bin/sh\n{completes}\nprintf 'given <%s>\\n' \"$2\" >>{tmp_path}/given\n")
    program.chmod(0o755)
    return tmp_path


def _environ(park: Path) -> dict[str, str]:
    path = f"{park}/bin:{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "HOME": str(park), "TERM": "dumb", "LC_ALL": "C.UTF-8", "PS1": ""}


@pytest.mark.parametrize("shell", some(["bash", "zsh"]))
def test_after_tab_the_command_gets_the_name_as_it_is(shell: str, park: Path) -> None:
    needs(shell)
    ours, theirs = os.openpty()
    process = subprocess.Popen(
        _START[shell],
        cwd=park,
        env=_environ(park),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    screen = threading.Thread(target=_read_to_the_end, args=(ours,))
    screen.start()
    given = park / "given"
    try:
        os.write(ours, f"{_BEFORE[shell]}source ./completion.{shell} && touch given\n".encode())
        wait_until(given.exists)
        typed = [(f"apps/{begun}", key) for begun, key in _KEYS.items()]
        typed += [(f"{quote}apps/x", _KEYS["x"]) for quote in "'\""]
        for word, key in typed:
            given.write_text("")
            os.write(ours, f"tallyd mute {word}\t\n".encode())
            wait_until(given.read_text, what=f"what {word} becomes")
            assert given.read_text() == f"given <apps/{key}>\n"
    finally:
        process.kill()
        process.wait()
        screen.join()
        os.close(ours)
    assert not (park / "run").exists(), "a name was run as a command"


def _read_to_the_end(terminal: int) -> None:
    with suppress(OSError):  # what Linux says once nobody has the other side open
        while os.read(terminal, 65536):
            pass


def test_fish_is_offered_the_names_as_they_are(park: Path) -> None:
    needs("fish")
    script = (
        "source ./completion.fish; complete -C 'tallyd mute apps/'; complete -C 'tallyd --config complet'"
    )
    done = subprocess.run(
        ["fish", "--no-config", "-c", script],
        cwd=park,
        env=_environ(park),
        capture_output=True,
        text=True,
        check=True,
    )
    offered = sorted(done.stdout.splitlines())
    names = [*_KEYS.values(), "another/stale"]
    assert offered == sorted(
        [*(f"apps/{name}" for name in names), *(f"completion.{shell}" for shell in SHELLS)]
    )

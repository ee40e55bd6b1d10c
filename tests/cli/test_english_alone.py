"""Who speaks English alone never waits for Babel, and no daemon holds it in memory."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import sys
from tallyd.cli.main import main
status = main()
print(status, sorted({name.partition(".")[0] for name in sys.modules} & {"babel", "holidays"}))
"""


@pytest.mark.parametrize("words", [("once", "park"), ("check", "--online"), ("alerts",)], ids=" ".join)
@pytest.mark.parametrize("language", ["en", "de"])
def test_only_other_languages_import_babel(tmp_path: Path, language: str, words: tuple[str, ...]) -> None:
    (tmp_path / "inbox").mkdir()
    config = tmp_path / "config.json"
    pollers = {"park": {"kind": "visitors", "inbox": "inbox", "sources": {"12": {}}}}
    config.write_text(json.dumps({"language": language, "timezone": "Europe/Berlin", "pollers": pollers}))
    command = [sys.executable, "-c", PROGRAM, "--config", str(config)]
    subprocess.run([*command, "once", "park"], capture_output=True, check=True, timeout=60)
    done = subprocess.run([*command, *words], capture_output=True, text=True, check=True, timeout=60)
    last = done.stdout.splitlines()[-1]
    assert last.startswith("0 "), done.stderr
    if language == "en":
        assert last == "0 []"

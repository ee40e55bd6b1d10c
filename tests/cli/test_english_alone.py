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
for words in ("once park", "check --online", "alerts"):
    sys.argv[3:] = words.split()
    print(main(), words)
print(sorted({name.partition(".")[0] for name in sys.modules} & {"babel", "holidays"}))
"""
"""The third argument on are those of the command: `--config FILE` stays."""


@pytest.mark.parametrize(("language", "imported"), [("en", "[]"), ("de", "['babel']")])
def test_only_other_languages_import_babel(tmp_path: Path, language: str, imported: str) -> None:
    (tmp_path / "inbox").mkdir()
    config = tmp_path / "config.json"
    pollers = {"park": {"kind": "visitors", "inbox": "inbox", "sources": {"12": {}}}}
    config.write_text(json.dumps({"language": language, "timezone": "Europe/Berlin", "pollers": pollers}))
    command = [sys.executable, "-c", PROGRAM, "--config", str(config)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    lines = done.stdout.splitlines()
    for words in ("once park", "check --online", "alerts"):
        assert f"0 {words}" in lines, done.stderr
    assert lines[-1] == imported

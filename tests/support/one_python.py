"""Several commands of tallyd, one after the other in one new Python: its start costs more than they do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

_PROGRAM = """
import contextlib, io, json, sys
from tallyd.cli.main import main
for words in json.loads(sys.argv[1]):
    sys.argv[1:] = words
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = main()
    print(json.dumps([words, status, out.getvalue(), err.getvalue()]))
"""


def answers_in_one_python(
    *commands: Sequence[str],
    python: Path | str = sys.executable,
    shell: str = '"$@"',
    cwd: Path | None = None,
    **environ: str,
) -> list[subprocess.CompletedProcess[str]]:
    """Return what each command answered. `shell` is a line that starts Python."""
    done = subprocess.run(
        ["sh", "-c", shell, "sh", str(python), "-c", _PROGRAM, json.dumps(commands)],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, **environ},
        cwd=cwd,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [subprocess.CompletedProcess(*json.loads(line)) for line in done.stdout.splitlines()]

"""A folder as an operator has it: a config with a visitors poller, and files that camera hosts dropped.

gates = Gates(tmp_path)
gates.drop("12", "in", "in", "out")
assert gates.tallyd("once", "visitors").returncode == 0
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from support import warm

WAYS = {"in": 0, "out": 1, "other": 2}


class Gates:
    """The folder. `poller` are further keys of the poller, `top` of the config. Times are UTC."""

    def __init__(self, folder: Path, *, top: dict[str, Any] | None = None, **poller: Any) -> None:
        self.folder = folder
        self.inbox = folder / "inbox"
        self.config = folder / "config.json"
        self._number = 0
        settings = {
            "kind": "visitors",
            "inbox": "inbox",
            "sources": {"12": {"label": "Gate 12"}, "23": {}},
            "report": {"every": "5m"},
            **poller,
        }
        content = {"name": "park", "timezone": "UTC", "pollers": {"visitors": settings}, **(top or {})}
        self.config.write_text(json.dumps(content))

    def drop(self, source: str, *ways: str, name: str | None = None, at: datetime | None = None) -> Path:
        """Drop a file of people who walked these ways just now, long enough ago to be taken."""
        seen = f"{at or datetime.now(UTC) - timedelta(seconds=1):%Y%m%d%H%M%S}"
        records = []
        for way in ways:
            self._number += 1
            records.append({"ID": self._number, "inOut": WAYS[way], "time": seen, "frameNumber": 1})
        return self.write(source, json.dumps(records).encode(), name=name)

    def write(self, source: str, content: bytes, *, name: str | None = None) -> Path:
        """Drop a file with this content."""
        self._number += 1
        path = self.inbox / source / (name or f"{self._number:014}.json")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        long_ago = time.time() - 120
        os.utime(path, (long_ago, long_ago))
        return path

    def tallyd(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return warm.run("-m", "tallyd", "--config", str(self.config), *arguments, cwd=self.folder)

    def waiting(self) -> list[str]:
        """Return the names of the files that are in the inbox."""
        return sorted(path.name for path in self.inbox.glob("*/*") if path.parent.name != ".tallyd")

    def out(self) -> list[dict[str, Any]]:
        """Return the content of the out files, oldest first."""
        return [json.loads(path.read_text()) for path in sorted(self.folder.glob("out/visitors/*-*/*.json"))]

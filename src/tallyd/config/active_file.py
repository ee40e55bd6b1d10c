"""The active file: where the running tallyd keeps its state, and which settings it has until a restart.

`status`, `alerts` and `check` read it. The config on disk cannot tell them: it may be broken, or rejected
because it names another folder. The place of the file follows from the config's own path alone. The file
stays when tallyd ends: after a boot with a broken config, `status` still finds the state.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tallyd.adapters.outfiles import replace_file
from tallyd.config.model import Config


@dataclass(frozen=True)
class Active:
    """What a daemon wrote when it put a config in force. `restart` says how it is started again."""

    state_dir: Path
    fixed: Mapping[str, str]
    restart: str


def active_file(config: Path) -> Path:
    """Return where the active file of a config is: beside it; for a config in /etc, in /var/lib.

    A service may not write to /etc: that of /etc/tallyd/config.json is /var/lib/tallyd/.config.json.active.
    """
    folder = config.absolute().parent
    if folder.is_relative_to("/etc"):
        folder = Path("/var/lib", folder.relative_to("/etc"))
    return folder / f".{config.name}.active"


def write_active(config: Config, *, restart: str) -> None:
    """Write the active file, where it does not say so already. Raises `OSError`."""
    path = active_file(config.path)
    content = {
        "config": str(config.path),
        "state_dir": str(config.state_dir),
        "fixed": config.fixed,
        "restart": restart,
    }
    text = json.dumps(content, indent=1) + "\n"
    if _text(path) != text:
        replace_file(path, text.encode())


def read_active(config: Path) -> Active | None:
    """Return what the last daemon with this config wrote.

    None where none ran, where the state is no longer there, and where the file came with a copy of the
    folder: it names the config that it was written for. One that makes no sense is rewritten at the next
    start.
    """
    text = _text(active_file(config))
    try:
        content = json.loads(text or "null")
        named = Path(content["config"])
        active = Active(Path(content["state_dir"]), dict(content["fixed"]), str(content["restart"]))
    except (ValueError, TypeError, KeyError):
        return None
    # Not Path.exists, which fails below a folder that may not be entered.
    has_state = os.path.exists(active.state_dir / "state.db")  # noqa: PTH110 # see above
    return active if has_state and named.resolve() == config.resolve() else None


def _text(path: Path) -> str | None:
    """Return what stands in a file; None where it is missing or may not be read."""
    try:
        return path.read_text("utf-8", errors="replace")
    except OSError:
        return None

"""`tallyd init`: a config to begin with."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tallyd.config import read_host_zone
from tallyd.config_folders import DATA_FOLDER, INSTALLED, LOG_FOLDER
from tallyd.console import show_json
from tallyd.core.errors import EXIT_OK

_POLLERS: dict[str, dict[str, Any]] = {
    "divera": {
        "kind": "divera",
        "//": "The key of a system user, alone in this file beside the config, readable by you only",
        "accesskey": "file:secrets/divera-key",
        "at": ["00:00", "08:00", "12:00", "16:00", "20:00"],
    },
    "visitors": {
        "kind": "visitors",
        "//": "The first sub-folder of the inbox is the source: inbox/visitors/12/*.json",
        "inbox": "inbox/visitors",
        "sources": {"12": {"label": "Gate 12"}},
        "no_files": {"after": "5m", "active": [{"from": "09:00", "to": "18:00"}]},
        "//report": "With url and ssid it is posted too; without, it is written to out/",
        "report": {"every": "5m"},
    },
    "servers": {
        "kind": "servers",
        "every": "60s",
        "targets": {"PROD": {"url": "http://127.0.0.1:5000/version", "stale_after": "15m"}},
    },
}
"""A poller of each kind."""


def init(kind: str, path: Path) -> int:
    """Print a config to begin with; `path` is where it is meant to lie."""
    show_json(starter(kind, path))
    return EXIT_OK


def starter(kind: str, path: Path) -> dict[str, Any]:
    """Return a config with one poller: in the host's time zone, and with the folders that tallyd may write.

    The installed service may not write beside its config. Where the host's zone has no name, or the host
    contradicts itself about it, the key is left out: `check` then says what to do.
    """
    is_installed = path.absolute() == INSTALLED
    check = "sudo tallyd check --online" if is_installed else "tallyd check --online"
    zone = _host_zone_name()
    return {
        "//": f"See docs/config.md for every key. Check with: {check}",
        **({"timezone": zone} if zone else {}),
        **(_service_folders() if is_installed else {}),
        "pollers": {kind: _poller(kind, is_installed=is_installed)},
    }


def _service_folders() -> dict[str, Any]:
    """Return the folders of the installed service, as `setup.sh install` writes them."""
    return {
        "data_dir": str(DATA_FOLDER),
        "out": {"dir": str(DATA_FOLDER / "out")},
        "state": {"dir": str(DATA_FOLDER / "state")},
        "log": {"dir": str(LOG_FOLDER)},
    }


def _poller(kind: str, *, is_installed: bool) -> dict[str, Any]:
    poller = deepcopy(_POLLERS[kind])  # whoever asks may change it
    if not (is_installed and kind == "divera"):
        return poller
    folder = INSTALLED.parent / "secrets"
    return {**poller, "//": f"The key of a system user, alone in this file in {folder} (root:tallyd, 0640)"}


def _host_zone_name() -> str | None:
    """Return the name of the host's time zone; None where it has none that a config could bear."""
    zone, trouble = read_host_zone()
    try:
        return None if trouble else ZoneInfo(str(zone)).key
    except (ZoneInfoNotFoundError, ValueError):
        return None

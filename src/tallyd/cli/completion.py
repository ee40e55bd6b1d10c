"""What a shell completes after Tab: names of pollers and channels, and keys of open alerts.

A shell must not wait long, and shows no message: names come from the file as it is, and what cannot be read
completes nothing.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from tallyd.adapters.state import State


def config_path(named: Path | None) -> Path:
    """Return the config that a command uses: `--config`, else $TALLYD_CONFIG, else ./config.json."""
    return named or Path(os.environ.get("TALLYD_CONFIG") or "config.json")


def pollers(context: typer.Context, incomplete: str) -> list[str]:
    """Return the pollers of the config that begin like this."""
    return _beginning(incomplete, _keys(context, "pollers"))


def channels(context: typer.Context, incomplete: str) -> list[str]:
    """Return the channels of the config that begin like this."""
    return _beginning(incomplete, _keys(context, "channels"))


def open_keys(context: typer.Context, incomplete: str) -> list[str]:
    """Return the keys of the open alerts that begin like this."""
    return _beginning(
        incomplete,
        _of_state(context, lambda state: [each.key for each in state.alerts.standing() if each.is_open]),
    )


def muted_keys(context: typer.Context, incomplete: str) -> list[str]:
    """Return the keys that are muted, and begin like this."""
    now = datetime.now(UTC)
    return _beginning(
        incomplete,
        _of_state(
            context,
            lambda state: [mute.pattern for mute in state.notifications.mutes() if mute.is_in_force(now)],
        ),
    )


def _of_state(context: typer.Context, read: Callable[[State], list[str]]) -> list[str]:
    from tallyd.adapters.state import State, StateError
    from tallyd.cli.shared import find_state
    from tallyd.core.errors import ConfigError

    try:
        with closing(State(find_state(_config_of(context)).at, reads_only=True)) as state:
            return read(state)
    except (ConfigError, OSError, StateError):
        return []


def _keys(context: typer.Context, section: str) -> list[str]:
    try:
        content = json.loads(_config_of(context).read_bytes())
        return list(content[section])
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _config_of(context: typer.Context) -> Path:
    """Return the config of a command line that is not complete yet."""
    return config_path(context.find_root().params.get("config"))


def _beginning(incomplete: str, names: list[str]) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]

"""`tallyd init`: prints a starting config."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tallyd.adapters.host_zone import read_host_zone
from tallyd.config.folders import INSTALLED, installed_folders
from tallyd.config.settings import BY_KIND
from tallyd.core.errors import EXIT_OK
from tallyd.core.language.languages import language, language_of_locale, reading_in
from tallyd.core.language.messages import tr
from tallyd.presentation.invocation import called_here
from tallyd.presentation.terminal import show_json

_RIGHTS: Final = "root:tallyd, 0640"


def init(kind: str | None, path: Path) -> int:
    """Print a starting config for `path`. `kind` is that of its poller; None: the first kind."""
    wanted = language_of_locale(os.environ)
    with reading_in(wanted):
        content = starter(kind or next(iter(BY_KIND)), path)
    show_json(content)
    return EXIT_OK


def starter(kind: str, path: Path) -> dict[str, Any]:
    """Return a config with one poller, the host's time zone, and folders that tallyd may write.

    Its comments are in the reader's language, which is also that of the config.

    The installed service may not write beside its config. If the host's zone has no name, or the host
    contradicts itself about it, there is no `timezone`, and `check` says what to do.
    """
    secrets = (
        tr("in {folder} ({rights})", folder=INSTALLED.parent / "secrets", rights=_RIGHTS)
        if _is_installed(path)
        else tr("beside the config, readable only by you")
    )
    return {**skeleton(path), "pollers": {kind: {"kind": kind, **BY_KIND[kind].starter(secrets)}}}


def skeleton(path: Path) -> dict[str, Any]:
    """Return a config without pollers, in the reader's language."""
    is_installed = _is_installed(path)
    note = tr(
        "See docs/config.md for every key.[ This file: {rights}.] Check with: {command} check --online",
        rights=_RIGHTS if is_installed else "",
        command="sudo tallyd" if is_installed else called_here(),
    )
    zone = _host_zone_name()
    return {
        "//": note,
        **({"language": language()} if language() != "en" else {}),
        **({"timezone": zone} if zone else {}),
        **(installed_folders() if is_installed else {}),
    }


def _is_installed(path: Path) -> bool:
    return path.absolute() == INSTALLED


def _host_zone_name() -> str | None:
    """Return the name of the host's time zone; None if it has none that a config can use."""
    host = read_host_zone()
    try:
        return None if host.trouble else ZoneInfo(str(host.zone)).key
    except (ZoneInfoNotFoundError, ValueError):
        return None

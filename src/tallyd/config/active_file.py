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

from pydantic import TypeAdapter
from pydantic_core import PydanticCustomError

from tallyd.adapters.outfiles import replace_file
from tallyd.config.folders import STATE_FILE
from tallyd.config.model import Config
from tallyd.config.secrets import SecretFiles
from tallyd.core.language.languages import Language


@dataclass(frozen=True)
class Active:
    """What a daemon wrote when it activated a config. `restart` says how to start it again.

    `language` and `timezone` are those of the config, for commands that cannot read it any more. `state_url`
    says where the URL of the state was read (`file:/PATH`, `env:NAME`); empty if the config holds the URL
    itself, None if the state is in the folder.
    """

    config: Path
    state_dir: Path
    fixed: Mapping[str, str]
    restart: str
    language: Language = "en"
    timezone: str = ""
    state_url: str | None = None

    def state_at(self, environ: Mapping[str, str]) -> Path | str | None:
        """Return where the state is; None: only the config says it, or it cannot be read."""
        if self.state_url is None:
            return self.state_dir / STATE_FILE
        try:
            return SecretFiles(self.config.parent, environ).read(self.state_url) if self.state_url else None
        except PydanticCustomError:
            return None

    @property
    def out_dir(self) -> Path:
        return Path(self.fixed["out.dir"])

    @property
    def records(self) -> Path | None:
        """The database of records; None if it is on a server."""
        place = self.fixed.get("database", "").rpartition(" ")[0]
        return Path(place) if place.startswith("/") else None


_FILE = TypeAdapter(Active)


def active_file(config: Path) -> Path:
    """Return the path of the active file: beside the config; for a config in /etc, in /var/lib.

    A service may not write to /etc. For /etc/tallyd/config.json it is /var/lib/tallyd/.config.json.active.
    """
    folder = config.absolute().parent
    if folder.is_relative_to("/etc"):
        folder = Path("/var/lib", folder.relative_to("/etc"))
    return folder / f".{config.name}.active"


def write_active(config: Config, *, restart: str) -> None:
    """Write the active file if its content changes. Raises `OSError`."""
    path = active_file(config.path)
    url = config.settings.state.url
    active = Active(
        config.path,
        config.state_dir,
        config.fixed,
        restart,
        config.settings.language,
        config.zone.key or "",
        state_url=url.reference if url else None,
    )
    # Not dump_json: a path need not be UTF-8.
    content = json.dumps(_FILE.dump_python(active, mode="json"), indent=1).encode() + b"\n"
    if _content(path) != content:
        replace_file(path, content)


def read_active(config: Path) -> Active | None:
    """Return what the last daemon with this config wrote.

    Return None if no daemon ran, if the state is gone, or if the file came with a copy of the folder: it
    names the config that it was written for. The next start replaces a file that makes no sense.
    """
    try:
        active = _FILE.validate_python(json.loads(_content(active_file(config)) or b"null"))
    except ValueError:
        return None
    # Not Path.exists: it fails below a folder that we may not enter.
    has_state = active.state_url is not None or os.path.exists(active.state_dir / STATE_FILE)  # noqa: PTH110 # see above
    return active if has_state and active.config.resolve() == config.resolve() else None


def _content(path: Path) -> bytes | None:
    """Return the content of a file; None if it is missing or we may not read it."""
    try:
        return path.read_bytes()
    except OSError:
        return None

"""Where the parts of the service are. docs/install.md explains them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

USER: Final = "tallyd"
"""The user and the group of the service."""

SHARED: Final = (
    "man/man1/tallyd.1",
    "bash-completion/completions/tallyd",
    "zsh/site-functions/_tallyd",
    "fish/vendor_completions.d/tallyd.fish",
)
"""What a release has in its `share` for man and for shells."""


@dataclass(frozen=True, kw_only=True)
class Places:
    """The files and folders of the service. The unit file names the same."""

    opt: Path = Path("/opt/tallyd")
    etc: Path = Path("/etc/tallyd")
    lib: Path = Path("/var/lib/tallyd")
    log: Path = Path("/var/log/tallyd")
    command: Path = Path("/usr/local/bin/tallyd")
    share: Path = Path("/usr/local/share")
    unit: Path = Path("/etc/systemd/system/tallyd.service")
    package: Path = Path("/usr/lib/tallyd")
    """What the Debian package brings."""

    @property
    def config(self) -> Path:
        """The config of the service."""
        return self.etc / "config.json"

    @property
    def backups(self) -> Path:
        """Backups: one from before each upgrade, and those of people."""
        return self.lib / "backups"

    @property
    def releases(self) -> Path:
        """Each version that is installed, in a folder of its own."""
        return self.opt / "releases"

    @property
    def current(self) -> Path:
        """A link to the active release."""
        return self.opt / "current"

    @property
    def drop_ins(self) -> Path:
        """Changes to the unit."""
        return self.unit.with_name(f"{self.unit.name}.d")

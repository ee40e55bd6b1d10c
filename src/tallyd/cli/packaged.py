"""What a wheel has for man and for shells, put there when it is built (hatch_build.py)."""

from __future__ import annotations

from collections.abc import Mapping

from tallyd.cli.man_page import man_page
from tallyd.cli.service.places import SHARED
from tallyd.cli.shells import SHELLS, completion_for


def packaged_files() -> Mapping[str, str]:
    """Return the content of each file in `share`, by its path there."""
    return dict(zip(SHARED, (man_page(), *map(completion_for, SHELLS)), strict=True))

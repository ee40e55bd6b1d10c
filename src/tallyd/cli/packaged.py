"""What a wheel has for man and for shells: made from the commands when it is built (hatch_build.py)."""

from __future__ import annotations

from collections.abc import Mapping

from typer._completion_shared import get_completion_script  # typer exports it nowhere else

from tallyd.cli.main import COMPLETE
from tallyd.cli.man_page import man_page
from tallyd.cli.service.places import SHARED


def packaged_files() -> Mapping[str, str]:
    """Return the content of each file in `share`, by its path there."""
    scripts = [
        get_completion_script(prog_name="tallyd", complete_var=COMPLETE, shell=shell) + "\n"
        for shell in ("bash", "zsh", "fish")
    ]
    return dict(zip(SHARED, (man_page(), *scripts), strict=True))

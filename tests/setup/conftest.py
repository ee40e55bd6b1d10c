"""What the tests of setup.sh and of the installed command share."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.programs import usual_programs


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A folder with nothing but the usual small programs, to stand alone in PATH."""
    return usual_programs(tmp_path / "bin")

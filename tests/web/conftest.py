"""The folder of a tallyd that a page shows."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.webfolder import Web


@pytest.fixture
def web(tmp_path: Path) -> Web:
    return Web(tmp_path)

"""Each test gets its own inbox."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.inbox.dropping import Site


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path / "inbox")
    yield made
    made.folder.close()

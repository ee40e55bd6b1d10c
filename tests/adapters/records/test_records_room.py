"""The free space on the disk of the database, if it can be known."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from adapters.records.sites import Site
from tallyd.adapters.records.database import Database


def test_room_is_known_of_a_file_and_of_no_server(site: Site) -> None:
    found = site.records().free_bytes()
    if site.server is not None:
        assert found is None
    else:
        free = shutil.disk_usage(os.path.dirname(site.url.removeprefix("sqlite:///"))).free  # noqa: PTH120 # a URL
        assert found is not None
        assert abs(found - free) < 1 << 30


def test_without_the_folder_free_space_is_unknown_and_the_database_says_why(tmp_path: Path) -> None:
    records = Database(f"sqlite:///{tmp_path / 'away' / 'records.db'}").records("park")
    assert records.free_bytes() is None

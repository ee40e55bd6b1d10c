"""The clock of these tests: a few seconds before the first slot."""

from __future__ import annotations

import pytest

from support.fakeclock import FakeClock, at


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(at("2026-11-20 07:59:58"))

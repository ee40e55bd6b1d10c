"""How much tests try: all in CI (TALLYD_TEST_ALL=1), a third elsewhere, so that nobody waits for it.

TALLYD_TEST_LONG=20 tries twenty times as many by chance.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Final, TypeVar

_T = TypeVar("_T")

_TIMES: Final = int(os.environ.get("TALLYD_TEST_LONG", "1"))
_SHARE: Final = 1 if os.environ.get("TALLYD_TEST_ALL") == "1" or _TIMES > 1 else 3


def tries(number: int) -> int:
    """Return how many tries by chance there are where CI has `number`."""
    return max(number * _TIMES // _SHARE, 1)


def some(values: Sequence[_T], first: int = 0) -> Sequence[_T]:
    """Return all values in CI, and every third elsewhere: `first` chooses which."""
    return values[first % _SHARE :: _SHARE]

"""How long tests that try things by chance go on: TALLYD_TEST_LONG=20 tries twenty times as many."""

import os
from typing import Final

HOW_LONG: Final = int(os.environ.get("TALLYD_TEST_LONG", "1"))

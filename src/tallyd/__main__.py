"""`python -m tallyd` is the command `tallyd`."""

from __future__ import annotations

import sys

from tallyd.cli.main import main

sys.exit(main())

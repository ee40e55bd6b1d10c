"""Kills the daemon at every system call while it counts and tells a chat, and says what the chat heard.

    python tests/campaigns/kill_notify.py [--every 1] [--workers 2]

The daemon, its HTTP server, the chat's webhook and state.db are real. A chat must hear of each thing
once or twice, and never again once it was noted. Exit status 1 where it was not.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.chatservers import WebService, web_service
from support.divera_server import DiveraServer, divera_server
from support.notifying_kills import Heard, Notifying, begin, end, kill, undisturbed

Kind = Callable[..., Notifying]
Servers = tuple[DiveraServer, WebService]


def campaign(
    kind: Kind, root: Path, servers: tuple[DiveraServer, WebService], every: int, workers: int
) -> bool:
    """Kill at each `every`-th call; print what was heard; true when nothing was lost."""
    divera, chat = servers

    def site(name: str) -> Notifying:
        return kind(root / name, divera.client(f"{kind.__name__}-{name}"), chat)

    calls = undisturbed(site("first")).calls
    with ThreadPoolExecutor(workers) as pool:
        found: list[Heard] = list(
            pool.map(lambda number: kill(site(f"k{number}"), number), range(1, len(calls) + 2, every))
        )
    times = Counter(count for heard in found for count in heard.times.values())
    broken = [heard for heard in found if heard.violations()]
    print(f"{kind.__name__}: {len(calls)} calls, {len(found)} kills, {len(broken)} broke a promise; ", end="")
    print(", ".join(f"{number} things heard {count} times" for count, number in sorted(times.items())))
    for heard in broken:
        print(f"  {heard}")
    return not broken


def main() -> int:
    """Run the campaign; return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--every", type=int, default=1, help="kill at each n-th call only")
    parser.add_argument("--workers", type=int, default=2, help="kills at the same time")
    options = parser.parse_args()
    with divera_server() as divera, web_service() as chat, tempfile.TemporaryDirectory() as folder:
        is_fine = [
            campaign(
                kind,
                Path(folder) / kind.__name__,
                (divera, chat),
                every=options.every,
                workers=options.workers,
            )
            for kind in (begin, end)
        ]
    return 0 if all(is_fine) else 1


if __name__ == "__main__":
    sys.exit(main())

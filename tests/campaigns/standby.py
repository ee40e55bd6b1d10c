"""Two daemons on one PostgreSQL, disturbed again and again; then what they did against the truth.

    python tests/campaigns/standby.py [--rounds 200] [--lease 20] [--seed 1] [--variant sound]
    python tests/campaigns/standby.py --short

Each round disturbs the one that works: SIGKILL, SIGTERM, SIGSTOP until the other one has taken over, or for
90 seconds, and then SIGCONT, a connection that is cut, slow, or held in the middle of a COMMIT, that until
another daemon has taken over, a restart of the database. No slot may be counted twice or lost in silence, no
notice lost, none repeated that was not under way, no report wrong or older than the one before it, and nobody
may change anything after another one took over. `--short` uses a short lease, and expects of two wrong
variants that they fail. Exit status 1 if not.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from collections import Counter
from itertools import cycle, islice
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from adapters.records.conftest import running
from adapters.records.servers import PostgreSql, Server
from support.chatservers import web_service
from support.daemon import wait_until
from support.divera_server import divera_server
from support.standby_pair import KINDS, Pair
from support.standby_truth import is_quiet, unreported, verdict

SHORT_LEASE_S = 3
SHORT = ("freeze", "hold", "kill", "late", "restart", "stop")
VARIANTS = ("lock-only", "look-only")


def campaign(
    server: Server, folder: Path, kinds: list[str], *, variant: str, lease_s: int, seed: int
) -> list[str]:
    """Disturb a pair in these ways; print the figures, and return what is wrong."""
    rand = random.Random(seed)
    with divera_server() as divera, web_service() as web:
        lasts_s = 60 + len(kinds) * (lease_s * 3 + 30)
        client = divera.client(variant)
        pair = Pair(folder, server, client, web, variant=variant, lease_s=lease_s, lasts_s=lasts_s)
        try:
            pair.begin()
            for number, kind in enumerate(kinds):
                print(f"  {variant} {number + 1}: {kind}", flush=True)
                pair.disturb(kind, rand)
                wait_until(lambda: not unreported(pair), within_s=60, what=f"{kind}: the report")
            pair.finish(lambda: is_quiet(pair))
        finally:
            pair.close()
        wrong = verdict(pair)
        ((taken, missed),) = pair.rows(
            "SELECT count(*) FILTER (WHERE outcome='taken'), count(*) FILTER (WHERE outcome='missed')"
            " FROM reading"
        )
        took = sorted(seconds for _, seconds in pair.took_s) or [0.0]
        p99 = took[min(len(took) - 1, int(len(took) * 0.99))]
        print(
            f"{variant}: {len(kinds)} rounds {dict(Counter(kinds))}; {taken} slots taken, {missed} missed; "
            f"takeover after {took[len(took) // 2]:.1f} s (median), {p99:.1f} s (p99); "
            f"{pair.unnoted} messages without a note; {len(wrong)} broken promises"
        )
    for each in wrong[:10]:
        print(f"  {each}")
    return wrong


def main() -> int:
    """Run the campaign; return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--lease", type=int, default=20, help="seconds of silence that cost the leadership")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--variant", choices=("sound", *VARIANTS), default="sound")
    parser.add_argument("--short", action="store_true", help="a few rounds, and the two wrong variants")
    options = parser.parse_args()
    with running(PostgreSql) as server, tempfile.TemporaryDirectory() as folder:
        if options.short:
            found = {
                variant: campaign(
                    server, Path(folder) / variant, kinds, variant=variant, lease_s=SHORT_LEASE_S, seed=1
                )
                for variant, kinds in (
                    ("sound", [*SHORT]),
                    *((variant, ["late"]) for variant in VARIANTS),
                )
            }
            is_fine = not found.pop("sound") and all(found.values())
            return 0 if is_fine else 1
        kinds = [*islice(cycle(KINDS), options.rounds)]
        wrong = campaign(
            server,
            Path(folder) / "pair",
            kinds,
            variant=options.variant,
            lease_s=options.lease,
            seed=options.seed,
        )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

"""Examples of each command, for its `--help` and the man page. A test runs each through the command line."""

from __future__ import annotations

from collections.abc import Mapping

EXAMPLES: Mapping[str, tuple[str, ...]] = {
    "run": ("tallyd run", "tallyd --config /srv/park/config.json run"),
    "check": ("tallyd check", "tallyd check --online    # also asks each source, and sends nothing"),
    "once": ("tallyd once divera --dry-run", "tallyd once visitors --job report --json"),
    "status": ("tallyd status", "tallyd status --json | jq .jobs"),
    "report": (
        "tallyd report --poller divera --range 7d",
        "tallyd report --from 2026-01-01 --to 2026-12-31 --by month",
        "tallyd report --format html > report.html",
    ),
    "files": ("tallyd files --rejected", "tallyd files --poller visitors --most 200"),
    "replay": ("tallyd replay --all --source 23",),
    "correct": ("tallyd correct visitors 12 --inside 40 --why 'counted at the gate'",),
    "alerts": ("tallyd alerts", "tallyd alerts --past --from 2026-11-01 --format csv"),
    "mute": (
        "tallyd mute apps/PROD/stale --for 2h --why 'planned restart'",
        "tallyd mute 'apps/*/stale' --for 1d",
    ),
    "unmute": ("tallyd unmute apps/PROD/stale",),
    "ack": ("tallyd ack apps/PROD/stale --why 'on my way'",),
    "notify": ("tallyd notify ops --message 'a test'",),
    "privacy-check": ("tallyd privacy-check divera",),
    "backup": ("tallyd backup tallyd.zip", "tallyd backup --private - > /mnt/usb/tallyd.zip"),
    "restore": ("tallyd restore tallyd.zip",),
    "schema": ("tallyd schema > config.schema.json", "tallyd schema --format markdown"),
    "init": ("tallyd init --ask", "tallyd init --kind visitors > config.json"),
    "import": (
        "tallyd import divera-status-logger /home/pi/logger --print-config > config.json",
        "tallyd import visitorsflow /srv/VisitorsFlow --dry-run",
        "tallyd import server-status-check file:old-database-url --table times",
    ),
    "service install": ('sudo "$(command -v tallyd)" service install --ask    # after pipx or uv tool',),
    "service rollback": ("sudo tallyd service rollback",),
    "service allow": ("sudo tallyd service allow /srv/inbox",),
    "service uninstall": ("sudo tallyd service uninstall --purge",),
    "demo": ("tallyd demo --for 60s", "tallyd demo --serve-only --port 9000"),
}
"""Of each command, by its name: lines for a shell."""


def epilog(command: str) -> str:
    """Return what stands below the options of a command; \\b keeps its lines as they are."""
    return "\n".join(["\b", "Examples:", *(f"  {line}" for line in EXAMPLES[command])])

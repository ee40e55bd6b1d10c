"""The main flow of `tallyd demo`: start the world, write the past, start the daemon, watch, sum up."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from tallyd.adapters.state import StateError
from tallyd.core.errors import EXIT_OK, EXIT_PROBLEM, RecordsError
from tallyd.demo.child import Child, started
from tallyd.demo.folder import DemoError, DemoFolder
from tallyd.demo.show import DAEMON_ENDS_WITHIN_S, Show
from tallyd.demo.signals import hold_signals
from tallyd.demo.timetable import Pace, zone_of_demo
from tallyd.demo.world import cameras, divera, servers
from tallyd.demo.world.main import config_for, parts_of, serve, why_not_served
from tallyd.presentation.terminal import complain, say

FOLDER = Path("demo-data")
_WORLD_ANSWERS_WITHIN_S = 15.0
_WORLD_ENDS_WITHIN_S = 2.0
_BACK_WITHIN_S = 50.0
"""After this time, a server was stale and is fresh again, and a camera was silent and delivers again."""


def serve_alone(*, port: int, lasts_s: float | None) -> int:
    """Serve the small world in the foreground, and print how to use it. Returns the exit status."""

    folder = DemoFolder(FOLDER)
    zone = zone_of_demo(datetime.now(UTC))
    parts = parts_of(folder.inbox, zone, say)

    def tell_url(base_url: str) -> None:
        say(f"The small world is at {base_url} until Ctrl-C. All people in it are invented.\n")
        for part in parts:
            say("\n".join(part.about(base_url)) + "\n")
        say("A config to try with it (save it as config.json, then run: {tallyd} check --online):")
        inbox, at = str(folder.inbox.absolute()), ("08:00", "12:00", "20:00")
        content = config_for(base_url, inbox=inbox, at=at, report_every="1m")
        say(json.dumps({**content, "timezone": str(zone)}, indent=1))

    try:
        with folder.taken():
            serve(parts, port=port, lasts_s=lasts_s, tell_url=tell_url)
    except DemoError as error:
        complain(f"tallyd: {error}")
        return EXIT_PROBLEM
    except OSError as error:
        complain(f"tallyd: {why_not_served(port, error)}")
        return EXIT_PROBLEM
    return EXIT_OK


def play(*, port: int, lasts_s: float | None, pace: Pace | None = None) -> int:
    """Run the daemon against the small world, show what it does, sum up. Returns the exit status."""
    hold_signals()
    until_s = None if lasts_s is None else time.monotonic() + lasts_s
    folder = DemoFolder(FOLDER)
    try:
        with folder.taken():
            return _play(folder, port, until_s, pace or Pace())
    except DemoError as error:
        complain(f"tallyd: {error}")
        return EXIT_PROBLEM


def _play(folder: DemoFolder, port: int, until_s: float | None, pace: Pace) -> int:
    zone = str(zone_of_demo(datetime.now(UTC)))
    lasts_s = None if until_s is None else until_s - time.monotonic()
    modes = _modes(lasts_s, pace)
    world_program = ("-m", "tallyd.demo.world.main", str(port), str(folder.inbox), zone, *modes)
    daemon_program = ("-m", "tallyd", "--config", str(folder.config), "run")
    with started("small world", *world_program, end_within_s=_WORLD_ENDS_WITHIN_S) as world:
        _write_past(folder, zone, world)
        base_url = _address(world)
        show = Show(folder, base_url, pace, zone=zone)
        with started("daemon", *daemon_program, end_within_s=DAEMON_ENDS_WITHIN_S) as daemon:
            show.introduce()
            show.watch(world, daemon, until_s)
            show.finish(world, daemon)
    return show.sum_up()


def _modes(lasts_s: float | None, pace: Pace) -> Iterator[str]:
    """Yield what each part of the world plays: only problems whose end is seen too."""
    if lasts_s is None or lasts_s >= divera.OUTAGE_UNTIL_S + pace.every_s:
        yield f"{divera.CONTROL}=outage"
    if lasts_s is not None and lasts_s < _BACK_WITHIN_S:
        yield f"{cameras.CONTROL}=fine"
        yield f"{servers.CONTROL}=fresh"


def _write_past(folder: DemoFolder, zone: str, world: Child) -> None:
    """Write the four weeks before, while the small world starts. Raises `DemoError`."""
    # Imported now: the small world starts meanwhile.
    from tallyd.demo.past.writer import write_past  # noqa: PLC0415 # see above

    try:
        write_past(folder.config_of_past(zone), now=datetime.now(UTC), goes_on=lambda: not world.has_ended())
    except (StateError, RecordsError) as error:
        raise DemoError(f"cannot write into {folder.root}/: {error}") from None


def _address(world: Child) -> str:
    """Return the base URL, which is the first line that the world prints. Raises `DemoError`."""
    line = world.line(within_s=_WORLD_ANSWERS_WITHIN_S)
    if line is None or not line.startswith("http://"):
        raise DemoError(line or "the small world did not start")
    return line

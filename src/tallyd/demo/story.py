"""The main flow of `tallyd demo`: start the world, write the past, start the daemon, watch, sum up."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from functools import partial
from io import TextIOWrapper
from pathlib import Path
from queue import SimpleQueue

from tallyd.adapters.state import StateError
from tallyd.core.errors import EXIT_OK, EXIT_PROBLEM, RecordsError
from tallyd.core.language.languages import Language, language, reading_in
from tallyd.core.language.messages import tr, translated
from tallyd.demo.child import started
from tallyd.demo.folder import DemoError, DemoFolder
from tallyd.demo.past.writer import write_past
from tallyd.demo.show import ENDS_WITHIN_S, Show, shown
from tallyd.demo.signals import asked_to_end, hold_signals
from tallyd.demo.timetable import Pace, zone_of_demo
from tallyd.demo.world import cameras, divera, servers
from tallyd.demo.world.http_server import Part
from tallyd.demo.world.main import config_for, parts_of, running, why_not_served
from tallyd.presentation.terminal import complain, say

FOLDER = Path("demo-data")
_BACK_WITHIN_S = 50.0
"""After this time, a server was stale and is fresh again, and a camera was silent and delivers again."""


def serve_alone(*, port: int, lasts_s: float | None) -> int:
    """Serve the small world in the foreground, and print how to use it. Returns the exit status."""
    _prepare()
    folder, zone = DemoFolder(FOLDER), zone_of_demo(datetime.now(UTC))
    parts = parts_of(folder.inbox, zone, partial(_tell, language()))
    try:
        with folder.taken(), _world(parts, port) as base_url:
            text = tr(
                "The small world is at {url} until Ctrl-C. All people in it are invented.", url=base_url
            )
            say(text + "\n")
            for part in parts:
                say("\n".join(part.about(base_url)) + "\n")
            say(tr("A config to try with it (save it as config.json, then run: {tallyd} check --online):"))
            inbox, at = str(folder.inbox.absolute()), ("08:00", "12:00", "20:00")
            content = config_for(base_url, inbox=inbox, at=at, report_every="1m")
            say(json.dumps({**content, "timezone": str(zone)}, indent=1))
            asked_to_end(within_s=lasts_s)
    except DemoError as error:
        complain(f"tallyd: {error}")
        return EXIT_PROBLEM
    return EXIT_OK


def _tell(wanted: Language, message: str) -> None:
    """Print a message of the chat. The thread of the world calls it, which has no language."""
    with reading_in(wanted):
        say(shown(message))


def play(*, port: int, lasts_s: float | None, pace: Pace | None = None) -> int:
    """Run the daemon against the small world, show what it does, sum up. Returns the exit status."""
    _prepare()
    folder = DemoFolder(FOLDER)
    try:
        with folder.taken():
            return _play(folder, port, lasts_s, pace or Pace())
    except DemoError as error:
        complain(f"tallyd: {error}")
        return EXIT_PROBLEM


def _play(folder: DemoFolder, port: int, lasts_s: float | None, pace: Pace) -> int:
    zone, messages = zone_of_demo(datetime.now(UTC)), SimpleQueue[str]()
    if pace.has_past:
        _write_past(folder, str(zone))  # before the world begins: its problems come at set times, to be seen
    parts, modes = parts_of(folder.inbox, zone, messages.put), _modes(lasts_s, pace)
    for part in parts:
        part.play(modes.get(part.control, part.mode))
    with _world(parts, port) as base_url:
        show = Show(folder, base_url, pace, zone=str(zone), messages=messages)
        with started(
            "-m", "tallyd", "--config", str(folder.config), "run", end_within_s=ENDS_WITHIN_S
        ) as daemon:
            show.introduce(parts)
            show.watch(daemon, lasts_s)
            show.finish(daemon)
    return show.sum_up()


def _prepare() -> None:
    """Hold the signals that end it, and let a pipe have each line as it comes (`tallyd demo | tee FILE`)."""
    hold_signals()
    if isinstance(sys.stdout, TextIOWrapper):  # None if it is closed
        sys.stdout.reconfigure(line_buffering=True)


@contextmanager
def _world(parts: Sequence[Part], port: int) -> Iterator[str]:
    """Serve the small world; yields its base URL. Raises `DemoError`."""
    with ExitStack() as stack:
        try:
            base_url = stack.enter_context(running(parts, port=port))
        except OSError as error:
            raise DemoError(why_not_served(port, error)) from None
        yield base_url


def _modes(lasts_s: float | None, pace: Pace) -> Mapping[str, str]:
    """Return what the parts of the world play: only problems whose end is seen too."""
    if lasts_s is None or lasts_s >= divera.OUTAGE_UNTIL_S + pace.every_s:
        return {divera.CONTROL: "outage"}
    return {cameras.CONTROL: "fine", servers.CONTROL: "fresh"} if lasts_s < _BACK_WITHIN_S else {}


def _write_past(folder: DemoFolder, zone: str) -> None:
    """Write the four weeks before. Raises `DemoError`."""
    try:
        write_past(folder.config_of_past(zone), now=datetime.now(UTC))
    except (StateError, RecordsError) as error:
        text = tr("cannot write into {folder}/: {reason}", folder=folder.root, reason=translated(str(error)))
        raise DemoError(text) from None

"""What `tallyd demo` does, from the first line to the last: start the world and the daemon, watch, sum up."""

from __future__ import annotations

import re
import shutil
import signal
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from tallyd.cli.output import complain, say, show_table
from tallyd.core.errors import EXIT_OK, EXIT_PROBLEM
from tallyd.core.texts import span
from tallyd.demo import chat, divera
from tallyd.demo.child import Child, started
from tallyd.demo.client import Client
from tallyd.demo.counts import Counted, OutFolder, in_a_line, in_a_table, missing
from tallyd.demo.ending import asked_to_end, hold_signals
from tallyd.demo.folder import DemoError, DemoFolder
from tallyd.demo.outage import Outage
from tallyd.demo.server import Part
from tallyd.demo.times import Pace, Times, zone_of_demo
from tallyd.demo.world import example_config, serve, why_not_served

FOLDER = Path("demo-data")
_LOOK_EVERY_S = 0.2
_WORLD_ANSWERS_WITHIN_S = 15.0
_DAEMON_ENDS_WITHIN_S = 10.0
_WORLD_ENDS_WITHIN_S = 2.0
_ROUTINE = re.compile(r"\S+ (\S+ )?(DEBUG|INFO) (?!problem over|config taken)")
"""How a line of the daemon begins that is no news; everything else it says is shown."""


def serve_alone(*, port: int, lasts_s: float | None) -> int:
    """Serve the small world in the foreground; say what can be asked of it. Returns the exit status."""

    def tell(base_url: str, parts: tuple[Part, ...]) -> None:
        say(f"The small world is at {base_url} until Ctrl-C. Everybody in it is invented.\n")
        for part in parts:
            say("\n".join(part.about(base_url)) + "\n")
        say("A config to try against it (config.json; then: tallyd check --online):")
        say(example_config(base_url))

    try:
        serve(port=port, lasts_s=lasts_s, tell=tell)
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
    folder.make_inbox()
    zone = zone_of_demo(datetime.now(UTC))
    world_program = ("-m", "tallyd.demo.world", str(port), str(folder.inbox), str(zone))
    daemon_program = ("-m", "tallyd", "--config", str(folder.config), "run")
    with started("small world", *world_program, end_within_s=_WORLD_ENDS_WITHIN_S) as world:
        base_url = _address(world)
        lasts_s = None if until_s is None else until_s - time.monotonic()
        show = Show(folder, base_url, pace, lasts_s=lasts_s)
        with started("daemon", *daemon_program, end_within_s=_DAEMON_ENDS_WITHIN_S) as daemon:
            show.introduce()
            show.watch(world, daemon, until_s)
            show.finish(daemon)
    return show.sum_up()


def _address(world: Child) -> str:
    """Return the base URL, which is the first line that the world says. Raises `DemoError`."""
    line = world.line(within_s=_WORLD_ANSWERS_WITHIN_S)
    if line is None or not line.startswith("http://"):
        raise DemoError(line or "the small world did not start")
    return line


def _tallyd() -> str:
    """Return how this tallyd is called from here: it need not be on the PATH."""
    called, found = Path(sys.argv[0]), shutil.which("tallyd")
    if called.name != "tallyd":
        return f"{sys.executable} -m tallyd"
    if found and called.exists() and Path(found).samefile(called):
        return "tallyd"
    return str(called.relative_to(Path.cwd()) if called.is_relative_to(Path.cwd()) else called)


def _said(daemon: Child) -> str:
    return "".join(f"\n  {line}" for line in daemon.tail)


class Show:
    """What the demo shows of a running daemon. Making one writes the daemon's config.

    `lasts_s` is how long the demo will last from now on, if that is known.
    """

    def __init__(self, folder: DemoFolder, base_url: str, pace: Pace, *, lasts_s: float | None) -> None:
        now = datetime.now(UTC)
        self._folder = folder
        self._base_url = base_url
        self._times = Times(pace, now=now)
        self._out = OutFolder(folder.out)
        self._readings: list[Counted] = []
        self._client = Client(base_url)
        self._heard = 0
        self._outage = Outage(self._client, pace, lasts_s=lasts_s)
        self._began_s = time.monotonic()
        self._write_config(now)

    def introduce(self) -> None:
        """Say what is going on and how to play with it."""
        every = f"every {self._times.pace.every_s} seconds"
        say(f"The real daemon counts the people of a small world, {every}, until Ctrl-C.")
        say(f"All of it is invented and stays in {self._folder.root}/.")
        say(f"  the daemon:  {_tallyd()} --config {self._folder.config} run")
        say(f"  the world:   {self._base_url}{divera.USERS}?accesskey={divera.KEY}")
        say(f"  the chat:    {self._base_url}{chat.CONTROL}   (what it is sent is shown here too)")
        say(
            f"""  an outage:   curl -d '{{"mode": "down"}}' {self._base_url}{divera.CONTROL}   (over: "ok")"""
        )
        say(f"  of the chat: the same with {self._base_url}{chat.CONTROL}")
        say()

    def watch(self, world: Child, daemon: Child, until_s: float | None) -> None:
        """Show what happens until it is asked to end, or the time is over. Raises `DemoError`."""
        while until_s is None or time.monotonic() < until_s:
            left_s = _LOOK_EVERY_S if until_s is None else min(_LOOK_EVERY_S, until_s - time.monotonic())
            if asked_to_end(within_s=left_s):
                return
            self._play_outage()
            self._look(world, daemon)
            if daemon.has_ended():
                raise DemoError(
                    f"the daemon ended by itself (exit status {daemon.status}). It said:{_said(daemon)}"
                )
            if world.has_ended():
                raise DemoError(f"the small world ended by itself (exit status {world.status})")
            now = datetime.now(UTC)
            if self._times.are_running_out(now):
                self._write_config(now)
                say(f"{self._folder.config}: further times of day written; the daemon takes them by itself")

    def finish(self, daemon: Child) -> None:
        """End the daemon and show what it still did. Raises `DemoError` when it did not end well."""
        took_s = daemon.end(within_s=_DAEMON_ENDS_WITHIN_S)
        self._look(daemon)
        # Ended by the signal itself: it was still importing, on a slow machine, and had begun nothing.
        if daemon.status not in (EXIT_OK, -signal.SIGTERM):
            ended = f"exit status {daemon.status}, {span(took_s)}"
            raise DemoError(f"the daemon did not end well after SIGTERM ({ended}). It said:{_said(daemon)}")
        say(f"\nThe daemon was told to end and did, in {span(took_s)}.")

    def sum_up(self) -> int:
        """Say what was written and how to look further. Returns the exit status."""
        if not self._readings:
            due = f"{self._times.first.astimezone():%H:%M:%S}"
            lasted = span(time.monotonic() - self._began_s)
            complain(f"tallyd: no reading was written in {lasted}; the first one was due at {due}")
            return EXIT_PROBLEM
        readings, gaps = self._readings, missing(self._readings, every_s=self._times.pace.every_s)
        files = "1 reading in 1 file" if len(readings) == 1 else f"{len(readings)} readings in as many files"
        say(
            f"{files}, below {readings[-1].path.parent}/"
            + (f"; {gaps} slots without a reading" if gaps else "")
        )
        say()
        show_table(("status", "last", "least", "most"), in_a_table(readings), right=frozenset({1, 2, 3}))
        say(f"\nThe chat got {self._heard} message{'' if self._heard == 1 else 's'}.")
        say("\nTo look further:")
        for command in ("status", "alerts", "report", "check"):
            say(f"  {_tallyd()} --config {self._folder.config} {command}")
        return EXIT_OK

    def _write_config(self, now: datetime) -> None:
        zone = zone_of_demo(now)
        self._folder.write_config(self._base_url, times=self._times.extend(now, zone), zone=str(zone))

    def _play_outage(self) -> None:
        said = self._outage.play(time.monotonic() - self._began_s)
        if said:
            say(f"~ {said}", style="warning")

    def _look(self, *children: Child) -> None:
        for child in children:
            for line in child.new_lines():
                if not _ROUTINE.match(line):
                    say(f"! {line}", style="warning")
        for reading in self._out.new():
            say(str(reading.path))
            say(f"    {in_a_line(reading, self._readings[-1] if self._readings else None)}")
            self._readings.append(reading)
        self._show_chat()

    def _show_chat(self) -> None:
        """Show what came in since the last look; of very many messages at once, the newest."""
        found = self._client.get(chat.CONTROL) or {"messages": []}
        for message in found["messages"]:
            if message["number"] > self._heard:
                self._heard = message["number"]
                say(f"chat: {message['shown']}".replace("\n", "\n      "))

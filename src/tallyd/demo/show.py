"""What the demo shows of a running daemon: what it is about, what happens, what it came to."""

from __future__ import annotations

import re
import signal
import socket
import time
from datetime import UTC, datetime

from tallyd.core.errors import EXIT_OK, EXIT_PROBLEM
from tallyd.core.texts import span
from tallyd.demo.child import Child
from tallyd.demo.client import Client
from tallyd.demo.counts import Counted, OutFolder, in_a_line
from tallyd.demo.files import Files
from tallyd.demo.folder import REPORT_EVERY, DemoError, DemoFolder
from tallyd.demo.outage import Outage
from tallyd.demo.received import Received
from tallyd.demo.signals import asked_to_end
from tallyd.demo.summary import show_summary
from tallyd.demo.timetable import Pace, Times, zone_of_demo
from tallyd.demo.world import cameras, chat, divera, servers, upstream
from tallyd.presentation.invocation import program_here
from tallyd.presentation.terminal import complain, say

DAEMON_ENDS_WITHIN_S = 10.0
PAGE_PORT = 8710
SHOWN_WITHIN_S = 50.0
"""So long it takes until a server has gone stale and come back, and a camera fallen silent and come again."""
_LOOK_EVERY_S = 0.2
_ROUTINE = re.compile(
    r"\S+ (\S+ )?((DEBUG|INFO) (?!problem over|config taken)|WARNING servers check: target changed)"
)
"""How a line of the daemon begins that is no news, or says what its out file does; all else is shown."""


def _free_port(wanted: int) -> int:
    """Return a port of loopback that is free just now: the wanted one, where it is."""
    for port in (wanted, 0):
        with socket.socket() as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                tried.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(tried.getsockname()[1])
    return wanted  # the daemon then says what is wrong with it


def _said(daemon: Child) -> str:
    return "".join(f"\n  {line}" for line in daemon.tail)


class Show:
    """What the demo shows of a running daemon. Making one writes the daemon's config.

    `zone` is that of the cameras' times. `lasts_s` is how long the demo will last from now on, if that is
    known.
    """

    def __init__(
        self, folder: DemoFolder, base_url: str, pace: Pace, *, zone: str, lasts_s: float | None
    ) -> None:
        now = datetime.now(UTC)
        self._zone = zone
        self._page = f"127.0.0.1:{_free_port(PAGE_PORT)}"
        self._folder = folder
        self._base_url = base_url
        self._times = Times(pace, now=now)
        self._out = OutFolder(folder.out)
        self._readings: dict[str, list[Counted]] = {}
        self._files = Files()
        self._files_before = Files()
        client = Client(base_url)
        self._received = Received(client)
        self._outage = Outage(client, pace, lasts_s=lasts_s)
        self._began_s = time.monotonic()
        if lasts_s is not None and lasts_s < SHOWN_WITHIN_S:
            # Half of it would be seen: the message that something is wrong, and none that it is over.
            client.post(cameras.CONTROL, {"mode": "fine"})
            client.post(servers.CONTROL, {"mode": "fresh"})
        self._write_config(now)

    def introduce(self) -> None:
        """Say what is going on and how to play with it."""
        at, every = self._base_url, f"every {self._times.pace.every_s} seconds"
        say(f"The real daemon watches a small world until Ctrl-C: it counts people {every}, takes the files")
        say(f"of cameras, reports their visitors every {REPORT_EVERY}, and watches the age of servers' data.")
        say(f"All of it is invented and stays in {self._folder.root}/.")
        say(f"  the page:      http://{self._page}/   (metrics: /metrics)")
        say(f"  the daemon:    {program_here()} --config {self._folder.config} run")
        say(f"  the people:    {at}{divera.USERS}?accesskey={divera.KEY}")
        say(f"  the cameras:   {self._folder.inbox}/")
        say(f"  the servers:   {at}{servers.APPS}fresh, {at}{servers.APPS}changing, ...")
        say(f"  the upstream:  {at}{upstream.CONTROL}   (what it takes is shown here too)")
        say(f"  the chat:      {at}{chat.CONTROL}   (what it is sent is shown here too)")
        say(f"""  an outage:     curl -d '{{"mode": "down"}}' {at}{divera.CONTROL}   (over: "ok")""")
        for control, mode, over in (
            (cameras.CONTROL, "quiet", "fine"),
            (servers.CONTROL, "stale", "fresh"),
            (upstream.CONTROL, "refusing", "ok"),
            (chat.CONTROL, "down", "ok"),
        ):
            say(f"""                 curl -d '{{"mode": "{mode}"}}' {at}{control}   (over: "{over}")""")
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
        took_s = daemon.end(within_s=DAEMON_ENDS_WITHIN_S)
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
        show_summary(
            self._readings,
            every_s=self._times.pace.every_s,
            files=self._files,
            reports=self._received.reports,
        )
        heard = self._received.messages
        say(f"\nThe chat got {heard} message{'' if heard == 1 else 's'}.")
        say("\nTo look further:")
        for command in ("status", "alerts", "files", "report", "check"):
            say(f"  {program_here()} --config {self._folder.config} {command}")
        return EXIT_OK

    def _write_config(self, now: datetime) -> None:
        zone = zone_of_demo(now)
        times = self._times.extend(now, zone)
        self._folder.write_config(
            self._base_url, times=times, zone=str(zone), cameras_zone=self._zone, page=self._page
        )

    def _play_outage(self) -> None:
        said = self._outage.play(time.monotonic() - self._began_s)
        if said:
            say(f"~ {said}", style="warning")

    def _look(self, *children: Child) -> None:
        for child in children:
            for line in child.new_lines():
                self._files = self._files.and_those_of(line)
                if not _ROUTINE.match(line):
                    say(f"! {line}", style="warning")
        for reading in self._out.new():
            self._show(reading)
        for line in self._received.new_lines():
            say(line)

    def _show(self, reading: Counted) -> None:
        own = self._readings.setdefault(reading.poller, [])
        line = in_a_line(reading, own[-1] if own else None)
        if reading.kind == "visitors":
            line += f"; {self._files.since(self._files_before)} since the last one"
            self._files_before = self._files
        say(f"{reading.path}: {line}")
        own.append(reading)

"""What the demo prints about a running daemon: an introduction, what happens, and a summary."""

from __future__ import annotations

import json
import math
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from queue import SimpleQueue
from typing import Any

from tallyd.core.errors import EXIT_OK, EXIT_PROBLEM
from tallyd.core.history import NO_STATUS
from tallyd.core.language.formats import number_text, span
from tallyd.core.language.messages import mark, tr, translation
from tallyd.demo.child import Child
from tallyd.demo.folder import DemoError, DemoFolder
from tallyd.demo.signals import asked_to_end
from tallyd.demo.timetable import Pace, Times, zone_of_demo
from tallyd.demo.world.http_server import Part
from tallyd.presentation.invocation import program_here
from tallyd.presentation.terminal import complain, say

ENDS_WITHIN_S = 10.0
PAGE_PORT = 8710
_LOOK_EVERY_S = 0.2
_STATUS_WITHIN_S = 10.0
_ROUTINE = re.compile(r": files ingested | notice sent ")
"""In lines of the daemon that are not shown: `status` shows the files, and the chat shows its messages."""
_BALANCE = mark("balance")
"""A key of an out file, for the catalogs. The others are shown elsewhere, too."""
_STARTED = re.compile(r" INFO tallyd started ")
"""In the line with which the daemon says that it runs."""
_WRITTEN = re.compile(r": reading taken .*\bfile=(\S+\.json)")
"""In a line of the daemon that names an out file, relative to the out folder."""


def _free_port(wanted: int) -> int:
    """Return a port of loopback that is free now: the wanted one if possible."""
    for port in (wanted, 0):
        with socket.socket() as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                tried.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(tried.getsockname()[1])
    return wanted  # the daemon will say what is wrong with it


def _said(daemon: Child) -> str:
    return "".join(f"\n  {line}" for line in daemon.tail)


def in_a_line(content: dict[str, Any]) -> str:
    """Return the counts of an out file: `25 people: ready 12, out 0`, or `fresh 3, stale 0`."""
    names = {NO_STATUS: tr("no status"), **content.get("names", {})}
    hidden = tr("hidden")
    counts = (
        f"{names.get(key) or translation(key)} {hidden if count is None else number_text(count)}"
        for key, count in content["counts"].items()
    )
    return tr("[{people:# person|# people}: ]{counts}", people=content.get("total"), counts=", ".join(counts))


def shown(message: str) -> str:
    """Return a message of the chat as lines for people."""
    return tr("chat: {text}", text=message).replace("\n", "\n      ")


class Show:
    """Prints what a running daemon does. Its constructor writes the config of the daemon.

    `zone` is that of the cameras' times, `messages` are those that the chat gets.
    """

    def __init__(
        self, folder: DemoFolder, base_url: str, pace: Pace, *, zone: str, messages: SimpleQueue[str]
    ) -> None:
        now = datetime.now(UTC)
        self._zone = zone
        self._page = f"127.0.0.1:{_free_port(PAGE_PORT)}"
        self._folder = folder
        self._base_url = base_url
        self._times = Times(pace, now=now)
        self._readings = 0
        self._messages = messages
        self._heard = 0
        self._began_s = time.monotonic()
        self._started_s: float | None = None
        self._write_config(now)

    def introduce(self, parts: Sequence[Part]) -> None:
        """Print what happens, and how to use the parts of the world."""
        daemon = f"{program_here()} --config {self._folder.config} run"
        every = span(self._times.pace.every_s)
        say(tr("The real daemon watches a small invented world until Ctrl-C."))
        say(
            tr(
                "Every {every} it counts people and reports visitors. It also ingests files from cameras and "
                "checks the age of servers' data.",
                every=every,
            )
        )
        say(
            tr(
                "All data is invented and stays in {folder}/, with that of four weeks before.",
                folder=self._folder.root,
            )
        )
        say(
            tr(
                "Problems come and end by themselves: a silent camera, stale data, and Divera "
                "down for a while."
            )
        )
        page = f"http://{self._page}/"
        say(tr("The page: {url} (metrics: /metrics)", url=page))
        say(tr("The daemon: {command}", command=daemon))
        for part in parts:
            say("\n".join(part.about(self._base_url)))
        say()

    def watch(self, daemon: Child, lasts_s: float | None) -> None:
        """Print what happens until a signal to end, or until the daemon has run for `lasts_s`.

        Raises `DemoError`.
        """
        while (left_s := self._left_s(lasts_s)) > 0:
            if asked_to_end(within_s=min(_LOOK_EVERY_S, left_s)):
                return
            self._look(daemon)
            if daemon.has_ended():
                text = tr(
                    "the daemon stopped unexpectedly (exit status {status}). Output:{output}",
                    status=str(daemon.status),
                    output=_said(daemon),
                )
                raise DemoError(text)
            now = datetime.now(UTC)
            if self._times.are_running_out(now):
                self._write_config(now)
                text = tr(
                    "{file}: added more times of day; the daemon reloads it automatically",
                    file=self._folder.config,
                )
                say(text)

    def finish(self, daemon: Child) -> None:
        """Show `status`, then end the daemon. Raises `DemoError` if it did not end cleanly."""
        self._look(daemon)
        if self._readings:
            self._show_status()
        took_s = daemon.end(within_s=ENDS_WITHIN_S)
        self._look(daemon)
        # -SIGTERM: on a slow machine it was still importing, and had not started.
        if daemon.status not in (EXIT_OK, -signal.SIGTERM):
            text = tr(
                "the daemon did not stop cleanly on SIGTERM (exit status {status}, {took}). Output:{output}",
                status=str(daemon.status),
                took=span(took_s),
                output=_said(daemon),
            )
            raise DemoError(text)
        say("\n" + tr("The daemon stopped on SIGTERM, in {took}.", took=span(took_s)))

    def sum_up(self) -> int:
        """Print what to try next, or that nothing was written. Returns the exit status."""
        if not self._readings:
            due = f"{self._times.first.astimezone():%H:%M:%S}"
            lasted = span(time.monotonic() - self._began_s)
            text = tr(
                "the daemon wrote no reading in {lasted}; the first one was due at {due}",
                lasted=lasted,
                due=due,
            )
            complain(f"tallyd: {text}")
            return EXIT_PROBLEM
        say("\n" + tr("The chat got {messages:# message|# messages}.", messages=self._heard))
        say("\n" + tr("To see more:"))
        for command in ("status", "alerts", "files", "report", "check"):
            say(f"  {program_here()} --config {self._folder.config} {command}")
        return EXIT_OK

    def _write_config(self, now: datetime) -> None:
        zone = zone_of_demo(now)
        times = self._times.extend(now, zone)
        self._folder.write_config(
            self._base_url, times=times, zone=str(zone), cameras_zone=self._zone, page=self._page
        )

    def _left_s(self, lasts_s: float | None) -> float:
        """Return how long the demo still lasts. The time before the daemon runs does not count."""
        if lasts_s is None:
            return math.inf
        return lasts_s if self._started_s is None else self._started_s + lasts_s - time.monotonic()

    def _look(self, daemon: Child) -> None:
        for line in daemon.new_lines():
            if _STARTED.search(line):
                self._started_s = time.monotonic()
            if found := _WRITTEN.search(line):
                self._show(found[1])
            elif not _ROUTINE.search(line):
                say(tr("daemon: {line}", line=line), style="quiet")
        while not self._messages.empty():
            self._heard += 1
            say(shown(self._messages.get()))

    def _show(self, file: str) -> None:
        """Print the counts of an out file."""
        path = self._folder.out / file
        self._readings += 1
        say(f"{path}: {in_a_line(json.loads(path.read_text('utf-8')))}")

    def _show_status(self) -> None:
        say(f"\n{program_here()} --config {self._folder.config} status")
        command = [sys.executable, "-P", "-m", "tallyd", "--config", str(self._folder.config), "status"]
        try:
            subprocess.run(command, check=False, timeout=_STATUS_WITHIN_S)  # noqa: S603 # our own command
        except subprocess.TimeoutExpired:
            complain(tr("status did not answer within {limit}", limit=span(_STATUS_WITHIN_S)))

"""A command on a terminal of its own, and a person who reads what it says and types.

with at_terminal("-m", "tallyd", "init", "--ask", cwd=tmp_path) as terminal:
    terminal.answer("Access key", "secret")
    assert terminal.status() == 0
"""

from __future__ import annotations

import os
import re
import select
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from support import warm

_COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_LONGEST_S = 60.0


@dataclass
class Terminal:
    """The person's side. `said` is all that was shown so far, what was typed and echoed included."""

    process: warm.Process
    ours: int
    theirs: int
    said: str = ""
    read_to: int = 0

    def wait_for(self, text: str) -> None:
        """Read on until a text is shown that was not read before; fail where it does not come."""
        until = time.monotonic() + _LONGEST_S
        while (found := self.said.find(text, self.read_to)) < 0:
            assert time.monotonic() < until, f"{text!r} does not come: {self.said}"
            assert self._read(), f"{text!r} did not come before the end: {self.said}"
        self.read_to = found + len(text)

    def answer(self, question: str, typed: str = "") -> None:
        """Wait for a question and type an answer; alone Enter, where it is empty."""
        self.wait_for(question)
        self.wait_for(": ")
        self.press(typed + "\n")

    def press(self, keys: str) -> None:
        """Type without an Enter at the end: `\\x03` is Ctrl-C, `\\x04` Ctrl-D."""
        # Asleep it reads. A key that comes between the prompt and the read is lost: Python notes a Ctrl-C and
        # then reads on, and who hides what is typed drops what came before.
        while not self._is_asleep():
            time.sleep(0.005)
        os.write(self.ours, keys.encode())

    def status(self) -> int:
        """Wait for the end of the command; return its exit status."""
        while self._read():
            pass
        return self.process.wait()

    def close(self) -> None:
        """End the command if it still runs."""
        self.process.kill()
        self.process.wait()
        os.close(self.ours)
        self._let_go()

    def _is_asleep(self) -> bool:
        try:
            fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        except FileNotFoundError:  # it has ended, and nothing will be read
            return True
        return fields[0] in ("S", "Z")

    def _read(self) -> bool:
        """Read what is there within a second; false at the end."""
        if self.process.poll() is not None:
            self._let_go()
        if not select.select([self.ours], [], [], 1.0)[0]:
            return True
        try:
            new = os.read(self.ours, 65536)
        except OSError:  # what Linux says once nobody has the other side open
            return False
        self.said += _COLOURS.sub("", new.decode("utf-8", "replace")).replace("\r\n", "\n")
        return bool(new)

    def _let_go(self) -> None:
        """Close the other side, which is held open until the command has opened it and ended."""
        if self.theirs >= 0:
            os.close(self.theirs)
            self.theirs = -1


@contextmanager
def at_terminal(*words: str, cwd: Path, columns: int = 100, **environ: str) -> Iterator[Terminal]:
    """Run Python with these words on a terminal until the block is left."""
    ours, theirs = os.openpty()
    termios.tcsetwinsize(theirs, (24, columns))
    inherited = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LINES"}}
    place = os.ttyname(theirs)
    process = warm.Process(
        *words,
        cwd=cwd,
        env={**inherited, "TERM": "xterm", **environ},
        stdin=place,
        stdout=place,
        stderr=place,
        own_terminal=True,
    )
    terminal = Terminal(process, ours, theirs)
    try:
        yield terminal
    finally:
        terminal.close()

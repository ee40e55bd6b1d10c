"""Run a command, count its system calls, and kill it with SIGKILL before the n-th is carried out.

    python -S -m support.kill_at [--at N] [--opened ENDING] [--disk ROOT] REPORT COMMAND...

Counted are the calls of the threads that a thread of the first has begun: in tallyd these are the runs'
threads, so that the count begins and ends with the work. What they begin in turn, the thread of the network,
is not counted: how often it looks at a socket depends on chance. With `--opened` the calls of every thread
are counted, from the first opening of a file whose path ends so. Calls that touch nothing but the process's
own memory and threads (`futex`, `mmap`, ...) are not counted: they can't change what is found after a kill,
and their number depends on chance. `--disk` lays out, beside REPORT, what a power cut in place of the kill
would have left of the tree below ROOT (see durable.py).

Without `--at`, or where there are fewer calls, the command ends by itself, or is killed when this program is
sent SIGTERM. REPORT is then a JSON object: `killed_before`, the number of the call (from 1) or null, and
`calls`, a list of [name, what it was about].

A program of its own, with nothing but the standard library: it must be the parent of what it traces, and it
waits for any child there is. It is strace with one more choice. strace counts each thread by itself and from
its first call on, which in the first thread are thousands of imports.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from support.durable import Durable
from support.syscalls import INWARD, OF_A_FILE, PATH_ARGUMENT, SYNCS, call_name

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
_libc.ptrace.restype = ctypes.c_long

# ptrace(2)
CONT, SYSCALL, GETEVENTMSG, SEIZE, INTERRUPT, GET_SYSCALL_INFO = 7, 24, 0x4201, 0x4206, 0x4207, 0x420E
OPTIONS = 1 | 8 | 0x100000  # TRACESYSGOOD, TRACECLONE, EXITKILL: the command never outlives its tracer
EVENT_CLONE, EVENT_STOP = 3, 128
AT_CALL = signal.SIGTRAP | 0x80
ENTRY, EXIT = 1, 2
WALL = 0x40000000


class SyscallInfo(ctypes.Structure):
    """`struct ptrace_syscall_info`, as the entry into a call fills it."""

    op: int
    arch: int
    nr: int
    args: ctypes.Array[ctypes.c_uint64]

    _fields_ = (
        ("op", ctypes.c_uint8),
        ("pad", ctypes.c_uint8 * 3),
        ("arch", ctypes.c_uint32),
        ("instruction_pointer", ctypes.c_uint64),
        ("stack_pointer", ctypes.c_uint64),
        ("nr", ctypes.c_uint64),
        ("args", ctypes.c_uint64 * 6),
        ("more", ctypes.c_uint64 * 2),
    )


def ptrace(request: int, tid: int, address: int = 0, data: object = None) -> bool:
    """Return false where the thread has been killed meanwhile. Raises OSError for anything else."""
    if _libc.ptrace(request, tid, address, data) >= 0:
        return True
    number = ctypes.get_errno()
    if number == 3:  # ESRCH: its end is reported next
        return False
    raise OSError(number, f"ptrace: {os.strerror(number)}")


@dataclass
class Trace:
    """One command under watch. `begun_by`: which thread began which; `held`: stopped before that is known."""

    pid: int
    at: int | None
    opened: str | None
    disk: Durable | None
    calls: list[tuple[str, str]] = field(default_factory=list)
    killed_before: int | None = None
    begun_by: dict[int, int] = field(default_factory=dict)
    held: set[int] = field(default_factory=set)
    syncing: dict[int, Path] = field(default_factory=dict)

    def begin(self) -> None:
        ptrace(SEIZE, self.pid, 0, OPTIONS)
        self.begun_by[self.pid] = 0
        if self.opened is not None:
            ptrace(INTERRUPT, self.pid)

    def until_end(self) -> int:
        """Follow the command to its end; return its wait status."""
        while True:
            tid, status = os.waitpid(-1, WALL)
            if os.WIFSTOPPED(status):
                self._stopped(tid, os.WSTOPSIG(status), status >> 16)
            elif tid == self.pid:
                return status

    def _stopped(self, tid: int, number: int, event: int) -> None:
        if number == AT_CALL:
            self._at_call(tid)
            self._go_on(tid)
        elif event == EVENT_CLONE:
            self._has_begun(tid)
            self._go_on(tid)
        elif event == EVENT_STOP and tid not in self.begun_by:
            self.held.add(tid)
        else:
            self._go_on(tid, 0 if event else number)

    def _has_begun(self, tid: int) -> None:
        message = ctypes.c_ulong()
        if not ptrace(GETEVENTMSG, tid, 0, ctypes.byref(message)):
            return
        self.begun_by[message.value] = tid
        if message.value in self.held:
            self.held.remove(message.value)
            self._go_on(message.value)

    def _go_on(self, tid: int, deliver: int = 0) -> None:
        is_watched = self.opened is not None or self.begun_by.get(self.begun_by[tid]) == self.pid
        ptrace(SYSCALL if is_watched else CONT, tid, 0, deliver)

    def _at_call(self, tid: int) -> None:
        info = SyscallInfo()
        if self.killed_before is not None:
            return
        if not ptrace(GET_SYSCALL_INFO, tid, ctypes.sizeof(info), ctypes.byref(info)):
            return
        if info.op == ENTRY:
            self._count(tid, info)
        elif info.op == EXIT and self.disk is not None and tid in self.syncing:
            self.disk.synced(self.syncing.pop(tid))

    def _count(self, tid: int, info: SyscallInfo) -> None:
        name = call_name(info.arch, info.nr)
        if name in INWARD:
            return
        about = self._about(name, info.args)
        is_first = self.opened is not None and not self.calls
        if is_first and not (name.startswith("open") and about.endswith(self.opened or "")):
            return
        self.calls.append((name, about))
        if len(self.calls) == self.at:
            # A thread that is stopped at the entry of a call and killed dies there: nothing is carried out.
            self.killed_before = self.at
            os.kill(self.pid, signal.SIGKILL)
        elif name in SYNCS:
            self.syncing[tid] = self._file(info.args[0])

    def _about(self, name: str, args: ctypes.Array[ctypes.c_uint64]) -> str:
        if name in PATH_ARGUMENT:
            return self._text(args[PATH_ARGUMENT[name]])
        if name in OF_A_FILE:
            with suppress(OSError):  # closed, or a number that never was a file
                return str(self._file(args[0]).readlink())
        return ""

    def _file(self, descriptor: int) -> Path:
        return Path(f"/proc/{self.pid}/fd/{descriptor}")

    def _text(self, address: int) -> str:
        try:
            with Path(f"/proc/{self.pid}/mem").open("rb", buffering=0) as memory:
                memory.seek(address)
                # Less comes back if the next page is not there. A path may begin on one page and end on it.
                return memory.read(4096).split(b"\0")[0].decode("utf-8", "replace")
        except (OSError, OverflowError):
            return ""


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--at", type=int, metavar="N")
    parser.add_argument("--opened", metavar="ENDING")
    parser.add_argument("--disk", type=Path, metavar="ROOT")
    parser.add_argument("report", type=Path)
    parser.add_argument("command", nargs=argparse.REMAINDER)
    asked = parser.parse_args()
    disk = Durable(asked.disk) if asked.disk else None
    with subprocess.Popen(asked.command) as process:

        def kill(_signal: int, _frame: FrameType | None) -> None:
            with suppress(ProcessLookupError):  # it has stopped unexpectedly at this very moment
                os.kill(process.pid, signal.SIGKILL)

        signal.signal(signal.SIGTERM, kill)
        trace = Trace(process.pid, asked.at, asked.opened, disk)
        trace.begin()
        process.returncode = os.waitstatus_to_exitcode(trace.until_end())
        # Whoever ends the trace may not know yet that it is over; Python's own end would let that kill it.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if disk is not None:
        disk.cut(asked.report.with_suffix(".disk"))
    asked.report.write_text(json.dumps({"killed_before": trace.killed_before, "calls": trace.calls}))
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Run a command, count its system calls, and kill it with SIGKILL before the n-th is carried out.

    python -I -S kill_at.py [--at N] [--name NAME] [--opened ENDING] REPORT COMMAND...

Counted are the calls of the threads that another thread than the first has begun: in tallyd these are the
runs' threads, so that the count begins and ends with the work. With `--opened` the calls of every thread are
counted, from the first opening of a file whose path ends so. `--name` counts only the calls of one name.
Calls that touch nothing but the process's own memory and threads (`futex`, `mmap`, ...) are never counted:
they can't change what is found after a kill, and their number depends on chance.

Without `--at`, or where there are fewer calls, the command ends by itself, or is killed when this program is
sent SIGTERM. REPORT is then a JSON object: `killed_before`, the number of the call (from 1) or null, and
`calls`, a list of [name, what it was about].

A program of its own, with nothing but the standard library: it must be the parent of what it traces, and
wait for any child there is. It is strace with one more choice: strace counts each thread by itself and from
its first call on, which for the first thread are thousands of imports.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import signal
import subprocess
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from_kernel = ctypes.CDLL(None, use_errno=True)
from_kernel.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
from_kernel.ptrace.restype = ctypes.c_long

CONT, SYSCALL, GETEVENTMSG, SEIZE, INTERRUPT, GET_SYSCALL_INFO = 7, 24, 0x4201, 0x4206, 0x4207, 0x420E
OPTIONS = 1 | 8 | 0x100000  # TRACESYSGOOD, TRACECLONE, EXITKILL: the command never outlives its tracer
EVENT_CLONE, EVENT_STOP = 3, 128
WALL = 0x40000000
ENTRY = 1
X86_64, AARCH64 = 0xC000003E, 0xC00000B7

_NAMES = {
    "read": (0, 63), "write": (1, 64), "open": (2, None), "close": (3, 57), "stat": (4, None),
    "fstat": (5, 80), "lstat": (6, None), "poll": (7, None), "lseek": (8, 62), "mmap": (9, 222),
    "mprotect": (10, 226), "munmap": (11, 215), "brk": (12, 214), "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135), "ioctl": (16, 29), "pread64": (17, 67), "pwrite64": (18, 68),
    "writev": (20, 66), "access": (21, None), "select": (23, None), "sched_yield": (24, 124),
    "madvise": (28, 233), "dup": (32, 23), "nanosleep": (35, 101), "getpid": (39, 172), "socket": (41, 198),
    "connect": (42, 203), "sendto": (44, 206), "recvfrom": (45, 207), "sendmsg": (46, 211),
    "recvmsg": (47, 212), "shutdown": (48, 210), "bind": (49, 200), "getsockname": (51, 204),
    "setsockopt": (54, 208), "getsockopt": (55, 209), "exit": (60, 93), "fcntl": (72, 25), "flock": (73, 32),
    "fsync": (74, 82), "fdatasync": (75, 83), "truncate": (76, 45), "ftruncate": (77, 46),
    "getcwd": (79, 17), "rename": (82, None), "mkdir": (83, None), "rmdir": (84, None), "link": (86, None),
    "unlink": (87, None), "readlink": (89, None), "chmod": (90, None), "fchmod": (91, 52), "umask": (95, 166),
    "geteuid": (107, 175), "gettid": (186, 178), "futex": (202, 98), "getdents64": (217, 61),
    "clock_gettime": (228, 113), "clock_nanosleep": (230, 115), "openat": (257, 56), "mkdirat": (258, 34),
    "newfstatat": (262, 79), "unlinkat": (263, 35), "renameat": (264, 38), "linkat": (265, 37),
    "readlinkat": (267, 78), "ppoll": (271, 73), "set_robust_list": (273, 99), "dup3": (292, 24),
    "renameat2": (316, 276), "getrandom": (318, 278), "statx": (332, 291), "rseq": (334, 293),
    "clone3": (435, 435), "faccessat2": (439, 439),
}  # fmt: skip
"""The numbers of the calls, on x86-64 and on 64-bit ARM."""

NAMES = {
    X86_64: {numbers[0]: name for name, numbers in _NAMES.items()},
    AARCH64: {numbers[1]: name for name, numbers in _NAMES.items() if numbers[1] is not None},
}
INWARD = frozenset({
    "brk", "clock_gettime", "clock_nanosleep", "clone3", "exit", "futex", "getpid", "getrandom", "gettid",
    "madvise", "mmap", "mprotect", "munmap", "nanosleep", "rseq", "rt_sigaction", "rt_sigprocmask",
    "sched_yield", "set_robust_list",
})  # fmt: skip
"""Calls that reach nothing outside of the process."""

BY_PATH = {"open": 0, "openat": 1, "stat": 0, "lstat": 0, "newfstatat": 1, "statx": 1, "access": 0, "rename": 0,
           "renameat": 1, "renameat2": 1, "mkdir": 0, "mkdirat": 1, "unlink": 0, "unlinkat": 1, "rmdir": 0,
           "truncate": 0, "link": 0, "linkat": 1, "chmod": 0}  # fmt: skip
"""Which argument is the path."""
BY_FILE = frozenset({
    "close", "fchmod", "fcntl", "fdatasync", "flock", "fstat", "fsync", "ftruncate", "getdents64", "lseek",
    "pread64", "pwrite64", "read", "write", "writev",
})  # fmt: skip


class SyscallInfo(ctypes.Structure):
    """`struct ptrace_syscall_info` as far as the entry into a call fills it."""

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
    """Return false where the thread has gone meanwhile. Raises OSError for anything else."""
    if from_kernel.ptrace(request, tid, address, data) >= 0:
        return True
    number = ctypes.get_errno()
    if number == 3:  # ESRCH: killed, and its end is reported next
        return False
    raise OSError(number, f"ptrace: {os.strerror(number)}")


@dataclass
class Trace:
    """One command under watch: which threads are counted, and what has been counted so far."""

    pid: int
    at: int | None
    name: str | None
    opened: str | None
    calls: list[tuple[str, str]] = field(default_factory=list)
    killed_before: int | None = None
    begun_by: dict[int, int] = field(default_factory=dict)
    held: set[int] = field(default_factory=set)
    """New threads whose first stop came before their parent's word of them."""

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
        if number == signal.SIGTRAP | 0x80:
            self._at_call(tid)
            self._go_on(tid)
        elif event == EVENT_CLONE:
            message = ctypes.c_ulong()
            if ptrace(GETEVENTMSG, tid, 0, ctypes.byref(message)):
                self.begun_by[message.value] = tid
                if message.value in self.held:
                    self.held.remove(message.value)
                    self._go_on(message.value)
            self._go_on(tid)
        elif event == EVENT_STOP and tid not in self.begun_by:
            self.held.add(tid)
        else:
            self._go_on(tid, 0 if event else number)

    def _go_on(self, tid: int, deliver: int = 0) -> None:
        ptrace(SYSCALL if self._is_counted(tid) else CONT, tid, 0, deliver)

    def _is_counted(self, tid: int) -> bool:
        return self.opened is not None or self.begun_by[tid] not in (0, self.pid)

    def _at_call(self, tid: int) -> None:
        info = SyscallInfo()
        if not ptrace(GET_SYSCALL_INFO, tid, ctypes.sizeof(info), ctypes.byref(info)) or info.op != ENTRY:
            return
        name = NAMES.get(info.arch, {}).get(info.nr, f"call {info.nr}")
        if name in INWARD or self.killed_before is not None:
            return
        about = self._about(name, info)
        if self.opened is not None and not self.calls:
            if name not in ("open", "openat") or not about.endswith(self.opened):
                return
        if self.name is not None and name != self.name:
            return
        self.calls.append((name, about))
        if len(self.calls) == self.at:
            # Dead before it was carried out: a thread stopped at the entry of a call dies there.
            self.killed_before = self.at
            os.kill(self.pid, signal.SIGKILL)

    def _about(self, name: str, info: SyscallInfo) -> str:
        if name in BY_PATH:
            return self._text(info.args[BY_PATH[name]])
        if name in BY_FILE:
            with suppress(OSError):
                return str(Path(f"/proc/{self.pid}/fd/{info.args[0]}").readlink())
        return ""

    def _text(self, address: int) -> str:
        try:
            with Path(f"/proc/{self.pid}/mem").open("rb", buffering=0) as memory:
                memory.seek(address)
                return memory.read(4096 - address % 4096).split(b"\0")[0].decode("utf-8", "replace")
        except (OSError, ValueError, OverflowError):
            return ""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--at", type=int)
    parser.add_argument("--name")
    parser.add_argument("--opened", metavar="ENDING")
    parser.add_argument("report", type=Path)
    parser.add_argument("command", nargs=argparse.REMAINDER)
    asked = parser.parse_args()
    with subprocess.Popen(asked.command) as process:
        trace = Trace(process.pid, asked.at, asked.name, asked.opened)
        end: Callable[..., None] = lambda *_signal: os.kill(process.pid, signal.SIGKILL)  # noqa: E731
        signal.signal(signal.SIGTERM, end)
        trace.begin()
        process.returncode = os.waitstatus_to_exitcode(trace.until_end())
    asked.report.write_text(json.dumps({"killed_before": trace.killed_before, "calls": trace.calls}))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

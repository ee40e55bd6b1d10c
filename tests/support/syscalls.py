"""System calls by number, and what a tracer needs to know of each."""

from __future__ import annotations

X86_64, AARCH64 = 0xC000003E, 0xC00000B7

_NUMBERS: dict[str, tuple[int, int | None]] = {
    "access": (21, None),
    "bind": (49, 200),
    "brk": (12, 214),
    "chmod": (90, None),
    "clock_gettime": (228, 113),
    "clock_nanosleep": (230, 115),
    "clone3": (435, 435),
    "close": (3, 57),
    "connect": (42, 203),
    "dup": (32, 23),
    "dup3": (292, 24),
    "exit": (60, 93),
    "exit_group": (231, 94),
    "faccessat2": (439, 439),
    "fchmod": (91, 52),
    "fchown": (93, 55),
    "fcntl": (72, 25),
    "fdatasync": (75, 83),
    "flock": (73, 32),
    "fstat": (5, 80),
    "fsync": (74, 82),
    "ftruncate": (77, 46),
    "futex": (202, 98),
    "getcwd": (79, 17),
    "getdents64": (217, 61),
    "geteuid": (107, 175),
    "getpid": (39, 172),
    "getrandom": (318, 278),
    "getsockname": (51, 204),
    "getsockopt": (55, 209),
    "gettid": (186, 178),
    "ioctl": (16, 29),
    "link": (86, None),
    "linkat": (265, 37),
    "lseek": (8, 62),
    "lstat": (6, None),
    "madvise": (28, 233),
    "mkdir": (83, None),
    "mkdirat": (258, 34),
    "mmap": (9, 222),
    "mprotect": (10, 226),
    "munmap": (11, 215),
    "nanosleep": (35, 101),
    "newfstatat": (262, 79),
    "open": (2, None),
    "openat": (257, 56),
    "poll": (7, None),
    "ppoll": (271, 73),
    "pread64": (17, 67),
    "prlimit64": (302, 261),
    "pwrite64": (18, 68),
    "read": (0, 63),
    "readlink": (89, None),
    "readlinkat": (267, 78),
    "recvfrom": (45, 207),
    "recvmsg": (47, 212),
    "rename": (82, None),
    "renameat": (264, 38),
    "renameat2": (316, 276),
    "rmdir": (84, None),
    "rseq": (334, 293),
    "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135),
    "rt_sigtimedwait": (128, 137),
    "sched_yield": (24, 124),
    "select": (23, None),
    "sendmsg": (46, 211),
    "sendto": (44, 206),
    "set_robust_list": (273, 99),
    "setsockopt": (54, 208),
    "shutdown": (48, 210),
    "socket": (41, 198),
    "stat": (4, None),
    "statx": (332, 291),
    "sysinfo": (99, 179),
    "truncate": (76, 45),
    "umask": (95, 166),
    "unlink": (87, None),
    "unlinkat": (263, 35),
    "write": (1, 64),
    "writev": (20, 66),
}
"""The numbers on x86-64 and on 64-bit ARM, which has no calls that the newer `...at` ones replace."""

_NAMES = {
    X86_64: {x86_64: name for name, (x86_64, _) in _NUMBERS.items()},
    AARCH64: {aarch64: name for name, (_, aarch64) in _NUMBERS.items() if aarch64 is not None},
}

INWARD = frozenset(
    {
        *("brk", "madvise", "mmap", "mprotect", "munmap"),
        # fcntl: SQLite's locks, which go with the process, and which other threads' queries make come and go.
        *("clone3", "exit", "fcntl", "futex", "getpid", "gettid", "rseq", "sched_yield", "set_robust_list"),
        *("clock_gettime", "clock_nanosleep", "getrandom", "nanosleep"),
        *("rt_sigaction", "rt_sigprocmask", "rt_sigtimedwait"),
    }
)
"""Calls that reach nothing outside of the process: its memory, its threads, the clock, its signals."""

OUTWARD = frozenset(
    {
        *("close", "connect", "fchmod", "fdatasync", "flock", "fsync", "ftruncate", "mkdir", "mkdirat"),
        *("openat", "pwrite64", "recvfrom", "rename", "renameat", "renameat2", "rmdir", "sendto", "unlink"),
        *("unlinkat", "write", "writev"),
    }
)
"""Calls that change something outside of the process, or make a change last."""

_FIRST, _SECOND = 0, 1
PATH_ARGUMENT = {
    **dict.fromkeys(
        (
            "access",
            "chmod",
            "link",
            "lstat",
            "mkdir",
            "open",
            "rename",
            "rmdir",
            "stat",
            "truncate",
            "unlink",
        ),
        _FIRST,
    ),
    **dict.fromkeys(
        ("linkat", "mkdirat", "newfstatat", "openat", "renameat", "renameat2", "statx", "unlinkat"), _SECOND
    ),
}
"""Which argument is a path."""

OF_A_FILE = frozenset(
    {
        *("close", "fchmod", "fchown", "fcntl", "fdatasync", "flock", "fstat", "fsync", "ftruncate"),
        *("getdents64", "lseek", "pread64", "pwrite64", "read", "write", "writev"),
    }
)
"""Calls whose first argument is an open file."""

SYNCS = frozenset({"fdatasync", "fsync"})


def call_name(architecture: int, number: int) -> str:
    """Return the name of a call; `call 302` for one that is not listed here."""
    return _NAMES.get(architecture, {}).get(number, f"call {number}")

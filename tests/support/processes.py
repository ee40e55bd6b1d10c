"""What a process costs, and the ports of this machine, for tests and benches."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from pathlib import Path

from support.daemon import wait_until


def cpu_s(pid: int) -> float:
    """Return how much CPU time a process has used, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mib(pid: int, what: str = "VmRSS") -> float:
    """Return the resident memory of a process in MiB; `VmHWM`: the most that it ever had."""
    lines = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return int(lines[what].split()[0]) / 1024


def free_port() -> int:
    """Return a port of loopback that is free just now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def wait_for_port(port: int) -> None:
    """Wait until somebody listens on a port of loopback."""
    wait_until(lambda: is_open(port), what=f"port {port}")


def is_open(port: int) -> bool:
    """Return whether somebody listens on a port of loopback."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False

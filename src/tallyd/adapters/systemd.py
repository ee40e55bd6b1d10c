"""Notifies systemd (`Type=notify`): ready, reloading, stopping, alive, and one line of status.

The message is a datagram of `KEY=value` lines to the socket in `$NOTIFY_SOCKET`; see sd_notify(3).
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping, MutableMapping

from tallyd.core.texts import shortened

MOST_STATUS_CHARS = 400
"""At most four bytes each: systemd ignores a datagram above 4,096 bytes."""

_SEND_TIMEOUT_S = 0.5


class ServiceManager:
    """Sends notifications to systemd. Does nothing if systemd did not start this process. Never raises.

    `watchdog_interval_s`: call `watchdog()` this often (half of what systemd allows); None without
    `WatchdogSec=`. Thread-safe.
    """

    def __init__(self, address: str | None = None, *, watchdog_interval_s: float | None = None) -> None:
        self._address = _socket_address(address or "")
        self.watchdog_interval_s = watchdog_interval_s

    @classmethod
    def from_environment(cls, environment: MutableMapping[str, str] = os.environ) -> ServiceManager:
        """Read and remove the variables of systemd, so that child processes can't notify systemd."""
        service_manager = cls(
            environment.get("NOTIFY_SOCKET"), watchdog_interval_s=_watchdog_interval_s(environment)
        )
        for name in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"):
            environment.pop(name, None)
        return service_manager

    @property
    def is_heard(self) -> bool:
        """Whether systemd started this process, and so can start it again."""
        return self._address is not None

    def ready(self, status: str) -> None:
        """Tell systemd that the start, or a reload, is complete."""
        self._send(f"READY=1\n{_status(status)}")

    def status(self, text: str) -> None:
        """Show `text` in `systemctl status`, on one line and shortened if it is too long."""
        self._send(_status(text))

    def reloading(self) -> None:
        """Tell systemd that a reload began. `ready()` ends it."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """Tell systemd that the shutdown began."""
        self._send("STOPPING=1")

    def watchdog(self) -> None:
        """Tell systemd that the process is alive."""
        self._send("WATCHDOG=1")

    def _send(self, text: str) -> None:
        if self._address is None:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.settimeout(_SEND_TIMEOUT_S)
                sender.sendto(text.encode(), self._address)
        except OSError:
            # The socket is full or gone. That must not stop the daemon: watchdog and status are sent again
            # soon, and if READY=1 is lost, systemd restarts the service.
            return


def _socket_address(written: str) -> str | None:
    """Return the address for a path or an abstract name (`@`); None for anything else."""
    if written.startswith("@"):
        return "\0" + written[1:]
    return written if written.startswith("/") else None


def _status(text: str) -> str:
    return f"STATUS={shortened(text, MOST_STATUS_CHARS)}"


def _watchdog_interval_s(environment: Mapping[str, str]) -> float | None:
    for_pid = environment.get("WATCHDOG_PID", "")
    usec = environment.get("WATCHDOG_USEC", "")
    if not (usec.isdecimal() and usec.isascii()) or int(usec) == 0:
        return None
    if for_pid and for_pid != str(os.getpid()):
        return None  # meant for a process that started this one
    return int(usec) / 2e6

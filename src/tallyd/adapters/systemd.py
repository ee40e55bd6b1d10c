"""What systemd is told (`Type=notify`): ready, reloading, stopping, alive, and one line of status.

A datagram of `KEY=value` lines to the socket that `$NOTIFY_SOCKET` names, as sd_notify(3) describes it.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping, MutableMapping

from tallyd.core.texts import shortened

MOST_STATUS_CHARS = 400
"""Four bytes each at most: systemd ignores a datagram above 4,096 bytes."""

_SEND_TIMEOUT_S = 0.5


class ServiceManager:
    """Tells systemd, or nobody when the process was not started by it. Never raises.

    `watchdog_interval_s`: how often `watchdog()` is to be called (half of what systemd allows), None
    without `WatchdogSec=`. Any thread may call.
    """

    def __init__(self, address: str | None = None, *, watchdog_interval_s: float | None = None) -> None:
        self._address = _socket_address(address or "")
        self.watchdog_interval_s = watchdog_interval_s

    @classmethod
    def from_environment(cls, environment: MutableMapping[str, str] = os.environ) -> ServiceManager:
        """Read what systemd set, and take it out: what tallyd starts itself may not speak for it."""
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
        """Say that start-up, or a reload, is done."""
        self._send(f"READY=1\n{_status(status)}")

    def status(self, text: str) -> None:
        """Show `text` in `systemctl status`: on one line, and cut where it is too long."""
        self._send(_status(text))

    def reloading(self) -> None:
        """Say that a reload began; `ready()` ends it."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """Say that the shutdown began."""
        self._send("STOPPING=1")

    def watchdog(self) -> None:
        """Say that the process is alive."""
        self._send("WATCHDOG=1")

    def _send(self, text: str) -> None:
        if self._address is None:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.settimeout(_SEND_TIMEOUT_S)
                sender.sendto(text.encode(), self._address)
        except OSError:
            # Dropped: the socket is full or gone. A watchdog or a status comes again by itself; where
            # READY=1 is lost, systemd starts the service once more. Counting may not end because of it.
            return


def _socket_address(written: str) -> str | None:
    """Return the address of a path or of an abstract name (`@`); None for none, and for other kinds."""
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

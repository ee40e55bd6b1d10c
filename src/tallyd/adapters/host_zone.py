"""The time zone of this machine."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import tzlocal

_CONTRADICTION = (
    'this machine contradicts itself about its time zone; write one here, such as "Europe/Berlin"'
)


@dataclass(frozen=True)
class HostZone:
    """The zone. `trouble` says why it can't be told (the zone is then UTC), `note` what is odd about it."""

    zone: ZoneInfo
    trouble: str | None = None
    note: str | None = None


class _Heard(logging.Filter):
    """Keeps what a logger says from the log, and remembers that it spoke."""

    has_spoken = False

    def filter(self, record: logging.LogRecord) -> bool:
        del record
        self.has_spoken = True
        return False


def read_host_zone() -> HostZone:
    """Return the host's zone as it is now; it may have been changed since the process began."""
    heard, logger = _Heard(), logging.getLogger("tzlocal")
    logger.addFilter(heard)
    try:
        zone = tzlocal.reload_localzone()
    except (LookupError, OSError, ValueError):
        # tzlocal refuses to guess where the files below /etc disagree or make no sense.
        return HostZone(ZoneInfo("UTC"), trouble=_CONTRADICTION)
    finally:
        logger.removeFilter(heard)
    # All that tzlocal warns of, several times a call: that it goes by one of two files.
    note = (
        f"/etc/timezone names another zone than /etc/localtime, which counts: {zone}. To set both: "
        f"sudo timedatectl set-timezone {zone}"
    )
    return HostZone(zone, note=note if heard.has_spoken else None)

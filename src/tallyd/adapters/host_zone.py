"""The time zone of this machine."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import tzlocal

from tallyd.core.language.messages import english

_CONTRADICTION = (
    'this machine contradicts itself about its time zone; write one here, such as "Europe/Berlin"'
)


@dataclass(frozen=True)
class HostZone:
    """The zone. `trouble`: why it is unknown (the zone is then UTC). `note`: what is odd about it."""

    zone: ZoneInfo
    trouble: str | None = None
    note: str | None = None


class _Silencer(logging.Filter):
    """Drops all records of a logger, and remembers that there was one."""

    has_spoken = False

    def filter(self, record: logging.LogRecord) -> bool:
        del record
        self.has_spoken = True
        return False


def read_host_zone() -> HostZone:
    """Return the host's zone as it is now. It may have changed since the process began."""
    silencer, logger = _Silencer(), logging.getLogger("tzlocal")
    logger.addFilter(silencer)
    try:
        zone = tzlocal.reload_localzone()
    except (LookupError, OSError, ValueError):
        # tzlocal does not guess if the files below /etc disagree or make no sense.
        return HostZone(ZoneInfo("UTC"), trouble=_CONTRADICTION)
    finally:
        logger.removeFilter(silencer)
    # tzlocal has only one warning: two files disagree, and it uses one of them. It logs it several times.
    note = english(
        "/etc/timezone names another zone than /etc/localtime, which counts: {zone}. To set both: "
        "sudo timedatectl set-timezone {zone}",
        zone=str(zone),
    )
    return HostZone(zone, note=note if silencer.has_spoken else None)

"""The other daemons on the database of a config, for commands."""

from __future__ import annotations

import socket
from datetime import datetime

from tallyd.adapters.records.reader import RecordsReader
from tallyd.config.jobs import duties_of
from tallyd.config.model import Config
from tallyd.core.errors import RecordsError
from tallyd.core.hosts import Host, neighbours_of


def other_hosts(config: Config, reader: RecordsReader, *, now: datetime) -> tuple[Host, ...]:
    """Return the other daemons; none if no poller uses the database, or while it cannot be read."""
    if not duties_of(config):
        return ()
    try:
        hosts = reader.hosts(now=now)
    except RecordsError:
        return ()  # who shows what is in the database shows why it cannot be read
    return neighbours_of(hosts, name=socket.gethostname(), folder=str(config.state_dir))

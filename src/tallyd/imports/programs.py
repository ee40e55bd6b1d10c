"""The older programs whose config and data tallyd can take over. Each is one line here and one file."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from tallyd.core.language.messages import mark
from tallyd.imports import divera_status_logger, server_differences, server_status_check, visitorsflow
from tallyd.imports.values import Program

PROGRAMS: Final = MappingProxyType(
    {
        "divera-status-logger": Program(
            kind="divera",
            read_config=divera_status_logger.read_config,
            bring_data=divera_status_logger.bring_data,
            things=mark("{count:# reading|# readings}"),
        ),
        visitorsflow.PROGRAM: Program(
            kind="visitors",
            read_config=visitorsflow.read_config,
            bring_data=visitorsflow.bring_data,
            things=mark("{count:# record|# records}"),
        ),
        server_status_check.PROGRAM: Program(
            kind="servers",
            read_config=server_status_check.read_config,
            bring_data=server_differences.bring_data,
            things=mark("{count:# check|# checks}"),
        ),
    }
)

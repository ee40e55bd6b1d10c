"""The options that several commands have."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from tallyd.cli import completion

Format = Literal["table", "csv", "json", "html"]
PlainFormat = Literal["table", "csv", "json"]
SchemaFormat = Literal["json", "markdown", "alerts"]
OldProgram = Literal["divera-status-logger", "visitorsflow", "server-status-check"]
"""Each is one of `imports/programs.py`, which takes long to load."""


def _wide(context: typer.Context, asked: bool) -> None:  # typer's
    if asked:
        from tallyd.presentation.terminal import wide_tables

        context.with_resource(wide_tables())


Wide = Annotated[
    bool,
    typer.Option("--wide", callback=_wide, expose_value=False, help="Print tables wider than the terminal."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
AsJsonInPipe = Annotated[
    bool, typer.Option("--json", help="Print JSON (always in a pipe) instead of a table.")
]
Excel = Annotated[
    bool,
    typer.Option(
        "--excel",
        help="CSV for Excel, in the language of the config: byte order mark, semicolons, decimal comma.",
    ),
]
PollerName = Annotated[
    str,
    typer.Argument(
        metavar="POLLER", help="Name of a poller in the config.", autocompletion=completion.pollers
    ),
]

"""The commands below `tallyd service`: options and help. Each imports its modules when it is called."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from tallyd.cli.examples import epilog
from tallyd.cli.service.places import Places
from tallyd.cli.service.system import ServiceError
from tallyd.core.errors import EXIT_PROBLEM
from tallyd.core.language.languages import language_of_locale, reading_in

service = typer.Typer(
    help="Install tallyd as a service of systemd, upgrade it, go back, or remove it.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@service.command(epilog=epilog("service install"))
def install(
    context: typer.Context,
    asks: Annotated[bool, typer.Option("--ask", help="Ask what to count, if there is no config.")] = False,
    backup: Annotated[
        Path | None,
        typer.Option(
            "--restore",
            metavar="FILE",
            exists=True,
            readable=True,
            dir_okay=False,
            help="On a new machine: config and data of a backup.",
        ),
    ] = None,
) -> None:
    """Install this tallyd as the service, or upgrade the service to it."""
    if asks and backup:
        context.fail("--ask and --restore exclude each other")
    from tallyd.cli.service.install import install as command

    _call(lambda: command(Places(), asks=asks, backup=backup))


@service.command(epilog=epilog("service rollback"))
def rollback() -> None:
    """Switch back to the previous version; again: switch forward."""
    from tallyd.cli.service.install import roll_back as command

    _call(lambda: command(Places()))


@service.command(epilog=epilog("service allow"))
def allow(folder: Annotated[str, typer.Argument(metavar="PATH", help="A folder, such as an inbox.")]) -> None:
    """Let the service write to another folder."""
    from tallyd.cli.service.allow import allow as command

    _call(lambda: command(Places(), folder))


@service.command(epilog=epilog("service uninstall"))
def uninstall(
    purges: Annotated[bool, typer.Option("--purge", help="Also its config, data, log and user.")] = False,
) -> None:
    """Remove the service. Its config, data and log stay."""
    from tallyd.cli.service.uninstall import uninstall as command

    _call(lambda: command(Places(), purges=purges))


def _call(command: Callable[[], None]) -> None:
    """Run a command in the language of the terminal. Exit status 1 if it cannot be done."""
    try:
        with reading_in(language_of_locale(os.environ)):
            command()
    except ServiceError as error:
        typer.echo(f"tallyd: {error}", err=True)
        raise typer.Exit(EXIT_PROBLEM) from error

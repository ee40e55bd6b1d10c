"""The commands that run something, and those for the config: options and help.

Each imports its modules when it is called, so that `--help` stays fast.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tallyd.cli import completion
from tallyd.cli.options import AsJsonInPipe, OldProgram, PollerName, SchemaFormat, Wide


def run(context: typer.Context) -> None:
    """Run the daemon in the foreground."""
    from tallyd.cli.process.run import run as command

    raise typer.Exit(command(context.obj))


def check(
    context: typer.Context,
    online: Annotated[
        bool, typer.Option("--online", help="Also try each source and channel. Changes and sends nothing.")
    ] = False,
    wide: Wide = False,
) -> None:
    """Show every problem of the config; if there is none, the time zone and the next runs of each job."""
    from tallyd.cli.config.check import check as command

    raise typer.Exit(command(context.obj, online=online))


def once(
    context: typer.Context,
    poller: PollerName,
    job: Annotated[str | None, typer.Option("--job", help="Run only this job.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Write nothing; show what tallyd would write.")
    ] = False,
    as_json: AsJsonInPipe = False,
    attempts: Annotated[
        int | None, typer.Option("--attempts", min=1, max=100, help="Number of tries.")
    ] = None,
    wide: Wide = False,
) -> None:
    """Run a poller's jobs once, now. The daemon may run at the same time."""
    from tallyd.cli.actions.once import once as command

    raise typer.Exit(
        command(context.obj, poller, job=job, dry_run=dry_run, as_json=as_json, attempts=attempts)
    )


def notify(
    context: typer.Context,
    channel: Annotated[
        str,
        typer.Argument(
            metavar="CHANNEL", help="Name of a channel in the config.", autocompletion=completion.channels
        ),
    ],
    message: Annotated[str | None, typer.Option("--message", metavar="TEXT", help="What to send.")] = None,
) -> None:
    """Send a test message to a channel."""
    from tallyd.cli.actions.notify import notify as command

    raise typer.Exit(command(context.obj, channel, text=message))


def privacy_check(context: typer.Context, poller: PollerName) -> None:
    """Check with live data that tallyd wrote no personal data."""
    from tallyd.cli.privacy.privacy_check import privacy_check as command

    raise typer.Exit(command(context.obj, poller))


def backup(
    context: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE", help="The file to write; -: stdout.")],
    private: Annotated[
        bool, typer.Option("--private", help="Also secrets and user names; the config as it is.")
    ] = False,
    out: Annotated[
        bool, typer.Option("--out", help="Also the out files. A restore writes them in any case.")
    ] = False,
) -> None:
    """Write databases and config into one file. The daemon may run at the same time."""
    from tallyd.cli.actions.backup import backup as command

    raise typer.Exit(command(context.obj, file, is_private=private, with_out=out))


def restore(
    context: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE", help="A file of `backup`; -: stdin.")],
    into: Annotated[Path | None, typer.Option("--into", hidden=True, help="For `service install`.")] = None,
) -> None:
    """Write what a backup has and this machine lacks. Overwrites nothing; the daemon must not run."""
    from tallyd.cli.actions.restore import restore as command

    raise typer.Exit(command(context.obj, file, into=into))


def schema(
    shape: Annotated[
        SchemaFormat, typer.Option("--format", help="JSON Schema, documentation, or all alerts.")
    ] = "json",
) -> None:
    """Print the schema of the config, its documentation, or a table of all alerts."""
    from tallyd.cli.config.schema import schema as command

    raise typer.Exit(command(shape))


def _known_kind(kind: str | None) -> str | None:
    from tallyd.config.settings import BY_KIND

    if kind is not None and kind not in BY_KIND:
        raise typer.BadParameter(f"{kind!r} is not one of {', '.join(map(repr, BY_KIND))}.")
    return kind


def init(
    context: typer.Context,
    kind: Annotated[
        str | None,
        typer.Option(
            "--kind",
            metavar="KIND",
            callback=_known_kind,
            help="Kind of poller, such as visitors. Default: divera.",
        ),
    ] = None,
    asking: Annotated[
        bool,
        typer.Option(
            "--ask", help="Ask a few questions, try the answers, write the config, take a first reading."
        ),
    ] = False,
    into: Annotated[Path | None, typer.Option("--into", hidden=True, help="For `service install`.")] = None,
) -> None:
    """Print a starting config; with --ask, write one from a few answers."""
    if asking:
        from tallyd.cli.config.ask import ask

        raise typer.Exit(ask(context.obj, kind=kind, into=into))
    from tallyd.cli.config.init import init as command

    raise typer.Exit(command(kind, context.obj))


def import_(
    context: typer.Context,
    program: Annotated[OldProgram, typer.Argument(help="Name of the program.")],
    old: Annotated[
        str,
        typer.Argument(
            metavar="OLD",
            help="Its folder or config file. Or its data: a dump (.sql), a CSV file, or the URL of a "
            "database, as env:NAME or file:PATH.",
        ),
    ],
    prints_config: Annotated[
        bool, typer.Option("--print-config", help="Only print a config for tallyd, made of the old one.")
    ] = False,
    poller: Annotated[
        str,
        typer.Option(
            "--poller",
            metavar="P",
            help="Poller that gets the data. Default: the only one.",
            autocompletion=completion.pollers,
        ),
    ] = "",
    table: Annotated[
        str, typer.Option("--table", metavar="NAME", help="Table to read, if several may have the data.")
    ] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Write nothing; show what would come.")] = False,
) -> None:
    """Take over the data of an older program, or its config. Nothing that exists is changed."""
    from tallyd.cli.actions.imports import Wanted, bring_data, print_config

    wanted = Wanted(program=program, old=old, poller=poller, table=table, dry_run=dry_run)
    raise typer.Exit((print_config if prints_config else bring_data)(context.obj, wanted))


def demo(
    duration: Annotated[
        str | None,
        typer.Option(
            "--for", metavar="60s", help="Stop after it has run for this time. Default: run until Ctrl-C."
        ),
    ] = None,
    serve_only: Annotated[
        bool, typer.Option("--serve-only", help="Serve only the small world, to try a config with it.")
    ] = False,
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port of the small world.")] = 0,
) -> None:
    """Run the daemon in a small invented world on this machine."""
    from tallyd.demo import demo as command

    raise typer.Exit(command(duration=duration, serve_only=serve_only, port=port))

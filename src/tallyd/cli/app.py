"""The command line. Each command imports its modules when it is called, so that `--help` stays fast."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from typer.core import TyperGroup

import tallyd
from tallyd.core.periods import By


class _Commands(TyperGroup):
    """The commands. Each also accepts `--version`, as it accepts `--help`."""

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        command = super().get_command(ctx, cmd_name)
        if command is not None:
            command.params += [option for option in self.params if option.name == "version"]
        return command

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except typer.BadParameter as error:
            from tallyd.config.problems import option_fault

            error.message = option_fault(error.__cause__) or error.message
            raise


app = typer.Typer(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Counts things on a schedule, writes each count to a file, and sends alerts when counts stop.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # they print local variables, and a local variable may be a key
    rich_markup_mode=None,
)


Format = Literal["table", "csv", "json", "html"]
PlainFormat = Literal["table", "csv", "json"]
SchemaFormat = Literal["json", "markdown", "alerts"]
_WITHOUT_LOG = frozenset({"run", "schema", "init", "demo"})
"""The commands that load no config, or have a log of their own."""


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
PollerName = Annotated[str, typer.Argument(metavar="POLLER", help="Name of a poller in the config.")]


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"tallyd {tallyd.__version__}")
        raise typer.Exit


@app.callback()
def _common(
    context: typer.Context,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            metavar="PATH",
            readable=False,  # typer does not check the file; reading it gives a better message
            help="Config file. Default: $TALLYD_CONFIG, else ./config.json.",
        ),
    ] = None,
    version: Annotated[
        bool,
        typer.Option(
            "-V",
            "--version",
            callback=_version,
            is_eager=True,
            expose_value=False,  # the functions of the commands have no argument `version`
            help="Print the version.",
        ),
    ] = False,
) -> None:
    context.obj = config or Path(os.environ.get("TALLYD_CONFIG") or "config.json")
    if context.invoked_subcommand not in _WITHOUT_LOG:
        from tallyd.cli.shared import log_to_stderr

        log_to_stderr()


@app.command()
def run(context: typer.Context) -> None:
    """Run the daemon in the foreground."""
    from tallyd.cli.process.daemon_process import run as command

    raise typer.Exit(command(context.obj))


@app.command()
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


@app.command()
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


@app.command()
def status(context: typer.Context, as_json: AsJson = False, wide: Wide = False) -> None:
    """Show the active config, the last and next run of each job, and open alerts."""
    from tallyd.cli.views.status import status as command

    raise typer.Exit(command(context.obj, as_json=as_json))


@app.command()
def report(
    context: typer.Context,
    start: Annotated[
        str,
        typer.Option(
            "--from",
            metavar="D",
            help="First day, YYYY-MM-DD. Default: 30 days; visitors: today; servers: a week.",
        ),
    ] = "",
    end: Annotated[str, typer.Option("--to", metavar="D", help="Last day, YYYY-MM-DD. Default: today.")] = "",
    back: Annotated[
        str,
        typer.Option("--range", metavar="R", help="Instead of days: 24h, 7d, 30d, 90d or 365d until now."),
    ] = "",
    poller: Annotated[str, typer.Option("--poller", metavar="P", help="Only this poller.")] = "",
    by: Annotated[
        By | None,
        typer.Option("--by", help="Group by this. Default: no grouping; visitors: by hour."),
    ] = None,
    source: Annotated[str, typer.Option("--source", metavar="S", help="Visitors: only this source.")] = "",
    group: Annotated[
        str,
        typer.Option(
            "--group",
            metavar="G",
            help="Visitors: only this group of sources. Divera: a requirement by its name, or statuses to "
            "add up, such as 50101+50102.",
        ),
    ] = "",
    target: Annotated[str, typer.Option("--target", metavar="T", help="Servers: only this target.")] = "",
    fulfilment: Annotated[
        bool, typer.Option("--fulfilment", help="Divera: how often requirements were met.")
    ] = False,
    shape: Annotated[
        Format, typer.Option("--format", help="Output format; html: one page with charts.")
    ] = "table",
    table: Annotated[
        str, typer.Option("--table", metavar="K", help="Only this table, by its key in the JSON.")
    ] = "",
    excel: Annotated[
        bool, typer.Option("--excel", help="CSV for Excel: byte order mark, semicolons, decimal comma.")
    ] = False,
    wide: Wide = False,
) -> None:
    """Print counts over time."""
    from tallyd.cli.views.report import Wanted
    from tallyd.cli.views.report import report as command

    yes = "yes" if fulfilment else ""
    options = {"source": source, "group": group, "target": target, "fulfilment": yes}
    wanted = Wanted(
        start=start,
        end=end,
        back=back,
        poller=poller,
        by=by or "",
        shape=shape,
        excel=excel,
        table=table,
        options={name: value for name, value in options.items() if value},
    )
    raise typer.Exit(command(context.obj, wanted))


@app.command()
def files(
    context: typer.Context,
    rejected: Annotated[
        bool, typer.Option("--rejected", help="Only rejected files that are still in quarantine.")
    ] = False,
    poller: Annotated[str | None, typer.Option("--poller", metavar="P", help="Only this poller.")] = None,
    most: Annotated[
        int, typer.Option("--most", min=1, max=100_000, help="Number of files, newest first.")
    ] = 50,
    as_json: AsJson = False,
    wide: Wide = False,
) -> None:
    """Show which files were ingested and rejected."""
    from tallyd.cli.views.files import files as command

    raise typer.Exit(command(context.obj, poller=poller, rejected=rejected, most=most, as_json=as_json))


@app.command()
def replay(
    context: typer.Context,
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="FILE...", help="Rejected files, as `files --rejected` shows them."),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All rejected files.")] = False,
    source: Annotated[str | None, typer.Option("--source", metavar="S", help="Only this source.")] = None,
    poller: Annotated[str | None, typer.Option("--poller", metavar="P", help="Only this poller.")] = None,
) -> None:
    """Move rejected files back into the inbox, after you have fixed the cause."""
    from tallyd.cli.views.files import replay as command

    raise typer.Exit(command(context.obj, names or (), every=every, source=source, poller=poller))


@app.command()
def alerts(
    context: typer.Context,
    past: Annotated[
        bool, typer.Option("--past", help="Show incidents: what was wrong, when, and who was notified.")
    ] = False,
    start: Annotated[
        str,
        typer.Option("--from", metavar="D", help="With --past: first day, YYYY-MM-DD. Default: 30 days."),
    ] = "",
    end: Annotated[
        str, typer.Option("--to", metavar="D", help="With --past: last day, YYYY-MM-DD. Default: today.")
    ] = "",
    poller: Annotated[
        str,
        typer.Option("--poller", metavar="P", help="With --past: only this poller; tallyd: tallyd itself."),
    ] = "",
    shape: Annotated[
        PlainFormat | None, typer.Option("--format", help="With --past: output format. Default: table.")
    ] = None,
    most: Annotated[
        int,
        typer.Option("--most", min=1, max=100_000, help="Without --json: number of alerts, errors first."),
    ] = 100,
    as_json: AsJson = False,
    wide: Wide = False,
) -> None:
    """Show the open alerts, which channels were notified, and what is muted; or past incidents."""
    from tallyd.cli.views.alerts import alerts as command
    from tallyd.cli.views.past_alerts import Wanted, past_alerts

    asked = {"--from": start, "--to": end, "--poller": poller, "--format": shape}
    if not past:
        others = [option for option, given in asked.items() if given]
        if others:
            context.fail(f"{', '.join(others)}: only with --past")
        raise typer.Exit(command(context.obj, most=most, as_json=as_json))
    chosen = shape or ("json" if as_json else "table")
    if as_json and chosen != "json":
        context.fail(f"--json is JSON; leave out --json or --format {chosen}")
    wanted = Wanted(start=start, end=end, poller=poller, shape=chosen)
    raise typer.Exit(past_alerts(context.obj, wanted))


@app.command()
def mute(
    context: typer.Context,
    key: Annotated[
        str,
        typer.Argument(
            metavar="KEY",
            help="Key of an alert, or a pattern such as 'apps/*/stale'. It need not be open yet.",
        ),
    ],
    lasts: Annotated[str, typer.Option("--for", metavar="2h", help="How long.")],
    why: Annotated[
        str, typer.Option("--why", metavar="TEXT", help="Reason, which the channels also get.")
    ] = "",
    even_if_unknown: Annotated[
        bool, typer.Option("--even-if-unknown", help="Mute even if this config cannot raise such an alert.")
    ] = False,
) -> None:
    """Stop the messages about a known problem for a while."""
    from tallyd.cli.actions.mutes import mute as command

    raise typer.Exit(command(context.obj, key, lasts=lasts, why=why, even_if_unknown=even_if_unknown))


@app.command()
def unmute(
    context: typer.Context,
    key: Annotated[str, typer.Argument(metavar="KEY", help="The same KEY that was muted.")],
) -> None:
    """End a mute."""
    from tallyd.cli.actions.mutes import unmute as command

    raise typer.Exit(command(context.obj, key))


@app.command()
def ack(
    context: typer.Context,
    key: Annotated[
        str, typer.Argument(metavar="KEY", help="Key of an open alert, or a pattern such as 'apps/*/stale'.")
    ],
    why: Annotated[
        str, typer.Option("--why", metavar="TEXT", help="What you do about it, which the channels also get.")
    ] = "",
) -> None:
    """Acknowledge an open alert: no more reminders, and no further channel, until it is resolved."""
    from tallyd.cli.actions.mutes import ack as command

    raise typer.Exit(command(context.obj, key, why=why))


@app.command()
def notify(
    context: typer.Context,
    channel: Annotated[str, typer.Argument(metavar="CHANNEL", help="Name of a channel in the config.")],
    message: Annotated[str | None, typer.Option("--message", metavar="TEXT", help="What to send.")] = None,
) -> None:
    """Send a test message to a channel."""
    from tallyd.cli.actions.notify import notify as command

    raise typer.Exit(command(context.obj, channel, text=message))


@app.command("privacy-check")
def privacy_check(context: typer.Context, poller: PollerName) -> None:
    """Check with live data that tallyd wrote no personal data."""
    from tallyd.cli.privacy.privacy_check import privacy_check as command

    raise typer.Exit(command(context.obj, poller))


@app.command()
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


@app.command()
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
    into: Annotated[Path | None, typer.Option("--into", hidden=True, help="For setup.sh.")] = None,
) -> None:
    """Print a starting config; with --ask, write one from a few answers."""
    if asking:
        from tallyd.cli.config.ask import ask

        raise typer.Exit(ask(context.obj, kind=kind, into=into))
    from tallyd.cli.config.init import init as command

    raise typer.Exit(command(kind, context.obj))


@app.command()
def demo(
    duration: Annotated[
        str | None,
        typer.Option("--for", metavar="60s", help="Stop after this time. Default: run until Ctrl-C."),
    ] = None,
    serve_only: Annotated[
        bool, typer.Option("--serve-only", help="Serve only the small world, to try a config with it.")
    ] = False,
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port of the small world.")] = 0,
) -> None:
    """Run the daemon in a small invented world on this machine."""
    from tallyd.demo import demo as command

    raise typer.Exit(command(duration=duration, serve_only=serve_only, port=port))

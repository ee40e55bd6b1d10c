"""The commands that show what is stored, and those for what they show: options and help.

Each imports its modules when it is called, so that `--help` stays fast.
"""

from __future__ import annotations

from typing import Annotated

import typer

from tallyd.cli import completion
from tallyd.cli.options import AsJson, Excel, Format, PlainFormat, PollerName, Wide
from tallyd.core.periods import By


def status(context: typer.Context, as_json: AsJson = False, wide: Wide = False) -> None:
    """Show the active config, the last and next run of each job, and open alerts."""
    from tallyd.cli.views.status import status as command

    raise typer.Exit(command(context.obj, as_json=as_json))


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
    poller: Annotated[
        str,
        typer.Option("--poller", metavar="P", help="Only this poller.", autocompletion=completion.pollers),
    ] = "",
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
            help="Visitors, servers: only this group of sources or targets. Divera: a requirement by its "
            "name, or statuses to add up, such as 50101+50102.",
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
    excel: Excel = False,
    wide: Wide = False,
) -> None:
    """Print counts over time."""
    from tallyd.cli.views.report import report as command
    from tallyd.reporting.chapters import Wanted

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


def files(
    context: typer.Context,
    rejected: Annotated[
        bool, typer.Option("--rejected", help="Only rejected files that are still in quarantine.")
    ] = False,
    poller: Annotated[
        str | None,
        typer.Option("--poller", metavar="P", help="Only this poller.", autocompletion=completion.pollers),
    ] = None,
    most: Annotated[
        int, typer.Option("--most", min=1, max=100_000, help="Number of files, newest first.")
    ] = 50,
    as_json: AsJson = False,
    wide: Wide = False,
) -> None:
    """Show which files were ingested and rejected."""
    from tallyd.cli.views.files import files as command

    raise typer.Exit(command(context.obj, poller=poller, rejected=rejected, most=most, as_json=as_json))


def replay(
    context: typer.Context,
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="FILE...", help="Rejected files, as `files --rejected` shows them."),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All rejected files.")] = False,
    source: Annotated[str | None, typer.Option("--source", metavar="S", help="Only this source.")] = None,
    poller: Annotated[
        str | None,
        typer.Option("--poller", metavar="P", help="Only this poller.", autocompletion=completion.pollers),
    ] = None,
) -> None:
    """Move rejected files back into the inbox, after you have fixed the cause."""
    from tallyd.cli.views.files import replay as command

    raise typer.Exit(command(context.obj, names or (), every=every, source=source, poller=poller))


def correct(
    context: typer.Context,
    poller: PollerName,
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="Source that was counted by hand.")],
    inside: Annotated[
        int, typer.Option("--inside", metavar="N", min=0, max=1_000_000, help="How many are inside.")
    ],
    why: Annotated[str, typer.Option("--why", metavar="TEXT", help="Reason, shown beside the correction.")],
    at: Annotated[
        str,
        typer.Option("--at", metavar="T", help="When that was, HH:MM or YYYY-MM-DDTHH:MM. Default: now."),
    ] = "",
) -> None:
    """Correct how many visitors are inside, after a count by hand. The counts themselves stay as they are."""
    from tallyd.cli.actions.correct import correct as command

    raise typer.Exit(command(context.obj, poller, source, inside=inside, at=at, why=why))


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
    group: Annotated[
        str,
        typer.Option("--group", metavar="G", help="Only alerts about this group of targets or sources."),
    ] = "",
    shape: Annotated[
        PlainFormat | None, typer.Option("--format", help="With --past: output format. Default: table.")
    ] = None,
    excel: Excel = False,
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

    asked = {"--from": start, "--to": end, "--poller": poller, "--format": shape, "--excel": excel}
    if not past:
        others = [option for option, given in asked.items() if given]
        if others:
            context.fail(f"{', '.join(others)}: only with --past")
        raise typer.Exit(command(context.obj, group=group, most=most, as_json=as_json))
    chosen = shape or ("json" if as_json else "csv" if excel else "table")
    if as_json and chosen != "json":
        context.fail(f"--json is JSON; leave out --json or --format {chosen}")
    if excel and chosen == "json":
        context.fail("--excel is CSV; leave out --excel or JSON")
    wanted = Wanted(start=start, end=end, poller=poller, group=group, shape=chosen, excel=excel)
    raise typer.Exit(past_alerts(context.obj, wanted))


def mute(
    context: typer.Context,
    key: Annotated[
        str,
        typer.Argument(
            metavar="KEY",
            help="Key of an alert, or a pattern such as 'apps/*/stale'. It need not be open yet.",
            autocompletion=completion.open_keys,
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


def unmute(
    context: typer.Context,
    key: Annotated[
        str,
        typer.Argument(
            metavar="KEY", help="The same KEY that was muted.", autocompletion=completion.muted_keys
        ),
    ],
) -> None:
    """End a mute."""
    from tallyd.cli.actions.mutes import unmute as command

    raise typer.Exit(command(context.obj, key))


def ack(
    context: typer.Context,
    key: Annotated[
        str,
        typer.Argument(
            metavar="KEY",
            help="Key of an open alert, or a pattern such as 'apps/*/stale'.",
            autocompletion=completion.open_keys,
        ),
    ],
    why: Annotated[
        str, typer.Option("--why", metavar="TEXT", help="What you do about it, which the channels also get.")
    ] = "",
) -> None:
    """Acknowledge an open alert: no more reminders, and no further channel, until it is resolved."""
    from tallyd.cli.actions.mutes import ack as command

    raise typer.Exit(command(context.obj, key, why=why))

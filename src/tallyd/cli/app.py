"""The command line. Each command imports its modules when it is called, so that `--help` stays fast."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from typer._completion_classes import completion_init  # typer exports it nowhere else
from typer.core import TyperGroup

import tallyd
from tallyd.cli import run_commands, view_commands
from tallyd.cli.completion import config_path
from tallyd.cli.examples import epilog
from tallyd.cli.service.commands import service
from tallyd.cli.shells import completion_for


class _Commands(TyperGroup):
    """The commands. Each also accepts `--version`, as it accepts `--help`."""

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        command = super().get_command(ctx, cmd_name)
        if command is not None:
            command.params += [
                option for option in self.params if option.name == "version" and option not in command.params
            ]
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
    add_completion=False,  # its scripts are not ours: see tallyd.cli.shells
    pretty_exceptions_enable=False,  # they print local variables, and a local variable may be a key
    rich_markup_mode=None,
)
completion_init()  # it still answers them


_WITHOUT_LOG = frozenset({"run", "schema", "init", "demo", "service"})
"""The commands that load no config, or have a log of their own."""


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"tallyd {tallyd.__version__}")
        raise typer.Exit


def _completion(shell: str | None) -> None:
    if shell is not None:
        typer.echo(completion_for(shell), nl=False)
        raise typer.Exit


_Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="PATH",
        readable=False,  # typer does not check the file; reading it gives a better message
        help="Config file. Default: $TALLYD_CONFIG, else ./config.json.",
    ),
]
# The functions of the commands have no argument for the following two.
_Version = Annotated[
    bool,
    typer.Option(
        "-V", "--version", callback=_version, is_eager=True, expose_value=False, help="Print the version."
    ),
]
_Completion = Annotated[
    Literal["bash", "zsh", "fish"] | None,
    typer.Option(
        "--completion",
        callback=_completion,
        is_eager=True,
        expose_value=False,
        help="Print what this shell needs to complete a command line when you press Tab.",
    ),
]


@app.callback()
def _common(
    context: typer.Context,
    config: _Config = None,
    version: _Version = False,
    completion: _Completion = None,
) -> None:
    context.obj = config_path(config)
    if context.invoked_subcommand not in _WITHOUT_LOG:
        from tallyd.cli.shared import log_to_stderr

        log_to_stderr()


for _command in (
    run_commands.run,
    run_commands.check,
    run_commands.once,
    view_commands.status,
    view_commands.report,
    view_commands.files,
    view_commands.replay,
    view_commands.correct,
    view_commands.alerts,
    view_commands.mute,
    view_commands.unmute,
    view_commands.ack,
    run_commands.notify,
    run_commands.privacy_check,
    run_commands.backup,
    run_commands.restore,
    run_commands.schema,
    run_commands.init,
    run_commands.import_,
    run_commands.demo,
):
    _name = _command.__name__.strip("_").replace("_", "-")
    app.command(_name, epilog=epilog(_name))(_command)

app.add_typer(service, name="service")

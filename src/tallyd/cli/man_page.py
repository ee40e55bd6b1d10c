"""The man page, made from the commands when a wheel is built (hatch_build.py)."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

import typer.main

import tallyd
from tallyd.cli.app import app
from tallyd.cli.examples import EXAMPLES

_END = r"""
.SH EXIT STATUS
.TP
.B 0
all is well
.TP
.B 1
the command ran and hit a problem
.TP
.B 2
the command line is wrong
.TP
.B 78
the config is wrong
.SH ENVIRONMENT
.TP
.B TALLYD_CONFIG
path of the config, if
.B \-\-config
is not given
.SH FILES
.TP
.I ./config.json
the config in the current folder
.TP
.I /etc/tallyd/config.json
the config of the installed service
"""


def man_page() -> str:
    """Return the page in the language of man pages, for `man -l` and `share/man/man1`."""
    group: Any = typer.main.get_command(app)
    with group.make_context("tallyd", [], resilient_parsing=True) as context:
        lines = [
            f'.TH TALLYD 1 "" "tallyd {_plain(tallyd.__version__)}" "User Commands"',
            ".SH NAME",
            r"tallyd \- counts on a schedule, and alerts when counts stop",
            ".SH SYNOPSIS",
            ".B tallyd",
            r"[\fIOPTIONS\fR] \fICOMMAND\fR [\fIARGUMENT\fR...]",
            ".SH DESCRIPTION",
            _plain(group.help),
            ".SH OPTIONS",
            *_options(group, context),
            ".SH COMMANDS",
        ]
        lines += _commands(group, context)
    return "\n".join(lines) + _END


def _commands(group: Any, context: Any, before: str = "") -> Iterator[str]:
    """Yield each command of a group, and of the groups in it."""
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if hasattr(command, "list_commands"):
            with command.make_context(name, [], parent=context, resilient_parsing=True) as inner:
                yield from _commands(command, inner, f"{before}{name} ")
        elif not command.hidden:
            yield from _command(before + name, command, context)


def _command(name: str, command: Any, parent: Any) -> Iterator[str]:
    with command.make_context(name, [], parent=parent, resilient_parsing=True) as context:
        usage = " ".join(command.collect_usage_pieces(context))
        yield f".SS {_plain(name)} {_plain(usage)}"
        yield _plain(command.help)
        yield from _options(command, context, besides={"help", "version"})
    yield from (".PP", ".EX", *map(_plain, EXAMPLES[name]), ".EE")


def _options(command: Any, context: Any, besides: Collection[str] = ()) -> Iterator[str]:
    """Yield the arguments and options as `--help` shows them, besides those that each command has."""
    for parameter in command.get_params(context):
        if parameter.name not in besides and (record := parameter.get_help_record(context)) is not None:
            names, text = record
            yield from (".TP", rf"\fB{_plain(names)}\fR", _plain(text))


def _plain(text: str) -> str:
    r"""Return a text that troff prints as it is: `-` as one types it, no line that looks like a request."""
    one_line = text.replace("\n", " ").replace("\\", r"\e").replace("-", r"\-")
    return rf"\&{one_line}" if one_line.startswith((".", "'")) else one_line

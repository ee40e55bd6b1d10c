"""A report as one file of HTML that loads nothing: its stylesheet and scripts are in it."""

from __future__ import annotations

import base64
import hashlib
import shlex
from collections.abc import Sequence
from typing import Final

from markupsafe import Markup

import tallyd
from tallyd.core.language.messages import tr
from tallyd.presentation.boards import Chapter, period_text
from tallyd.presentation.html.templates import ASSETS, environment
from tallyd.presentation.html.view import View

MOST_ROWS: Final = 5000
"""Of one table: the file must fit into a mail."""
_STYLES: Final = ("page.css", "uplot/uPlot.min.css")
_SCRIPTS: Final = ("uplot/uPlot.iife.min.js", "plots.js")


def report_html(name: str, made: str, chapters: Sequence[Chapter], troubles: Sequence[str]) -> str:
    """Return the file. `name` is tallyd's own, `made` says when, `troubles` why something is missing."""
    style = "\n".join(_asset(each) for each in _STYLES)
    scripts = [_asset(each) for each in _SCRIPTS]
    runs = " ".join(map(_hash, scripts))
    parts = [chapters[0].poller] if len(chapters) == 1 else []
    parts.append(period_text(chapters) if chapters else tr("no days"))
    icon = base64.b64encode((ASSETS / "icon.svg").read_bytes()).decode("ascii")
    return (
        environment()
        .get_template("report.html")
        .render(
            name=name,
            made=made,
            chapters=[(each, period_text([each]), _view(each)) for each in chapters],
            troubles=troubles,
            title=", ".join(parts),
            version=tallyd.__version__,
            policy=f"default-src 'none'; style-src {_hash(style)}; script-src {runs}; img-src data:; "
            "base-uri 'none'; form-action 'none'",
            # Our own files: the hashes in the policy stand for exactly these.
            style=Markup(style),  # noqa: S704 # see above
            scripts=[Markup(each) for each in scripts],  # noqa: S704 # see above
            icon=f"data:image/svg+xml;base64,{icon}",
        )
    )


def _view(chapter: Chapter) -> View:
    command = f"{View.csv_command} {shlex.join(chapter.words)}"
    return View(zone=chapter.zone, most_rows=MOST_ROWS, csv_command=command)


def _asset(name: str) -> str:
    return (ASSETS / name).read_text("utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode('ascii')}'"

"""A report as one file of HTML: stylesheet and plots are in it, and nothing is loaded, run or sent."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from tallyd.core.texts import visible
from tallyd.presentation.invocation import filled
from tallyd.web.drawing import SIZE
from tallyd.web.report_view import Report

_HERE: Final = Path(__file__).parent


def page(report: Report) -> str:
    """Return the file. All texts are escaped, and no character acts in them."""
    style = "".join((_HERE / "static" / name).read_text("utf-8") for name in ("page.css", "report.css"))
    icon = base64.b64encode((_HERE / "static" / "icon.svg").read_bytes()).decode("ascii")
    environment = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_visible,
    )
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode("ascii")
    return environment.get_template("report.html").render(
        report=report,
        style=Markup(style),  # noqa: S704 # our own file; the hash above stands for it
        policy=f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'",
        icon=f"data:image/svg+xml;base64,{icon}",
        size=SIZE,
    )


def _visible(value: object) -> object:
    """Return text from outside on one line; what is markup already stays."""
    return visible(filled(value)) if type(value) is str else value

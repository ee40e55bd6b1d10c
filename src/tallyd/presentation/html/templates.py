"""The templates of boards, and the files that pages load."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from tallyd.core.language.formats import day_text, weekday_text
from tallyd.core.language.languages import language
from tallyd.core.language.messages import tr, translation
from tallyd.core.panels import Chart, Gap, Heatmap, Interval, Spread, Stat, StateTimeline
from tallyd.core.states import State, Timeline
from tallyd.core.texts import visible
from tallyd.presentation.html.script_texts import script_texts
from tallyd.presentation.invocation import filled

HERE: Final = Path(__file__).parent
ASSETS: Final = HERE / "static"
_PLAIN: Final = frozenset({str, int, float, type(None)})
"""Cells of these types are shown by their text alone: most cells are, and it is the quickest."""
_TESTS: Final = {
    "stat": Stat,
    "chart": Chart,
    "heatmap": Heatmap,
    "spread": Spread,
    "interval": Interval,
    "state": State,
    "gap": Gap,
    "instant": datetime,
    "timeline": Timeline,
    "state_timeline": StateTimeline,
}


@cache
def environment(*folders: Path, tallyd: str | None = None) -> Environment:
    """Return the templates of `folders` and of boards. All texts are escaped, and no character acts in them.

    `tallyd` is the command as people call it; None: as it is called in this process. The same arguments
    return the same object: compiling all templates takes 0.1 s.
    """
    made = Environment(
        loader=FileSystemLoader([*folders, HERE / "templates"]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: visible(filled(value, tallyd)) if type(value) is str else value,
    )
    made.globals.update(
        tr=lambda message, **values: _translated(message, values, tallyd),
        translation=translation,
        language=language,
        day_text=day_text,
        weekday_text=weekday_text,
        script_texts=script_texts,
    )
    made.tests.update({name: _is(kind) for name, kind in _TESTS.items()})
    made.tests["plain"] = lambda value: type(value) in _PLAIN
    made.tests["unknown"] = lambda value: value is Gap.UNKNOWN
    made.policies["json.dumps_kwargs"] = {"separators": (",", ":")}
    return made


def _translated(message: str, values: Mapping[str, object], tallyd: str | None) -> Markup:
    """Return a message as HTML. Values that are HTML stay so; all other texts are escaped."""
    # A character of nobody's alphabet stands for each element until all else is escaped.
    marks = {name: chr(0xF0000 + number) for number, name in enumerate(values)}
    elements = {marks[name]: value for name, value in values.items() if isinstance(value, Markup) and value}
    plain = {name: marks[name] if marks[name] in elements else value for name, value in values.items()}
    html = escape(visible(filled(tr(message, **plain), tallyd)))
    for each, element in elements.items():
        html = html.replace(each, element)
    return html


def _is(kind: type) -> Callable[[object], bool]:
    return lambda value: isinstance(value, kind)

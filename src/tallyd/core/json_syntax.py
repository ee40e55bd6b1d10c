"""What is wrong with a text that is not JSON, in words that help to fix it."""

from __future__ import annotations

import re
from json import JSONDecodeError

_EXAMPLE = "For an example, run: {tallyd} init"
_OTHERS = {
    "YAML": re.compile(r"---|- |[A-Za-z_][\w-]*\s*:(\s|$)"),
    "TOML": re.compile(r"\[{1,2}[A-Za-z_][\w.-]*\]{1,2}\s*$|[A-Za-z_][\w.-]*\s*=\s"),
}
"""Other config languages, by the start of the first line that is not a comment."""


def what_is_wrong(error: JSONDecodeError) -> str:
    """Return one or two sentences: what the file is instead, or the place of the first mistake."""
    lines = [line for line in error.doc.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    if not lines:
        return f"is empty. {_EXAMPLE}"
    for language, begins in _OTHERS.items():
        if begins.match(lines[0]):
            return f"looks like {language}, but the config must be JSON: {{ ... }}. {_EXAMPLE}"
    return f"invalid JSON at line {error.lineno}, column {error.colno}: {error.msg}{_advice(error)}"


def _advice(error: JSONDecodeError) -> str:
    before = error.doc[: error.pos].rstrip()
    if before.endswith(",") and error.doc[error.pos : error.pos + 1] in ("}", "]"):
        return " (remove the comma before the closing bracket)"
    if error.doc[error.pos : error.pos + 2] in ("//", "/*"):
        return ' (write a comment as "//": "text")'
    return ""

"""`tallyd schema` and `tallyd init`: what may stand in a config, and one to begin with."""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel, TypeAdapter
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from tallyd.cli.output import show_json
from tallyd.config import AnyPoller, Settings
from tallyd.core.errors import EXIT_OK

_TITLE = "tallyd configuration"
_INTRO = """# The config, key by key

One JSON file. Keys that begin with `//` are comments, anywhere. Unknown keys are refused. Durations are
written `"90s"`, `"5m"`, `"2h"`, `"1d"`. A secret is written as it is, or better as a reference: `"env:NAME"`,
`"file:PATH"` (relative to the config file) or `"credential:NAME"` (systemd). Relative paths hang on
`data_dir`. `tallyd check` names every mistake at once; `tallyd schema` prints the JSON Schema that editors
read. This page is generated from the program (`tallyd schema --format markdown`).
"""

_STARTERS: dict[str, dict[str, Any]] = {
    "divera": {
        "//": "See docs/config.md for every key. Check with: tallyd check --online",
        "timezone": "Europe/Berlin",
        "pollers": {
            "divera": {
                "kind": "divera",
                "//": "The key of a system user, alone in this file beside the config, readable by you only",
                "accesskey": "file:secrets/divera-key",
                "at": ["00:00", "08:00", "12:00", "16:00", "20:00"],
            }
        },
    },
}


def schema(shape: str) -> int:
    """Print the JSON Schema of the config, or with `markdown` its documentation."""
    if shape == "markdown":
        print(markdown(), end="")  # noqa: T201 # the answer
    else:
        show_json(json_schema())
    return EXIT_OK


def init(kind: str) -> int:
    """Print a config to begin with."""
    show_json(_STARTERS[kind])
    return EXIT_OK


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of the config; comment keys are allowed at every depth."""
    found = Settings.model_json_schema(by_alias=True)
    found = {"$schema": "https://json-schema.org/draft/2020-12/schema", **found, "title": _TITLE}
    for part in (found, *found.get("$defs", {}).values()):
        if part.get("additionalProperties") is False:
            part["patternProperties"] = {"^//": {"description": "A comment."}}
    return found


def markdown() -> str:
    """Return docs/config.md."""
    parts = [_INTRO, "## The file\n", _table(Settings)]
    for name, field in Settings.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            parts += [f"## `{name}`\n", f"{_first_line(field.annotation)}\n", _table(field.annotation)]
    for poller in (AnyPoller,):
        kind = poller.model_fields["kind"].annotation
        parts += [f"## `pollers`: kind `{kind.__args__[0]}`\n", f"{_first_line(poller)}\n", _table(poller)]  # type: ignore[union-attr] # a Literal
        for name, model in _nested(poller):
            parts += [f"### `{name}`\n", f"{_first_line(model)}\n", _table(model)]
    return "\n".join(parts)


def _first_line(model: type[BaseModel]) -> str:
    return " ".join((model.__doc__ or "").strip().split("\n\n")[0].split())


def _nested(model: type[BaseModel]) -> list[tuple[str, type[BaseModel]]]:
    """Return the models that lists in a model are made of, by the key they stand under."""
    return [
        (name, part)
        for name, field in model.model_fields.items()
        for part in getattr(field.annotation, "__args__", ())
        if isinstance(part, type) and issubclass(part, BaseModel) and name not in ("retry", "out")
    ]


def _table(model: type[BaseModel]) -> str:
    lines = ["| key | default | meaning |", "|---|---|---|"]
    for name, field in model.model_fields.items():
        lines.append(f"| `{field.alias or name}` | {_default(field)} | {_cell(field.description or '')} |")
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    if field.default is PydanticUndefined or isinstance(field.default, BaseModel):
        return ""
    written = TypeAdapter(field.rebuild_annotation()).dump_python(field.default, mode="json")
    return f"`{json.dumps(written)}`"

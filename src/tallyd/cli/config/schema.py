"""`tallyd schema`: prints the schema and documentation of the config, and tables of all alerts."""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel, TypeAdapter
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from tallyd.cli.config.alert_tables import alert_tables
from tallyd.config.settings import BY_KIND, Settings
from tallyd.core.errors import EXIT_OK
from tallyd.presentation.terminal import show_json

_TITLE = "tallyd configuration"
_INTRO = """# The config, key by key

The config is one JSON file. Keys that begin with `//` are comments and may stand anywhere. tallyd rejects
unknown keys. Write a duration as `"90s"`, `"5m"`, `"2h"` or `"1d"`. Write a secret directly, or better as a
reference: `"env:NAME"`, `"file:PATH"` (relative to the config file) or `"credential:NAME"` (systemd).
`data_dir` is the base folder for relative paths. `tallyd check` names every mistake at once. `tallyd schema`
prints the JSON Schema for editors. The program generates this page (`tallyd schema --format markdown`).

A running tallyd reloads the file automatically, two seconds after the last change, as a whole or not at all.
Only a change of `data_dir`, `out.dir`, `log.dir`, `state.dir`, `database` or a poller's `inbox` needs a
restart. Until then tallyd rejects the file, says so, and keeps the previous config active.
"""

_AT_THE_TOP = ("retry", "out", "alerts")
"""Keys of a poller that are also at the top of the file, and are explained there."""


def schema(shape: str) -> int:
    """Print the JSON Schema of the config; `markdown`: its documentation; `alerts`: every kind of problem."""
    if shape == "alerts":
        print(alert_tables(), end="")  # noqa: T201 # the answer
    elif shape == "markdown":
        print(markdown(), end="")  # noqa: T201 # the answer
    else:
        show_json(json_schema())
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
        for model in _models(field) if name != "pollers" else []:
            parts += [f"## `{name}`\n", f"{_first_line(model)}\n", _table(model)]
            for below, nested in _nested(model):
                parts += [f"### `{below}`\n", f"{_first_line(nested)}\n", _table(nested)]
    for kind, poller in BY_KIND.items():
        parts += [f"## `pollers`: kind `{kind}`\n", f"{_first_line(poller)}\n", _table(poller)]
        for name, model in _nested(poller):
            parts += [f"### `{name}`\n", f"{_first_line(model)}\n", _table(model)]
    return "\n".join(parts)


def _first_line(model: type[BaseModel]) -> str:
    return " ".join((model.__doc__ or "").strip().split("\n\n")[0].split())


def _nested(model: type[BaseModel], above: str = "") -> list[tuple[str, type[BaseModel]]]:
    """Return the models inside a model, at any depth, by their key (`report.success`)."""
    found = []
    for name, field in model.model_fields.items():
        for part in _models(field) if name not in _AT_THE_TOP else []:
            below = above + (field.alias or name)
            found += [(below, part), *_nested(part, f"{below}.")]
    return found


def _models(field: FieldInfo) -> list[type[BaseModel]]:
    """Return the models of a key, which may be one model, a list of models or a map of names to models."""
    options = (field.annotation, *getattr(field.annotation, "__args__", ()))
    return [part for part in options if isinstance(part, type) and issubclass(part, BaseModel)]


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

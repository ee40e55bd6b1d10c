"""The check of JMESPath in config files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tallyd.core.json_query import compiled
from tallyd.settings.types import did_you_mean, wrong


def check_query(written: str, *, example: str) -> str:
    """Return JMESPath that can be compiled, and that calls functions as they are. Raises `wrong()`."""
    try:
        parsed = compiled(written).parsed
    except (ValueError, RecursionError):
        raise wrong(f"is not JMESPath, such as {example}; see jmespath.org") from None
    for name, count in _calls(parsed):
        _check_call(name, count)
    return written


def _calls(node: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    """Yield the functions that an expression calls, and with how many arguments."""
    children = node["children"]
    if node["type"] == "function_expression":
        yield node["value"], len(children)
    for child in children:
        if isinstance(child, dict):  # those of a slice are numbers
            yield from _calls(child)


def _check_call(name: str, count: int) -> None:
    from jmespath.functions import Functions  # noqa: PLC0415 # only where a config uses it

    functions = Functions.FUNCTION_TABLE
    if name not in functions:
        hint = did_you_mean(name, tuple(functions)) or "; see jmespath.org"
        raise wrong(f"calls {name}(), which is no function of JMESPath{hint}")
    arguments = functions[name]["signature"]
    has_more = bool(arguments) and bool(arguments[-1].get("variadic"))
    if count < len(arguments) or (count > len(arguments) and not has_more):
        least = "at least " if has_more else ""
        noun = "argument" if len(arguments) == 1 else "arguments"
        raise wrong(f"calls {name}() with {count}; it has {least}{len(arguments)} {noun}")
